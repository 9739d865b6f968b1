//! The indexer as a test runs it: configured in code, with a node that has nothing.

use std::{collections::BTreeMap, time::Duration};

use alloy::primitives::{Address, U256};
use everhold::{
    chain::RpcError,
    config::{
        AlephConfig, AlertConfig, ChainConfig, CollectionConfig, Config, FactoryConfig, IpfsConfig,
        LimitsConfig, NodeConfig, ReplicasConfig, Span, Standard,
    },
    content::ContentId,
    ledger::{self, Ledger, Tx},
    picture::{CollectionPicture, Picture},
    report::Status,
    watch::{Round, Watch, WatchError, policy},
};
use url::Url;

use super::http::Server;
use crate::support::{
    database::{Database, Engine},
    snapshot::Snapshot,
};

const POLL: Span = Span(Duration::from_millis(50));

/// Everything an indexer needs besides chain and database.
pub(crate) struct Setting {
    node: Server,
    collections: Vec<CollectionConfig>,
    pub(crate) factories: Vec<FactoryConfig>,
    pub(crate) confirmations: u64,
    pub(crate) grace_secs: u64,
    pub(crate) webhooks: Vec<Url>,
    pub(crate) prove_logs: bool,
    pub(crate) poll: Span,
    pub(crate) recheck_secs: u64,
    pub(crate) gateways: Vec<Url>,
}

impl Setting {
    /// An indexer of these collections, from the first block on.
    pub(crate) async fn of(addresses: &[Address]) -> Self {
        let collections = addresses.iter().map(|address| CollectionConfig {
            chain_id: None,
            address: *address,
            start_block: 0,
            standard: None,
        });
        Self {
            node: Server::empty_node().await,
            collections: collections.collect(),
            factories: Vec::new(),
            confirmations: 12,
            grace_secs: 600,
            webhooks: Vec::new(),
            prove_logs: false,
            // The pause after a failure follows from it.
            poll: POLL,
            recheck_secs: 86_400,
            gateways: Vec::new(),
        }
    }

    pub(crate) fn start_at(&mut self, block: u64) {
        self.collections[0].start_block = block;
    }

    pub(crate) fn config(&self, database: &str, rpc: &[&Url]) -> Config {
        Config {
            database: database.to_owned(),
            chain: vec![ChainConfig {
                rpc: rpc.iter().map(|url| (*url).clone()).collect(),
                confirmations: self.confirmations,
                prove_logs: self.prove_logs,
                poll: self.poll,
                ..ChainConfig::default()
            }],
            collection: self.collections.clone(),
            factory: self.factories.clone(),
            aleph: AlephConfig {
                nodes: Some(vec![NodeConfig { url: self.node.url.clone(), operator: None }]),
                ..AlephConfig::default()
            },
            ipfs: IpfsConfig {
                gateways: self
                    .gateways
                    .iter()
                    .map(|url| NodeConfig { url: url.clone(), operator: None })
                    .collect(),
                ..IpfsConfig::default()
            },
            replicas: ReplicasConfig {
                min: 1,
                grace: Span::secs(self.grace_secs),
                recheck: Span::secs(self.recheck_secs),
                ..ReplicasConfig::default()
            },
            limits: LimitsConfig {
                connect_timeout: Span::secs(1),
                idle_timeout: Span::secs(1),
                total_timeout: Span::secs(2),
                max_content: 1 << 20,
                concurrency: 8,
                ..LimitsConfig::default()
            },
            alert: self
                .webhooks
                .iter()
                .map(|url| AlertConfig::webhook(url.clone(), None))
                .collect(),
            ..Config::default()
        }
    }

    /// The same on several chains: each collection is on every one of them.
    pub(crate) fn several(&self, database: &str, chains: &[(u64, &Url)]) -> Config {
        let mut config = self.config(database, &[]);
        let [base] = config.chain.as_slice() else { panic!("one chain") };
        let chain = |(id, url): &(u64, &Url)| ChainConfig {
            chain_id: Some(*id),
            rpc: vec![(*url).clone()],
            ..base.clone()
        };
        config.chain = chains.iter().map(chain).collect();
        let on_each = |one: &CollectionConfig| {
            let one = one.clone();
            chains
                .iter()
                .map(move |(id, _)| CollectionConfig { chain_id: Some(*id), ..one.clone() })
        };
        config.collection = self.collections.iter().flat_map(on_each).collect();
        let on_each = |one: &FactoryConfig| {
            let one = one.clone();
            chains.iter().map(move |(id, _)| FactoryConfig { chain_id: Some(*id), ..one.clone() })
        };
        config.factory = self.factories.iter().flat_map(on_each).collect();
        config
    }

    pub(crate) async fn start(&self, db: &Database, rpc: &[&Url]) -> Result<Watch, WatchError> {
        Watch::start(&self.config(&db.url, rpc), None).await
    }

    /// A process of its own that makes one round.
    pub(crate) async fn round(&self, db: &Database, rpc: &[&Url]) -> Result<Round, WatchError> {
        let watch = self.start(db, rpc).await?;
        let done = watch.once(false).await;
        watch.ledger().close().await;
        done
    }

    /// As [`Setting::round`], of the chain alone.
    pub(crate) async fn index(&self, db: &Database, rpc: &[&Url]) -> Result<Round, WatchError> {
        let watch = self.start(db, rpc).await?;
        let done = watch.index_once().await;
        watch.ledger().close().await;
        done
    }

    /// What an indexer that never saw anything before makes of the chain.
    pub(crate) async fn fresh(&self, rpc: &Url) -> Seen {
        let db = Database::fresh(Engine::Sqlite).await;
        self.round(&db, &[rpc]).await.unwrap();
        seen(&db.open().await).await
    }
}

/// What a ledger holds of the chain.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) snapshot: Snapshot,
    pub(crate) indexed: Vec<Option<u64>>,
    pub(crate) standards: Vec<Standard>,
    /// Of tokens that are not ours.
    pub(crate) uris: BTreeMap<(Address, U256), UriSeen>,
}

/// A URI, and what hangs on it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UriSeen {
    pub(crate) text: Option<String>,
    pub(crate) class: Option<String>,
    pub(crate) unverifiable: Vec<String>,
    pub(crate) contents: Vec<ContentId>,
}

pub(crate) async fn seen(ledger: &Ledger) -> Seen {
    let snapshot = Snapshot::of(ledger).await;
    let mut tx = ledger.read().await.unwrap();
    let collections = tx.collections().await.unwrap();
    let mut seen = Seen {
        snapshot,
        indexed: collections.iter().map(|c| c.indexed_block).collect(),
        standards: collections.iter().map(|c| c.standard).collect(),
        uris: BTreeMap::new(),
    };
    if seen.standards.iter().any(|standard| standard.is_foreign()) {
        let now = ledger::now();
        let picture = Picture::take(&mut tx, &policy(&Config::default()), now).await.unwrap();
        let foreign = picture.collections.iter().filter(|c| c.collection.standard.is_foreign());
        for collection in foreign {
            seen.uris.append(&mut uris_of(&mut tx, &picture, collection).await);
        }
    }
    seen
}

/// The state of everything, as `status` tells it.
pub(crate) async fn status(watch: &Watch) -> Status {
    let mut tx = watch.ledger().read().await.unwrap();
    Status::read(&mut tx, watch.policy(), ledger::now()).await.unwrap()
}

async fn uris_of(
    tx: &mut Tx,
    picture: &Picture,
    of: &CollectionPicture,
) -> BTreeMap<(Address, U256), UriSeen> {
    let mut uris = BTreeMap::new();
    for token in &of.tokens {
        let uri = tx.uri(of.collection.id, Some(token.token_id)).await.unwrap();
        let uri = uri.unwrap_or_else(|| panic!("token {} has no URI", token.token_id));
        let contents = token.contents.iter().filter_map(|(_, row)| picture.contents.get(row));
        let seen = UriSeen {
            text: uri.uri,
            class: uri.class,
            unverifiable: token.unverifiable.clone(),
            contents: contents.map(|known| known.content.id).collect(),
        };
        uris.insert((of.collection.address, token.token_id), seen);
    }
    uris
}

pub(crate) async fn seen_in(db: &Database) -> Seen {
    let ledger = db.open().await;
    let seen = seen(&ledger).await;
    ledger.close().await;
    seen
}

/// Tries again until the endpoints that were set aside are asked again.
pub(crate) async fn once_they_are_back<T, F>(mut round: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, WatchError>>,
{
    for _ in 0..100 {
        match round().await {
            Err(WatchError::Rpc(RpcError::TooFew { .. })) => {}
            done => return done.unwrap(),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the endpoints are not asked again");
}
