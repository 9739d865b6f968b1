//! What belongs to one chain. Each is followed by itself: one that can't be reached holds up no other.

use std::time::Duration;

use futures::future::join_all;
use tokio::sync::OnceCell;
use tracing::{info, warn};

use super::{
    Watch, WatchError,
    collections::{self, Found},
    heads::Told,
    patience::Patience,
};
use crate::{
    chain::{CollectionError, DeployError, Rpc, RpcError, Treatment, View},
    config::{ChainConfig, CollectionConfig, Config, FactoryConfig, Finality},
    ledger::{self, Ledger, RowId, Tx},
    nodes::Fetcher,
};

/// Looks at a chain begin at least so long apart.
const SHORTEST_POLL: Duration = Duration::from_millis(50);

/// A chain of the configuration, be it reached already or not.
pub(super) struct Followed {
    /// EIP-155 chain id; `None` where the configuration leaves it to the endpoints, and they have
    /// not answered yet.
    chain_id: Option<u64>,
    /// How it is called in a log.
    pub(super) name: String,
    config: ChainConfig,
    collections: Vec<CollectionConfig>,
    factories: Vec<FactoryConfig>,
    /// Between looks at it.
    pub(super) poll: Duration,
    /// How much longer its endpoints are waited for, where they were asked too often.
    pub(super) patience: Patience,
    reached: OnceCell<Chain>,
}

/// A chain that was reached.
pub(super) struct Chain {
    pub(super) rpc: Rpc,
    finality: Finality,
    /// Blocks on top of a final one, where confirmations mark it.
    pub(super) confirmations: u64,
    pub(super) told: Told,
}

impl Chain {
    /// EIP-155 chain id.
    pub(super) fn id(&self) -> u64 {
        self.rpc.chain_id()
    }

    /// Its state now.
    pub(super) async fn view(&self) -> Result<View<'_>, RpcError> {
        self.rpc.view(self.finality, self.confirmations).await
    }
}

impl Followed {
    /// The chains of the configuration, none of them reached.
    pub(super) fn all(config: &Config) -> Vec<Self> {
        let several = config.chain.len() > 1;
        let followed = |chain: &ChainConfig| Self {
            chain_id: chain.chain_id,
            name: match chain.chain_id.filter(|_| several) {
                Some(id) => format!("chain {id}"),
                None => "the chain".to_owned(),
            },
            config: chain.clone(),
            collections: config.collections_of(chain),
            factories: config.factories_of(chain),
            poll: chain.poll.0.max(SHORTEST_POLL),
            patience: Patience::default(),
            reached: OnceCell::new(),
        };
        config.chain.iter().map(followed).collect()
    }

    /// EIP-155 chain id, once it is known.
    pub(super) fn id(&self) -> Option<u64> {
        self.reached().map(Chain::id).or(self.chain_id)
    }

    /// The chain, if it was reached.
    pub(super) fn reached(&self) -> Option<&Chain> {
        self.reached.get()
    }

    /// Takes the chain for reached.
    pub(super) fn set_reached(&self, rpc: Rpc) {
        // Nobody else is at it: it is told at the start, before anything runs.
        let _ = self.reached.set(self.chain(rpc));
    }

    fn chain(&self, rpc: Rpc) -> Chain {
        let (finality, confirmations) = (self.config.finality, self.config.confirmations);
        Chain { rpc, finality, confirmations, told: Told::default() }
    }

    /// Connects to its endpoints.
    pub(super) async fn connect(&self, fetcher: &Fetcher) -> Result<Rpc, RpcError> {
        let (pause, prove_logs) = (self.config.poll.0, self.config.prove_logs);
        let treatment = Treatment { pause, prove_logs };
        let rpc = Rpc::connect_with(&self.config.rpc, fetcher, treatment).await?;
        rpc.must_be(self.chain_id)?;
        Ok(rpc)
    }

    /// Looks at its collections and factories, once the ledger and the endpoints are found to be of one chain.
    pub(super) async fn look(&self, rpc: &Rpc, ledger: &Ledger) -> Result<Found, WatchError> {
        // Before the contracts: on another chain they are missing, which would say less.
        ledger.read().await?.check_genesis(rpc.chain_id(), rpc.genesis()).await?;
        let collections = self.collections.iter().map(|one| one.chain_id);
        for chain_id in collections.chain(self.factories.iter().map(|one| one.chain_id)) {
            rpc.must_be(chain_id)?;
        }
        collections::look(rpc, ledger, &self.collections, &self.factories).await
    }

    /// What the ledger has already of its collections and factories.
    pub(super) async fn known(&self, tx: &mut Tx) -> Result<Vec<RowId>, WatchError> {
        let Some(id) = self.id() else { return Ok(Vec::new()) };
        let mut addresses: Vec<_> = self.collections.iter().map(|one| one.address).collect();
        for factory in &self.factories {
            addresses.push(collections::address_of(factory)?);
        }
        let mut rows = Vec::new();
        for address in addresses {
            rows.extend(tx.known_collection(id, address).await?.map(|known| known.id));
        }
        Ok(rows)
    }
}

/// Whether only one chain is concerned: the others can go on.
pub(super) fn is_of_the_chain(error: &WatchError) -> bool {
    match error {
        WatchError::Rpc(inner) => inner.is_passing(),
        WatchError::Collection(CollectionError::Rpc(inner))
        | WatchError::Factory(DeployError::Collection(CollectionError::Rpc(inner))) => {
            inner.is_passing()
        }
        WatchError::Factory(DeployError::Collection(_)) => true,
        WatchError::Collection(_) | WatchError::Unconfirmed { .. } => true,
        _ => false,
    }
}

impl Watch {
    /// The chain; reached now, if it was not before.
    pub(super) async fn reach<'a>(&self, followed: &'a Followed) -> Result<&'a Chain, WatchError> {
        followed.reached.get_or_try_init(|| self.begin(followed)).await
    }

    /// Reaches a chain that could not be reached at the start.
    async fn begin(&self, followed: &Followed) -> Result<Chain, WatchError> {
        let rpc = followed.connect(&self.fetcher).await?;
        let found = followed.look(&rpc, &self.ledger).await?;
        let mut tx = self.ledger.write().await?;
        let mut rows = found.enter(&mut tx, &rpc).await?;
        // The others, as they were at the start.
        rows.extend(tx.configured().await?);
        tx.set_active(&rows, self.settings.keep_history, ledger::now()).await?;
        tx.commit().await?;
        info!("{}: reached", followed.name);
        Ok(followed.chain(rpc))
    }

    /// Does something with every chain at once; gives what came of it, and how many chains failed.
    ///
    /// # Errors
    /// Where it failed with the only chain, or with all; or for a reason that is not a chain's.
    pub(super) async fn with_chains<T>(
        &self,
        what: &str,
        work: impl AsyncFn(&Followed) -> Result<T, WatchError>,
    ) -> Result<(Vec<T>, u64), WatchError> {
        let results = join_all(self.chains.iter().map(|chain| work(chain))).await;
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for (followed, result) in self.chains.iter().zip(results) {
            match result {
                Ok(one) => done.push(one),
                Err(error) if is_of_the_chain(&error) => failed.push((followed, error)),
                Err(error) => return Err(error),
            }
        }
        if done.is_empty()
            && let Some((_, error)) = failed.pop()
        {
            return Err(error);
        }
        for (followed, error) in &failed {
            warn!("{what} {}: {error}", followed.name);
        }
        Ok((done, failed.len() as u64))
    }
}
