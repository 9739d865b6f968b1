//! Nodes that came to where others are: who counted beside another may be one with it now, and all that
//! it serves is judged anew. Strangers may come and go with each probe, so that is done so often at most.

use std::collections::BTreeSet;

use super::{Millis, Result, RowId, Tx, execute, fetch};

/// Between two times that all that a node serves is judged anew since it moved, in milliseconds.
pub const MOVES_COUNT_EVERY: Millis = 60 * 60 * 1000;

impl Tx {
    /// What is to be judged anew since a node came to where another is, at `at`: all that it serves, or
    /// nothing yet where that was done of late; then [`Tx::rejudge_moved`] makes up for it.
    pub(super) async fn judged_by_move(
        &mut self,
        node: RowId,
        at: Millis,
    ) -> Result<BTreeSet<RowId>> {
        // What a clock wrote that was ahead is no time of late.
        let is_first = execute!(
            self,
            "INSERT INTO moves (node_id, judged_at, again) VALUES ($1, $2, 0)
             ON CONFLICT (node_id) DO UPDATE SET judged_at = excluded.judged_at, again = 0
                WHERE moves.judged_at <= $3 OR moves.judged_at >= $4",
            node,
            at,
            at.saturating_sub(MOVES_COUNT_EVERY),
            at.saturating_add(MOVES_COUNT_EVERY),
        )?;
        if is_first > 0 {
            return self.verified_at(node).await;
        }
        execute!(self, "UPDATE moves SET again = 1 WHERE node_id = $1 AND again = 0", node)?;
        Ok(BTreeSet::new())
    }

    /// Whether there is anything for [`Tx::rejudge_moved`].
    pub async fn has_moved(&mut self, now: Millis) -> Result<bool> {
        Ok(!self.moved(now).await?.is_empty())
    }

    async fn moved(&mut self, now: Millis) -> Result<Vec<RowId>> {
        let rows = fetch!(
            fetch_all,
            self,
            (i64,),
            "SELECT node_id FROM moves WHERE again = 1 AND (judged_at <= $1 OR judged_at >= $2)",
            now.saturating_sub(MOVES_COUNT_EVERY),
            now.saturating_add(MOVES_COUNT_EVERY),
        )?;
        Ok(rows.into_iter().map(|(node,)| node).collect())
    }

    /// Has all judged anew that nodes serve which moved again since that was last done, where that is long
    /// enough ago at `now`.
    pub async fn rejudge_moved(&mut self, now: Millis) -> Result<()> {
        let due = self.moved(now).await?;
        if due.is_empty() {
            return Ok(());
        }
        self.alone().await?;
        for node in due {
            let update =
                "UPDATE moves SET judged_at = $2, again = 0 WHERE node_id = $1 AND again = 1";
            // Another may have been faster.
            if execute!(self, update, node, now)? > 0 {
                let contents: Vec<_> = self.verified_at(node).await?.into_iter().collect();
                self.rejudge(&contents).await?;
            }
        }
        Ok(())
    }

    /// Contents that are verified at a node and probed there.
    async fn verified_at(&mut self, node: RowId) -> Result<BTreeSet<RowId>> {
        let rows = fetch!(
            fetch_all,
            self,
            (i64,),
            "SELECT content_id FROM replicas WHERE node_id = $1 AND priority IN (0, 1, 2)
               AND due_at IS NOT NULL AND state = 'verified'",
            node,
        )?;
        Ok(rows.into_iter().map(|(content,)| content).collect())
    }
}
