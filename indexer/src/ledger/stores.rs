//! STORE messages of contents, as nodes list them.

mod record;

use std::collections::{BTreeMap, HashMap};

use alloy::primitives::Address;

use super::{LedgerError, Millis, Result, RowId, Tx, bulk::fetch_in, execute, fetch, uint};
use crate::provenance::StoreStatus;

/// A STORE message of a content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The message's own name.
    pub item_hash: String,
    /// Who sent it.
    pub sender: String,
    /// The chain of the sender's account.
    pub chain: String,
    /// Whose it is, where it says so itself.
    pub address: Option<String>,
    /// The channel. Not signed.
    pub channel: Option<String>,
    /// How it is paid.
    pub payment: Option<String>,
    /// When it was made, as it says.
    pub time: Option<Millis>,
    /// Whether its hash and signature hold.
    pub verified: bool,
    /// Whether the key that repairs here sent it.
    pub ours: bool,
    /// Where it stands, on each node that knows it.
    pub statuses: Vec<StoreAt>,
    /// Who authorised its sender.
    pub grants: Vec<Grant>,
}

/// Where a STORE stands on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreAt {
    /// The node.
    pub node: RowId,
    /// Where it stands.
    pub status: StoreStatus,
    /// Since when it was seen to.
    pub since: Millis,
}

/// That an account lets the sender of a STORE act for it, as nodes say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The account.
    pub authority: Address,
    /// The nodes that say so.
    pub said_by: Vec<String>,
}

/// What a node said when it was asked for a content's STOREs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoresAt {
    /// The node.
    pub node: RowId,
    /// How many proved ones it has in force, or why it could not say.
    pub live: Result<u64, String>,
}

/// What nodes said of the STOREs of a content.
#[derive(Clone, Debug)]
pub struct StoresSeen {
    /// The content.
    pub content: RowId,
    /// All that are known now; others are forgotten.
    pub stores: Vec<Store>,
    /// Which nodes were asked. Of those that could say, `stores` has all that they know.
    pub nodes: Vec<StoresAt>,
    /// When they are asked again.
    pub due: Millis,
}

/// STOREs that the repairer signed that are looked at for each content.
const MOST_SIGNED: i64 = 8;

#[derive(sqlx::FromRow)]
struct StoreRow {
    content_id: i64,
    id: i64,
    item_hash: String,
    sender: String,
    chain: String,
    address: Option<String>,
    channel: Option<String>,
    payment: Option<String>,
    time: Option<i64>,
    verified: i64,
    ours: i64,
}

impl Tx {
    /// The STOREs of a content that are known, those of which more is proved first; with where they
    /// stand on nodes in use.
    pub async fn stores(&mut self, content: RowId) -> Result<Vec<Store>> {
        Ok(self.stores_of(&[content]).await?.remove(&content).unwrap_or_default())
    }

    /// The STOREs of contents, as [`Tx::stores`] gives them.
    pub async fn stores_of(&mut self, contents: &[RowId]) -> Result<HashMap<RowId, Vec<Store>>> {
        let rows = fetch_in!(
            self,
            StoreRow,
            {}
            "SELECT content_id, id, item_hash, sender, chain, address, channel, payment, time, verified,
                ours
             FROM stores WHERE content_id IN",
            contents,
            "ORDER BY content_id, verified DESC, time, item_hash"
        );
        let mut all: HashMap<RowId, Vec<Store>> = HashMap::new();
        if rows.is_empty() {
            return Ok(all);
        }
        let mut statuses = self.statuses(contents).await?;
        let mut grants = self.grants(contents).await?;
        for row in rows {
            let store = Store {
                item_hash: row.item_hash,
                sender: row.sender,
                chain: row.chain,
                address: row.address,
                channel: row.channel,
                payment: row.payment,
                time: row.time,
                verified: row.verified != 0,
                ours: row.ours != 0,
                statuses: statuses.remove(&row.id).unwrap_or_default(),
                grants: grants.remove(&row.id).unwrap_or_default(),
            };
            all.entry(row.content_id).or_default().push(store);
        }
        Ok(all)
    }

    /// By STORE.
    async fn statuses(&mut self, contents: &[RowId]) -> Result<BTreeMap<RowId, Vec<StoreAt>>> {
        let rows = fetch_in!(
            self,
            (i64, i64, String, i64),
            {}
            "SELECT a.store_id, a.node_id, a.status, a.since
             FROM stores s JOIN store_statuses a ON a.store_id = s.id
             JOIN nodes n ON n.id = a.node_id
             WHERE n.active = 1 AND s.content_id IN",
            contents,
            "ORDER BY a.store_id, a.node_id"
        );
        let mut all: BTreeMap<RowId, Vec<StoreAt>> = BTreeMap::new();
        for (store, node, status, since) in rows {
            let status = status.parse().map_err(LedgerError::Corrupt)?;
            all.entry(store).or_default().push(StoreAt { node, status, since });
        }
        Ok(all)
    }

    /// By STORE.
    async fn grants(&mut self, contents: &[RowId]) -> Result<BTreeMap<RowId, Vec<Grant>>> {
        let rows = fetch_in!(
            self,
            (i64, Vec<u8>, String),
            {}
            "SELECT g.store_id, g.authority, g.said_by
             FROM stores s JOIN store_grants g ON g.store_id = s.id
             WHERE s.content_id IN",
            contents,
            "ORDER BY g.store_id, g.authority"
        );
        let mut all: BTreeMap<RowId, Vec<Grant>> = BTreeMap::new();
        for (store, authority, said_by) in rows {
            let authority = Address::try_from(authority.as_slice())
                .map_err(|_| LedgerError::Corrupt("who authorised a sender".to_owned()))?;
            let said_by = said_by.split(' ').map(str::to_owned).collect();
            all.entry(store).or_default().push(Grant { authority, said_by });
        }
        Ok(all)
    }

    /// The newest STOREs that the repairer signed for contents, as JSON, whether a node lists them or
    /// not.
    pub async fn signed_stores(
        &mut self,
        contents: &[RowId],
    ) -> Result<HashMap<RowId, Vec<String>>> {
        let rows = fetch_in!(
            self,
            (i64, String),
            {"SELECT content_id, envelope FROM (SELECT content_id, envelope, ROW_NUMBER() OVER
                (PARTITION BY content_id ORDER BY created_at DESC, item_hash) AS place
                FROM messages WHERE kind = 'STORE') AS placed WHERE place <= " => MOST_SIGNED}
            " AND content_id IN",
            contents,
            "ORDER BY content_id, place"
        );
        let mut all: HashMap<RowId, Vec<String>> = HashMap::new();
        for (content, envelope) in rows {
            all.entry(content).or_default().push(envelope);
        }
        Ok(all)
    }

    /// How many proved STOREs of a content each node in use has in force, as it last said.
    pub async fn live_stores(&mut self, content: RowId) -> Result<BTreeMap<RowId, u64>> {
        let rows = fetch!(
            fetch_all,
            self,
            (i64, i64),
            "SELECT s.node_id, s.live FROM store_nodes s JOIN nodes n ON n.id = s.node_id
             WHERE s.content_id = $1 AND s.live IS NOT NULL AND n.active = 1",
            content,
        )?;
        Ok(rows.into_iter().map(|(node, live)| (node, uint(live))).collect())
    }

    /// Makes the replicas of a content due at once: it may be about to go.
    pub async fn make_urgent(&mut self, content: RowId) -> Result<()> {
        self.among_others().await?;
        let update = "UPDATE replicas SET due_at = 0, priority = 0
                      WHERE content_id = $1 AND due_at IS NOT NULL";
        execute!(self, update, content)?;
        Ok(())
    }
}
