//! Spot checks: which are due, and what came of them. No verdict follows from one.
//!
//! A full probe that saw the right bytes says when the next spot check is due. Taking one puts it off
//! to the time after that, so there is no lease: what a process took and did not bring back, and what
//! a node did not answer, is looked at the next time. Full probes know nothing of all that.

use super::{
    Millis, ProbeRecord, Result, RowId, Tx,
    bulk::{fetch_in, fetch_pairs, insert_rows},
    contents::{Known, content_id, known},
    probes::salt,
};
use crate::{
    content::{Codec, ContentId},
    health::{ReplicaState, Schedule},
};

/// Spot checks are of files of more bytes than this: a smaller one is fetched whole for little more
/// than a root and three blocks of the usual 256 KiB.
pub const SPOT_ABOVE: u64 = 1 << 20;

/// A spot check that is due.
#[derive(Clone, Debug)]
pub struct DueSpot {
    /// Of which content.
    pub content: RowId,
    /// Its name.
    pub id: ContentId,
    /// What full probes proved of it.
    pub known: Known,
    /// At which node.
    pub node: RowId,
    /// Whether the last full probe found a copy of the node's own.
    pub held: bool,
}

/// What follows from a spot check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpotResult {
    /// The right blocks came.
    Right,
    /// A full probe must look at once.
    Doubt,
    /// There is no use in another before the next full probe.
    Unfit,
}

/// A spot check that said something.
#[derive(Clone, Copy, Debug)]
pub struct SpotRecord {
    /// Of which content.
    pub content: RowId,
    /// At which node.
    pub node: RowId,
    /// What follows.
    pub result: SpotResult,
    /// When it ended.
    pub at: Millis,
}

/// Content, node, when its next full probe is due, and whether its copy is the node's own.
type Chosen = (i64, i64, i64, Option<i64>);

/// Whether the replica that a probe saw is one for spot checks, given its content's codec: others
/// are of one block, or of nodes that give none.
pub(super) fn is_worth_spot_checks(record: &ProbeRecord, codec: i64) -> bool {
    record.gives_blocks
        && record.seen == ReplicaState::Verified
        && codec == i64::from(Codec::DagPb.multicodec())
        && record.bytes.is_some_and(|bytes| bytes > SPOT_ABOVE)
}

impl Tx {
    /// Takes up to `limit` spot checks that are due at `now`, of each node the earliest, and as many as
    /// it is given; each is due again as the schedule has it. By content.
    pub async fn take_spots(
        &mut self,
        now: Millis,
        limit: u32,
        nodes: &[(RowId, u32)],
        schedule: &Schedule,
    ) -> Result<Vec<DueSpot>> {
        self.among_others().await?;
        self.plan_for_few().await?;
        let mut chosen = self.choose_spots(now, limit, nodes).await?;
        chosen.sort_unstable();
        let next =
            |(content, node, due, _): &Chosen| schedule.next_spot(now, *due, salt(*content, *node));
        insert_rows!(
            self,
            "WITH taken (content_id, node_id, spot_at) AS (",
            chosen,
            |row| (row.0, row.1, next(row)),
            ") UPDATE replicas SET spot_at = taken.spot_at FROM taken
              WHERE replicas.content_id = taken.content_id AND replicas.node_id = taken.node_id"
        );
        // Where a full probe is due, that says more.
        chosen.retain(|(_, _, due, _)| *due > now);
        self.describe_spots(&chosen).await
    }

    async fn choose_spots(
        &mut self,
        now: Millis,
        limit: u32,
        nodes: &[(RowId, u32)],
    ) -> Result<Vec<Chosen>> {
        match self {
            Self::Sqlite(c) => {
                let mut chosen = Vec::new();
                for (node, share) in nodes {
                    let left = limit.saturating_sub(u32::try_from(chosen.len()).unwrap_or(limit));
                    let rows: Vec<Chosen> = sqlx::query_as(
                        "SELECT content_id, node_id, due_at, held FROM replicas
                         WHERE node_id = $1 AND spot_at <= $2 AND due_at IS NOT NULL
                         ORDER BY spot_at LIMIT $3",
                    )
                    .bind(node)
                    .bind(now)
                    .bind(i64::from(left.min(*share)))
                    .fetch_all(&mut **c)
                    .await?;
                    chosen.extend(rows);
                }
                Ok(chosen)
            }
            Self::Postgres(c) => {
                let (ids, shares): (Vec<i64>, Vec<i64>) =
                    nodes.iter().map(|(node, share)| (*node, i64::from(*share))).unzip();
                let rows = sqlx::query_as(
                    "SELECT found.* FROM UNNEST($1, $2) AS one (node, share)
                     CROSS JOIN LATERAL (
                        SELECT content_id, node_id, due_at, held FROM replicas
                        WHERE node_id = one.node AND spot_at <= $3 AND due_at IS NOT NULL
                        ORDER BY spot_at LIMIT one.share
                        FOR UPDATE SKIP LOCKED) AS found LIMIT $4",
                );
                let rows = rows.bind(ids).bind(shares).bind(now).bind(i64::from(limit));
                Ok(rows.fetch_all(&mut **c).await?)
            }
        }
    }

    async fn describe_spots(&mut self, chosen: &[Chosen]) -> Result<Vec<DueSpot>> {
        let mut contents: Vec<RowId> = chosen.iter().map(|(content, ..)| *content).collect();
        contents.dedup();
        type Row = (i64, i64, Vec<u8>, Option<i64>, Option<Vec<u8>>);
        let rows = fetch_in!(
            self,
            Row,
            {}
            "SELECT id, codec, digest, size, sha256 FROM contents WHERE id IN",
            contents,
            ""
        );
        let mut names = std::collections::HashMap::new();
        for (content, codec, digest, size, sha256) in rows {
            names.insert(content, (content_id(codec, &digest)?, known(size, sha256.as_deref())?));
        }
        let due = chosen.iter().filter_map(|(content, node, _, held)| {
            let (id, known) = *names.get(content)?;
            let (content, node, held) = (*content, *node, *held == Some(1));
            Some(DueSpot { content, id, known, node, held })
        });
        Ok(due.collect())
    }

    /// Writes down what spot checks found, of replicas that still stand as `verified`: nothing that a
    /// full probe has seen is touched.
    pub async fn record_spots(&mut self, records: &[SpotRecord]) -> Result<()> {
        self.among_others().await?;
        self.plan_for_few().await?;
        let mut records = records.to_vec();
        // In the order of full probes, so that two workers never wait for each other.
        records.sort_unstable_by_key(|record| (record.content, record.node));
        self.lock_replicas(&records).await?;
        let is = |record: &SpotRecord, result| i64::from(record.result == result);
        insert_rows!(
            self,
            "WITH found (content_id, node_id, spotted_at, doubted) AS (",
            records,
            |one| (
                one.content,
                one.node,
                (one.result == SpotResult::Right).then_some(one.at),
                is(one, SpotResult::Doubt),
            ),
            ") UPDATE replicas SET
                spotted_at = COALESCE(found.spotted_at, replicas.spotted_at),
                spot_at = CASE WHEN found.spotted_at IS NULL THEN NULL ELSE replicas.spot_at END,
                due_at = CASE WHEN found.doubted = 1 THEN 0 ELSE replicas.due_at END,
                priority = CASE WHEN found.doubted = 1 THEN 0 ELSE replicas.priority END
              FROM found
              WHERE replicas.content_id = found.content_id AND replicas.node_id = found.node_id
                AND replicas.state = 'verified' AND replicas.due_at IS NOT NULL"
        );
        Ok(())
    }

    async fn lock_replicas(&mut self, records: &[SpotRecord]) -> Result<()> {
        let keys: Vec<_> = records.iter().map(|one| (one.content, one.node)).collect();
        fetch_pairs!(
            self,
            (i64, i64),
            "r.content_id, r.node_id",
            "replicas r",
            ("r.content_id", "r.node_id"),
            keys,
            "FOR UPDATE"
        );
        Ok(())
    }
}
