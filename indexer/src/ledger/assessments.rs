//! The health of each content as it was last judged, and when it is to be judged again: when
//! something of it changed, or time alone may change it.

use super::{
    Content, Incident, Millis, Replica, Result, RowId, Tx,
    bulk::{fetch_in, insert_rows},
    fetch,
};
use crate::health::{AHEAD, Health};

/// Rows of contents (`$1`), locked in one order.
pub(super) const LOCK_CONTENTS: &str =
    "SELECT id FROM contents WHERE id = ANY ($1) ORDER BY id FOR UPDATE";
/// Rows of assessments, by their contents.
const LOCK_ASSESSMENTS: &str = "SELECT content_id FROM assessments WHERE content_id = ANY ($1)
     ORDER BY content_id FOR UPDATE";

/// A content that is to be judged.
#[derive(Clone, Debug)]
pub struct DueAssessment {
    /// The content.
    pub content: Content,
    /// Whether anything wants it still.
    pub wanted: bool,
    /// Its health when it was last judged.
    pub health: Option<Health>,
    /// Its replicas on nodes in use.
    pub replicas: Vec<Replica>,
    /// The incidents that are open over it, one a collection.
    pub incidents: Vec<Incident>,
}

/// What a content was judged to be.
#[derive(Clone, Copy, Debug)]
pub struct Judged {
    /// The content.
    pub content: RowId,
    /// Its health; `None` of one that is not wanted.
    pub health: Option<Health>,
    /// When time alone may change it.
    pub next: Option<Millis>,
}

/// Which contents some replica of which is not well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwell {
    /// Those that are lost.
    Lost,
    /// All others.
    NotLost,
}

impl Tx {
    /// Has contents judged anew that have replicas: something of them changed. They come after all that was
    /// due long before, however many they are.
    pub(super) async fn rejudge(&mut self, contents: &[RowId]) -> Result<()> {
        self.lock_in_order(LOCK_ASSESSMENTS, contents).await?;
        // A little before: workers' clocks differ, and may be set back.
        let now = super::now().saturating_sub(AHEAD);
        fetch_in!(
            self,
            (i64,),
            {"UPDATE assessments SET due_at = CASE WHEN due_at < " => now,
             " THEN due_at ELSE " => now}
            " END WHERE content_id IN",
            contents,
            "RETURNING content_id"
        );
        Ok(())
    }

    /// Has every content judged anew over which an incident is open.
    pub async fn rejudge_incidents(&mut self) -> Result<()> {
        self.alone().await?;
        let over = "SELECT DISTINCT content_id FROM incidents
            WHERE closed_at IS NULL AND content_id IS NOT NULL ORDER BY content_id";
        let over: Vec<(RowId,)> = fetch!(fetch_all, self, (i64,), over)?;
        self.rejudge(&over.into_iter().map(|(content,)| content).collect::<Vec<_>>()).await
    }

    /// Locks rows of PostgreSQL, by one of the above, in one order everywhere, so that two workers that are about to
    /// change them never wait for each other.
    pub(super) async fn lock_in_order(
        &mut self,
        lock: &'static str,
        contents: &[RowId],
    ) -> Result<()> {
        let Self::Postgres(c) = self else { return Ok(()) };
        if contents.len() < 2 {
            return Ok(());
        }
        sqlx::query(lock).bind(contents).fetch_all(&mut **c).await?;
        Ok(())
    }

    /// Contents that are to be judged at `now`, `limit` at most. No other worker gets them in the
    /// meantime.
    pub async fn due_assessments(&mut self, now: Millis, limit: u32) -> Result<Vec<DueAssessment>> {
        self.among_others().await?;
        let sql = self.sql(
            "SELECT content_id, health FROM assessments WHERE due_at <= $1
             ORDER BY due_at LIMIT $2",
            "SELECT content_id, health FROM assessments WHERE due_at <= $1
             ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED",
        );
        let due = fetch!(fetch_all, self, (i64, Option<String>), sql, now, i64::from(limit))?;
        let rows: Vec<RowId> = due.iter().map(|(content, _)| *content).collect();
        let mut contents = self.contents_of_rows(&rows).await?;
        let mut replicas = self.replicas_of_rows(&rows).await?;
        let mut incidents = self.incidents_over(&rows).await?;
        let mut all = Vec::with_capacity(due.len());
        for (row, health) in due {
            let Some(known) = contents.remove(&row) else { continue };
            let health = health.map(|text| text.parse()).transpose();
            all.push(DueAssessment {
                content: known.content,
                wanted: known.wanted,
                health: health.map_err(super::LedgerError::Corrupt)?,
                replicas: replicas.remove(&row).unwrap_or_default(),
                incidents: incidents.remove(&row).unwrap_or_default(),
            });
        }
        Ok(all)
    }

    /// Writes down what contents were judged to be. Those that became healthy have been so from now
    /// on: their grace is over.
    pub async fn write_assessments(&mut self, judged: &[Judged]) -> Result<()> {
        insert_rows!(
            self,
            "INSERT INTO assessments (content_id, health, due_at) ",
            judged,
            |one| (one.content, one.health.map(Health::as_str), one.next),
            " ON CONFLICT (content_id) DO UPDATE SET health = excluded.health,
                due_at = excluded.due_at"
        );
        let healthy = judged.iter().filter(|one| one.health == Some(Health::Healthy));
        let mut healthy: Vec<RowId> = healthy.map(|one| one.content).collect();
        healthy.sort_unstable();
        self.lock_in_order(LOCK_CONTENTS, &healthy).await?;
        fetch_in!(
            self,
            (i64,),
            {}
            "UPDATE contents SET was_healthy = 1 WHERE was_healthy = 0 AND id IN",
            healthy,
            "RETURNING id"
        );
        Ok(())
    }

    /// Up to `limit` wanted contents, after `after`, some replica of which is not well. Those that wait to
    /// be judged at `now` are none of them: what is repaired before would be told to nobody.
    pub async fn unwell_contents(
        &mut self,
        which: Unwell,
        after: RowId,
        limit: u32,
        now: Millis,
    ) -> Result<Vec<RowId>> {
        macro_rules! unwell {
            ($lost:literal) => {
                concat!(
                    "SELECT DISTINCT content_id FROM replicas
                     WHERE due_at IS NOT NULL AND state IN ('missing', 'corrupt', 'unreachable')
                       AND content_id > $1 AND NOT EXISTS (SELECT 1 FROM assessments a
                            WHERE a.content_id = replicas.content_id AND a.due_at <= $3)
                       AND ",
                    $lost,
                    "EXISTS (SELECT 1 FROM assessments a
                            WHERE a.content_id = replicas.content_id AND a.health = 'lost')
                     ORDER BY content_id LIMIT $2"
                )
            };
        }
        let select = match which {
            Unwell::Lost => unwell!(""),
            Unwell::NotLost => unwell!("NOT "),
        };
        let rows = fetch!(fetch_all, self, (i64,), select, after, i64::from(limit), now)?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// Whether there may be anything to repair, or to be settled of what was.
    pub async fn needs_repairs(&mut self, now: Millis) -> Result<bool> {
        for which in [Unwell::Lost, Unwell::NotLost] {
            if !self.unwell_contents(which, RowId::MIN, 1, now).await?.is_empty() {
                return Ok(true);
            }
        }
        let (any,) = fetch!(
            fetch_one,
            self,
            (i64,),
            "SELECT CAST(CASE WHEN EXISTS (SELECT 1 FROM repairs WHERE state = 'waiting')
                OR EXISTS (SELECT 1 FROM repairs WHERE state = 'sent' AND action = 'pin-request')
             THEN 1 ELSE 0 END AS BIGINT)",
        )?;
        Ok(any != 0)
    }

    /// Whether any path leads nowhere yet, or an incident over one is open.
    pub async fn has_unfound_paths(&mut self) -> Result<bool> {
        let (any,) = fetch!(
            fetch_one,
            self,
            (i64,),
            "SELECT CAST(CASE WHEN
                EXISTS (SELECT 1 FROM token_uris WHERE path_due IS NOT NULL AND failures > 0)
                OR EXISTS (SELECT 1 FROM links WHERE path_due IS NOT NULL AND failures > 0)
                OR EXISTS (SELECT 1 FROM incidents
                           WHERE closed_at IS NULL AND path_hash IS NOT NULL)
             THEN 1 ELSE 0 END AS BIGINT)",
        )?;
        Ok(any != 0)
    }
}
