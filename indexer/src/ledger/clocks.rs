//! What was put off by a clock that was wrong: it is due far later than anything is put off.

use super::{Millis, Result, RowId, Tx, bulk::insert_rows, execute, fetch};

/// The longest that anything is put off, or taken, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct LongestWaits {
    /// A probe.
    pub probe: Millis,
    /// A spot check.
    pub spot: Millis,
    /// A look at a content's STOREs.
    pub stores: Millis,
    /// A verdict.
    pub assessment: Millis,
    /// What is due that somebody took.
    pub lease: Millis,
}

/// Sets a time of those replicas to now that a statement finds to be later than `$last`; gives how many.
macro_rules! bring_back {
    ($tx:expr, $column:literal, $late:expr, $now:expr, $last:expr, $limit:expr) => {{
        let late = fetch!(fetch_all, $tx, (RowId, RowId), $late, $last, $limit)?;
        insert_rows!(
            $tx,
            concat!("WITH late (content_id, node_id, ", $column, ") AS ("),
            late,
            |key| (key.0, key.1, $now),
            concat!(
                ") UPDATE replicas SET ",
                $column,
                " = late.",
                $column,
                " FROM late
                  WHERE replicas.content_id = late.content_id AND replicas.node_id = late.node_id"
            )
        );
        Ok(late.len() as u64)
    }};
}

impl Tx {
    /// Makes what is due later than anything can be due at once: our clock was ahead when that was
    /// written. Up to `limit` rows of each kind; gives how many they were.
    ///
    /// Every statement goes by an index to what is too late, and reads nothing else.
    pub async fn bring_back_from_the_future(
        &mut self,
        now: Millis,
        longest: &LongestWaits,
        limit: u32,
    ) -> Result<u64> {
        self.alone().await?;
        self.plan_for_few().await?;
        let after = |wait: Millis| now.saturating_add(wait);
        let limit = i64::from(limit);
        let mut brought = self.bring_back_probes(now, after(longest.probe), limit).await?;
        brought += self.bring_back_spots(now, after(longest.spot), limit).await?;
        brought += execute!(
            self,
            "UPDATE store_checks SET due_at = $1, leased = 0 WHERE content_id IN
                (SELECT content_id FROM store_checks WHERE due_at > $2 LIMIT $3)",
            now,
            after(longest.stores),
            limit,
        )?;
        brought += execute!(
            self,
            "UPDATE assessments SET due_at = $1 WHERE content_id IN
                (SELECT content_id FROM assessments WHERE due_at > $2 LIMIT $3)",
            now,
            after(longest.assessment),
            limit,
        )?;
        // Few at any time: what is under way.
        brought += execute!(self, "DELETE FROM leases WHERE until > $1", after(longest.lease))?;
        Ok(brought)
    }

    async fn bring_back_probes(&mut self, now: Millis, last: Millis, limit: i64) -> Result<u64> {
        let late = "SELECT content_id, node_id FROM replicas
             WHERE node_id IN (SELECT id FROM nodes WHERE active = 1) AND priority IN (0, 1, 2)
               AND due_at > $1 LIMIT $2";
        bring_back!(self, "due_at", late, now, last, limit)
    }

    async fn bring_back_spots(&mut self, now: Millis, last: Millis, limit: i64) -> Result<u64> {
        let late = "SELECT content_id, node_id FROM replicas
             WHERE node_id IN (SELECT id FROM nodes WHERE active = 1)
               AND spot_at > $1 AND due_at IS NOT NULL LIMIT $2";
        bring_back!(self, "spot_at", late, now, last, limit)
    }
}
