//! What every stage of the indexer works with.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    path::PathBuf,
    sync::Mutex,
    time::Duration,
};

use alloy::signers::local::PrivateKeySigner;
use futures::future::join_all;
use tracing::warn;
use url::{Host, Url};

use super::{
    chain::{Followed, is_of_the_chain},
    collections::Found,
    deny, halt,
};
use crate::{
    chain::{CollectionError, DeployError, KeyError, Oddity, Rpc, RpcError},
    config::{Config, ConfigError, History, Payment},
    deny::DenyError,
    health::{Holder, Policy, Schedule, independent},
    ledger::{self, Ledger, LedgerError, Node, RowId},
    nodes::{self, Configured, FetchError, Fetcher, Resolver},
};

/// What can stop the indexer or one of its rounds.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The settings can't work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The chain.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// A collection.
    #[error(transparent)]
    Collection(#[from] CollectionError),
    /// A factory.
    #[error(transparent)]
    Factory(#[from] DeployError),
    /// The repairer's key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The secret of a webhook.
    #[error("secret_file {}: {source}", path.display())]
    Secret {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A reorg beyond finality that too few endpoints tell of.
    #[error(
        "an RPC says that the chain was rewritten from block {block} on, below what counted as \
         final; nothing is read before most of all `[chain] rpc` say the same, or that one is well \
         again"
    )]
    Unconfirmed {
        /// The lowest block known to be another.
        block: u64,
    },
    /// The deny list.
    #[error(transparent)]
    Deny(#[from] DenyError),
    /// HTTP can't be set up.
    #[error(transparent)]
    Http(#[from] FetchError),
    /// A temporary file, for bytes on their way from one node to another.
    #[error("can't write a temporary file: {0}")]
    Temporary(#[from] std::io::Error),
}

/// Settings in the units the stages use.
#[derive(Clone, Debug)]
pub struct Settings {
    /// When a content is healthy.
    pub policy: Policy,
    /// When replicas are probed.
    pub schedule: Schedule,
    /// Between looks at the schedule and the outbox: as between those at the chain that is looked at
    /// most often.
    pub poll: Duration,
    /// Whether content of earlier revisions stays wanted.
    pub keep_history: bool,
    /// How long a node gets to fetch before it is sent the bytes.
    pub wait: Duration,
    /// Probes under way at once.
    pub concurrency: usize,
    /// aleph channel.
    pub channel: String,
    /// How STOREs are paid.
    pub payment: Payment,
    /// Between looks at the STOREs of a content, in milliseconds; 0: every round.
    pub provenance: i64,
}

/// After a failed probe, the next comes after this; doubled each time.
const RETRY: i64 = 1000;

impl Settings {
    /// From the configuration.
    pub fn new(config: &Config) -> Self {
        let replicas = &config.replicas;
        let polls = config.chain.iter().map(|chain| chain.poll.0);
        let poll = polls.min().unwrap_or_default().max(Duration::from_millis(50));
        Self {
            policy: policy(config),
            schedule: Schedule { recheck: replicas.recheck.millis(), retry: RETRY },
            poll,
            keep_history: replicas.history == History::Keep,
            wait: config.repair.wait.0,
            concurrency: config.limits.concurrency.max(1) as usize,
            channel: config.aleph.channel.clone(),
            payment: config.aleph.payment,
            provenance: config.aleph.provenance.millis(),
        }
    }
}

/// The policy of a configuration.
pub fn policy(config: &Config) -> Policy {
    Policy {
        min: config.replicas.min,
        min_held: config.replicas.min_held,
        grace: config.replicas.grace.millis(),
        recheck: config.replicas.recheck.millis(),
    }
}

/// A webhook and its secret.
pub(super) struct Sink {
    pub(super) url: Url,
    pub(super) secret: Option<Vec<u8>>,
}

/// The indexer: everything its stages share.
pub struct Watch {
    pub(super) ledger: Ledger,
    pub(super) chains: Vec<Followed>,
    pub(super) fetcher: Fetcher,
    pub(super) nodes: HashMap<RowId, Configured>,
    /// Finds what lies at a path below a content address.
    pub(super) resolver: Resolver,
    pub(super) sinks: Vec<Sink>,
    pub(super) repairer: Option<PrivateKeySigner>,
    pub(super) settings: Settings,
    /// What was said already of logs that are passed over.
    pub(super) told_odd: Mutex<HashSet<(RowId, Oddity)>>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Watch {
    /// Opens the ledger, looks at chains, collections and nodes, and ties them together. Of several
    /// chains, those that can't be reached now are reached later.
    ///
    /// # Errors
    /// Where the settings can't work, or no chain can be reached.
    pub async fn start(
        config: &Config,
        repairer: Option<PrivateKeySigner>,
    ) -> Result<Self, WatchError> {
        config.check()?;
        if config.collection.is_empty() && config.factory.is_empty() {
            return Err(invalid(
                "no [[collection]] and no [[factory]] is configured: there is nothing to watch",
            ));
        }
        if let Some(shortage) = shortage(config) {
            return Err(WatchError::Config(ConfigError::Invalid(shortage)));
        }
        let sinks = sinks(config)?;
        let denied = crate::deny::read_files(config)?;
        let fetcher = config.fetcher()?;
        let chains = Followed::all(config);
        let rpcs = connect(&chains, &fetcher).await?;
        let ledger = Ledger::open(&config.database).await?;
        let ids: Vec<_> = chains
            .iter()
            .zip(&rpcs)
            .filter_map(|(chain, rpc)| rpc.as_ref().map(Rpc::chain_id).or(chain.id()))
            .collect();
        ledger.read().await?.check_chains(&ids).await?;
        let looked = look(&chains, rpcs, &ledger).await?;
        let configured = nodes::configured(config, &fetcher);
        let resolver = Resolver::configured(config, &fetcher);
        let holders = holders(&configured).await;
        let mut tx = ledger.write().await?;
        let mut active = Vec::new();
        for (chain, found) in chains.iter().zip(looked) {
            match found {
                Some((rpc, found)) => {
                    active.extend(found.enter(&mut tx, &rpc).await?);
                    chain.set_reached(rpc);
                }
                None => active.extend(chain.known(&mut tx).await?),
            }
        }
        let settings = Settings::new(config);
        tx.set_active(&active, settings.keep_history, ledger::now()).await?;
        deny::settle(&mut tx, config, &denied, ledger::now()).await?;
        halt::settle(&mut tx, &sinks, ledger::now()).await?;
        tx.set_nodes(&holders).await?;
        let rows = tx.nodes().await?;
        tx.commit().await?;
        let mut by_url: HashMap<_, _> =
            configured.into_iter().map(|node| (nodes::name(node.node.url()), node)).collect();
        let nodes =
            rows.iter().filter_map(|row| Some((row.id, by_url.remove(&row.url)?))).collect();
        Ok(Self {
            ledger,
            chains,
            fetcher,
            nodes,
            resolver,
            sinks,
            repairer,
            settings,
            told_odd: Mutex::default(),
        })
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

/// The endpoints of each chain; `None` of one that can't be reached now, though others can.
async fn connect(chains: &[Followed], fetcher: &Fetcher) -> Result<Vec<Option<Rpc>>, WatchError> {
    if let [only] = chains {
        let rpc = only.patiently(async || Ok(only.connect(fetcher).await?)).await?;
        return Ok(vec![Some(rpc)]);
    }
    let results = join_all(chains.iter().map(|chain| chain.connect(fetcher))).await;
    let none = results.iter().all(Result::is_err);
    let mut rpcs = Vec::new();
    for (chain, result) in chains.iter().zip(results) {
        match result {
            Ok(rpc) => rpcs.push(Some(rpc)),
            Err(error) if none || !error.is_passing() => return Err(error.into()),
            Err(error) => {
                warn!("{}: {error}; it is tried again", chain.name);
                rpcs.push(None);
            }
        }
    }
    Ok(rpcs)
}

/// What is found of each chain's collections.
async fn look(
    chains: &[Followed],
    rpcs: Vec<Option<Rpc>>,
    ledger: &Ledger,
) -> Result<Vec<Option<(Rpc, Found)>>, WatchError> {
    let mut looked = Vec::new();
    for (chain, rpc) in chains.iter().zip(rpcs) {
        let Some(rpc) = rpc else {
            looked.push(None);
            continue;
        };
        let found = match chains {
            [only] => only.patiently(async || only.look(&rpc, ledger).await).await,
            _ => chain.look(&rpc, ledger).await,
        };
        match found {
            Ok(found) => looked.push(Some((rpc, found))),
            // A wrong address is told at once; a chain that just went away holds up no other.
            Err(error) if chains.len() > 1 && is_of_the_chain(&error) && !is_final(&error) => {
                warn!("{}: {error}; it is tried again", chain.name);
                looked.push(None);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(looked)
}

/// Whether a contract is at fault, which is not mended by waiting.
fn is_final(error: &WatchError) -> bool {
    match error {
        WatchError::Collection(inner) => inner.is_about_contract(),
        WatchError::Factory(inner) => !matches!(inner, DeployError::Collection(_)),
        _ => false,
    }
}

fn invalid(text: &str) -> WatchError {
    WatchError::Config(ConfigError::Invalid(text.to_owned()))
}

/// Why the configured nodes can't satisfy the policy, if they can't.
pub fn shortage(config: &Config) -> Option<String> {
    let all = [&config.aleph.nodes, &config.ipfs.gateways, &config.ipfs.kubo];
    let holders: Vec<_> = all
        .into_iter()
        .flatten()
        .map(|node| Holder { operator: node.operator.clone(), address: literal_address(&node.url) })
        .collect();
    let (nodes, min) = (independent(holders.iter()), config.replicas.min);
    (nodes < min).then(|| {
        format!(
            "{nodes} independent node{} configured ([aleph] nodes, [ipfs] gateways and kubo), \
             but [replicas] min = {min}: configure more nodes or lower min",
            if nodes == 1 { " is" } else { "s are" }
        )
    })
}

fn sinks(config: &Config) -> Result<Vec<Sink>, WatchError> {
    let sink = |alert: &crate::config::AlertConfig| {
        let secret = match &alert.secret_file {
            None => None,
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|source| WatchError::Secret { path: path.clone(), source })?;
                Some(text.trim().as_bytes().to_vec())
            }
        };
        Ok(Sink { url: alert.webhook.clone(), secret })
    };
    config.alert.iter().map(sink).collect()
}

/// The nodes as the ledger knows them: whose they are and where.
async fn holders(configured: &[Configured]) -> Vec<Node> {
    let mut rows = Vec::new();
    for node in configured {
        let url = node.node.url();
        let address = address_of(url).await;
        let holder = Holder { operator: node.operator.clone(), address };
        rows.push(Node { id: 0, url: nodes::name(url), kind: node.node.kind(), holder });
    }
    rows
}

/// The public IP address of a node, or host and port where it has none: so are nodes on one
/// machine or in one private network told apart.
async fn address_of(url: &Url) -> String {
    let (Some(Host::Domain(host)), Some(port)) = (url.host(), url.port_or_known_default()) else {
        return literal_address(url);
    };
    match resolve(host, port).await {
        Some(ip) if is_public(ip) => ip.to_string(),
        _ => literal_address(url),
    }
}

/// As [`address_of`], without asking anyone for the address of a name.
fn literal_address(url: &Url) -> String {
    let ip = match url.host() {
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
        _ => None,
    };
    let port = url.port_or_known_default().unwrap_or_default();
    match ip.filter(|ip| is_public(*ip)) {
        Some(ip) => ip.to_string(),
        None => format!("{}:{port}", url.host_str().unwrap_or_default()),
    }
}

async fn resolve(host: &str, port: u16) -> Option<IpAddr> {
    let looked_up = tokio::net::lookup_host((host, port));
    match tokio::time::timeout(Duration::from_secs(5), looked_up).await {
        Ok(Ok(found)) => found.map(|address| address.ip()).min(),
        _ => {
            warn!("{host}: its name can't be resolved now; it counts as its own address");
            None
        }
    }
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && (64..128).contains(&ip.octets()[1]);
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_documentation()
                || shared)
        }
        IpAddr::V6(ip) => {
            let mapped = ip.to_ipv4_mapped().is_some_and(|v4| !is_public(IpAddr::V4(v4)));
            !(ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || mapped)
        }
    }
}
