//! Repairs: what was done about replicas, at what cost, and what became of it.

mod attempts;
mod messages;
mod payers;
mod proof;
mod spending;

use alloy::primitives::{Address, U256};

pub use messages::{KeptMessage, NewMessage};
pub(super) use proof::Proof;

use super::{
    LedgerError, Millis, Result, RowId, Tx,
    bulk::{fetch_in, insert_rows},
    execute, fetch, int, text, uint,
};
use crate::repair::{Action, Cost, Credits, Payer};

/// How far a repair has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepairState {
    /// A budget has no room for it now.
    Waiting,
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
            Self::Waiting => "waiting",
            Self::Planned => "planned",
            Self::Sent => "sent",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Result<Self> {
        [Self::Waiting, Self::Planned, Self::Sent, Self::Done, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| LedgerError::Corrupt(format!("repair state `{text}`")))
    }
}

/// What stands in the place of an action where all was tried, or nothing could be.
const NONE: &str = "none";

/// A repair in the ledger.
#[derive(Clone, Debug)]
pub struct Repair {
    /// Its key.
    pub id: RowId,
    /// The content.
    pub content: RowId,
    /// The node's URL.
    pub node: String,
    /// What was done: the word of an [`Action`], or `none` where nothing could be.
    pub action: String,
    /// How far it has come.
    pub state: RepairState,
    /// The STORE message it sent, or the pinning service's name of the request, if any.
    pub message_hash: Option<String>,
    /// What the node said, or why it failed.
    pub detail: Option<String>,
    /// What it takes.
    pub cost: Cost,
    /// On whose account it goes, where there are such.
    pub payer: Option<Payer>,
    /// When it was decided.
    pub started_at: Millis,
    /// When the node answered that it took it.
    pub sent_at: Option<Millis>,
    /// When a probe proved or disproved it.
    pub finished_at: Option<Millis>,
}

/// A repair that is decided, to be written down before anything is sent.
#[derive(Clone, Debug)]
pub struct NewRepair {
    /// The content.
    pub content: RowId,
    /// The node.
    pub node: RowId,
    /// What is done.
    pub action: Action,
    /// The STORE message that goes with it.
    pub message_hash: Option<String>,
    /// What it takes.
    pub cost: Cost,
    /// On whose account it goes.
    pub payer: Option<Payer>,
}

/// What a node answered to a repair, in its favour.
#[derive(Clone, Debug)]
pub struct SentRepair {
    /// Which.
    pub repair: RowId,
    /// What is said of it, if it is not proved.
    pub detail: Option<String>,
    /// The name by which a pinning service knows the request.
    pub request: Option<String>,
    /// When it answered.
    pub sent_at: Millis,
    /// A probe that begins before this and sees nothing right says nothing yet.
    pub prove_by: Millis,
}

/// A repair that came to nothing.
#[derive(Clone, Debug)]
pub struct FailedRepair {
    /// Which.
    pub repair: RowId,
    /// Why.
    pub detail: String,
    /// Whether the node refused the message that went with it.
    pub is_refusal: bool,
}

/// Something that can't be done now, or at all.
#[derive(Clone, Debug)]
pub struct Undone {
    /// The content.
    pub content: RowId,
    /// The node.
    pub node: RowId,
    /// What would be done, if a budget had room for it; `None`: nothing could be, or all was in vain.
    pub action: Option<Action>,
    /// Why not.
    pub detail: String,
}

#[derive(sqlx::FromRow)]
struct RepairRow {
    id: i64,
    content_id: i64,
    url: String,
    action: String,
    state: String,
    message_hash: Option<String>,
    detail: Option<String>,
    bytes: i64,
    credits: i64,
    collection_id: Option<i64>,
    token_id: Option<Vec<u8>>,
    owner: Option<Vec<u8>>,
    started_at: i64,
    sent_at: Option<i64>,
    finished_at: Option<i64>,
}

macro_rules! select_repairs {
    ($which:literal) => {
        concat!(
            "SELECT r.id, r.content_id, n.url, r.action, r.state, r.message_hash, r.detail, r.bytes,
                r.credits, r.collection_id, r.token_id, r.owner, r.started_at, r.sent_at, r.finished_at
             FROM repairs r JOIN nodes n ON n.id = r.node_id ",
            $which
        )
    };
}

/// The payer of three columns.
fn payer(
    collection: Option<i64>,
    token: Option<&[u8]>,
    owner: Option<&[u8]>,
) -> Result<Option<Payer>> {
    let Some(collection) = collection else { return Ok(None) };
    let corrupt = |what: &str| LedgerError::Corrupt(format!("the {what} of a repair"));
    let token = token.map(|bytes| {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| corrupt("token"))?;
        Ok::<_, LedgerError>(U256::from_be_bytes(bytes))
    });
    let owner = owner.map(|bytes| Address::try_from(bytes).map_err(|_| corrupt("owner")));
    Ok(Some(Payer { collection, token: token.transpose()?, owner: owner.transpose()? }))
}

/// The columns of a payer.
fn columns(payer: Option<&Payer>) -> (Option<RowId>, Option<Vec<u8>>, Option<Vec<u8>>) {
    let token = payer.and_then(|one| one.token).map(|id| id.to_be_bytes::<32>().to_vec());
    let owner = payer.and_then(|one| one.owner).map(|owner| owner.to_vec());
    (payer.map(|one| one.collection), token, owner)
}

impl RepairRow {
    fn into_repair(self) -> Result<Repair> {
        Ok(Repair {
            payer: payer(self.collection_id, self.token_id.as_deref(), self.owner.as_deref())?,
            state: RepairState::parse(&self.state)?,
            id: self.id,
            content: self.content_id,
            node: self.url,
            action: self.action,
            message_hash: self.message_hash,
            detail: self.detail,
            cost: Cost { bytes: uint(self.bytes), credits: Credits(uint(self.credits)) },
            started_at: self.started_at,
            sent_at: self.sent_at,
            finished_at: self.finished_at,
        })
    }
}

impl Tx {
    /// Writes repairs down before anything is sent; gives their rows, in the same order. `None` where
    /// one is under way at the replica: there is one at a time.
    pub async fn plan_repairs(
        &mut self,
        repairs: &[NewRepair],
        now: Millis,
    ) -> Result<Vec<Option<RowId>>> {
        let mut rows = Vec::with_capacity(repairs.len());
        for one in repairs {
            self.give_up_planned(one.content, one.node, now).await?;
            let waiting = "DELETE FROM repairs
                           WHERE content_id = $1 AND node_id = $2 AND state = 'waiting'";
            execute!(self, waiting, one.content, one.node)?;
            let (collection, token, owner) = columns(one.payer.as_ref());
            let row = fetch!(
                fetch_optional,
                self,
                (i64,),
                "INSERT INTO repairs (content_id, node_id, action, state, message_hash, started_at,
                    bytes, credits, collection_id, token_id, owner)
                 VALUES ($1, $2, $3, 'planned', $4, $5, $6, $7, $8, $9, $10)
                 ON CONFLICT DO NOTHING RETURNING id",
                one.content,
                one.node,
                one.action.as_str(),
                one.message_hash.as_deref(),
                now,
                int(one.cost.bytes),
                int(one.cost.credits.0),
                collection,
                token,
                owner,
            )?;
            rows.push(row.map(|(id,)| id));
        }
        Ok(rows)
    }

    /// Something else is done than what a process planned that ended before it did it.
    async fn give_up_planned(&mut self, content: RowId, node: RowId, now: Millis) -> Result<()> {
        let update = "UPDATE repairs SET state = 'failed', finished_at = $3,
                detail = 'it was planned, and not done'
             WHERE content_id = $1 AND node_id = $2 AND state = 'planned'";
        execute!(self, update, content, node, now)?;
        Ok(())
    }

    /// Writes down that nodes took repairs, unless a probe has settled them already.
    pub async fn repairs_sent(&mut self, sent: &[SentRepair]) -> Result<()> {
        insert_rows!(
            self,
            "WITH sent (id, detail, request, sent_at, prove_by) AS (",
            sent,
            |one| (
                one.repair,
                one.detail.as_deref().map(text),
                one.request.as_deref().map(text),
                one.sent_at,
                one.prove_by,
            ),
            ") UPDATE repairs SET state = 'sent', detail = sent.detail, sent_at = sent.sent_at,
                    prove_by = sent.prove_by,
                    message_hash = COALESCE(sent.request, repairs.message_hash)
               FROM sent WHERE repairs.id = sent.id AND repairs.state = 'planned'"
        );
        Ok(())
    }

    /// Writes down that repairs failed, and why, unless a probe has settled them already.
    pub async fn repairs_failed(&mut self, failed: &[FailedRepair], now: Millis) -> Result<()> {
        insert_rows!(
            self,
            "WITH failed (id, detail, refused, at) AS (",
            failed,
            |one| (one.repair, text(&one.detail), i64::from(one.is_refusal), now),
            ") UPDATE repairs SET state = 'failed', detail = failed.detail,
                    refused = failed.refused, finished_at = failed.at
               FROM failed WHERE repairs.id = failed.id AND repairs.state IN ('planned', 'sent')"
        );
        Ok(())
    }

    /// Writes down what is not done, and why. What waits for a budget stands once for each replica.
    pub async fn note_undone(&mut self, undone: &[Undone], now: Millis) -> Result<()> {
        for one in undone {
            let detail = text(&one.detail);
            let Some(action) = one.action else {
                self.give_up_planned(one.content, one.node, now).await?;
                // The same as was said last is not written down again.
                let again =
                    "UPDATE repairs SET started_at = $4, finished_at = $4, times = times + 1
                    WHERE action = 'none' AND detail = $3 AND id = (SELECT MAX(id) FROM repairs
                        WHERE content_id = $1 AND node_id = $2 AND state <> 'waiting')";
                if execute!(self, again, one.content, one.node, &detail, now)? > 0 {
                    continue;
                }
                let none = "INSERT INTO repairs
                    (content_id, node_id, action, state, detail, started_at, finished_at)
                    VALUES ($1, $2, $3, 'failed', $4, $5, $5)";
                execute!(self, none, one.content, one.node, NONE, detail, now)?;
                continue;
            };
            let known = "UPDATE repairs SET action = $3, detail = $4
                         WHERE content_id = $1 AND node_id = $2 AND state = 'waiting'";
            let word = action.as_str();
            if execute!(self, known, one.content, one.node, word, &detail)? == 0 {
                let new = "INSERT INTO repairs
                    (content_id, node_id, action, state, detail, started_at)
                    VALUES ($1, $2, $3, 'waiting', $4, $5)";
                execute!(self, new, one.content, one.node, word, &detail, now)?;
            }
        }
        Ok(())
    }

    /// The repairs of a content begun at `since` or later, oldest first.
    pub async fn repairs_since(&mut self, content: RowId, since: Millis) -> Result<Vec<Repair>> {
        let select =
            select_repairs!("WHERE r.content_id = $1 AND r.started_at >= $2 ORDER BY r.id");
        let rows = fetch!(fetch_all, self, RepairRow, select, content, since)?;
        rows.into_iter().map(RepairRow::into_repair).collect()
    }

    /// The last repairs of all begun at `since` or later, up to `most`, oldest first.
    pub async fn all_repairs(&mut self, since: Millis, most: u32) -> Result<Vec<Repair>> {
        let select = select_repairs!(
            "WHERE r.started_at >= $1 ORDER BY r.started_at DESC, r.id DESC LIMIT $2"
        );
        let rows = fetch!(fetch_all, self, RepairRow, select, since, i64::from(most))?;
        let repairs: Result<Vec<_>> = rows.into_iter().map(RepairRow::into_repair).collect();
        repairs.map(|mut repairs| {
            repairs.reverse();
            repairs
        })
    }

    /// How many repairs wait for a budget.
    pub async fn waiting_repairs(&mut self) -> Result<u64> {
        let select = "SELECT COUNT(*) FROM repairs WHERE state = 'waiting'";
        Ok(uint(fetch!(fetch_one, self, (i64,), select)?.0))
    }

    /// How many repairs were begun at `since` or later that something was sent for, and how many of
    /// them a probe has proved.
    pub async fn repair_tally(&mut self, since: Millis) -> Result<(u64, u64)> {
        let (tried, proved) = fetch!(
            fetch_one,
            self,
            (i64, i64),
            "SELECT COUNT(*), COUNT(CASE WHEN state = 'done' THEN 1 END) FROM repairs
             WHERE started_at >= $1 AND action <> 'none' AND state <> 'waiting'",
            since,
        )?;
        Ok((uint(tried), uint(proved)))
    }

    /// Forgets what waited for a budget at replicas that need nothing any more.
    pub async fn drop_waiting(&mut self) -> Result<()> {
        execute!(
            self,
            "DELETE FROM repairs WHERE state = 'waiting' AND NOT EXISTS (
                SELECT 1 FROM replicas p
                WHERE p.content_id = repairs.content_id AND p.node_id = repairs.node_id
                  AND p.due_at IS NOT NULL AND p.state IN ('missing', 'corrupt', 'unreachable'))"
        )?;
        Ok(())
    }

    /// Forgets up to `limit` repairs that were begun before a time, came to nothing and cost nothing that
    /// lasts; gives how many. What was done, and what is paid for, stays.
    pub async fn drop_failed_repairs(&mut self, before: Millis, limit: u32) -> Result<u64> {
        let delete = "DELETE FROM repairs WHERE id IN (SELECT id FROM repairs
            WHERE started_at < $1 AND state = 'failed' AND credits = 0
            ORDER BY started_at LIMIT $2)";
        Ok(execute!(self, delete, before, i64::from(limit))?)
    }

    /// Makes the replicas of these pairs of content and node due, at the time beside each.
    pub async fn probe_again(&mut self, pairs: &[(RowId, RowId, Millis)]) -> Result<()> {
        self.among_others().await?;
        let mut pairs = pairs.to_vec();
        // In one order everywhere, so that two workers never wait for each other.
        pairs.sort_unstable();
        insert_rows!(
            self,
            "WITH one (content, node, at) AS (",
            pairs,
            |pair| (pair.0, pair.1, pair.2),
            ") UPDATE replicas SET due_at = one.at, priority = 0 FROM one
               WHERE content_id = one.content AND node_id = one.node AND due_at IS NOT NULL"
        );
        Ok(())
    }
}
