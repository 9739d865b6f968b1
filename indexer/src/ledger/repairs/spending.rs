//! What repairs have cost.

use super::{Payer, Result, RowId, Tx, fetch, payer, uint};
use crate::{
    health::AHEAD,
    ledger::Millis,
    repair::{Budget, Credits, Spent},
};

/// Budgets are of any time of this length, in milliseconds.
const HOUR: Millis = 60 * 60 * 1000;

type HourRow = (Option<i64>, Option<Vec<u8>>, Option<Vec<u8>>, i64, i64, i64);
type BillRow = (Option<i64>, Option<Vec<u8>>, Option<Vec<u8>>, i64);

/// The STOREs (`s`) of contents (`c`) that live on some node, and that an account pays with credits.
macro_rules! paid_stores {
    () => {
        "stores s JOIN contents c ON c.id = s.content_id
         WHERE s.verified = 1 AND s.payment = 'credit' AND LOWER(s.address) = LOWER($1)
           AND EXISTS (SELECT 1 FROM store_statuses t
                WHERE t.store_id = s.id AND t.status = 'processed')"
    };
}

impl Tx {
    /// The collections in use that name content for which an account pays by credits: by STOREs that were
    /// signed here, and by others that live on some node.
    pub async fn collections_paid_for(&mut self, account: &str) -> Result<Vec<RowId>> {
        let select = concat!(
            "WITH paid AS (
                SELECT content_id FROM messages
                WHERE ended_at IS NULL AND kind = 'STORE' AND credits > 0
                UNION SELECT s.content_id FROM ",
            paid_stores!(),
            ")
             SELECT DISTINCT c.id FROM (
                SELECT t.collection_id FROM paid JOIN tokens t ON t.content_id = paid.content_id
                UNION ALL
                SELECT t.collection_id FROM paid JOIN links l ON l.child_id = paid.content_id
                JOIN tokens t ON t.content_id = l.parent_id
             ) AS naming JOIN collections c ON c.id = naming.collection_id
             WHERE c.active = 1 ORDER BY c.id"
        );
        let rows = fetch!(fetch_all, self, (i64,), select, account)?;
        Ok(rows.into_iter().map(|(collection,)| collection).collect())
    }

    /// The lengths of the files for which an account pays credits by STOREs that live on some node, and that
    /// are not kept here as signed; 0 where it is not known.
    pub async fn paid_elsewhere(&mut self, account: &str) -> Result<Vec<u64>> {
        let select = concat!(
            "SELECT COALESCE(c.size, 0) FROM ",
            paid_stores!(),
            " AND NOT EXISTS (SELECT 1 FROM messages m
                WHERE m.item_hash = s.item_hash AND m.ended_at IS NULL)"
        );
        let rows = fetch!(fetch_all, self, (i64,), select, account)?;
        Ok(rows.into_iter().map(|(size,)| uint(size)).collect())
    }

    /// Adds to a budget what was spent of it in the last hour, and what recurs.
    pub async fn add_spent(&mut self, budget: &mut Budget, now: Millis) -> Result<()> {
        // What a clock that was ahead wrote down is not of this hour.
        let (since, until) = (now.saturating_sub(HOUR), now.saturating_add(AHEAD));
        for (payer, spent) in self.spending(since, until).await? {
            budget.add_spent(payer, spent);
        }
        Ok(())
    }

    /// What was spent in a time, and what recurs each hour, by whose account it goes on.
    pub async fn spending(
        &mut self,
        since: Millis,
        until: Millis,
    ) -> Result<Vec<(Option<Payer>, Spent)>> {
        let hour = fetch!(
            fetch_all,
            self,
            HourRow,
            "SELECT collection_id, token_id, owner, COUNT(*), CAST(SUM(bytes) AS BIGINT),
                CAST(SUM(credits) AS BIGINT)
             FROM repairs
             WHERE started_at BETWEEN $1 AND $2 AND state <> 'waiting' AND action <> 'none'
             GROUP BY collection_id, token_id, owner",
            since,
            until,
        )?;
        let bill = fetch!(
            fetch_all,
            self,
            BillRow,
            "SELECT collection_id, token_id, owner, CAST(SUM(credits) AS BIGINT) FROM messages
             WHERE ended_at IS NULL AND kind = 'STORE' AND credits > 0
             GROUP BY collection_id, token_id, owner",
        )?;
        let hour = hour.into_iter().map(|(collection, token, owner, actions, bytes, credits)| {
            let spent = Spent {
                actions: uint(actions),
                bytes: uint(bytes),
                credits: Credits(uint(credits)),
                recurring: Credits::default(),
            };
            Ok((payer(collection, token.as_deref(), owner.as_deref())?, spent))
        });
        let bill = bill.into_iter().map(|(collection, token, owner, credits)| {
            let spent = Spent { recurring: Credits(uint(credits)), ..Spent::default() };
            Ok((payer(collection, token.as_deref(), owner.as_deref())?, spent))
        });
        hour.chain(bill).collect()
    }
}
