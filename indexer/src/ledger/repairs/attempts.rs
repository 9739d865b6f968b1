//! What was tried at replicas before.

use std::collections::HashMap;

use super::{NONE, RepairState, Result, RowId, Tx, execute, fetch_in, text};
use crate::{
    ledger::Millis,
    repair::{Action, Attempt, Outcome},
};

/// Attempts that are looked at for each replica: more than pauses can count.
const MOST: i64 = 200;

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    content_id: i64,
    node_id: i64,
    action: String,
    state: String,
    started_at: i64,
    sent_at: Option<i64>,
    finished_at: Option<i64>,
    detail: Option<String>,
    message_hash: Option<String>,
    refused: i64,
    times: i64,
}

impl Row {
    /// `None` of what only waits for a budget.
    fn into_attempt(self) -> Result<Option<Attempt>> {
        let outcome = match RepairState::parse(&self.state)? {
            RepairState::Waiting => return Ok(None),
            RepairState::Planned => Outcome::Planned,
            RepairState::Sent => Outcome::Sent,
            RepairState::Done => Outcome::Done,
            RepairState::Failed if self.refused != 0 => Outcome::Refused,
            RepairState::Failed if self.sent_at.is_some() => Outcome::Disproved,
            RepairState::Failed => Outcome::Failed,
        };
        // Of a word that an earlier version had, nobody knows any more what it was: it was tried.
        let action = (self.action != NONE).then(|| Action::parse(&self.action)).flatten();
        Ok(Some(Attempt {
            row: self.id,
            action,
            outcome,
            started_at: self.started_at,
            finished_at: self.finished_at,
            detail: self.detail,
            message: self.message_hash,
            times: u32::try_from(self.times).unwrap_or(u32::MAX),
        }))
    }
}

impl Tx {
    /// What was tried at the replicas of contents since a time, and what is under way, oldest first.
    pub async fn attempts(
        &mut self,
        contents: &[RowId],
        since: Millis,
    ) -> Result<HashMap<(RowId, RowId), Vec<Attempt>>> {
        let rows = fetch_in!(
            self,
            Row,
            {"WITH most (attempts, since) AS (SELECT " => MOST, ", " => since}
            "), these AS (SELECT id, content_id, node_id, action, state, started_at, sent_at,
                    finished_at, detail, message_hash, refused, times,
                    ROW_NUMBER() OVER (PARTITION BY content_id, node_id ORDER BY id DESC) AS place
                FROM repairs WHERE state <> 'waiting' AND content_id IN",
            contents,
            ") SELECT id, content_id, node_id, action, state, started_at, sent_at, finished_at,
                    detail, message_hash, refused, times
               FROM these, most
               WHERE place <= most.attempts
                 AND (started_at >= most.since OR state IN ('planned', 'sent'))
               ORDER BY id"
        );
        let mut all: HashMap<(RowId, RowId), Vec<Attempt>> = HashMap::new();
        for row in rows {
            let replica = (row.content_id, row.node_id);
            if let Some(attempt) = row.into_attempt()? {
                all.entry(replica).or_default().push(attempt);
            }
        }
        Ok(all)
    }

    /// Writes down that the node rejected a message later that it had taken, and why.
    pub async fn message_was_rejected(&mut self, repair: RowId, detail: &str) -> Result<()> {
        let update =
            "UPDATE repairs SET refused = 1, detail = $2 WHERE id = $1 AND state = 'failed'";
        execute!(self, update, repair, text(detail))?;
        Ok(())
    }
}
