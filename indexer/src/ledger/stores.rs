//! STORE messages of contents, as nodes list them.

use std::collections::BTreeMap;

use alloy::primitives::Address;

use super::{LedgerError, Millis, Result, RowId, Tx, execute, fetch, int, text, uint};
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

type StoreRow = (
    i64,
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    i64,
    i64,
);

impl Tx {
    /// Writes down what nodes said of a content's STOREs, and when they are asked again. Of the nodes
    /// that could say, it is all they know; what is not among `stores` is forgotten.
    pub async fn record_stores(
        &mut self,
        content: RowId,
        stores: &[Store],
        nodes: &[StoresAt],
        now: Millis,
        due: Millis,
    ) -> Result<()> {
        self.among_others().await?;
        let known = "SELECT id, item_hash FROM stores WHERE content_id = $1";
        for (row, item_hash) in fetch!(fetch_all, self, (i64, String), known, content)? {
            if stores.iter().all(|store| store.item_hash != item_hash) {
                self.forget_store(row).await?;
            }
        }
        for store in stores {
            let row = self.write_store(content, store).await?;
            self.write_statuses(row, store, nodes, now).await?;
            self.write_grants(row, &store.grants).await?;
        }
        for one in nodes {
            execute!(
                self,
                "INSERT INTO store_nodes (content_id, node_id, live, problem, asked_at)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (content_id, node_id) DO UPDATE SET
                    live = COALESCE(excluded.live, store_nodes.live), problem = excluded.problem,
                    asked_at = excluded.asked_at",
                content,
                one.node,
                one.live.as_ref().ok().map(|live| int(*live)),
                one.live.as_ref().err().map(|problem| text(problem)),
                now,
            )?;
        }
        execute!(
            self,
            "UPDATE store_checks SET leased = 0, checked_at = $2,
                due_at = CASE WHEN due_at IS NULL THEN NULL ELSE CAST($3 AS BIGINT) END
             WHERE content_id = $1",
            content,
            now,
            due,
        )?;
        Ok(())
    }

    async fn forget_store(&mut self, row: RowId) -> Result<()> {
        execute!(self, "DELETE FROM store_grants WHERE store_id = $1", row)?;
        execute!(self, "DELETE FROM store_statuses WHERE store_id = $1", row)?;
        execute!(self, "DELETE FROM stores WHERE id = $1", row)?;
        Ok(())
    }

    async fn write_store(&mut self, content: RowId, store: &Store) -> Result<RowId> {
        let (row,) = fetch!(
            fetch_one,
            self,
            (i64,),
            "INSERT INTO stores (content_id, item_hash, sender, chain, address, channel, payment, time,
                verified, ours)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (content_id, item_hash) DO UPDATE SET sender = excluded.sender,
                chain = excluded.chain, address = excluded.address, channel = excluded.channel,
                payment = excluded.payment, time = excluded.time, verified = excluded.verified,
                ours = excluded.ours
             RETURNING id",
            content,
            text(&store.item_hash),
            text(&store.sender),
            text(&store.chain),
            store.address.as_deref().map(text),
            store.channel.as_deref().map(text),
            store.payment.as_deref().map(text),
            store.time,
            i64::from(store.verified),
            i64::from(store.ours),
        )?;
        Ok(row)
    }

    async fn write_statuses(
        &mut self,
        row: RowId,
        store: &Store,
        nodes: &[StoresAt],
        now: Millis,
    ) -> Result<()> {
        for node in nodes.iter().filter(|node| node.live.is_ok()).map(|node| node.node) {
            let Some(at) = store.statuses.iter().find(|at| at.node == node) else {
                let delete = "DELETE FROM store_statuses WHERE store_id = $1 AND node_id = $2";
                execute!(self, delete, row, node)?;
                continue;
            };
            execute!(
                self,
                "INSERT INTO store_statuses (store_id, node_id, status, since, seen_at)
                 VALUES ($1, $2, $3, $4, $4)
                 ON CONFLICT (store_id, node_id) DO UPDATE SET
                    since = CASE WHEN store_statuses.status = excluded.status
                        THEN store_statuses.since ELSE excluded.since END,
                    status = excluded.status, seen_at = excluded.seen_at",
                row,
                node,
                at.status.as_str(),
                now,
            )?;
        }
        Ok(())
    }

    async fn write_grants(&mut self, row: RowId, grants: &[Grant]) -> Result<()> {
        execute!(self, "DELETE FROM store_grants WHERE store_id = $1", row)?;
        for grant in grants {
            execute!(
                self,
                "INSERT INTO store_grants (store_id, authority, said_by) VALUES ($1, $2, $3)",
                row,
                grant.authority.as_slice(),
                text(&grant.said_by.join(" ")),
            )?;
        }
        Ok(())
    }

    /// The STOREs of a content that are known, those of which more is proved first; with where they
    /// stand on nodes in use.
    pub async fn stores(&mut self, content: RowId) -> Result<Vec<Store>> {
        let rows = fetch!(
            fetch_all,
            self,
            StoreRow,
            "SELECT id, item_hash, sender, chain, address, channel, payment, time, verified, ours
             FROM stores WHERE content_id = $1 ORDER BY verified DESC, time, item_hash",
            content,
        )?;
        let mut statuses = self.statuses(content).await?;
        let mut grants = self.grants(content).await?;
        let store = |row: StoreRow| {
            let (id, item_hash, sender, chain, address, channel, payment, time, verified, ours) =
                row;
            Store {
                item_hash,
                sender,
                chain,
                address,
                channel,
                payment,
                time,
                verified: verified != 0,
                ours: ours != 0,
                statuses: statuses.remove(&id).unwrap_or_default(),
                grants: grants.remove(&id).unwrap_or_default(),
            }
        };
        Ok(rows.into_iter().map(store).collect())
    }

    async fn statuses(&mut self, content: RowId) -> Result<BTreeMap<RowId, Vec<StoreAt>>> {
        let rows = fetch!(
            fetch_all,
            self,
            (i64, i64, String, i64),
            "SELECT a.store_id, a.node_id, a.status, a.since
             FROM stores s JOIN store_statuses a ON a.store_id = s.id
             JOIN nodes n ON n.id = a.node_id
             WHERE s.content_id = $1 AND n.active = 1 ORDER BY a.store_id, a.node_id",
            content,
        )?;
        let mut all: BTreeMap<RowId, Vec<StoreAt>> = BTreeMap::new();
        for (store, node, status, since) in rows {
            let status = status.parse().map_err(LedgerError::Corrupt)?;
            all.entry(store).or_default().push(StoreAt { node, status, since });
        }
        Ok(all)
    }

    async fn grants(&mut self, content: RowId) -> Result<BTreeMap<RowId, Vec<Grant>>> {
        let rows = fetch!(
            fetch_all,
            self,
            (i64, Vec<u8>, String),
            "SELECT g.store_id, g.authority, g.said_by
             FROM stores s JOIN store_grants g ON g.store_id = s.id
             WHERE s.content_id = $1 ORDER BY g.store_id, g.authority",
            content,
        )?;
        let mut all: BTreeMap<RowId, Vec<Grant>> = BTreeMap::new();
        for (store, authority, said_by) in rows {
            let authority = Address::try_from(authority.as_slice())
                .map_err(|_| LedgerError::Corrupt("who authorised a sender".to_owned()))?;
            let said_by = said_by.split(' ').map(str::to_owned).collect();
            all.entry(store).or_default().push(Grant { authority, said_by });
        }
        Ok(all)
    }

    /// The newest STOREs that the repairer signed for a content, as JSON, whether a node lists them or
    /// not.
    pub async fn signed_stores(&mut self, content: RowId) -> Result<Vec<String>> {
        let select = "SELECT envelope FROM messages WHERE content_id = $1
                      ORDER BY created_at DESC, item_hash LIMIT 8";
        let rows = fetch!(fetch_all, self, (String,), select, content)?;
        Ok(rows.into_iter().map(|(envelope,)| envelope).collect())
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
