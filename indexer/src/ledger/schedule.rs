//! Which contents have a row for each node in use, by which their probes are due. Providers are apart:
//! they have rows of what they announced alone.
//!
//! New contents get theirs when probes are next taken, not when they are written down: a long
//! backfill has other things to do.

use super::{Result, RowId, Tx, bulk::fetch_in, execute, fetch};

impl Tx {
    /// Makes contents due at every node in use. New ones will be by themselves.
    pub(super) async fn schedule(&mut self, contents: &[RowId]) -> Result<()> {
        fetch_in!(
            self,
            (i64,),
            {}
            "INSERT INTO replicas (content_id, node_id, due_at)
             SELECT c.id, n.id, 0 FROM contents c CROSS JOIN nodes n
             WHERE n.active = 1 AND n.kind <> 'provider'
               AND c.id <= (SELECT up_to FROM scheduled) AND c.id IN",
            contents,
            "ON CONFLICT (content_id, node_id) DO UPDATE SET due_at = 0, priority = 1"
        );
        fetch_in!(
            self,
            (i64,),
            {}
            "INSERT INTO assessments (content_id, due_at)
             SELECT id, 0 FROM contents WHERE id <= (SELECT up_to FROM scheduled) AND id IN",
            contents,
            "ON CONFLICT (content_id) DO UPDATE SET due_at = 0 RETURNING content_id"
        );
        Ok(())
    }

    /// The last of up to `most` contents after one; `None` behind the last. Whoever writes contents does
    /// so alone: none with a lower key comes later.
    pub(super) async fn end_of_following(
        &mut self,
        after: RowId,
        most: u32,
    ) -> Result<Option<RowId>> {
        let last = "SELECT MAX(id) FROM
            (SELECT id FROM contents WHERE id > $1 ORDER BY id LIMIT $2) AS following";
        Ok(fetch!(fetch_one, self, (Option<i64>,), last, after, i64::from(most))?.0)
    }

    /// Makes new contents due at every node in use, as many as `probes` need. In a transaction of
    /// its own, since other workers wait for it.
    pub async fn schedule_new(&mut self, probes: u32) -> Result<()> {
        self.among_others().await?;
        let locked =
            self.sql("SELECT up_to FROM scheduled", "SELECT up_to FROM scheduled FOR UPDATE");
        let (mut from,) = fetch!(fetch_one, self, (i64,), locked)?;
        let mut made = 0;
        while made < u64::from(probes) {
            let Some(to) = self.end_of_following(from, probes).await? else { break };
            made += execute!(
                self,
                "INSERT INTO replicas (content_id, node_id, due_at)
                 SELECT c.id, n.id, 0 FROM contents c CROSS JOIN nodes n
                 WHERE n.active = 1 AND n.kind <> 'provider'
                   AND c.wanted = 1 AND c.id > $1 AND c.id <= $2
                 ON CONFLICT (content_id, node_id) DO UPDATE
                    SET due_at = COALESCE(replicas.due_at, 0)",
                from,
                to,
            )?;
            execute!(
                self,
                "INSERT INTO assessments (content_id, due_at)
                 SELECT id, 0 FROM contents WHERE wanted = 1 AND id > $1 AND id <= $2
                 ON CONFLICT (content_id) DO UPDATE SET due_at = 0",
                from,
                to,
            )?;
            execute!(self, "UPDATE scheduled SET up_to = $1", to)?;
            from = to;
        }
        Ok(())
    }
}
