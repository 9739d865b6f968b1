//! Replicas: what is due to be probed, and what probes saw.

use super::{
    LedgerError, Millis, Result, RowId, Tx,
    contents::{Known, content_id, known},
    execute, fetch, int, text, uint,
};
use crate::{
    content::{Codec, ContentId, Digest},
    health::{FAILURES_THAT_COUNT, ReplicaState, ReplicaView, Schedule, Verdict},
};

/// Changes of state kept for each replica.
const HISTORY: i64 = 10;

/// A probe that is due.
#[derive(Clone, Debug)]
pub struct DueProbe {
    /// What to fetch.
    pub content: RowId,
    /// Its name.
    pub id: ContentId,
    /// What earlier probes proved of it.
    pub known: Known,
    /// From which node.
    pub node: RowId,
    /// Whether the bytes, once verified, are metadata still to be read.
    pub parse: bool,
}

/// What a probe saw, with its evidence.
#[derive(Clone, Debug)]
pub struct ProbeRecord {
    /// What was fetched.
    pub content: RowId,
    /// From which node.
    pub node: RowId,
    /// What was seen.
    pub seen: ReplicaState,
    /// Whether the node is proved to hold its own copy.
    pub held: Option<bool>,
    /// Bytes that came.
    pub bytes: Option<u64>,
    /// HTTP status of the answer.
    pub http_status: Option<u16>,
    /// The name that the bytes really have.
    pub computed: Option<String>,
    /// Plain sha-256 of the bytes, where they came whole.
    pub sha256: Option<Digest>,
    /// In words, what was wrong.
    pub detail: Option<String>,
    /// When it ended.
    pub at: Millis,
}

/// A replica as the ledger has it.
#[derive(Clone, Debug)]
pub struct Replica {
    /// Of which content.
    pub content: RowId,
    /// On which node.
    pub node: RowId,
    /// What health needs.
    pub view: ReplicaView,
    /// `held` as it is shown.
    pub held: Option<bool>,
    /// Bytes the last probe saw.
    pub bytes: Option<u64>,
    /// HTTP status the last probe saw.
    pub http_status: Option<u16>,
    /// The name that the last bytes really had.
    pub computed: Option<String>,
    /// In words, what was wrong.
    pub detail: Option<String>,
    /// When the last probe ended.
    pub checked_at: Option<Millis>,
    /// Probes in a row without an answer that says anything.
    pub failures: u32,
}

/// One change of a replica's state.
#[derive(Clone, Debug)]
pub struct StateChange {
    /// The new state.
    pub state: ReplicaState,
    /// When.
    pub at: Millis,
    /// In words, what was wrong.
    pub detail: Option<String>,
}

/// A row of `replicas`, with its node's operator and address.
#[derive(sqlx::FromRow)]
struct ReplicaRow {
    content_id: i64,
    node_id: i64,
    state: Option<String>,
    held: Option<i64>,
    bytes: Option<i64>,
    http_status: Option<i64>,
    computed: Option<String>,
    detail: Option<String>,
    checked_at: Option<i64>,
    verified_at: Option<i64>,
    failures: i64,
    operator: Option<String>,
    address: String,
}

fn state(text: &str) -> Result<ReplicaState> {
    text.parse().map_err(LedgerError::Corrupt)
}

impl ReplicaRow {
    fn into_replica(self) -> Result<Replica> {
        Ok(Replica {
            content: self.content_id,
            node: self.node_id,
            view: ReplicaView {
                state: self.state.as_deref().map(state).transpose()?,
                verified_at: self.verified_at,
                held: self.held == Some(1),
                holder: crate::health::Holder { operator: self.operator, address: self.address },
            },
            held: self.held.map(|held| held != 0),
            bytes: self.bytes.map(uint),
            http_status: self.http_status.and_then(|status| u16::try_from(status).ok()),
            computed: self.computed,
            detail: self.detail,
            checked_at: self.checked_at,
            failures: u32::try_from(self.failures).unwrap_or(u32::MAX),
        })
    }
}

/// Replicas on nodes in use (`n`) of contents (`c`). Most have no row before they are first due.
macro_rules! replica_sql {
    () => {
        "SELECT c.id AS content_id, n.id AS node_id, r.state, r.held, r.bytes, r.http_status,
                r.computed, r.detail, r.checked_at, r.verified_at,
                COALESCE(r.failures, 0) AS failures, n.operator, n.address
         FROM contents c CROSS JOIN nodes n
         LEFT JOIN replicas r ON r.content_id = c.id AND r.node_id = n.id
         WHERE n.active = 1"
    };
}

type DueRow = (i64, i64, i64, Vec<u8>, Option<i64>, Option<Vec<u8>>, i64);

impl Tx {
    /// Takes up to `limit` probes that are due at `now`, earliest first; nobody else gets them
    /// before `lease`. Those of new contents are due once they are scheduled ([`Tx::schedule_new`]). With `in_doubt_only`, those are left out whose last probe said something.
    pub async fn take_due_probes(
        &mut self,
        now: Millis,
        lease: Millis,
        limit: u32,
        in_doubt_only: bool,
    ) -> Result<Vec<DueProbe>> {
        self.among_others().await?;
        let sql = self.sql(
            "SELECT r.content_id, r.node_id, c.codec, c.digest, c.size, c.sha256,
                    (c.parsed = 0 AND (EXISTS (SELECT 1 FROM tokens t WHERE t.content_id = c.id)
                        OR EXISTS (SELECT 1 FROM token_uris u WHERE u.content_id = c.id
                                     AND LENGTH(u.token_id) = 0)))
             FROM replicas r JOIN contents c ON c.id = r.content_id
             WHERE r.due_at <= $1 AND ($3 = 0 OR r.failures BETWEEN 1 AND $4)
             ORDER BY r.due_at, r.content_id LIMIT $2",
            "SELECT r.content_id, r.node_id, c.codec, c.digest, c.size, c.sha256,
                    (c.parsed = 0 AND (EXISTS (SELECT 1 FROM tokens t WHERE t.content_id = c.id)
                        OR EXISTS (SELECT 1 FROM token_uris u WHERE u.content_id = c.id
                                     AND LENGTH(u.token_id) = 0)))::INT::BIGINT
             FROM replicas r JOIN contents c ON c.id = r.content_id
             WHERE r.due_at <= $1 AND ($3 = 0 OR r.failures BETWEEN 1 AND $4)
             ORDER BY r.due_at, r.content_id LIMIT $2
             FOR UPDATE OF r SKIP LOCKED",
        );
        let doubt = i64::from(FAILURES_THAT_COUNT - 1);
        let (limit, only) = (i64::from(limit), i64::from(in_doubt_only));
        let rows = fetch!(fetch_all, self, DueRow, sql, now, limit, only, doubt)?;
        let mut due = Vec::with_capacity(rows.len());
        for (content, node, codec, digest, size, sha256, parse) in rows {
            let update = "UPDATE replicas SET due_at = $3, leased = 1
                          WHERE content_id = $1 AND node_id = $2";
            execute!(self, update, content, node, lease)?;
            let id = content_id(codec, &digest)?;
            let known = known(size, sha256.as_deref())?;
            due.push(DueProbe { content, id, known, node, parse: parse != 0 });
        }
        Ok(due)
    }

    /// When the next probe is due of a replica whose verdict is in doubt.
    pub async fn next_doubtful_probe(&mut self) -> Result<Option<Millis>> {
        Ok(fetch!(
            fetch_one,
            self,
            (Option<i64>,),
            "SELECT MIN(due_at) FROM replicas
             WHERE due_at IS NOT NULL AND failures BETWEEN 1 AND $1",
            i64::from(FAILURES_THAT_COUNT - 1),
        )?
        .0)
    }

    /// Makes the probes due that a process took and did not bring back.
    pub async fn release_leases(&mut self) -> Result<()> {
        self.alone().await?;
        let update =
            "UPDATE replicas SET due_at = 0, leased = 0 WHERE leased = 1 AND due_at IS NOT NULL";
        execute!(self, update)?;
        Ok(())
    }

    /// Makes a replica due at once.
    pub async fn make_due(&mut self, content: RowId, node: RowId) -> Result<()> {
        let update = "UPDATE replicas SET due_at = 0
                      WHERE content_id = $1 AND node_id = $2 AND due_at IS NOT NULL";
        execute!(self, update, content, node)?;
        Ok(())
    }

    /// Writes down what a probe saw; gives the standing verdict after it.
    pub async fn record_probe(
        &mut self,
        record: &ProbeRecord,
        schedule: &Schedule,
    ) -> Result<Verdict> {
        self.among_others().await?;
        let (content, node) = (record.content, record.node);
        // It may have been probed before it was due.
        execute!(
            self,
            "INSERT INTO replicas (content_id, node_id, due_at)
             SELECT id, CAST($2 AS BIGINT), CASE WHEN wanted = 1 THEN 0 END
             FROM contents WHERE id = $1 AND NOT EXISTS
                (SELECT 1 FROM replicas WHERE content_id = $1 AND node_id = $2)
             ON CONFLICT DO NOTHING",
            content,
            node,
        )?;
        let select = "SELECT state, failures FROM replicas WHERE content_id = $1 AND node_id = $2";
        let (old, failures) =
            fetch!(fetch_one, self, (Option<String>, i64), select, content, node)?;
        let before = Verdict {
            state: old.as_deref().map(state).transpose()?,
            failures: u32::try_from(failures).unwrap_or(u32::MAX),
        };
        let after = before.after(record.seen);
        let verified = record.seen == ReplicaState::Verified;
        let due = match self.is_outdated(record).await? {
            true => 0,
            false => schedule.next_probe(after, record.at),
        };
        execute!(
            self,
            "UPDATE replicas SET state = $3, failures = $4, held = $5, bytes = $6,
                http_status = $7, computed = $8, detail = $9, checked_at = $10,
                leased = 0,
                verified_at = CASE WHEN $11 = 1 THEN $10 ELSE verified_at END,
                due_at = CASE WHEN due_at IS NULL THEN NULL ELSE CAST($12 AS BIGINT) END
             WHERE content_id = $1 AND node_id = $2",
            content,
            node,
            after.state.map(ReplicaState::as_str),
            i64::from(after.failures),
            record.held.map(i64::from),
            record.bytes.map(int),
            record.http_status.map(i64::from),
            record.computed.as_deref().map(text),
            record.detail.as_deref().map(text),
            record.at,
            i64::from(verified),
            due,
        )?;
        if let Some(new) = after.state.filter(|new| before.state != Some(*new)) {
            self.record_change(record, new).await?;
        }
        if verified {
            self.learn(record).await?;
            self.finish_repairs(content, node, record.at).await?;
        }
        Ok(after)
    }

    /// Whether the bytes that a probe took for others have been proved right since it began.
    async fn is_outdated(&mut self, record: &ProbeRecord) -> Result<bool> {
        let (ReplicaState::Corrupt, Some(got)) = (record.seen, record.sha256) else {
            return Ok(false);
        };
        let select = "SELECT sha256 FROM contents WHERE id = $1";
        let (right,) = fetch!(fetch_one, self, (Option<Vec<u8>>,), select, record.content)?;
        Ok(right.is_some_and(|right| right == got.0))
    }

    /// Remembers what a probe proved. Who was found to serve other bytes, while nobody could say
    /// how the DAG was cut, is asked again.
    async fn learn(&mut self, record: &ProbeRecord) -> Result<()> {
        let Some(sha256) = record.sha256 else { return Ok(()) };
        let update = "UPDATE contents SET size = $2, sha256 = $3 WHERE id = $1 AND sha256 IS NULL";
        let learned =
            execute!(self, update, record.content, record.bytes.map(int), sha256.0.as_slice())?;
        if learned > 0 {
            let update = "UPDATE replicas SET due_at = 0
                          WHERE content_id = $1 AND due_at IS NOT NULL AND state = 'corrupt'
                            AND EXISTS (SELECT 1 FROM contents WHERE id = $1 AND codec = $2)";
            execute!(self, update, record.content, i64::from(Codec::DagPb.multicodec()))?;
        }
        Ok(())
    }

    async fn record_change(&mut self, record: &ProbeRecord, new: ReplicaState) -> Result<()> {
        execute!(
            self,
            "INSERT INTO replica_changes
                (content_id, node_id, state, at, bytes, http_status, computed, detail)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            record.content,
            record.node,
            new.as_str(),
            record.at,
            record.bytes.map(int),
            record.http_status.map(i64::from),
            record.computed.as_deref().map(text),
            record.detail.as_deref().map(text),
        )?;
        execute!(
            self,
            "DELETE FROM replica_changes WHERE content_id = $1 AND node_id = $2 AND id NOT IN (
                SELECT id FROM replica_changes WHERE content_id = $1 AND node_id = $2
                ORDER BY id DESC LIMIT $3)",
            record.content,
            record.node,
            HISTORY,
        )?;
        Ok(())
    }

    /// Every replica of wanted content on nodes in use, also those not probed yet, by content and
    /// node.
    pub async fn replicas(&mut self) -> Result<Vec<Replica>> {
        let rows = fetch!(
            fetch_all,
            self,
            ReplicaRow,
            concat!(replica_sql!(), " AND c.wanted = 1 ORDER BY c.id, n.id"),
        )?;
        rows.into_iter().map(ReplicaRow::into_replica).collect()
    }

    /// The replicas of one content on nodes in use, also those not probed yet, by node.
    pub async fn replicas_of(&mut self, content: RowId) -> Result<Vec<Replica>> {
        let rows = fetch!(
            fetch_all,
            self,
            ReplicaRow,
            concat!(replica_sql!(), " AND c.id = $1 ORDER BY n.id"),
            content,
        )?;
        rows.into_iter().map(ReplicaRow::into_replica).collect()
    }

    /// The last changes of a replica's state, oldest first.
    pub async fn changes(&mut self, content: RowId, node: RowId) -> Result<Vec<StateChange>> {
        let rows = fetch!(
            fetch_all,
            self,
            (String, i64, Option<String>),
            "SELECT state, at, detail FROM replica_changes
             WHERE content_id = $1 AND node_id = $2 ORDER BY id",
            content,
            node,
        )?;
        rows.into_iter()
            .map(|(text, at, detail)| Ok(StateChange { state: state(&text)?, at, detail }))
            .collect()
    }
}
