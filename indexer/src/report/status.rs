//! `everhold status`: collections, health counts, nodes, incidents.

use std::collections::{BTreeMap, HashMap, btree_map::Entry};

use serde::Serialize;

use super::{ContractUri, DeniedStatus, lag::Lag};
use crate::{
    config::Standard,
    health::{Health, Policy, ReplicaState},
    ledger::{
        Ack, Care, ChainHead, Collection, Halt, Incident, LedgerError, Millis, Node, NodeKind,
        OddLogs, Repair, RepairState, RowId, Silence, Tx, VaultSummary,
    },
    picture::{CollectionPicture, Pages, Picture},
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
    /// The local copy of verified content.
    pub vault: VaultSummary,
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
    /// Whether it comes and goes, and is not told of each time.
    pub flapping: bool,
    /// Who looks after it; null where nobody said so.
    pub acknowledged: Option<AckStatus>,
    /// Until when nobody is told of it; null where everybody is.
    pub silenced: Option<SilenceStatus>,
    /// What was done.
    pub repairs: Vec<RepairStatus>,
}

/// That somebody looks after an incident.
#[derive(Clone, Debug, Serialize)]
pub struct AckStatus {
    /// Since when.
    pub at: String,
    /// Who.
    pub by: String,
    /// Why nobody need be told again.
    pub reason: String,
}

/// That nobody is told of an incident for a while.
#[derive(Clone, Debug, Serialize)]
pub struct SilenceStatus {
    /// Until when.
    pub until: String,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl From<&Silence> for SilenceStatus {
    fn from(silence: &Silence) -> Self {
        let Silence { by, reason, until, .. } = silence;
        Self { until: time_text(*until), by: by.clone(), reason: reason.clone() }
    }
}

/// A repair.
#[derive(Clone, Debug, Serialize)]
pub struct RepairStatus {
    /// The node.
    pub node: String,
    /// The word of an [action](crate::repair::Action), or `none` where nothing could be done.
    pub action: String,
    /// `waiting` (for a budget), `planned`, `sent`, `done` (a later probe saw the right bytes) or
    /// `failed`.
    pub state: &'static str,
    /// The STORE message sent with it, or the pinning service's name of the request.
    pub message: Option<String>,
    /// Bytes that are sent.
    pub bytes: u64,
    /// What it adds to the bill, in credits an hour.
    pub credits_per_hour: f64,
    /// What the node said, or why it failed.
    pub detail: Option<String>,
    /// When it was decided.
    pub started_at: String,
    /// When the node answered that it took it.
    pub sent_at: Option<String>,
    /// When a probe settled it.
    pub finished_at: Option<String>,
}

impl From<Repair> for RepairStatus {
    fn from(repair: Repair) -> Self {
        // What is to be said if nothing proves it is not said before.
        let is_unproved = repair.state == RepairState::Sent && repair.action != "pin-request";
        Self {
            node: repair.node,
            action: repair.action,
            state: repair.state.as_str(),
            message: repair.message_hash,
            bytes: repair.cost.bytes,
            credits_per_hour: repair.cost.credits.as_number(),
            detail: repair.detail.filter(|_| !is_unproved),
            started_at: time_text(repair.started_at),
            sent_at: repair.sent_at.map(time_text),
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
        let mut incidents = Vec::new();
        let silences = tx.silences(now).await?;
        for incident in tx.incidents(now.saturating_sub(RECENT)).await? {
            let repairs = match incident.subject.content() {
                Some((row, _)) => tx.repairs_since(row, incident.opened_at).await?,
                None => Vec::new(),
            };
            incidents.push(IncidentStatus::new(incident, repairs, &silences));
        }
        let odd = tx.odd_logs().await?;
        let heads = tx.chain_heads().await?;
        let followed = tx.followed(None).await?;
        let factories: Vec<_> =
            followed.into_iter().filter(|one| one.standard == Standard::Factory).collect();
        let mut around = Around { heads, factories, odd, made: BTreeMap::new() };
        let mut collections: BTreeMap<RowId, CollectionStatus> = BTreeMap::new();
        let mut pages = Pages::begin(tx, policy, now).await?;
        while let Some(page) = pages.next(tx).await? {
            for one in &page.collections {
                let status = match collections.entry(one.collection.id) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => new.insert(around.status(tx, &page, one).await?),
                };
                status.count(one);
            }
        }
        Ok(Self {
            collections: collections.into_values().collect(),
            factories: around.factory_statuses(),
            chains: around.heads.iter().map(|chain| ChainStatus::new(chain, now)).collect(),
            nodes: nodes(tx, pages.nodes).await?,
            incidents,
            denied: DeniedStatus::read(tx).await?,
            vault: tx.vault_summary().await?,
        })
    }

    /// Whether every token of every collection is healthy, and what collections say of themselves is,
    /// as far as it can be proved; what is denied aside.
    pub fn all_healthy(&self) -> bool {
        let well = |health: &Health| matches!(health, Health::Healthy | Health::Denied);
        self.collections.iter().all(|one| {
            let mut own = one.contract_uri.iter().map(|own| own.health);
            one.health.iter().all(|(health, count)| *count == 0 || well(health))
                && own.all(|health| well(&health) || health == Health::Unverifiable)
        })
    }

    /// Incidents that are not over.
    pub fn open_incidents(&self) -> impl Iterator<Item = &IncidentStatus> {
        self.incidents.iter().filter(|incident| incident.closed_at.is_none())
    }
}

/// What there is to know beside a collection's tokens.
struct Around {
    heads: Vec<ChainHead>,
    factories: Vec<Collection>,
    odd: Vec<OddLogs>,
    /// Collections seen, by the factory they came from.
    made: BTreeMap<RowId, usize>,
}

impl Around {
    /// Of a collection, before its tokens are counted.
    async fn status(
        &mut self,
        tx: &mut Tx,
        page: &Picture,
        one: &CollectionPicture,
    ) -> Result<CollectionStatus, LedgerError> {
        let collection = &one.collection;
        let not_final = tx.tokens_above(collection.id, collection.finalized_block).await?;
        let factory = self.factories.iter().find(|known| Some(known.id) == collection.factory);
        if let Some(factory) = factory {
            *self.made.entry(factory.id).or_default() += 1;
        }
        let factory = factory.map(|known| known.address.to_checksum(None));
        let contract_uri = ContractUri::read(tx, page, one).await?;
        let status = CollectionStatus::new(collection, self.lag(collection), not_final, &self.odd);
        Ok(CollectionStatus { factory, contract_uri, ..status })
    }

    fn lag(&self, collection: &Collection) -> Lag {
        let chain = self.heads.iter().find(|chain| chain.chain_id == collection.chain_id);
        Lag::of(collection, chain.and_then(|chain| chain.head.as_ref()))
    }

    fn factory_statuses(&self) -> Vec<FactoryStatus> {
        let status = |factory: &Collection| {
            let made = self.made.get(&factory.id).copied().unwrap_or(0);
            FactoryStatus::new(factory, made, self.lag(factory))
        };
        self.factories.iter().map(status).collect()
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
    fn new(collection: &Collection, lag: Lag, not_final: usize, odd: &[OddLogs]) -> Self {
        let odd = odd.iter().filter(|one| one.collection == collection.id);
        Self {
            chain_id: collection.chain_id,
            address: collection.address.to_checksum(None),
            standard: collection.standard,
            name: collection.name.clone(),
            factory: None,
            contract_uri: None,
            editable: (!collection.standard.is_foreign()).then_some(collection.editable),
            tokens: 0,
            start_block: collection.start_block,
            indexed_block: collection.indexed_block,
            finalized_block: collection.finalized_block,
            not_final,
            lag_blocks: lag.blocks,
            lag_seconds: lag.seconds,
            rereading: collection.rereading,
            halted: collection.halted.as_ref().map(HaltStatus::from),
            health: Health::ALL.iter().map(|health| (*health, 0)).collect(),
            odd_logs: odd.map(OddLogStatus::from).collect(),
        }
    }

    /// Adds some of its tokens.
    fn count(&mut self, picture: &CollectionPicture) {
        self.tokens += picture.tokens.len();
        for token in &picture.tokens {
            *self.health.entry(token.health).or_default() += 1;
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
    fn new(incident: Incident, repairs: Vec<Repair>, silences: &[Silence]) -> Self {
        let closed = incident.closed_at.unwrap_or(Millis::MAX);
        let repairs = repairs.into_iter().filter(|repair| repair.started_at <= closed);
        let covering = silences.iter().filter(|silence| silence.scope.covers(&incident));
        let silenced = covering.max_by_key(|silence| silence.until).map(SilenceStatus::from);
        let Care { flapping, ack, .. } = incident.care;
        Self {
            id: incident.id,
            chain_id: incident.chain_id,
            collection: incident.collection.to_checksum(None),
            kind: incident.subject.kind().as_str(),
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
            flapping,
            acknowledged: ack.map(|Ack { at, by, reason }| AckStatus {
                at: time_text(at),
                by,
                reason,
            }),
            silenced,
            repairs: repairs.map(RepairStatus::from).collect(),
        }
    }
}

async fn nodes(tx: &mut Tx, nodes: Vec<Node>) -> Result<Vec<NodeStatus>, LedgerError> {
    let counts = tx.replica_counts().await?.into_iter();
    let counts: HashMap<_, _> = counts.map(|(node, state, count)| ((node, state), count)).collect();
    let count = |node, state| counts.get(&(node, state)).copied().unwrap_or(0);
    let status = |node: Node| NodeStatus {
        replicas: ReplicaState::ALL.iter().map(|state| (*state, count(node.id, *state))).collect(),
        url: node.url,
        kind: node.kind,
        operator: node.operator,
    };
    Ok(nodes.into_iter().map(status).collect())
}
