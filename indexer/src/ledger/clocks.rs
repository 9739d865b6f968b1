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
    /// A reading of a token's URI.
    pub uri: Millis,
    /// A path that is to be followed.
    pub path: Millis,
    /// An alert.
    pub alert: Millis,
    /// A look at what the vault holds, or another try to copy something into it.
    pub vault: Millis,
    /// What is due that somebody took.
    pub lease: Millis,
    /// What has been done: so much clocks may differ.
    pub skew: Millis,
}

// Each sets to `$1` what is later than `$2`, of up to `$3` rows.

const STORES: &str = "UPDATE store_checks SET due_at = $1, leased = 0 WHERE content_id IN
    (SELECT content_id FROM store_checks WHERE due_at > $2 LIMIT $3)";
const ASSESSMENTS: &str = "UPDATE assessments SET due_at = $1 WHERE content_id IN
    (SELECT content_id FROM assessments WHERE due_at > $2 LIMIT $3)";
const URIS: &str = "UPDATE token_uris SET due_at = $1 WHERE (collection_id, token_id) IN
    (SELECT collection_id, token_id FROM token_uris WHERE due_at > $2 LIMIT $3)";
const URI_PATHS: &str = "UPDATE token_uris SET path_due = $1 WHERE (collection_id, token_id) IN
    (SELECT collection_id, token_id FROM token_uris WHERE path_due > $2 LIMIT $3)";
const LINK_PATHS: &str = "UPDATE links SET path_due = $1 WHERE (parent_id, position) IN
    (SELECT parent_id, position FROM links WHERE path_due > $2 LIMIT $3)";
/// Those that a silence holds back are due when a person said so.
const ALERTS: &str = "UPDATE alerts SET due_at = $1 WHERE seq IN
    (SELECT seq FROM alerts WHERE due_at > $2 AND withheld = 0 LIMIT $3)";
const VAULT: &str = "UPDATE vault_objects SET due_at = $1 WHERE content_id IN
    (SELECT content_id FROM vault_objects WHERE due_at > $2 LIMIT $3)";
/// Else who is named no more stays until that time.
const ANNOUNCEMENTS: &str = "UPDATE announcements SET named_at = $1
    WHERE (content_id, node_id, router_id) IN
        (SELECT content_id, node_id, router_id FROM announcements WHERE named_at > $2 LIMIT $3)";

/// The same of what is never much.
const FEW: [&str; 6] = [
    // A collection whose tokens were read is read again after `recheck`.
    "UPDATE collections SET uris_read = $1 WHERE uris_read > $2",
    // Who served last goes last, and is noted only where it is later.
    "UPDATE nodes SET served_at = $1 WHERE served_at > $2",
    // The row of one that left is another's after a while.
    "UPDATE nodes SET left_at = $1 WHERE left_at > $2",
    // The newest is sent: one of a time to come would be, though it was taken back and another signed.
    "UPDATE messages SET created_at = $1 WHERE created_at > $2",
    // Else no probe would prove a repair, nor disprove it, before that time.
    "UPDATE repairs SET sent_at = $1, prove_by = $1
     WHERE state IN ('planned', 'sent') AND sent_at > $2",
    // Nor would it be of any hour's budget.
    "UPDATE repairs SET started_at = $1 WHERE started_at > $2",
];

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
    /// Makes what is due later than anything can be due at once, and what was done at a time to come done
    /// now: our clock was ahead when that was written. Up to `limit` rows of each kind; gives how many they
    /// were.
    ///
    /// What can be large is gone through by an index to what is too late, and nothing else of it is read.
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
        for (update, wait) in [
            (STORES, longest.stores),
            (ASSESSMENTS, longest.assessment),
            (URIS, longest.uri),
            (URI_PATHS, longest.path),
            (LINK_PATHS, longest.path),
            (ALERTS, longest.alert),
            (VAULT, longest.vault),
            (ANNOUNCEMENTS, longest.skew),
        ] {
            brought += execute!(self, update, now, after(wait), limit)?;
        }
        for update in FEW {
            brought += execute!(self, update, now, after(longest.skew))?;
        }
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
