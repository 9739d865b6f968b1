//! Which probes are due. Each node has a queue of its own, in three classes, and the next of each is
//! found by an index alone, however many there are.

use super::{
    Millis, Result, RowId, Tx,
    bulk::{KEYS, fetch_in},
    contents::{Known, content_id, known},
    execute, fetch, for_few,
};
use crate::{content::ContentId, health::Priority};

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

/// What is to be taken.
#[derive(Clone, Copy, Debug)]
pub struct Taking<'a> {
    /// What is due by then.
    pub now: Millis,
    /// Nobody else gets it before.
    pub lease: Millis,
    /// Probes at most.
    pub limit: u32,
    /// The nodes that may be asked, and how many probes each gets at most.
    pub nodes: &'a [(RowId, u32)],
    /// Only those whose last probe did not say all it should, and whose verdict waits for another, and
    /// those that are to prove a repair.
    pub in_doubt_only: bool,
}

/// What was taken.
#[derive(Debug, Default)]
pub struct Taken {
    /// Those.
    pub probes: Vec<DueProbe>,
    /// Whether another worker was taking from a node at the same moment, so that there may be more.
    pub is_contended: bool,
}

/// The first key of the advisory locks by which workers on PostgreSQL take from a node one at a time,
/// beside the node's: `take` in ASCII.
const TAKERS: i32 = i32::from_be_bytes(*b"take");

/// In which order classes are served, and the most that each gets of what is taken (one part in so
/// many): first each its share, so that no class waits for ever, then what is left.
const TURNS: [(Priority, u32); 6] = [
    (Priority::Urgent, 2),
    (Priority::New, 4),
    (Priority::Routine, 4),
    (Priority::Urgent, 1),
    (Priority::New, 1),
    (Priority::Routine, 1),
];

/// Those whose verdict, or whose `held`, waits for another probe; in the words of their index.
macro_rules! in_doubt {
    () => {
        "due_at IS NOT NULL AND ((failures > 0 AND failures < 3) OR untold > 0)"
    };
}

/// Replicas that were told to come back, with what was sent for it.
macro_rules! to_prove {
    () => {
        "repairs o CROSS JOIN replicas r"
    };
}

/// Those that nothing has proved or disproved yet; in the words of the index of what is under way.
macro_rules! sent {
    () => {
        "o.state IN ('planned', 'sent') AND o.state = 'sent' AND o.action <> 'pin-request'
         AND r.content_id = o.content_id AND r.node_id = o.node_id AND r.due_at IS NOT NULL"
    };
}

/// Takes what is due (`$1`) and not taken, until `$2`, at most `$3`, at nodes that are told by `$4`.
macro_rules! take_sql {
    ($from:expr, $which:expr, $nodes:literal) => {
        concat!(
            "INSERT INTO leases (content_id, node_id, until)
             SELECT r.content_id, r.node_id, $2 FROM ",
            $from,
            " WHERE ",
            $which,
            " AND r.due_at <= $1 AND r.node_id ",
            $nodes,
            " AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.node_id = r.node_id
                    AND l.content_id = r.content_id AND l.until > $1)
             ORDER BY r.due_at LIMIT $3
             ON CONFLICT (content_id, node_id) DO UPDATE SET until = excluded.until
             RETURNING content_id, node_id"
        )
    };
}

type Key = (RowId, RowId);
type ContentRow = (i64, i64, Vec<u8>, Option<i64>, Option<Vec<u8>>, i64);

impl Tx {
    /// Takes up to `limit` probes that are due at `now` at any node in use; nobody else gets them
    /// before `lease`. Those of new contents are due once they are scheduled ([`Tx::schedule_new`]).
    /// With `in_doubt_only`, those are left out whose last probe said something.
    pub async fn take_due_probes(
        &mut self,
        now: Millis,
        lease: Millis,
        limit: u32,
        in_doubt_only: bool,
    ) -> Result<Vec<DueProbe>> {
        let nodes: Vec<_> = self.nodes().await?.iter().map(|node| (node.id, limit)).collect();
        let taking = Taking { now, lease, limit, nodes: &nodes, in_doubt_only };
        Ok(self.take_probes(&taking).await?.probes)
    }

    /// Takes probes that are due: of each node those of the first class first, and of each class the
    /// earliest. They come by content.
    pub async fn take_probes(&mut self, taking: &Taking<'_>) -> Result<Taken> {
        self.among_others().await?;
        let (nodes, is_contended) = self.nodes_to_take_from(taking.nodes).await?;
        let taking = Taking { nodes: &nodes, ..*taking };
        let mut keys = match taking.in_doubt_only {
            true => self.take_in_doubt(&taking).await?,
            false => self.take_in_turns(&taking).await?,
        };
        keys.sort_unstable();
        Ok(Taken { probes: self.describe(&keys).await?, is_contended })
    }

    /// Those of these nodes that nobody else is taking from just now, and whether there are others.
    async fn nodes_to_take_from(
        &mut self,
        nodes: &[(RowId, u32)],
    ) -> Result<(Vec<(RowId, u32)>, bool)> {
        let Self::Postgres(c) = self else { return Ok((nodes.to_vec(), false)) };
        // The table of leases is empty when statements are planned, and never large: its index is the
        // better way all the same, a thousand times in a statement. And a lease that a crash of the
        // server loses is taken again.
        let set = concat!("SELECT ", for_few!(), ", set_config('synchronous_commit', 'off', true)");
        sqlx::query(set).execute(&mut **c).await?;
        let ids: Vec<i64> = nodes.iter().map(|(node, _)| *node).collect();
        let mine = sqlx::query_as::<_, (i64,)>(
            "SELECT node FROM (SELECT node, pg_try_advisory_xact_lock($2, node::INT) AS mine
                FROM UNNEST($1) AS one (node) OFFSET 0) AS tried WHERE mine",
        );
        let mine = mine.bind(ids).bind(TAKERS).fetch_all(&mut **c).await?;
        let free = nodes.iter().filter(|(node, _)| mine.contains(&(*node,))).copied();
        let free: Vec<_> = free.collect();
        let is_contended = free.len() < nodes.len();
        Ok((free, is_contended))
    }

    async fn take_in_turns(&mut self, taking: &Taking<'_>) -> Result<Vec<Key>> {
        let mut free: Vec<(RowId, u32)> = taking.nodes.to_vec();
        let mut taken = Vec::new();
        let mut is_empty = [false; 3];
        for (class, part) in TURNS {
            free.retain(|(_, free)| *free > 0);
            let left = taking.limit.saturating_sub(u32::try_from(taken.len()).unwrap_or(u32::MAX));
            let nodes = u32::try_from(free.len()).unwrap_or(u32::MAX);
            if left == 0 || nodes == 0 {
                break;
            }
            if is_empty[class as usize] {
                continue;
            }
            let share = left.min(taking.limit.div_ceil(part)).div_ceil(nodes);
            let ask: Vec<_> = free.iter().map(|(node, free)| (*node, share.min(*free))).collect();
            let got = self.take_class(taking, class, &ask, left).await?;
            let asked: u64 = ask.iter().map(|(_, most)| u64::from(*most)).sum();
            is_empty[class as usize] = got.is_empty() && asked > 0;
            for (node, free) in &mut free {
                let of_it = got.iter().filter(|(_, of)| of == node).count();
                *free = free.saturating_sub(u32::try_from(of_it).unwrap_or(u32::MAX));
            }
            taken.extend(got);
        }
        Ok(taken)
    }

    /// Takes those of one class, of each node as many as it is given, and `most` altogether.
    async fn take_class(
        &mut self,
        taking: &Taking<'_>,
        class: Priority,
        nodes: &[(RowId, u32)],
        most: u32,
    ) -> Result<Vec<Key>> {
        let (now, lease, class) = (taking.now, taking.lease, class as i64);
        match self {
            Self::Sqlite(c) => {
                let mut taken: Vec<Key> = Vec::new();
                for (node, share) in nodes {
                    let left = i64::from(most) - i64::try_from(taken.len()).unwrap_or(i64::MAX);
                    let share = left.min(i64::from(*share));
                    if share <= 0 {
                        break;
                    }
                    let rows: Vec<Key> = sqlx::query_as(
                        "INSERT INTO leases (content_id, node_id, until)
                         SELECT content_id, node_id, $4 FROM replicas r
                         WHERE node_id = $1 AND priority = $2 AND due_at <= $3
                           AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.node_id = r.node_id
                                AND l.content_id = r.content_id AND l.until > $3)
                         ORDER BY due_at LIMIT $5
                         ON CONFLICT (content_id, node_id) DO UPDATE SET until = excluded.until
                         RETURNING content_id, node_id",
                    )
                    .bind(node)
                    .bind(class)
                    .bind(now)
                    .bind(lease)
                    .bind(share)
                    .fetch_all(&mut **c)
                    .await?;
                    taken.extend(rows);
                }
                Ok(taken)
            }
            Self::Postgres(c) => {
                // In the place of `NOT EXISTS`, for which the planner would read all that is due.
                let (ids, shares): (Vec<i64>, Vec<i64>) =
                    nodes.iter().map(|(node, share)| (*node, i64::from(*share))).unzip();
                let rows = sqlx::query_as(
                    "WITH chosen AS MATERIALIZED (
                        SELECT found.content_id, found.node_id
                        FROM UNNEST($1, $2) AS one (node, share)
                        CROSS JOIN LATERAL (
                            SELECT content_id, node_id FROM replicas r
                            WHERE node_id = one.node AND priority = $3 AND due_at <= $4
                              AND COALESCE((SELECT l.until FROM leases l
                                WHERE l.content_id = r.content_id AND l.node_id = r.node_id), 0) <= $4
                            ORDER BY due_at LIMIT one.share) AS found
                        LIMIT $6)
                     INSERT INTO leases (content_id, node_id, until)
                     SELECT content_id, node_id, $5 FROM chosen
                     ON CONFLICT (content_id, node_id) DO UPDATE SET until = excluded.until
                     RETURNING content_id, node_id",
                )
                .bind(ids)
                .bind(shares)
                .bind(class)
                .bind(now)
                .bind(lease)
                .bind(i64::from(most));
                Ok(rows.fetch_all(&mut **c).await?)
            }
        }
    }

    /// Takes those whose verdict is in doubt, and those that are to prove a repair, whatever their class.
    async fn take_in_doubt(&mut self, taking: &Taking<'_>) -> Result<Vec<Key>> {
        let ids: Vec<i64> = taking.nodes.iter().map(|(node, _)| *node).collect();
        let (now, lease, limit) = (taking.now, taking.lease, i64::from(taking.limit));
        let mut keys: Vec<Key> = Vec::new();
        match self {
            Self::Sqlite(c) => {
                let ids = serde_json::json!(ids).to_string();
                for sql in [
                    take_sql!("replicas r", in_doubt!(), "IN (SELECT value FROM json_each($4))"),
                    take_sql!(to_prove!(), sent!(), "IN (SELECT value FROM json_each($4))"),
                ] {
                    let rows =
                        sqlx::query_as::<_, Key>(sql).bind(now).bind(lease).bind(limit).bind(&ids);
                    keys.extend(rows.fetch_all(&mut **c).await?);
                }
            }
            Self::Postgres(c) => {
                for sql in [
                    take_sql!("replicas r", in_doubt!(), "= ANY ($4)"),
                    take_sql!(to_prove!(), sent!(), "= ANY ($4)"),
                ] {
                    let rows =
                        sqlx::query_as::<_, Key>(sql).bind(now).bind(lease).bind(limit).bind(&ids);
                    keys.extend(rows.fetch_all(&mut **c).await?);
                }
            }
        }
        Ok(keys)
    }

    /// What there is to know of probes before they are made.
    async fn describe(&mut self, keys: &[Key]) -> Result<Vec<DueProbe>> {
        let mut contents: Vec<RowId> = keys.iter().map(|(content, _)| *content).collect();
        contents.dedup();
        let rows = fetch_in!(
            self,
            ContentRow,
            {}
            "SELECT c.id, c.codec, c.digest, c.size, c.sha256, CAST(CASE WHEN c.parsed = 0 AND (
                EXISTS (SELECT 1 FROM tokens t WHERE t.content_id = c.id)
                OR EXISTS (SELECT 1 FROM token_uris u WHERE u.content_id = c.id
                             AND LENGTH(u.token_id) = 0)) THEN 1 ELSE 0 END AS BIGINT)
             FROM contents c WHERE c.id IN",
            contents,
            ""
        );
        let mut due = Vec::with_capacity(keys.len());
        let mut known_rows = std::collections::HashMap::new();
        for (content, codec, digest, size, sha256, parse) in rows {
            let known = known(size, sha256.as_deref())?;
            known_rows.insert(content, (content_id(codec, &digest)?, known, parse != 0));
        }
        for (content, node) in keys {
            if let Some((id, known, parse)) = known_rows.get(content) {
                let (content, node) = (*content, *node);
                due.push(DueProbe { content, id: *id, known: *known, node, parse: *parse });
            }
        }
        Ok(due)
    }

    /// When the next probe is due, at each node, of a replica whose verdict is in doubt, or that is to prove
    /// a repair, and that nobody has taken at `now`.
    pub async fn next_doubtful_probes(&mut self, now: Millis) -> Result<Vec<(RowId, Millis)>> {
        Ok(fetch!(
            fetch_all,
            self,
            (i64, i64),
            concat!(
                "SELECT node_id, MIN(due_at) FROM (
                    SELECT r.content_id, r.node_id, r.due_at FROM replicas r WHERE ",
                in_doubt!(),
                " UNION ALL SELECT r.content_id, r.node_id, r.due_at FROM ",
                to_prove!(),
                " WHERE ",
                sent!(),
                ") AS r WHERE NOT EXISTS (SELECT 1 FROM leases l WHERE l.node_id = r.node_id
                    AND l.content_id = r.content_id AND l.until > $1) GROUP BY node_id"
            ),
            now,
        )?)
    }

    /// Gives back what was taken of these replicas.
    pub(super) async fn give_back(&mut self, keys: &[Key]) -> Result<()> {
        match self {
            Self::Sqlite(c) => {
                for chunk in keys.chunks(KEYS) {
                    let mut query = sqlx::QueryBuilder::<sqlx::Sqlite>::new(
                        "DELETE FROM leases WHERE (content_id, node_id) IN (",
                    );
                    query.push_values(chunk, |mut tuple, key| {
                        tuple.push_bind(key.0).push_bind(key.1);
                    });
                    query.push(")").build().execute(&mut **c).await?;
                }
            }
            Self::Postgres(c) => {
                let (contents, nodes): (Vec<i64>, Vec<i64>) = keys.iter().copied().unzip();
                let delete = sqlx::query(
                    // One that another worker is taking just now, since it ran out, is that one's.
                    "DELETE FROM leases l USING (
                        SELECT k.content_id, k.node_id FROM leases k
                        JOIN UNNEST($1, $2) AS one (content, node)
                            ON k.content_id = one.content AND k.node_id = one.node
                        FOR UPDATE OF k SKIP LOCKED) AS mine
                     WHERE l.content_id = mine.content_id AND l.node_id = mine.node_id",
                );
                delete.bind(contents).bind(nodes).execute(&mut **c).await?;
            }
        }
        Ok(())
    }

    /// Makes the probes due that a process took and did not bring back.
    pub async fn release_leases(&mut self) -> Result<()> {
        self.alone().await?;
        execute!(self, "DELETE FROM leases")?;
        Ok(())
    }

    /// Gives a probe back that was taken and could not be made: it is due at `until`.
    pub async fn postpone(&mut self, content: RowId, node: RowId, until: Millis) -> Result<()> {
        let update = "UPDATE replicas SET due_at = $3
                      WHERE content_id = $1 AND node_id = $2 AND due_at IS NOT NULL";
        execute!(self, update, content, node, until)?;
        self.give_back(&[(content, node)]).await
    }

    /// Makes a replica due at once.
    pub async fn make_due(&mut self, content: RowId, node: RowId) -> Result<()> {
        let update = "UPDATE replicas SET due_at = 0, priority = 0
                      WHERE content_id = $1 AND node_id = $2 AND due_at IS NOT NULL";
        execute!(self, update, content, node)?;
        Ok(())
    }
}

// The indexes of those in doubt, and the statements that use them, have it as a number.
const _: () = assert!(crate::health::FAILURES_THAT_COUNT == 3);
