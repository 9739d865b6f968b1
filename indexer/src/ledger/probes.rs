//! Writes down what probes saw, hundreds at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{
    LedgerError, Millis, NodeKind, Result, RowId, Tx,
    assessments::LOCK_CONTENTS,
    bulk::{fetch_in, fetch_pairs, insert_rows},
    int,
    repairs::Proof,
    spots::is_worth_spot_checks,
    text,
};
use crate::{
    content::{Codec, Digest},
    health::{FAILURES_THAT_COUNT, Holding, ReplicaState, Schedule, Verdict},
};

/// Changes of state kept for each replica.
const HISTORY: i64 = 10;

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
    /// Whether right bytes came, and it could not be told this once whether it does.
    pub is_untold: bool,
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
    /// From where the bytes came, where they were right: what tells nodes apart.
    pub addresses: BTreeSet<String>,
    /// Whether the node gives blocks, so that it can be spot checked.
    pub gives_blocks: bool,
    /// When it began.
    pub began: Millis,
    /// When it ended.
    pub at: Millis,
}

type Key = (RowId, RowId);

/// What is known of a content that was probed.
struct Probed {
    wanted: bool,
    codec: i64,
    sha256: Option<Vec<u8>>,
    /// Whether some node was asked for it since it was named.
    was_asked: bool,
}

/// What is new of a content by its probes.
#[derive(Default)]
struct Learned {
    /// Its length and sha-256.
    proved: Option<(Option<i64>, Digest)>,
    /// When the first answer came.
    asked: Option<Millis>,
}

/// What stands of a replica.
#[derive(Clone, Debug, Default)]
struct Standing {
    verdict: Verdict,
    holding: Holding,
    /// Whether there is to be a next probe.
    is_due: bool,
    /// When right bytes last came.
    verified_at: Option<Millis>,
}

/// A record, and what follows from it.
struct Outcome<'a> {
    record: &'a ProbeRecord,
    before: Verdict,
    after: Verdict,
    held_before: Option<bool>,
    holding: Holding,
    /// Right bytes came, and when they last did, if ever, is of no account.
    is_proved_anew: bool,
    due: Option<Millis>,
    spot: Option<Millis>,
    priority: i64,
}

impl Outcome<'_> {
    fn is_changed(&self) -> bool {
        self.after.state.is_some() && self.after.state != self.before.state
    }

    /// Whether health may be another by it.
    fn is_judged_again(&self) -> bool {
        self.is_changed() || self.is_proved_anew || self.holding.held != self.held_before
    }
}

impl Tx {
    /// Writes down what a probe saw; gives the standing verdict after it.
    pub async fn record_probe(
        &mut self,
        record: &ProbeRecord,
        schedule: &Schedule,
    ) -> Result<Verdict> {
        let verdicts = self.record_probes(std::slice::from_ref(record), schedule).await?;
        Ok(verdicts.into_iter().next().unwrap_or_default())
    }

    /// Writes down what probes saw; gives the standing verdicts after them, in the same order.
    pub async fn record_probes(
        &mut self,
        records: &[ProbeRecord],
        schedule: &Schedule,
    ) -> Result<Vec<Verdict>> {
        self.among_others().await?;
        let mut moved = self.note_addresses(records, schedule.max_age()).await?;
        let mut verdicts = vec![Verdict::default(); records.len()];
        let mut left: Vec<usize> = (0..records.len()).collect();
        while !left.is_empty() {
            // Two of one replica follow each other.
            let mut met = HashSet::new();
            let (now, later): (Vec<_>, Vec<_>) = left.into_iter().partition(|index| {
                let record = &records[*index];
                met.insert((record.content, record.node))
            });
            let mut these: Vec<_> = now.iter().map(|index| &records[*index]).collect();
            // In one order everywhere, so that two workers never wait for each other.
            these.sort_by_key(|record| (record.content, record.node));
            let after = self.record_each(&these, std::mem::take(&mut moved), schedule).await?;
            for index in now {
                let key = (records[index].content, records[index].node);
                verdicts[index] = after.get(&key).copied().unwrap_or_default();
            }
            left = later;
        }
        Ok(verdicts)
    }

    /// Each of another replica, by content and node. Other contents have `moved`, and are judged anew
    /// with these.
    async fn record_each(
        &mut self,
        records: &[&ProbeRecord],
        moved: BTreeSet<RowId>,
        schedule: &Schedule,
    ) -> Result<HashMap<Key, Verdict>> {
        let contents = self.probed_contents(records).await?;
        let known = self.standing_of(records).await?;
        let kinds = self.kinds_among(records).await?;
        let providers = kinds.iter().filter(|(_, kind)| **kind == NodeKind::Provider);
        let providers: BTreeSet<RowId> = providers.map(|(node, _)| *node).collect();
        let mut outcomes = Vec::with_capacity(records.len());
        for record in records {
            let Some(content) = contents.get(&record.content) else { continue };
            let standing = known.get(&(record.content, record.node));
            let is_provider = providers.contains(&record.node);
            if is_provider && standing.is_none() {
                // It is announced no more since the probe began: no row comes back by that.
                continue;
            }
            let new = Standing { is_due: true, ..Standing::default() };
            let standing = standing.unwrap_or(&new);
            let after = match is_provider {
                true => standing.verdict.of_a_claim_after(record.seen),
                false => standing.verdict.after(record.seen),
            };
            outcomes.push(outcome(record, standing, after, content, schedule));
        }
        self.write_replicas(&outcomes).await?;
        self.write_changes(&outcomes).await?;
        let changed = outcomes.iter().filter(|one| one.is_judged_again());
        let mut changed: BTreeSet<_> = changed.map(|one| one.record.content).collect();
        changed.extend(moved);
        let learned = learned(&outcomes, &contents, &kinds);
        // From now on there is an end to waiting.
        changed.extend(learned.iter().filter(|(_, new)| new.asked.is_some()).map(|(id, _)| *id));
        self.rejudge(&changed.into_iter().collect::<Vec<_>>()).await?;
        self.learn(&learned, &contents).await?;
        self.prove(&outcomes).await?;
        self.met_providers(&providers, &outcomes).await?;
        Ok(outcomes.iter().map(|one| ((one.record.content, one.record.node), one.after)).collect())
    }

    async fn probed_contents(
        &mut self,
        records: &[&ProbeRecord],
    ) -> Result<HashMap<RowId, Probed>> {
        let mut ids: Vec<RowId> = records.iter().map(|record| record.content).collect();
        ids.dedup();
        type Row = (i64, i64, i64, Option<Vec<u8>>, Option<i64>);
        let rows = fetch_in!(
            self,
            Row,
            {}
            "SELECT id, wanted, codec, sha256, asked_since FROM contents WHERE id IN",
            ids,
            ""
        );
        let probed = |(id, wanted, codec, sha256, asked): Row| {
            (id, Probed { wanted: wanted != 0, codec, sha256, was_asked: asked.is_some() })
        };
        Ok(rows.into_iter().map(probed).collect())
    }

    async fn standing_of(&mut self, records: &[&ProbeRecord]) -> Result<HashMap<Key, Standing>> {
        type Row = (i64, i64, Option<String>, i64, Option<i64>, i64, i64, Option<i64>);
        let keys: Vec<Key> = records.iter().map(|one| (one.content, one.node)).collect();
        let rows = fetch_pairs!(
            self,
            Row,
            "r.content_id, r.node_id, r.state, r.failures, r.held, r.untold,
                CAST(CASE WHEN r.due_at IS NULL THEN 0 ELSE 1 END AS BIGINT), r.verified_at",
            "replicas r",
            ("r.content_id", "r.node_id"),
            keys,
            "FOR UPDATE"
        );
        let mut standing = HashMap::new();
        let count = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
        for (content, node, state, failures, held, untold, is_due, verified_at) in rows {
            let state = state.map(|text| text.parse()).transpose().map_err(LedgerError::Corrupt)?;
            let verdict = Verdict { state, failures: count(failures) };
            let holding = Holding { held: held.map(|held| held != 0), untold: count(untold) };
            let is_due = is_due != 0;
            let one = Standing { verdict, holding, is_due, verified_at };
            standing.insert((content, node), one);
        }
        Ok(standing)
    }

    async fn write_replicas(&mut self, outcomes: &[Outcome<'_>]) -> Result<()> {
        insert_rows!(
            self,
            "INSERT INTO replicas (content_id, node_id, state, failures, held, untold, bytes,
                http_status, computed, detail, checked_at, verified_at, due_at, spot_at, priority) ",
            outcomes,
            |one| (
                one.record.content,
                one.record.node,
                one.after.state.map(ReplicaState::as_str),
                i64::from(one.after.failures),
                one.holding.held.map(i64::from),
                i64::from(one.holding.untold),
                one.record.bytes.map(int),
                one.record.http_status.map(i64::from),
                one.record.computed.as_deref().map(text),
                one.record.detail.as_deref().map(text),
                one.record.at,
                (one.record.seen == ReplicaState::Verified).then_some(one.record.at),
                one.due,
                one.spot,
                one.priority,
            ),
            " ON CONFLICT (content_id, node_id) DO UPDATE SET state = excluded.state,
                failures = excluded.failures, held = excluded.held,
                untold = excluded.untold, bytes = excluded.bytes,
                http_status = excluded.http_status, computed = excluded.computed,
                detail = excluded.detail, checked_at = excluded.checked_at,
                verified_at = COALESCE(excluded.verified_at, replicas.verified_at),
                due_at = excluded.due_at, spot_at = excluded.spot_at,
                priority = excluded.priority"
        );
        let keys = outcomes.iter().map(|one| (one.record.content, one.record.node));
        self.give_back(&keys.collect::<Vec<_>>()).await
    }

    async fn write_changes(&mut self, outcomes: &[Outcome<'_>]) -> Result<()> {
        let changed: Vec<_> = outcomes.iter().filter(|one| one.is_changed()).collect();
        insert_rows!(
            self,
            "INSERT INTO replica_changes
                (content_id, node_id, state, at, bytes, http_status, computed, detail) ",
            changed,
            |one| (
                one.record.content,
                one.record.node,
                one.after.state.map(ReplicaState::as_str),
                one.record.at,
                one.record.bytes.map(int),
                one.record.http_status.map(i64::from),
                one.record.computed.as_deref().map(text),
                one.record.detail.as_deref().map(text),
            ),
            ""
        );
        let again = changed.iter().filter(|one| one.before.state.is_some());
        let again: BTreeSet<_> = again.map(|one| one.record.content).collect();
        let again: Vec<_> = again.into_iter().collect();
        fetch_in!(
            self,
            (i64,),
            {"DELETE FROM replica_changes WHERE id IN (SELECT id FROM (
                SELECT id, content_id, ROW_NUMBER() OVER
                    (PARTITION BY content_id, node_id ORDER BY id DESC) AS place
                FROM replica_changes) AS placed WHERE place > " => HISTORY}
            " AND content_id IN",
            again,
            ") RETURNING id"
        );
        Ok(())
    }

    /// What the nodes of these records are.
    async fn kinds_among(&mut self, records: &[&ProbeRecord]) -> Result<HashMap<RowId, NodeKind>> {
        let nodes: BTreeSet<RowId> = records.iter().map(|record| record.node).collect();
        let nodes: Vec<RowId> = nodes.into_iter().collect();
        let found =
            fetch_in!(self, (i64, String), {} "SELECT id, kind FROM nodes WHERE id IN", nodes, "");
        found.into_iter().map(|(id, kind)| Ok((id, NodeKind::parse(&kind)?))).collect()
    }

    /// Providers were asked, and some served what they had announced.
    async fn met_providers(
        &mut self,
        providers: &BTreeSet<RowId>,
        outcomes: &[Outcome<'_>],
    ) -> Result<()> {
        for provider in providers {
            let records =
                || outcomes.iter().map(|one| one.record).filter(|one| one.node == *provider);
            let served = records().filter(|one| one.seen == ReplicaState::Verified);
            let (asked, served) =
                (records().map(|one| one.at).max(), served.map(|one| one.at).max());
            self.met_provider(*provider, asked, served).await?;
        }
        Ok(())
    }

    /// Remembers what probes proved. Who was found to serve other bytes, while nobody could say how
    /// the DAG was cut, is asked again.
    async fn learn(
        &mut self,
        learned: &BTreeMap<RowId, Learned>,
        contents: &HashMap<RowId, Probed>,
    ) -> Result<()> {
        let rows: Vec<_> = learned.iter().collect();
        self.lock_in_order(LOCK_CONTENTS, &learned.keys().copied().collect::<Vec<_>>()).await?;
        insert_rows!(
            self,
            "WITH found (id, size, sha256, asked) AS (",
            rows,
            |row| (
                *row.0,
                row.1.proved.as_ref().and_then(|proved| proved.0),
                row.1.proved.as_ref().map(|proved| proved.1.0.as_slice()),
                row.1.asked,
            ),
            ") UPDATE contents SET
                size = CASE WHEN contents.sha256 IS NULL AND found.sha256 IS NOT NULL
                    THEN found.size ELSE contents.size END,
                sha256 = COALESCE(contents.sha256, found.sha256),
                asked_since = COALESCE(contents.asked_since, found.asked)
              FROM found WHERE contents.id = found.id"
        );
        let dag_pb = i64::from(Codec::DagPb.multicodec());
        let proved = learned.iter().filter(|(_, new)| new.proved.is_some()).map(|(id, _)| id);
        let cut = proved.filter(|id| contents.get(id).is_some_and(|c| c.codec == dag_pb));
        let cut: Vec<RowId> = cut.copied().collect();
        fetch_in!(
            self,
            (i64,),
            {}
            "UPDATE replicas SET due_at = 0, priority = 0
             WHERE due_at IS NOT NULL AND state = 'corrupt' AND content_id IN",
            cut,
            "RETURNING content_id"
        );
        Ok(())
    }

    /// What was sent to these replicas has worked, or has not.
    async fn prove(&mut self, outcomes: &[Outcome<'_>]) -> Result<()> {
        let proof = |one: &Outcome<'_>| {
            let record = one.record;
            let wrong = match record.seen {
                ReplicaState::Verified => None,
                ReplicaState::Unreachable if one.after.failures < FAILURES_THAT_COUNT => {
                    return None;
                }
                seen => Some(record.detail.clone().unwrap_or_else(|| format!("it is {seen}"))),
            };
            let key = (record.content, record.node);
            Some((key, Proof { began: record.began, at: record.at, wrong }))
        };
        self.prove_repairs(&outcomes.iter().filter_map(proof).collect()).await
    }
}

/// What probes proved of contents of which it was not known, and which were asked for the first time.
fn learned(
    outcomes: &[Outcome<'_>],
    contents: &HashMap<RowId, Probed>,
    kinds: &HashMap<RowId, NodeKind>,
) -> BTreeMap<RowId, Learned> {
    let mut learned: BTreeMap<RowId, Learned> = BTreeMap::new();
    for Outcome { record, after, .. } in outcomes {
        let Some(content) = contents.get(&record.content) else { continue };
        if let (None, ReplicaState::Verified, Some(sha256)) =
            (&content.sha256, record.seen, record.sha256)
        {
            let new = learned.entry(record.content).or_default();
            new.proved.get_or_insert((record.bytes.map(int), sha256));
        }
        let is_waited_for = kinds.get(&record.node).is_some_and(|kind| kind.is_waited_for());
        if content.wanted && !content.was_asked && is_waited_for && after.state.is_some() {
            learned.entry(record.content).or_default().asked.get_or_insert(record.at);
        }
    }
    learned
}

fn outcome<'a>(
    record: &'a ProbeRecord,
    standing: &Standing,
    after: Verdict,
    content: &Probed,
    schedule: &Schedule,
) -> Outcome<'a> {
    // The bytes that a probe took for others have been proved right since it began.
    let is_outdated = record.seen == ReplicaState::Corrupt
        && record.sha256.is_some_and(|got| content.sha256.as_deref() == Some(got.0.as_slice()));
    let (before, held_before) = (standing.verdict, standing.holding.held);
    // Who said nothing keeps all that it was, as long as its verdict stands.
    let says_nothing = record.seen == ReplicaState::Unreachable && after.state == before.state;
    let holding = match says_nothing || record.is_untold {
        true => standing.holding.after_silence(),
        false => Holding::told(record.held),
    };
    let pressing = holding.pressing(after);
    let salt = salt(record.content, record.node);
    let next = match is_outdated {
        true => 0,
        false => schedule.next_probe(pressing, record.at, salt),
    };
    let due = (standing.is_due && content.wanted).then_some(next);
    let spot = due.filter(|_| is_worth_spot_checks(record, content.codec));
    let spot = spot.and_then(|next| schedule.next_spot(record.at, next, salt));
    let is_fresh = |proof| schedule.is_fresh(proof, record.at);
    Outcome {
        record,
        before,
        after,
        held_before,
        holding,
        is_proved_anew: record.seen == ReplicaState::Verified
            && !standing.verified_at.is_some_and(is_fresh),
        due,
        spot,
        priority: pressing.priority() as i64,
    }
}

/// Neighbours that are due together at a node. What is due at a time is an index in no order of contents:
/// were each due at another time, each probe written down would change a page of its own.
const NEIGHBOURS: RowId = 32;

/// Tells replicas apart in the [`Schedule`], but for neighbours.
pub(super) fn salt(content: RowId, node: RowId) -> u64 {
    ((content / NEIGHBOURS) ^ node.rotate_left(32)).unsigned_abs()
}
