//! `everhold status`: collections, health counts, nodes, incidents.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::{ContractUri, DeniedStatus, lag::Lag};
use crate::{
    config::Standard,
    health::{Health, Policy, ReplicaState},
    ledger::{
        ChainHead, Collection, Halt, Incident, LedgerError, Millis, NodeKind, OddLogs, Repair,
        RowId, Tx,
    },
    picture::{CollectionPicture, Picture},
    time_text,
};

/// Incidents that ended are told for this long, in milliseconds.
const RECENT: Millis = 24 * 60 * 60 * 1000;

/// The state of everything.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Each collection.
    pub collections: Vec<CollectionStatus>,
    /// Each factory that is followed.
    pub factories: Vec<FactoryStatus>,
    /// Each chain.
    pub chains: Vec<ChainStatus>,
    /// Each node.
    pub nodes: Vec<NodeStatus>,
    /// Open incidents, and those that ended within a day.
    pub incidents: Vec<IncidentStatus>,
    /// What of all this is on the deny list.
    pub denied: Vec<DeniedStatus>,
}

/// A chain as the indexer last saw it.
#[derive(Clone, Debug, Serialize)]
pub struct ChainStatus {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The head; null before the first look.
    pub head_block: Option<u64>,
    /// The head's time, as the chain says.
    pub head_time: Option<String>,
    /// When the indexer last wrote down that it saw the head.
    pub head_seen_at: Option<String>,
    /// How many seconds ago that was. Left out of the JSON, which is to change with the ledger alone.
    #[serde(skip)]
    pub head_age_seconds: Option<u64>,
    /// The last final block.
    pub finalized_block: Option<u64>,
}

/// Why a collection is not read any further.
#[derive(Clone, Debug, Serialize)]
pub struct HaltStatus {
    /// Since when.
    pub since: String,
    /// Why.
    pub reason: String,
    /// The last block that is known to be on the chain still; null where none is.
    pub shared_block: Option<u64>,
}

/// A factory, and how far it was read.
#[derive(Clone, Debug, Serialize)]
pub struct FactoryStatus {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// EIP-55 address.
    pub address: String,
    /// How many of the collections it made are watched.
    pub collections: usize,
    /// First block to read.
    pub start_block: u64,
    /// Last block read; null before the first.
    pub indexed_block: Option<u64>,
    /// Last final block among those read.
    pub finalized_block: Option<u64>,
    /// Blocks still to be read; null before the first look at the chain.
    pub lag_blocks: Option<u64>,
    /// Whether it is being read again from its start.
    pub rereading: bool,
    /// Why it is not read any further, if it is not.
    pub halted: Option<HaltStatus>,
}

/// A collection and the health of its tokens.
#[derive(Clone, Debug, Serialize)]
pub struct CollectionStatus {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// EIP-55 address.
    pub address: String,
    /// What it is.
    pub standard: Standard,
    /// `name()`, or what stands for it.
    pub name: String,
    /// EIP-55 address of the factory that it came from, if a `[[factory]]` announced it.
    pub factory: Option<String>,
    /// Whether owners may change their tokens' content; if not, all tokens are frozen. Null where the
    /// contract is not ours.
    pub editable: Option<bool>,
    /// What it says of itself (`contractURI`); null where that is nothing, or was not read yet.
    pub contract_uri: Option<ContractUri>,
    /// Live tokens.
    pub tokens: usize,
    /// First block to read.
    pub start_block: u64,
    /// Last block read; null before the first.
    pub indexed_block: Option<u64>,
    /// Last final block among those read.
    pub finalized_block: Option<u64>,
    /// Tokens whose content was set in a block that is not final yet.
    pub not_final: usize,
    /// Blocks still to be read; null before the first look at the chain.
    pub lag_blocks: Option<u64>,
    /// The head's time less that of the last block read; null where either is unknown.
    pub lag_seconds: Option<u64>,
    /// Whether it is being read again from its start.
    pub rereading: bool,
    /// Why it is not read any further, if it is not.
    pub halted: Option<HaltStatus>,
    /// Tokens by health; they add up to `tokens`.
    pub health: BTreeMap<Health, usize>,
    /// Logs of the contract that were passed over.
    pub odd_logs: Vec<OddLogStatus>,
}

/// Logs that were passed over for one reason.
#[derive(Clone, Debug, Serialize)]
pub struct OddLogStatus {
    /// What is odd about them, in a word.
    pub kind: &'static str,
    /// How many there were; those of blocks that a reorg took back, too.
    pub count: u64,
    /// Block of the first.
    pub first_block: u64,
    /// Block of the last.
    pub last_block: u64,
    /// In words, what follows.
    pub detail: &'static str,
}

/// A node and its replicas by state.
#[derive(Clone, Debug, Serialize)]
pub struct NodeStatus {
    /// Its URL.
    pub url: String,
    /// What it is.
    pub kind: NodeKind,
    /// Who runs it, where known.
    pub operator: Option<String>,
    /// Replicas by state.
    #[serde(flatten)]
    pub replicas: BTreeMap<ReplicaState, usize>,
}

/// An incident and what was done about it.
#[derive(Clone, Debug, Serialize)]
pub struct IncidentStatus {
    /// Its id.
    pub id: String,
    /// EIP-155 chain id of the collection.
    pub chain_id: u64,
    /// EIP-55 address of the collection.
    pub collection: String,
    /// `content`: one that is not well; `removal`: one that some node is about to give up; `path`: one
    /// that leads nowhere; `halted`: the collection is not read any further.
    pub kind: &'static str,
    /// The content; null where it is about something else.
    pub content: Option<String>,
    /// The path that leads nowhere; null where it is about something else.
    pub path: Option<String>,
    /// The health it last had; `unverifiable` of a halted collection.
    pub health: Health,
    /// Which nodes are not well, and how; or why the path leads nowhere, or the collection is halted.
    pub summary: String,
    /// When it began.
    pub opened_at: String,
    /// When it ended.
    pub closed_at: Option<String>,
    /// Why it ended.
    pub close_reason: Option<String>,
    /// What was done.
    pub repairs: Vec<RepairStatus>,
}

/// A repair.
#[derive(Clone, Debug, Serialize)]
pub struct RepairStatus {
    /// The node.
    pub node: String,
    /// `upload`, `upload-with-store` or `new-store`.
    pub action: String,
    /// `planned`, `sent`, `done` (a later probe saw the right bytes) or `failed`.
    pub state: &'static str,
    /// The STORE message sent with it.
    pub message: Option<String>,
    /// What the node said, or why it failed.
    pub detail: Option<String>,
    /// When it was decided.
    pub started_at: String,
    /// When a probe settled it.
    pub finished_at: Option<String>,
}

impl From<Repair> for RepairStatus {
    fn from(repair: Repair) -> Self {
        Self {
            node: repair.node,
            action: repair.action,
            state: repair.state.as_str(),
            message: repair.message_hash,
            detail: repair.detail,
            started_at: time_text(repair.started_at),
            finished_at: repair.finished_at.map(time_text),
        }
    }
}

impl ChainStatus {
    fn new(chain: &ChainHead, now: Millis) -> Self {
        let head = chain.head.as_ref();
        let age = |seen: Millis| u64::try_from(now.saturating_sub(seen) / 1000).unwrap_or(0);
        let time = |seconds: u64| {
            time_text(Millis::try_from(seconds).unwrap_or(Millis::MAX).saturating_mul(1000))
        };
        Self {
            chain_id: chain.chain_id,
            head_block: head.map(|head| head.block),
            head_time: head.and_then(|head| head.time).map(time),
            head_seen_at: head.map(|head| time_text(head.seen_at)),
            head_age_seconds: head.map(|head| age(head.seen_at)),
            finalized_block: chain.finalized_block,
        }
    }
}

impl From<&Halt> for HaltStatus {
    fn from(halt: &Halt) -> Self {
        let (since, reason) = (time_text(halt.since), halt.reason.clone());
        Self { since, reason, shared_block: halt.shared }
    }
}

impl Status {
    /// Reads the ledger and judges it at the time `now`.
    pub async fn read(tx: &mut Tx, policy: &Policy, now: Millis) -> Result<Self, LedgerError> {
        let picture = Picture::take(tx, policy, now).await?;
        let mut incidents = Vec::new();
        for incident in tx.incidents(now.saturating_sub(RECENT)).await? {
            let repairs = match incident.subject.content() {
                Some((row, _)) => tx.repairs_since(row, incident.opened_at).await?,
                None => Vec::new(),
            };
            incidents.push(IncidentStatus::new(incident, repairs));
        }
        let odd = tx.odd_logs().await?;
        let heads = tx.chain_heads().await?;
        let followed = tx.followed(None).await?;
        let factories: Vec<_> =
            followed.into_iter().filter(|one| one.standard == Standard::Factory).collect();
        let mut collections = Vec::new();
        for one in &picture.collections {
            let (id, finalized) = (one.collection.id, one.collection.finalized_block);
            let not_final = tx.tokens_above(id, finalized).await?;
            let chain = heads.iter().find(|chain| chain.chain_id == one.collection.chain_id);
            let lag = Lag::of(&one.collection, chain.and_then(|chain| chain.head.as_ref()));
            let factory = one.collection.factory;
            let factory = factories.iter().find(|known| Some(known.id) == factory);
            let factory = factory.map(|known| known.address.to_checksum(None));
            let status = CollectionStatus::new(one, lag, not_final, &odd);
            let contract_uri = ContractUri::read(tx, &picture, one).await?;
            collections.push(CollectionStatus { factory, contract_uri, ..status });
        }
        let chains = heads.iter().map(|chain| ChainStatus::new(chain, now)).collect();
        let factories = factories.iter().map(|factory| {
            let made = picture.collections.iter();
            let made = made.filter(|one| one.collection.factory == Some(factory.id)).count();
            let chain = heads.iter().find(|chain| chain.chain_id == factory.chain_id);
            let lag = Lag::of(factory, chain.and_then(|chain| chain.head.as_ref()));
            FactoryStatus::new(factory, made, lag)
        });
        let factories = factories.collect();
        let denied = DeniedStatus::read(tx).await?;
        Ok(Self { collections, factories, chains, nodes: nodes(&picture), incidents, denied })
    }

    /// Incidents that are not over.
    pub fn open_incidents(&self) -> impl Iterator<Item = &IncidentStatus> {
        self.incidents.iter().filter(|incident| incident.closed_at.is_none())
    }
}

impl FactoryStatus {
    fn new(factory: &Collection, collections: usize, lag: Lag) -> Self {
        Self {
            chain_id: factory.chain_id,
            address: factory.address.to_checksum(None),
            collections,
            start_block: factory.start_block,
            indexed_block: factory.indexed_block,
            finalized_block: factory.finalized_block,
            lag_blocks: lag.blocks,
            rereading: factory.rereading,
            halted: factory.halted.as_ref().map(HaltStatus::from),
        }
    }
}

impl CollectionStatus {
    fn new(picture: &CollectionPicture, lag: Lag, not_final: usize, odd: &[OddLogs]) -> Self {
        let collection = &picture.collection;
        let odd = odd.iter().filter(|one| one.collection == collection.id);
        Self {
            chain_id: collection.chain_id,
            address: collection.address.to_checksum(None),
            standard: collection.standard,
            name: collection.name.clone(),
            factory: None,
            contract_uri: None,
            editable: (!collection.standard.is_foreign()).then_some(collection.editable),
            tokens: picture.tokens.len(),
            start_block: collection.start_block,
            indexed_block: collection.indexed_block,
            finalized_block: collection.finalized_block,
            not_final,
            lag_blocks: lag.blocks,
            lag_seconds: lag.seconds,
            rereading: collection.rereading,
            halted: collection.halted.as_ref().map(HaltStatus::from),
            health: Health::ALL.iter().map(|health| (*health, picture.count(*health))).collect(),
            odd_logs: odd.map(OddLogStatus::from).collect(),
        }
    }
}

impl From<&OddLogs> for OddLogStatus {
    fn from(odd: &OddLogs) -> Self {
        Self {
            kind: odd.oddity.as_str(),
            count: odd.count,
            first_block: odd.first_block,
            last_block: odd.last_block,
            detail: odd.oddity.sentence(),
        }
    }
}

impl IncidentStatus {
    fn new(incident: Incident, repairs: Vec<Repair>) -> Self {
        let closed = incident.closed_at.unwrap_or(Millis::MAX);
        let repairs = repairs.into_iter().filter(|repair| repair.started_at <= closed);
        Self {
            id: incident.id,
            chain_id: incident.chain_id,
            collection: incident.collection.to_checksum(None),
            kind: incident.subject.kind(),
            content: incident
                .subject
                .content()
                .or(incident.subject.removal())
                .map(|(_, id)| id.to_string()),
            path: incident.subject.path().map(str::to_owned),
            health: incident.health,
            summary: incident.summary,
            opened_at: time_text(incident.opened_at),
            closed_at: incident.closed_at.map(time_text),
            close_reason: incident.close_reason,
            repairs: repairs.map(RepairStatus::from).collect(),
        }
    }
}

fn nodes(picture: &Picture) -> Vec<NodeStatus> {
    let mut counts: HashMap<(RowId, ReplicaState), usize> = HashMap::new();
    for replica in picture.contents.values().flat_map(|content| &content.replicas) {
        if let Some(state) = replica.view.state {
            *counts.entry((replica.node, state)).or_default() += 1;
        }
    }
    let count = |node, state| counts.get(&(node, state)).copied().unwrap_or(0);
    let nodes = picture.nodes.iter().map(|node| NodeStatus {
        url: node.url.clone(),
        kind: node.kind,
        operator: node.holder.operator.clone(),
        replicas: ReplicaState::ALL.iter().map(|state| (*state, count(node.id, *state))).collect(),
    });
    nodes.collect()
}
