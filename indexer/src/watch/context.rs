//! What every stage of the indexer works with.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    path::PathBuf,
    sync::Mutex,
    time::Duration,
};

use alloy::signers::local::PrivateKeySigner;
use tracing::warn;
use url::{Host, Url};

use super::{collections, halt, heads::Told};
use crate::{
    chain::{CollectionError, KeyError, Oddity, Rpc, RpcError, Treatment},
    config::{Config, ConfigError, Finality, History, Payment},
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
    /// What marks a block final.
    pub finality: Finality,
    /// Blocks until then, where confirmations mark it.
    pub confirmations: u64,
    /// Between looks at the chain, the schedule and the outbox.
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
}

/// After a failed probe, the next comes after this; doubled each time.
const RETRY: i64 = 1000;

impl Settings {
    /// From the configuration.
    pub fn new(config: &Config) -> Self {
        let replicas = &config.replicas;
        Self {
            policy: policy(config),
            schedule: Schedule { recheck: replicas.recheck.millis(), retry: RETRY },
            finality: config.chain.finality,
            confirmations: config.chain.confirmations,
            poll: config.chain.poll.0.max(Duration::from_millis(50)),
            keep_history: replicas.history == History::Keep,
            wait: config.repair.wait.0,
            concurrency: config.limits.concurrency.max(1) as usize,
            channel: config.aleph.channel.clone(),
            payment: config.aleph.payment,
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
    pub(super) rpc: Rpc,
    pub(super) fetcher: Fetcher,
    pub(super) nodes: HashMap<RowId, Configured>,
    /// Finds what lies at a path below a content address.
    pub(super) resolver: Resolver,
    pub(super) sinks: Vec<Sink>,
    pub(super) repairer: Option<PrivateKeySigner>,
    pub(super) settings: Settings,
    pub(super) told: Told,
    /// What was said already of logs that are passed over.
    pub(super) told_odd: Mutex<HashSet<(RowId, Oddity)>>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Watch {
    /// Opens the ledger, looks at chain, collections and nodes, and ties them together.
    pub async fn start(
        config: &Config,
        repairer: Option<PrivateKeySigner>,
    ) -> Result<Self, WatchError> {
        if config.collection.is_empty() {
            return Err(invalid("no [[collection]] is configured: there is nothing to watch"));
        }
        if let Some(shortage) = shortage(config) {
            return Err(WatchError::Config(ConfigError::Invalid(shortage)));
        }
        let sinks = sinks(config)?;
        let fetcher = config.fetcher()?;
        let treatment =
            Treatment { pause: config.chain.poll.0, prove_logs: config.chain.prove_logs };
        let rpc = Rpc::connect_with(&config.chain.rpc, &fetcher, treatment).await?;
        let ledger = Ledger::open(&config.database).await?;
        // Before the contracts: on another chain they are missing, which would say less.
        ledger.read().await?.check_chain(rpc.chain_id(), rpc.genesis()).await?;
        let collections = collections::look(&rpc, &ledger, &config.collection).await?;
        let configured = nodes::configured(config, &fetcher);
        let resolver = Resolver::configured(config, &fetcher);
        let holders = holders(&configured).await;
        let mut tx = ledger.write().await?;
        tx.bind_chain(rpc.chain_id(), rpc.genesis()).await?;
        let mut active = Vec::new();
        for new in &collections {
            active.push(tx.add_collection(new).await?.id);
        }
        let settings = Settings::new(config);
        tx.set_active(&active, settings.keep_history, ledger::now()).await?;
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
            rpc,
            fetcher,
            nodes,
            resolver,
            sinks,
            repairer,
            settings,
            told: Told::default(),
            told_odd: Mutex::default(),
        })
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
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
