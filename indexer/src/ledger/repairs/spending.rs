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

impl Tx {
    /// The collections in use that name content for which STOREs signed here are paid by credits.
    pub async fn collections_paid_for(&mut self) -> Result<Vec<RowId>> {
        let rows = fetch!(
            fetch_all,
            self,
            (i64,),
            "SELECT DISTINCT c.id FROM (
                SELECT t.collection_id FROM messages m JOIN tokens t ON t.content_id = m.content_id
                WHERE m.ended_at IS NULL AND m.kind = 'STORE' AND m.credits > 0
                UNION ALL
                SELECT t.collection_id FROM messages m JOIN links l ON l.child_id = m.content_id
                JOIN tokens t ON t.content_id = l.parent_id
                WHERE m.ended_at IS NULL AND m.kind = 'STORE' AND m.credits > 0
             ) AS naming JOIN collections c ON c.id = naming.collection_id
             WHERE c.active = 1 ORDER BY c.id",
        )?;
        Ok(rows.into_iter().map(|(collection,)| collection).collect())
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
