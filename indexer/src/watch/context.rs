//! What every stage of the indexer works with.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use alloy::{primitives::Address, signers::local::PrivateKeySigner};
use futures::future::join_all;
use tracing::warn;

use super::{
    alert::{Repeats, Rests},
    budget::ticks,
    chain::{Followed, is_of_the_chain},
    collections::Found,
    deny,
    desks::Desks,
    discover::{self, Discovery, Nodes},
    halt,
    outbox::{self, Telling},
    providers::Strangers,
    refusals::Refusals,
    repair,
    shortage::{short_of, shortage},
    vault::Tended,
    whereabouts::holders,
};
use crate::{
    alert::{self, Sink},
    chain::{CollectionError, DeployError, KeyError, Oddity, Rpc, RpcError},
    config::{Config, ConfigError, History, Payment},
    deny::DenyError,
    health::{Policy, Schedule},
    ledger::{self, Ledger, LedgerError, RowId},
    nodes::{self, FetchError, Fetcher, Resolver},
    repair::{Budget, Credits},
    vault::{Keeper, Vault, VaultError},
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
    /// The vault.
    #[error(transparent)]
    Vault(VaultError),
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
    /// How long it is kept what was seen of content that is probed no longer, in milliseconds.
    pub evidence: i64,
    /// What comes and goes within this, in milliseconds, is not told each time; 0: it is.
    pub window: i64,
    /// How long a node gets to fetch before it is sent the bytes.
    pub wait: Duration,
    /// Probes under way at once.
    pub concurrency: usize,
    /// aleph channel.
    pub channel: String,
    /// How STOREs are paid.
    pub payment: Payment,
    /// On whose behalf they are signed, where not the key's own.
    pub account: Option<Address>,
    /// What a MiB costs each hour.
    pub price: Credits,
    /// How long a pinning service gets until its pin is seen to help.
    pub pin_wait: Duration,
    /// Larger content is not repaired, in bytes.
    pub max_size: u64,
    /// How long the account's credits must last, in milliseconds.
    pub credits_last: i64,
    /// Whether repairs are only said.
    pub dry_run: bool,
    /// How much may be spent on them.
    pub budget: Budget,
    /// Between looks at the STOREs of a content, in milliseconds; 0: every round.
    pub provenance: i64,
}

/// After a failed probe, the next comes after this; doubled each time.
const RETRY: i64 = 1000;
/// A probe may come sooner than after `recheck` by one part in so many of it.
const JITTER: i64 = 10;

impl Settings {
    /// From the configuration.
    pub fn new(config: &Config) -> Self {
        let replicas = &config.replicas;
        let polls = config.chain.iter().map(|chain| chain.poll.0);
        let poll = polls.min().unwrap_or_default().max(Duration::from_millis(50));
        Self {
            policy: policy(config),
            schedule: Schedule {
                recheck: replicas.recheck.millis(),
                retry: RETRY,
                jitter: replicas.recheck.millis() / JITTER,
                spot: config.probes.spot_check.millis(),
            },
            poll,
            keep_history: replicas.history == History::Keep,
            evidence: replicas.evidence.millis(),
            window: config.incidents.window.millis(),
            wait: config.repair.wait.0,
            concurrency: config.limits.concurrency.max(1) as usize,
            channel: config.aleph.channel.clone(),
            payment: config.aleph.payment,
            account: config.repair.account,
            price: Credits::from_number(config.aleph.credits_per_mib_hour).unwrap_or_default(),
            pin_wait: config.repair.pin_wait.0,
            max_size: config.repair.max_size,
            credits_last: config.repair.credits_last.millis(),
            dry_run: config.repair.dry_run,
            budget: config.repair.budget.unspent(),
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

/// The indexer: everything its stages share.
pub struct Watch {
    pub(super) ledger: Ledger,
    pub(super) chains: Vec<Followed>,
    pub(super) fetcher: Fetcher,
    nodes: RwLock<Arc<Nodes>>,
    /// Where other nodes are found, unless they are configured.
    pub(super) discovery: Option<Discovery>,
    /// Those whom routers named.
    pub(super) strangers: Strangers,
    /// Finds what lies at a path below a content address.
    pub(super) resolver: Resolver,
    pub(super) sinks: Vec<Sink>,
    pub(super) telling: Telling,
    pub(super) repairer: Option<PrivateKeySigner>,
    pub(super) settings: Settings,
    /// The local copy of verified content.
    pub(super) tended: Tended,
    /// Probes that wait for their turn.
    pub(super) desks: Mutex<Desks>,
    /// Nodes that wanted to be left alone, by what they were asked for.
    pub(super) refusals: Mutex<Refusals>,
    /// Why sinks took no alerts, as it was said last.
    pub(super) told_sinks: Mutex<HashMap<String, String>>,
    /// Sinks that are left alone.
    pub(super) rests: Rests,
    /// What sinks that forget were told again.
    pub(super) repeats: Repeats,
    /// What was said already of logs that are passed over.
    pub(super) told_odd: Mutex<HashSet<(RowId, Oddity)>>,
    /// What is known of repairs beside the ledger.
    pub(super) repairing: repair::Repairing,
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
        // Providers may make up for nodes, and nobody knows before which there are.
        let may_be_short = config.ipfs.has_routers();
        if let Some(shortage) = shortage(config).filter(|_| !may_be_short) {
            return Err(WatchError::Config(ConfigError::Invalid(shortage)));
        }
        let sinks = alert::sinks(config)?;
        let telling = Telling::new(&sinks, config);
        let denied = crate::deny::read_files(config)?;
        let fetcher = config.fetcher()?;
        let vault = Vault::configured(config, &fetcher)?;
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
        let discovery = Discovery::configured(config, &fetcher, &ledger).await?;
        let mut configured: Vec<_> =
            nodes::configured(config, &fetcher)?.into_iter().map(Arc::new).collect();
        if let Some(discovery) = &discovery {
            let found = discovery.first(&ledger).await?;
            configured.extend(discover::clients(found, &[], &fetcher));
        }
        let resolver = Resolver::configured(config, &fetcher);
        let holders = holders(&configured).await;
        if discovery.is_some()
            && let Some(shortage) = short_of(&holders, config.replicas.min)
        {
            if !may_be_short {
                return Err(WatchError::Config(ConfigError::Invalid(shortage)));
            }
            warn!("{shortage}");
        }
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
        let keeper = Keeper::new(vault, ledger.clone(), settings.policy, &config.vault);
        tx.set_active(&active, settings.keep_history, ledger::now()).await?;
        outbox::settle(&mut tx, &sinks).await?;
        deny::settle(&mut tx, config, &telling, &denied, ledger::now()).await?;
        halt::settle(&mut tx, &telling, ledger::now()).await?;
        tx.set_nodes(&holders).await?;
        let nodes = discover::by_row(&mut tx, configured).await?;
        tx.commit().await?;
        let strangers = Strangers::new(config.ipfs.private_hosts.clone(), fetcher.clone());
        Ok(Self {
            ledger,
            chains,
            fetcher,
            nodes: RwLock::new(Arc::new(nodes)),
            discovery,
            strangers,
            resolver,
            repeats: Repeats::new(&sinks),
            sinks,
            telling,
            repairer,
            settings,
            tended: Tended::new(keeper, config.vault.keep),
            desks: Mutex::new(Desks::new(&config.probes, config.limits.concurrency, ticks())),
            refusals: Mutex::default(),
            told_sinks: Mutex::default(),
            rests: Rests::default(),
            told_odd: Mutex::default(),
            repairing: repair::Repairing::default(),
        })
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How many nodes are in use now.
    pub fn node_count(&self) -> usize {
        self.nodes().len()
    }

    /// The nodes in use now.
    pub(super) fn nodes(&self) -> Arc<Nodes> {
        // It is replaced as a whole: who panicked left none half done.
        self.nodes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_nodes(&self, nodes: Nodes) {
        *self.nodes.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(nodes);
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
