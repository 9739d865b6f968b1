//! `everhold status`: collections, health counts, nodes, incidents.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    config::Standard,
    health::{Health, Policy, ReplicaState},
    ledger::{Incident, LedgerError, Millis, NodeKind, OddLogs, Repair, Tx},
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
    /// Each node.
    pub nodes: Vec<NodeStatus>,
    /// Open incidents, and those that ended within a day.
    pub incidents: Vec<IncidentStatus>,
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
    /// Whether owners may change their tokens' content; if not, all tokens are frozen. Null where the
    /// contract is not ours.
    pub editable: Option<bool>,
    /// Live tokens.
    pub tokens: usize,
    /// Last block read.
    pub indexed_block: Option<u64>,
    /// Last final block among those read.
    pub finalized_block: Option<u64>,
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
    /// EIP-55 address of the collection.
    pub collection: String,
    /// The content.
    pub content: String,
    /// The health it last had.
    pub health: Health,
    /// Which nodes are not well, and how.
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

impl Status {
    /// Reads the ledger and judges it at the time `now`.
    pub async fn read(tx: &mut Tx, policy: &Policy, now: Millis) -> Result<Self, LedgerError> {
        let picture = Picture::take(tx, policy, now).await?;
        let mut incidents = Vec::new();
        for incident in tx.incidents(now.saturating_sub(RECENT)).await? {
            let repairs = tx.repairs_since(incident.content_row, incident.opened_at).await?;
            incidents.push(IncidentStatus::new(incident, repairs));
        }
        let odd = tx.odd_logs().await?;
        let collections = picture.collections.iter();
        let collections = collections.map(|one| CollectionStatus::new(one, &odd)).collect();
        Ok(Self { collections, nodes: nodes(&picture), incidents })
    }

    /// Incidents that are not over.
    pub fn open_incidents(&self) -> impl Iterator<Item = &IncidentStatus> {
        self.incidents.iter().filter(|incident| incident.closed_at.is_none())
    }
}

impl CollectionStatus {
    fn new(picture: &CollectionPicture, odd: &[OddLogs]) -> Self {
        let collection = &picture.collection;
        let odd = odd.iter().filter(|one| one.collection == collection.id);
        Self {
            chain_id: collection.chain_id,
            address: collection.address.to_checksum(None),
            standard: collection.standard,
            name: collection.name.clone(),
            editable: (!collection.standard.is_foreign()).then_some(collection.editable),
            tokens: picture.tokens.len(),
            indexed_block: collection.indexed_block,
            finalized_block: collection.finalized_block,
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
            collection: incident.collection.to_checksum(None),
            content: incident.content.to_string(),
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
    let replicas = || picture.contents.values().flat_map(|content| &content.replicas);
    let count =
        |node, state| replicas().filter(|r| r.node == node && r.view.state == Some(state)).count();
    let nodes = picture.nodes.iter().map(|node| NodeStatus {
        url: node.url.clone(),
        kind: node.kind,
        operator: node.holder.operator.clone(),
        replicas: ReplicaState::ALL.iter().map(|state| (*state, count(node.id, *state))).collect(),
    });
    nodes.collect()
}
