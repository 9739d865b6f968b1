//! Repairs, and the STORE messages they signed.

use super::{LedgerError, Millis, Result, RowId, Tx, execute, fetch, text};
use crate::health::is_believed;

/// How far a repair has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepairState {
    /// Decided and written down; not known to have reached the node.
    Planned,
    /// The node answered that it took it. This proves nothing.
    Sent,
    /// A later probe saw the right bytes.
    Done,
    /// It was refused, or later probes still saw nothing right.
    Failed,
}

impl RepairState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Sent => "sent",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Result<Self> {
        [Self::Planned, Self::Sent, Self::Done, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| LedgerError::Corrupt(format!("repair state `{text}`")))
    }
}

/// A repair in the ledger.
#[derive(Clone, Debug)]
pub struct Repair {
    /// Its key.
    pub id: RowId,
    /// The node's URL.
    pub node: String,
    /// What was done: `upload`, `upload-with-store`, `store`.
    pub action: String,
    /// How far it has come.
    pub state: RepairState,
    /// The STORE message it sent, if any.
    pub message_hash: Option<String>,
    /// What the node said, or why it failed.
    pub detail: Option<String>,
    /// When it was decided.
    pub started_at: Millis,
    /// When a probe proved or disproved it.
    pub finished_at: Option<Millis>,
}

type RepairRow = (i64, String, String, String, Option<String>, Option<String>, i64, Option<i64>);

impl Tx {
    /// Writes a repair down before anything is sent.
    pub async fn plan_repair(
        &mut self,
        content: RowId,
        node: RowId,
        action: &str,
        message_hash: Option<&str>,
        now: Millis,
    ) -> Result<RowId> {
        let (id,) = fetch!(
            fetch_one,
            self,
            (i64,),
            "INSERT INTO repairs (content_id, node_id, action, state, message_hash, started_at)
             VALUES ($1, $2, $3, 'planned', $4, $5) RETURNING id",
            content,
            node,
            action,
            message_hash,
            now,
        )?;
        Ok(id)
    }

    /// Writes down what became of a repair, unless a probe has settled it already.
    pub async fn update_repair(
        &mut self,
        id: RowId,
        state: RepairState,
        detail: Option<&str>,
        now: Millis,
    ) -> Result<()> {
        let finished = (state == RepairState::Failed).then_some(now);
        execute!(
            self,
            "UPDATE repairs SET state = $2, detail = $3, finished_at = $4
             WHERE id = $1 AND state <> 'done'",
            id,
            state.as_str(),
            detail.map(text),
            finished,
        )?;
        Ok(())
    }

    /// A probe saw the right bytes: what was sent to this replica has worked.
    pub(super) async fn finish_repair(&mut self, id: RowId, now: Millis) -> Result<()> {
        let update = "UPDATE repairs SET state = 'done', finished_at = $2 WHERE id = $1";
        execute!(self, update, id, now)?;
        Ok(())
    }

    /// How many repairs of a replica have failed since the last that worked, and when the last
    /// one was begun: what backoff is reckoned from. There is none from one of a time to come.
    pub async fn failed_repairs(
        &mut self,
        content: RowId,
        node: RowId,
        now: Millis,
    ) -> Result<(i64, Option<Millis>)> {
        let (failed, last) = fetch!(
            fetch_one,
            self,
            (i64, Option<i64>),
            "SELECT COUNT(*), (SELECT started_at FROM repairs
                WHERE content_id = $1 AND node_id = $2 ORDER BY id DESC LIMIT 1) FROM repairs
             WHERE content_id = $1 AND node_id = $2 AND state <> 'done' AND id > COALESCE(
                (SELECT MAX(id) FROM repairs
                 WHERE content_id = $1 AND node_id = $2 AND state = 'done'), 0)",
            content,
            node,
        )?;
        Ok((failed, last.filter(|at| failed > 0 && is_believed(*at, now))))
    }

    /// The repairs of a content begun at `since` or later, oldest first.
    pub async fn repairs_since(&mut self, content: RowId, since: Millis) -> Result<Vec<Repair>> {
        let rows = fetch!(
            fetch_all,
            self,
            RepairRow,
            "SELECT r.id, n.url, r.action, r.state, r.message_hash, r.detail, r.started_at,
                    r.finished_at
             FROM repairs r JOIN nodes n ON n.id = r.node_id
             WHERE r.content_id = $1 AND r.started_at >= $2 ORDER BY r.id",
            content,
            since,
        )?;
        rows.into_iter()
            .map(|(id, node, action, state, message_hash, detail, started_at, finished_at)| {
                let state = RepairState::parse(&state)?;
                Ok(Repair {
                    id,
                    node,
                    action,
                    state,
                    message_hash,
                    detail,
                    started_at,
                    finished_at,
                })
            })
            .collect()
    }

    /// Keeps a signed message, before it is sent.
    pub async fn keep_message(
        &mut self,
        content: RowId,
        item_hash: &str,
        sender: &str,
        envelope: &str,
        now: Millis,
    ) -> Result<()> {
        execute!(
            self,
            "INSERT INTO messages (item_hash, content_id, sender, envelope, created_at)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            item_hash,
            content,
            sender,
            envelope,
            now,
        )?;
        Ok(())
    }

    /// The newest message kept for a content by this sender.
    pub async fn kept_message(&mut self, content: RowId, sender: &str) -> Result<Option<String>> {
        let row = fetch!(
            fetch_optional,
            self,
            (String,),
            "SELECT envelope FROM messages WHERE content_id = $1 AND sender = $2
             ORDER BY created_at DESC LIMIT 1",
            content,
            sender,
        )?;
        Ok(row.map(|(envelope,)| envelope))
    }
}
