//! What was tried at replicas before.

use std::collections::HashMap;

use super::{NONE, RepairState, Result, RowId, Tx, fetch_in};
use crate::{
    ledger::Millis,
    repair::{Action, Attempt, Outcome},
};

/// Attempts that are looked at for each replica: more than pauses can count.
const MOST: i64 = 200;

type Row = (i64, i64, i64, String, String, i64, Option<i64>, Option<i64>, Option<String>, i64);

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
                    finished_at, detail, refused,
                    ROW_NUMBER() OVER (PARTITION BY content_id, node_id ORDER BY id DESC) AS place
                FROM repairs WHERE state <> 'waiting' AND content_id IN",
            contents,
            ") SELECT id, content_id, node_id, action, state, started_at, sent_at, finished_at,
                    detail, refused
               FROM these, most
               WHERE place <= most.attempts
                 AND (started_at >= most.since OR state IN ('planned', 'sent'))
               ORDER BY id"
        );
        let mut all: HashMap<(RowId, RowId), Vec<Attempt>> = HashMap::new();
        for (
            row,
            content,
            node,
            action,
            state,
            started_at,
            sent_at,
            finished_at,
            detail,
            refused,
        ) in rows
        {
            let outcome = match RepairState::parse(&state)? {
                RepairState::Waiting => continue,
                RepairState::Planned => Outcome::Planned,
                RepairState::Sent => Outcome::Sent,
                RepairState::Done => Outcome::Done,
                RepairState::Failed if sent_at.is_some() => Outcome::Disproved,
                RepairState::Failed if refused != 0 => Outcome::Refused,
                RepairState::Failed => Outcome::Failed,
            };
            // Of a word that an earlier version had, nobody knows any more what it was: it was tried.
            let action = (action != NONE).then(|| Action::parse(&action)).flatten();
            let attempt = Attempt { row, action, outcome, started_at, finished_at, detail };
            all.entry((content, node)).or_default().push(attempt);
        }
        Ok(all)
    }
}
