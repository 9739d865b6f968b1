//! For how long it is kept what was seen of content that nothing names any more, and what was told of
//! incidents that are over.

use std::collections::BTreeSet;

use super::{Millis, Result, RowId, Tx, bulk::fetch_in, execute, fetch};

impl Tx {
    /// Deletes the evidence of contents that are probed no longer, and were last probed before
    /// `before`: up to `limit` replicas and what belongs to them; gives how many. What comes to be
    /// wanted again is due as new content is.
    ///
    /// STOREs that were signed here are kept: they are paid for.
    pub async fn drop_evidence(&mut self, before: Millis, limit: u32) -> Result<u64> {
        self.alone().await?;
        let select = "SELECT content_id FROM replicas
                      WHERE due_at IS NULL AND COALESCE(checked_at, 0) < $1
                      ORDER BY COALESCE(checked_at, 0) LIMIT $2";
        let rows = fetch!(fetch_all, self, (i64,), select, before, i64::from(limit))?;
        let contents: BTreeSet<RowId> = rows.into_iter().map(|(content,)| content).collect();
        let contents: Vec<RowId> = contents.into_iter().collect();
        fetch_in!(
            self,
            (i64,),
            {"DELETE FROM replica_changes WHERE EXISTS (
                SELECT 1 FROM replicas r WHERE r.content_id = replica_changes.content_id
                    AND r.node_id = replica_changes.node_id AND r.due_at IS NULL
                    AND COALESCE(r.checked_at, 0) < " => before}
            ") AND content_id IN",
            contents,
            "RETURNING id"
        );
        let dropped = fetch_in!(
            self,
            (i64,),
            {"DELETE FROM replicas WHERE due_at IS NULL AND COALESCE(checked_at, 0) < " => before}
            " AND content_id IN",
            contents,
            "RETURNING content_id"
        );
        self.forget_unwanted(&contents).await?;
        Ok(dropped.len() as u64)
    }

    /// Deletes incidents that ended before `before`, with what was told of them, and silences that did: up to
    /// `limit` of each; gives how many rows. What still waits for its sink is kept, and its incident.
    pub async fn drop_told(&mut self, before: Millis, limit: u32) -> Result<u64> {
        self.alone().await?;
        let mut dropped = 0;
        for delete in [
            "DELETE FROM alerts WHERE seq IN (
                SELECT a.seq FROM incidents i JOIN alerts a ON a.incident_id = i.id
                WHERE i.closed_at < $1 AND a.due_at IS NULL LIMIT $2)",
            "DELETE FROM incidents WHERE id IN (
                SELECT i.id FROM incidents i WHERE i.closed_at < $1 AND NOT EXISTS (
                    SELECT 1 FROM alerts a WHERE a.incident_id = i.id) LIMIT $2)",
            "DELETE FROM silences WHERE id IN (
                SELECT id FROM silences WHERE COALESCE(ended_at, until_at) < $1 LIMIT $2)",
        ] {
            dropped += execute!(self, delete, before, i64::from(limit))?;
        }
        Ok(dropped)
    }

    /// Forgets what is known, beside their names, of those contents that nobody wants and that no node
    /// was seen to have.
    async fn forget_unwanted(&mut self, contents: &[RowId]) -> Result<()> {
        let idle = fetch_in!(
            self,
            (i64,),
            {}
            "SELECT id FROM contents c
             WHERE wanted = 0 AND NOT EXISTS (SELECT 1 FROM replicas r WHERE r.content_id = c.id)
                AND id IN",
            contents,
            ""
        );
        let idle: Vec<RowId> = idle.into_iter().map(|(content,)| content).collect();
        for (delete, tail) in DELETES {
            fetch_in!(self, (i64,), {} delete, idle, tail);
        }
        Ok(())
    }
}

/// What goes with a content that is forgotten, in an order that foreign keys allow.
const DELETES: [(&str, &str); 7] = [
    (
        "DELETE FROM store_grants WHERE store_id IN (SELECT id FROM stores WHERE content_id IN",
        ") RETURNING store_id",
    ),
    (
        "DELETE FROM store_statuses WHERE store_id IN (SELECT id FROM stores WHERE content_id IN",
        ") RETURNING store_id",
    ),
    ("DELETE FROM stores WHERE content_id IN", "RETURNING id"),
    ("DELETE FROM store_nodes WHERE content_id IN", "RETURNING content_id"),
    ("DELETE FROM store_checks WHERE content_id IN", "RETURNING content_id"),
    ("DELETE FROM assessments WHERE content_id IN", "RETURNING content_id"),
    ("DELETE FROM repairs WHERE content_id IN", "RETURNING id"),
];
