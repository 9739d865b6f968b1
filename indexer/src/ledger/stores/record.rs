//! Writes down what nodes said of STOREs, those of many contents at once.

use std::collections::{BTreeMap, BTreeSet};

use super::{Store, StoresSeen};
use crate::{
    ledger::{
        Millis, Result, RowId, Tx,
        bulk::{fetch_in, insert_rows},
        execute, int, text,
    },
    provenance::StoreStatus,
};

/// A STORE by its content and name, as both are kept.
type Name = (RowId, String);

impl Tx {
    /// Writes down what nodes said of the STOREs of contents, each of which is there once, and when
    /// they are asked again.
    pub async fn record_stores(&mut self, seen: &[StoresSeen], now: Millis) -> Result<()> {
        self.among_others().await?;
        // In one order everywhere, so that two workers never wait for each other.
        let mut seen: Vec<&StoresSeen> = seen.iter().collect();
        seen.sort_by_key(|one| one.content);
        let named = named(&seen);
        let rows = self.write_stores(&seen, &named).await?;
        if !rows.is_empty() {
            self.write_statuses(&seen, &named, &rows, now).await?;
            self.write_grants(&named, &rows).await?;
        }
        self.write_asked(&seen, now).await?;
        self.write_due(&seen, now).await
    }

    /// Gives the rows.
    async fn write_stores(
        &mut self,
        seen: &[&StoresSeen],
        named: &BTreeMap<Name, &Store>,
    ) -> Result<BTreeMap<Name, RowId>> {
        let contents: Vec<RowId> = seen.iter().map(|one| one.content).collect();
        let known = self.store_rows(&contents).await?;
        let gone = known.iter().filter(|(name, _)| !named.contains_key(*name));
        let gone: Vec<RowId> = gone.map(|(_, row)| *row).collect();
        for delete in [
            "DELETE FROM store_grants WHERE store_id IN",
            "DELETE FROM store_statuses WHERE store_id IN",
        ] {
            fetch_in!(self, (i64,), {} delete, gone, "RETURNING store_id");
        }
        fetch_in!(self, (i64,), {} "DELETE FROM stores WHERE id IN", gone, "RETURNING id");
        if named.is_empty() {
            return Ok(BTreeMap::new());
        }
        let stores: Vec<_> = named.iter().collect();
        insert_rows!(
            self,
            "INSERT INTO stores (content_id, item_hash, sender, chain, address, channel, payment, time,
                verified, ours) ",
            stores,
            |one| (
                one.0.0,
                one.0.1.as_str(),
                text(&one.1.sender),
                text(&one.1.chain),
                one.1.address.as_deref().map(text),
                one.1.channel.as_deref().map(text),
                one.1.payment.as_deref().map(text),
                one.1.time,
                i64::from(one.1.verified),
                i64::from(one.1.ours),
            ),
            " ON CONFLICT (content_id, item_hash) DO UPDATE SET sender = excluded.sender,
                chain = excluded.chain, address = excluded.address, channel = excluded.channel,
                payment = excluded.payment, time = excluded.time, verified = excluded.verified,
                ours = excluded.ours"
        );
        self.store_rows(&contents).await
    }

    async fn store_rows(&mut self, contents: &[RowId]) -> Result<BTreeMap<Name, RowId>> {
        let select = "SELECT id, content_id, item_hash FROM stores WHERE content_id IN";
        let rows = fetch_in!(self, (i64, i64, String), {} select, contents, "");
        Ok(rows.into_iter().map(|(row, content, hash)| ((content, hash), row)).collect())
    }

    /// Where they stand on each node that could say.
    async fn write_statuses(
        &mut self,
        seen: &[&StoresSeen],
        named: &BTreeMap<Name, &Store>,
        rows: &BTreeMap<Name, RowId>,
        now: Millis,
    ) -> Result<()> {
        let ids: Vec<RowId> = rows.values().copied().collect();
        let select = "SELECT store_id, node_id FROM store_statuses WHERE store_id IN";
        let known = fetch_in!(self, (i64, i64), {} select, ids, "");
        let known: BTreeSet<(RowId, RowId)> = known.into_iter().collect();
        let mut standing: Vec<(RowId, RowId, StoreStatus)> = Vec::new();
        for one in seen {
            let could_say = one.nodes.iter().filter(|node| node.live.is_ok());
            let could_say: Vec<RowId> = could_say.map(|node| node.node).collect();
            let first = (one.content, String::new());
            for (name, store) in
                named.range(first..).take_while(|((content, _), _)| *content == one.content)
            {
                let Some(row) = rows.get(name) else { continue };
                for node in &could_say {
                    match store.statuses.iter().find(|at| at.node == *node) {
                        Some(at) => standing.push((*row, *node, at.status)),
                        None if known.contains(&(*row, *node)) => {
                            let delete =
                                "DELETE FROM store_statuses WHERE store_id = $1 AND node_id = $2";
                            execute!(self, delete, *row, *node)?;
                        }
                        None => {}
                    }
                }
            }
        }
        insert_rows!(
            self,
            "INSERT INTO store_statuses (store_id, node_id, status, since, seen_at) ",
            standing,
            |one| (one.0, one.1, one.2.as_str(), now, now),
            " ON CONFLICT (store_id, node_id) DO UPDATE SET
                since = CASE WHEN store_statuses.status = excluded.status
                    THEN store_statuses.since ELSE excluded.since END,
                status = excluded.status, seen_at = excluded.seen_at"
        );
        Ok(())
    }

    async fn write_grants(
        &mut self,
        named: &BTreeMap<Name, &Store>,
        rows: &BTreeMap<Name, RowId>,
    ) -> Result<()> {
        let ids: Vec<RowId> = rows.values().copied().collect();
        let delete = "DELETE FROM store_grants WHERE store_id IN";
        fetch_in!(self, (i64,), {} delete, ids, "RETURNING store_id");
        let of = |(name, store): (&Name, &&Store)| Some((*rows.get(name)?, store.grants.clone()));
        let grants = named.iter().filter_map(of);
        let grants: Vec<_> = grants
            .flat_map(|(row, grants)| grants.into_iter().map(move |grant| (row, grant)))
            .collect();
        insert_rows!(
            self,
            "INSERT INTO store_grants (store_id, authority, said_by) ",
            grants,
            |one| (one.0, one.1.authority.as_slice(), text(&one.1.said_by.join(" "))),
            ""
        );
        Ok(())
    }

    /// What each node said when it was asked.
    async fn write_asked(&mut self, seen: &[&StoresSeen], now: Millis) -> Result<()> {
        let asked = seen.iter().flat_map(|one| one.nodes.iter().map(|node| (one.content, node)));
        let asked: Vec<_> = asked.collect();
        insert_rows!(
            self,
            "INSERT INTO store_nodes (content_id, node_id, live, problem, asked_at) ",
            asked,
            |one| (
                one.0,
                one.1.node,
                one.1.live.as_ref().ok().map(|live| int(*live)),
                one.1.live.as_ref().err().map(|problem| text(problem)),
                now,
            ),
            " ON CONFLICT (content_id, node_id) DO UPDATE SET
                live = COALESCE(excluded.live, store_nodes.live), problem = excluded.problem,
                asked_at = excluded.asked_at"
        );
        Ok(())
    }

    async fn write_due(&mut self, seen: &[&StoresSeen], now: Millis) -> Result<()> {
        insert_rows!(
            self,
            "WITH seen (content, now, due) AS (",
            seen,
            |one| (one.content, now, one.due),
            ") UPDATE store_checks SET leased = 0, checked_at = seen.now,
                due_at = CASE WHEN due_at IS NULL THEN NULL ELSE seen.due END
               FROM seen WHERE store_checks.content_id = seen.content"
        );
        Ok(())
    }
}

/// All STOREs, each once, however strange their names are.
fn named<'a>(seen: &[&'a StoresSeen]) -> BTreeMap<Name, &'a Store> {
    let all = seen.iter().flat_map(|one| one.stores.iter().map(|store| (one.content, store)));
    all.map(|(content, store)| ((content, text(&store.item_hash)), store)).collect()
}
