//! Spot checks: of what, when, and that nothing follows from them but a time and a full probe.

use std::collections::BTreeSet;

use everhold::{
    content::{Codec, ContentId},
    health::{
        ReplicaState::{self, Claimed, Corrupt, Missing, Unreachable, Verified},
        Schedule,
    },
    ledger::{
        DueSpot, Ledger, ProbeRecord, Replica, RowId, SPOT_ABOVE, SpotRecord,
        SpotResult::{self, Doubt, Right, Unfit},
    },
};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use crate::{
    story::{
        HOUR, NOW, Story, burn, digest, mint, mint_batch, raw, row_of, seen, set_nodes, take_all,
    },
    support::database::{Database, Engine, on_both_engines},
};

on_both_engines!(
    are_of_large_verified_files_on_nodes_with_blocks,
    are_due_between_full_probes_only,
    are_never_due_where_they_are_not_wanted,
    confirm_and_change_nothing_else,
    whose_blocks_are_wrong_make_a_full_probe_due_that_decides,
    end_where_a_node_gives_no_blocks_until_the_next_full_probe,
    are_not_due_of_what_is_no_longer_wanted,
    are_taken_once_by_workers_who_do_not_wait,
    do_no_harm_beside_a_full_probe,
    never_touch_what_full_probes_saw,
    leave_the_judging_alone,
);

const DAY: i64 = 24 * HOUR;
const SPOTS: Schedule = Schedule { recheck: DAY, retry: 1000, jitter: 0, spot: 6 * HOUR };
const LARGE: u64 = SPOT_ABOVE + 1;

struct Setting {
    story: Story,
    nodes: Vec<RowId>,
}

fn dag_pb(content: u8) -> ContentId {
    ContentId::new(Codec::DagPb, digest(content))
}

impl Setting {
    /// Contents 0, 1, … in a collection of `dag-pb`, at two nodes.
    async fn new(db: &Database, contents: u8) -> Self {
        let ledger = db.open().await;
        let nodes = set_nodes(&ledger, &["http://one", "http://two"]).await;
        let mut story = Story::begin(ledger, &[Codec::DagPb, Codec::Raw]).await;
        story.tell(mint_batch(0, 1, 1, &(0..contents).collect::<Vec<_>>())).await;
        take_all(&story.ledger, NOW).await;
        let mut tx = story.ledger.write().await.unwrap();
        tx.release_leases().await.unwrap();
        tx.commit().await.unwrap();
        Self { story, nodes }
    }

    fn ledger(&self) -> &Ledger {
        &self.story.ledger
    }

    async fn row(&self, content: u8) -> RowId {
        row_of(self.ledger(), dag_pb(content)).await
    }

    async fn probe(&self, record: ProbeRecord) {
        let mut tx = self.ledger().write().await.unwrap();
        tx.record_probe(&record, &SPOTS).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn take(&self, now: i64) -> Vec<DueSpot> {
        take(self.ledger(), &self.nodes, now, 1000).await
    }

    async fn found(&self, key: (RowId, RowId), result: SpotResult, at: i64) {
        let mut tx = self.ledger().write().await.unwrap();
        let record = SpotRecord { content: key.0, node: key.1, result, at };
        tx.record_spots(&[record]).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn replica(&self, (content, node): (RowId, RowId)) -> Replica {
        let mut tx = self.ledger().read().await.unwrap();
        let all = tx.replicas_of(content).await.unwrap();
        all.into_iter().find(|replica| replica.node == node).unwrap()
    }
}

async fn take(ledger: &Ledger, nodes: &[RowId], now: i64, limit: u32) -> Vec<DueSpot> {
    let places: Vec<_> = nodes.iter().map(|node| (*node, limit)).collect();
    let mut tx = ledger.write().await.unwrap();
    let due = tx.take_spots(now, limit, &places, &SPOTS).await.unwrap();
    tx.commit().await.unwrap();
    due
}

fn large((content, node): (RowId, RowId), state: ReplicaState, at: i64) -> ProbeRecord {
    let right = state == Verified;
    ProbeRecord {
        bytes: Some(LARGE),
        held: right.then_some(true),
        gives_blocks: true,
        ..seen(content, node, state, at)
    }
}

fn keys(due: &[DueSpot]) -> BTreeSet<(RowId, RowId)> {
    due.iter().map(|one| (one.content, one.node)).collect()
}

/// All that a replica shows but the time of its last spot check.
fn without_spots(replica: &Replica) -> String {
    format!("{:?}", Replica { spotted_at: None, ..replica.clone() })
}

async fn are_of_large_verified_files_on_nodes_with_blocks(db: Database) {
    let mut it = Setting::new(&db, 8).await;
    it.story.tell(mint(1, 1, 1, 1)).await;
    let node = it.nodes[0];
    let (good, held_elsewhere) = (it.row(0).await, it.row(1).await);
    it.probe(large((good, node), Verified, NOW)).await;
    it.probe(ProbeRecord { held: None, ..large((held_elsewhere, node), Verified, NOW) }).await;
    let other = |content, change: fn(ProbeRecord) -> ProbeRecord| {
        change(large((content, node), Verified, NOW))
    };
    let without = [
        other(it.row(2).await, |one| ProbeRecord { gives_blocks: false, ..one }),
        other(it.row(3).await, |one| ProbeRecord { bytes: Some(SPOT_ABOVE), ..one }),
        other(it.row(4).await, |one| ProbeRecord { bytes: None, ..one }),
        other(row_of(it.ledger(), raw(1)).await, |one| one),
    ];
    for record in without {
        it.probe(record).await;
    }
    for (content, state) in [(5, Missing), (6, Corrupt), (7, Claimed)] {
        it.probe(large((it.row(content).await, node), state, NOW)).await;
    }
    let due = it.take(NOW + 6 * HOUR).await;
    assert_eq!(keys(&due), [(good, node), (held_elsewhere, node)].into());
    let held: BTreeSet<_> = due.iter().map(|one| (one.content, one.held)).collect();
    assert_eq!(held, [(good, true), (held_elsewhere, false)].into());
    assert!(due.iter().all(|one| one.known.size == Some(LARGE) && one.known.sha256.is_some()));
    assert_eq!(due.iter().find(|one| one.content == good).unwrap().id, dag_pb(0));
}

async fn are_due_between_full_probes_only(db: Database) {
    let it = Setting::new(&db, 1).await;
    let key = (it.row(0).await, it.nodes[1]);
    it.probe(large(key, Verified, NOW)).await;
    assert!(it.take(NOW + 5 * HOUR).await.is_empty());
    let mut checks = 0;
    for minute in (5 * 60..=24 * 60).step_by(5) {
        let now = NOW + minute * HOUR / 60;
        let due = it.take(now).await;
        checks += due.len();
        assert!(it.take(now).await.is_empty(), "it is taken once");
    }
    // Each after 5.4 to 6 hours of the last, and none once the full probe is due.
    assert!((3..=4).contains(&checks), "{checks}");
    assert!(it.take(NOW + 30 * HOUR).await.is_empty(), "a full probe is due");
    // In doubt it is no longer: the next full probe settles that; and one that does makes it due.
    it.probe(large(key, Verified, NOW + 30 * HOUR)).await;
    it.probe(large(key, Unreachable, NOW + 31 * HOUR)).await;
    assert_eq!(it.replica(key).await.view.state, Some(Verified));
    assert!(it.take(NOW + 37 * HOUR).await.is_empty());
    it.probe(large(key, Verified, NOW + 38 * HOUR)).await;
    assert_eq!(keys(&it.take(NOW + 44 * HOUR).await), [key].into());
}

async fn are_never_due_where_they_are_not_wanted(db: Database) {
    let it = Setting::new(&db, 1).await;
    let key = (it.row(0).await, it.nodes[0]);
    for schedule in [
        Schedule { spot: 0, ..SPOTS },
        Schedule { recheck: 0, ..SPOTS },
        Schedule { recheck: 5 * HOUR, ..SPOTS },
    ] {
        let mut tx = it.ledger().write().await.unwrap();
        tx.record_probe(&large(key, Verified, NOW), &schedule).await.unwrap();
        tx.commit().await.unwrap();
        assert!(it.take(NOW + 6 * HOUR).await.is_empty(), "{schedule:?}");
    }
}

async fn confirm_and_change_nothing_else(db: Database) {
    let it = Setting::new(&db, 1).await;
    let key = (it.row(0).await, it.nodes[0]);
    it.probe(large(key, Verified, NOW)).await;
    let before = it.replica(key).await;
    assert_eq!(before.spotted_at, None);
    let full = take_all(it.ledger(), NOW + DAY - 1).await;
    assert!(full.iter().all(|one| (one.content, one.node) != key));
    assert_eq!(keys(&it.take(NOW + 6 * HOUR).await), [key].into());
    it.found(key, Right, NOW + 7 * HOUR).await;
    let after = it.replica(key).await;
    assert_eq!(after.spotted_at, Some(NOW + 7 * HOUR));
    assert_eq!(without_spots(&after), without_spots(&before));
    assert_eq!(after.view.verified_at, Some(NOW), "it prolongs nothing");
    // The next full probe comes when it would have come.
    let due = async |now| {
        let full = take_all(it.ledger(), now).await;
        full.iter().any(|one| (one.content, one.node) == key)
    };
    assert!(!due(NOW + DAY - 1).await);
    assert!(due(NOW + DAY).await);
    // And keeps what spot checks said.
    it.probe(large(key, Verified, NOW + DAY)).await;
    assert_eq!(it.replica(key).await.spotted_at, Some(NOW + 7 * HOUR));
}

async fn whose_blocks_are_wrong_make_a_full_probe_due_that_decides(db: Database) {
    let it = Setting::new(&db, 4).await;
    for (content, state) in [(0, Missing), (1, Corrupt), (2, Verified)] {
        let key = (it.row(content).await, it.nodes[0]);
        it.probe(large(key, Verified, NOW)).await;
        let before = it.replica(key).await;
        it.take(NOW + 6 * HOUR).await;
        it.found(key, Doubt, NOW + 6 * HOUR).await;
        assert_eq!(without_spots(&it.replica(key).await), without_spots(&before), "no verdict");
        assert_eq!(it.replica(key).await.spotted_at, None);
        // Urgent: before what is new, of which there is some at the same node.
        let mut tx = it.ledger().write().await.unwrap();
        let taking = everhold::ledger::Taking {
            now: NOW + 6 * HOUR,
            lease: NOW + 7 * HOUR,
            limit: 1,
            nodes: &[(key.1, 1)],
            in_doubt_only: false,
        };
        let full = tx.take_probes(&taking).await.unwrap().probes;
        tx.commit().await.unwrap();
        assert_eq!((full[0].content, full[0].node), key);
        let before_that = it.take(NOW + 12 * HOUR).await;
        assert!(!keys(&before_that).contains(&key));
        it.probe(large(key, state, NOW + 6 * HOUR)).await;
        assert_eq!(it.replica(key).await.view.state, Some(state));
        let again = it.take(NOW + 12 * HOUR).await;
        assert_eq!(keys(&again).contains(&key), state == Verified);
    }
}

async fn end_where_a_node_gives_no_blocks_until_the_next_full_probe(db: Database) {
    let it = Setting::new(&db, 1).await;
    let key = (it.row(0).await, it.nodes[0]);
    it.probe(large(key, Verified, NOW)).await;
    it.take(NOW + 6 * HOUR).await;
    it.found(key, Unfit, NOW + 6 * HOUR).await;
    assert!(it.take(NOW + 23 * HOUR).await.is_empty());
    assert_eq!(it.replica(key).await.spotted_at, None);
    it.probe(large(key, Verified, NOW + DAY)).await;
    assert_eq!(keys(&it.take(NOW + DAY + 6 * HOUR).await), [key].into());
}

async fn are_not_due_of_what_is_no_longer_wanted(db: Database) {
    let mut it = Setting::new(&db, 3).await;
    let (burned, denied, kept) = (it.row(0).await, it.row(1).await, it.row(2).await);
    let node = it.nodes[0];
    for content in [burned, denied, kept] {
        it.probe(large((content, node), Verified, NOW)).await;
        it.probe(large((content, it.nodes[1]), Verified, NOW)).await;
    }
    it.story.finalized = Some(9);
    it.story.tell(burn(0, 1)).await;
    let mut tx = it.ledger().write().await.unwrap();
    tx.deny(&digest(1), "by order", NOW).await.unwrap();
    tx.apply_denials(false, NOW).await.unwrap();
    tx.commit().await.unwrap();
    // And a node that is used no more.
    set_nodes(it.ledger(), &["http://one"]).await;
    assert_eq!(keys(&it.take(NOW + 6 * HOUR).await), [(kept, node)].into());
    // What was under way meanwhile makes nothing due.
    it.found((burned, node), Doubt, NOW + 6 * HOUR).await;
    it.found((denied, node), Doubt, NOW + 6 * HOUR).await;
    it.found((kept, it.nodes[1]), Doubt, NOW + 6 * HOUR).await;
    assert!(take_all(it.ledger(), NOW + 7 * HOUR).await.is_empty());
}

async fn are_taken_once_by_workers_who_do_not_wait(db: Database) {
    let it = Setting::new(&db, 20).await;
    for content in 0..20 {
        for node in &it.nodes {
            it.probe(large((it.row(content).await, *node), Verified, NOW)).await;
        }
    }
    let now = NOW + 6 * HOUR;
    let first = take(it.ledger(), &it.nodes, now, 7).await;
    assert_eq!(first.len(), 7, "no more than the limit");
    if db.engine == Engine::Postgres {
        let mut one = it.ledger().write().await.unwrap();
        let places = [(it.nodes[0], 5)];
        let held = one.take_spots(now, 5, &places, &SPOTS).await.unwrap();
        let other = take(it.ledger(), &it.nodes, now, 1000);
        let other = tokio::time::timeout(std::time::Duration::from_secs(5), other).await;
        let other = other.expect("one worker waited for the other");
        assert!(keys(&held).is_disjoint(&keys(&other)));
        assert_eq!(held.len() + other.len(), 33);
        one.commit().await.unwrap();
    } else {
        let rest = it.take(now).await;
        assert!(keys(&first).is_disjoint(&keys(&rest)));
        assert_eq!(rest.len(), 33);
    }
    assert!(it.take(now).await.is_empty());
}

async fn do_no_harm_beside_a_full_probe(db: Database) {
    let it = Setting::new(&db, 1).await;
    let key = (it.row(0).await, it.nodes[0]);
    it.probe(large(key, Verified, NOW)).await;
    assert_eq!(keys(&it.take(NOW + 6 * HOUR).await), [key].into());
    // A full probe begins, since somebody asked for it, and sees the loss before the spot check ends.
    let mut tx = it.ledger().write().await.unwrap();
    tx.make_due(key.0, key.1).await.unwrap();
    tx.commit().await.unwrap();
    assert!(!take_all(it.ledger(), NOW + 6 * HOUR).await.is_empty());
    // A doubt while it is under way gives it to nobody else.
    it.found(key, Doubt, NOW + 6 * HOUR).await;
    let full = take_all(it.ledger(), NOW + 6 * HOUR).await;
    assert!(full.iter().all(|one| (one.content, one.node) != key));
    it.probe(large(key, Missing, NOW + 6 * HOUR)).await;
    let before = it.replica(key).await;
    let due = take_all(it.ledger(), NOW + 6 * HOUR).await;
    assert!(due.iter().all(|one| (one.content, one.node) != key), "it is due in ten minutes");
    for result in [Right, Doubt, Unfit] {
        it.found(key, result, NOW + 6 * HOUR).await;
        let after = it.replica(key).await;
        assert_eq!(format!("{after:?}"), format!("{before:?}"), "{result:?} of what is missing");
        let due = take_all(it.ledger(), NOW + 6 * HOUR).await;
        assert!(due.iter().all(|one| (one.content, one.node) != key));
    }
}

/// Whatever happens in whatever order, only full probes change what full probes saw, and only what
/// one saw whole is spot checked.
async fn never_touch_what_full_probes_saw(db: Database) {
    let it = Setting::new(&db, 4).await;
    let mut dice = StdRng::seed_from_u64(7);
    let mut all = Vec::new();
    for content in 0..4 {
        all.extend([(it.row(content).await, it.nodes[0]), (it.row(content).await, it.nodes[1])]);
    }
    let (mut now, mut checks) = (NOW, 0);
    let mut under_way: Vec<(RowId, RowId)> = Vec::new();
    for _ in 0..250 {
        now += dice.random_range(0..3 * HOUR);
        if dice.random_ratio(1, 3) {
            let key = *all.choose(&mut dice).unwrap();
            let states = [Verified, Verified, Verified, Missing, Corrupt, Unreachable, Claimed];
            let state = *states.choose(&mut dice).unwrap();
            let spotted = it.replica(key).await.spotted_at;
            it.probe(large(key, state, now)).await;
            assert_eq!(it.replica(key).await.spotted_at, spotted);
            continue;
        }
        for one in it.take(now).await {
            let replica = it.replica((one.content, one.node)).await;
            assert_eq!((replica.view.state, replica.failures), (Some(Verified), 0));
            under_way.push((one.content, one.node));
            checks += 1;
        }
        if let Some(key) = under_way.pop() {
            let before = it.replica(key).await;
            let result = *[Right, Right, Doubt, Unfit].choose(&mut dice).unwrap();
            it.found(key, result, now).await;
            let after = it.replica(key).await;
            assert_eq!(without_spots(&after), without_spots(&before));
            let confirmed = result == Right && before.view.state == Some(Verified);
            let expected = if confirmed { Some(now) } else { before.spotted_at };
            assert_eq!(after.spotted_at, expected);
        }
    }
    assert!(checks > 20, "{checks}");
}

async fn leave_the_judging_alone(db: Database) {
    let it = Setting::new(&db, 1).await;
    let key = (it.row(0).await, it.nodes[0]);
    it.probe(large(key, Verified, NOW)).await;
    let judge = async || {
        let mut tx = it.ledger().write().await.unwrap();
        let due = tx.due_assessments(NOW, 100).await.unwrap();
        let judged: Vec<_> = due
            .iter()
            .map(|one| everhold::ledger::Judged {
                content: one.content.row,
                health: Some(everhold::health::Health::Healthy),
                next: None,
            })
            .collect();
        tx.write_assessments(&judged).await.unwrap();
        tx.commit().await.unwrap();
        due.len()
    };
    assert_eq!(judge().await, 1);
    for result in [Right, Doubt, Unfit] {
        it.found(key, result, NOW + 6 * HOUR).await;
        assert_eq!(judge().await, 0, "{result:?}");
    }
}
