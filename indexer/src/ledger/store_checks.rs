//! When nodes are asked for the STORE messages of each content.

use super::{Millis, Result, RowId, Tx, bulk::fetch_in, contents::content_id, execute, fetch};
use crate::content::ContentId;

/// A content whose STOREs are to be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueStores {
    /// Its row.
    pub content: RowId,
    /// Its name.
    pub id: ContentId,
}

impl Tx {
    /// Makes contents, those that are new excepted, due for their STOREs.
    pub(super) async fn schedule_stores(&mut self, contents: &[RowId]) -> Result<()> {
        fetch_in!(
            self,
            (i64,),
            {}
            "INSERT INTO store_checks (content_id, due_at)
             SELECT c.id, 0 FROM contents c
             WHERE c.id <= (SELECT up_to FROM store_checks_scheduled) AND c.id IN",
            contents,
            "ON CONFLICT (content_id) DO UPDATE SET due_at = 0"
        );
        Ok(())
    }

    /// Takes contents out of the schedule.
    pub(super) async fn unschedule_stores(&mut self, contents: &[RowId]) -> Result<()> {
        fetch_in!(self, (i64,), {} "UPDATE store_checks SET due_at = NULL, leased = 0 WHERE content_id IN",
            contents, "RETURNING content_id");
        Ok(())
    }

    /// Makes up to `limit` new contents due. In a transaction of its own, since other workers wait for
    /// it.
    pub async fn schedule_new_stores(&mut self, limit: u32) -> Result<()> {
        self.among_others().await?;
        let locked = self.sql(
            "SELECT up_to FROM store_checks_scheduled",
            "SELECT up_to FROM store_checks_scheduled FOR UPDATE",
        );
        let (mut from,) = fetch!(fetch_one, self, (i64,), locked)?;
        let mut made = 0;
        while made < u64::from(limit) {
            let Some(to) = self.end_of_following(from, limit).await? else { break };
            made += execute!(
                self,
                "INSERT INTO store_checks (content_id, due_at)
                 SELECT id, 0 FROM contents WHERE wanted = 1 AND id > $1 AND id <= $2
                 ON CONFLICT (content_id) DO UPDATE SET due_at = COALESCE(store_checks.due_at, 0)",
                from,
                to,
            )?;
            execute!(self, "UPDATE store_checks_scheduled SET up_to = $1", to)?;
            from = to;
        }
        Ok(())
    }

    /// Takes up to `limit` contents whose STOREs are to be asked for at `now`, earliest first; nobody
    /// else gets them before `lease`.
    pub async fn take_due_stores(
        &mut self,
        now: Millis,
        lease: Millis,
        limit: u32,
    ) -> Result<Vec<DueStores>> {
        self.among_others().await?;
        let sql = self.sql(
            "SELECT s.content_id, c.codec, c.digest
             FROM store_checks s JOIN contents c ON c.id = s.content_id
             WHERE s.due_at <= $1 ORDER BY s.due_at, s.content_id LIMIT $2",
            "SELECT s.content_id, c.codec, c.digest
             FROM store_checks s JOIN contents c ON c.id = s.content_id
             WHERE s.due_at <= $1 ORDER BY s.due_at, s.content_id LIMIT $2
             FOR UPDATE OF s SKIP LOCKED",
        );
        let rows = fetch!(fetch_all, self, (i64, i64, Vec<u8>), sql, now, i64::from(limit))?;
        let taken: Vec<RowId> = rows.iter().map(|(content, ..)| *content).collect();
        fetch_in!(self, (i64,), {"UPDATE store_checks SET leased = 1, due_at = " => lease}
            " WHERE content_id IN", taken, "RETURNING content_id");
        rows.into_iter()
            .map(|(content, codec, digest)| {
                Ok(DueStores { content, id: content_id(codec, &digest)? })
            })
            .collect()
    }

    /// Makes those due that a process took and did not bring back.
    pub async fn release_stores(&mut self) -> Result<()> {
        self.alone().await?;
        let update = "UPDATE store_checks SET due_at = 0, leased = 0
                      WHERE leased = 1 AND due_at IS NOT NULL";
        execute!(self, update)?;
        Ok(())
    }
}
