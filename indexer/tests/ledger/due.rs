//! Work is picked by due time, each piece by one worker.

use std::collections::BTreeSet;

use everhold::{
    health::ReplicaState,
    ledger::{DueProbe, Ledger, Replica, Taking},
};

use crate::{
    story::{
        HOUR, NOW, SCHEDULE, Story, burn, mint, mint_batch, record, schedule, seen, set_nodes,
        take_all,
    },
    support::database::{Database, Engine, on_both_engines},
};

on_both_engines!(
    gives_each_probe_once,
    gives_a_probe_again_when_its_lease_ends,
    releases_leases,
    orders_by_due_time,
    serves_every_class,
    waits_for_those_in_doubt_only,
    never_gives_what_is_not_wanted,
    says_what_to_read,
    shares_the_work_between_workers,
    skips_what_another_worker_is_taking,
    schedules_new_contents_as_they_are_needed,
);

const URLS: [&str; 3] = ["http://one", "http://two", "http://three"];

async fn story(db: &Database, tokens: u8) -> Story {
    let ledger = db.open().await;
    set_nodes(&ledger, &URLS).await;
    let mut story = Story::simple(ledger).await;
    let contents: Vec<u8> = (0..tokens).collect();
    story.tell(mint_batch(0, 1, 1, &contents)).await;
    story
}

async fn take(ledger: &Ledger, now: i64, limit: u32, in_doubt_only: bool) -> Vec<DueProbe> {
    schedule(ledger).await;
    let mut tx = ledger.write().await.unwrap();
    let due = tx.take_due_probes(now, now + HOUR, limit, in_doubt_only).await;
    tx.commit().await.unwrap();
    due.unwrap()
}

fn keys(due: &[DueProbe]) -> BTreeSet<(i64, i64)> {
    due.iter().map(|probe| (probe.content, probe.node)).collect()
}

async fn gives_each_probe_once(db: Database) {
    let story = story(&db, 4).await;
    let first = take(&story.ledger, NOW, 5, false).await;
    assert_eq!(first.len(), 5);
    let rest = take(&story.ledger, NOW, 100, false).await;
    assert_eq!(rest.len(), 7);
    assert!(keys(&first).is_disjoint(&keys(&rest)));
    assert!(take_all(&story.ledger, NOW).await.is_empty());
}

async fn gives_a_probe_again_when_its_lease_ends(db: Database) {
    let story = story(&db, 2).await;
    let first = take(&story.ledger, NOW, 100, false).await;
    assert!(take_all(&story.ledger, NOW + HOUR - 1).await.is_empty());
    let again = take_all(&story.ledger, NOW + HOUR).await;
    assert_eq!(keys(&first), keys(&again));
}

async fn releases_leases(db: Database) {
    let story = story(&db, 2).await;
    let first = take(&story.ledger, NOW, 100, false).await;
    let done = seen(first[0].content, first[0].node, ReplicaState::Missing, NOW);
    record(&story.ledger, &done).await;
    let mut tx = story.ledger.write().await.unwrap();
    tx.release_leases().await.unwrap();
    tx.commit().await.unwrap();
    let again = take_all(&story.ledger, NOW).await;
    assert_eq!(keys(&again), keys(&first[1..]), "what was brought back is not due");
}

/// Of each node the earliest.
async fn orders_by_due_time(db: Database) {
    let story = story(&db, 3).await;
    let mut all = take_all(&story.ledger, NOW).await;
    all.reverse();
    for (place, probe) in all.iter().enumerate() {
        let at = NOW + i64::try_from(place).unwrap();
        record(&story.ledger, &seen(probe.content, probe.node, ReplicaState::Verified, at)).await;
    }
    let due = NOW + SCHEDULE.recheck;
    let early = take(&story.ledger, due + 3, 100, false).await;
    assert_eq!(keys(&early), keys(&all[..4]), "what is due by then");
    let nodes: Vec<_> = all[..3].iter().map(|probe| probe.node).collect();
    for (index, node) in nodes.iter().enumerate() {
        let mut tx = story.ledger.write().await.unwrap();
        let taking = Taking {
            now: due + 100,
            lease: due + HOUR,
            limit: 1,
            nodes: &[(*node, 5)],
            in_doubt_only: false,
        };
        let next = tx.take_probes(&taking).await.unwrap().probes;
        tx.commit().await.unwrap();
        let of_it = all[4..].iter().find(|probe| probe.node == *node).unwrap();
        assert_eq!(keys(&next), keys(std::slice::from_ref(of_it)), "node {index}");
    }
}

/// Whatever is urgent, what is new and what is routine get their share, and a node no more than it
/// may be asked.
async fn serves_every_class(db: Database) {
    let mut story = story(&db, 40).await;
    let all = take_all(&story.ledger, NOW).await;
    for probe in &all {
        let urgent = probe.content % 2 == 0;
        let state = if urgent { ReplicaState::Missing } else { ReplicaState::Verified };
        record(&story.ledger, &seen(probe.content, probe.node, state, NOW)).await;
    }
    let new: Vec<u8> = (100..120).collect();
    story.tell(mint_batch(0, 100, 1, &new)).await;
    schedule(&story.ledger).await;
    let nodes: Vec<_> = all[..3].iter().map(|probe| (probe.node, 8)).collect();
    let later = NOW + 10 * HOUR;
    let take = async |nodes: &[(i64, u32)], limit| {
        let mut tx = story.ledger.write().await.unwrap();
        let (now, lease) = (later, later + HOUR);
        let taking = Taking { now, lease, limit, nodes, in_doubt_only: false };
        let due = tx.take_probes(&taking).await.unwrap().probes;
        tx.commit().await.unwrap();
        due
    };
    let first = take(&nodes, 24).await;
    let known: BTreeSet<_> = all.iter().map(|probe| probe.content).collect();
    let count = |class: &dyn Fn(i64) -> bool| first.iter().filter(|one| class(one.content)).count();
    let urgent = count(&|content| known.contains(&content) && content % 2 == 0);
    let routine = count(&|content| known.contains(&content) && content % 2 != 0);
    let new = count(&|content| !known.contains(&content));
    assert_eq!((urgent, new, routine), (12, 6, 6));
    for (node, most) in &nodes {
        let of_it = first.iter().filter(|probe| probe.node == *node).count();
        assert!(of_it <= *most as usize, "{of_it} of node {node}");
    }
    let one = take(&[(nodes[1].0, 100)], 1000).await;
    assert!(one.iter().all(|probe| probe.node == nodes[1].0));
    assert_eq!(one.len(), 60 - first.iter().filter(|probe| probe.node == nodes[1].0).count());
}

async fn waits_for_those_in_doubt_only(db: Database) {
    let story = story(&db, 1).await;
    let all = take_all(&story.ledger, NOW).await;
    let next = |ledger: Ledger| async move {
        let mut tx = ledger.read().await.unwrap();
        tx.next_doubtful_probes(NOW).await.unwrap()
    };
    assert_eq!(next(story.ledger.clone()).await, []);
    let doubt = seen(all[0].content, all[0].node, ReplicaState::Unreachable, NOW);
    record(&story.ledger, &doubt).await;
    let gone = seen(all[1].content, all[1].node, ReplicaState::Missing, NOW);
    record(&story.ledger, &gone).await;
    let retry = next(story.ledger.clone()).await;
    assert_eq!(retry, [(all[0].node, NOW + SCHEDULE.retry)], "each node has its own");
    let late = NOW + 100 * HOUR;
    let doubtful = take(&story.ledger, late, 100, true).await;
    assert_eq!(keys(&doubtful), keys(&all[..1]));
    record(&story.ledger, &doubt).await;
    assert_eq!(next(story.ledger.clone()).await, [(all[0].node, NOW + 2 * SCHEDULE.retry)]);
    record(&story.ledger, &doubt).await;
    assert_eq!(next(story.ledger.clone()).await, [], "three times is a verdict");
    assert!(take(&story.ledger, late, 100, true).await.is_empty());
}

async fn never_gives_what_is_not_wanted(db: Database) {
    let mut story = story(&db, 2).await;
    let all = take_all(&story.ledger, NOW).await;
    story.finalized = Some(9);
    story.tell(burn(0, 1)).await;
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    let mut tx = story.ledger.read().await.unwrap();
    let wanted = tx.wanted_contents().await.unwrap();
    drop(tx);
    for probe in all {
        let is_wanted = wanted.iter().any(|content| content.row == probe.content);
        if is_wanted { &mut kept } else { &mut gone }.push(probe);
    }
    assert_eq!((gone.len(), kept.len()), (3, 3));
    // A probe that was under way ends, one is asked for after an upload, a process starts anew.
    record(&story.ledger, &seen(gone[0].content, gone[0].node, ReplicaState::Missing, NOW)).await;
    let mut tx = story.ledger.write().await.unwrap();
    tx.make_due(gone[1].content, gone[1].node).await.unwrap();
    tx.make_due(kept[1].content, kept[1].node).await.unwrap();
    tx.release_leases().await.unwrap();
    tx.commit().await.unwrap();
    let later = take_all(&story.ledger, NOW + 1000 * HOUR).await;
    assert_eq!(keys(&later), keys(&kept));
}

async fn says_what_to_read(db: Database) {
    let story = story(&db, 1).await;
    let all = take_all(&story.ledger, NOW).await;
    assert!(all.iter().all(|probe| probe.parse && probe.known.size.is_none()));
    let first = &all[0];
    record(&story.ledger, &seen(first.content, first.node, ReplicaState::Verified, NOW)).await;
    let mut tx = story.ledger.write().await.unwrap();
    let nothing = Ok(everhold::content::Metadata::default());
    tx.record_metadata(first.content, &nothing, NOW).await.unwrap();
    tx.commit().await.unwrap();
    let again = take_all(&story.ledger, NOW + 10 * HOUR).await;
    assert_eq!(again.len(), 3);
    assert!(again.iter().all(|probe| !probe.parse && probe.known.size == Some(1)));
}

/// Ten workers with handles of their own: all is taken, nothing twice.
async fn shares_the_work_between_workers(db: Database) {
    let mut story = story(&db, 0).await;
    let contents: Vec<u8> = (0..200).collect();
    story.tell(mint_batch(0, 1, 1, &contents)).await;
    let mut workers = Vec::new();
    for _ in 0..10 {
        let ledger = db.open().await;
        workers.push(tokio::spawn(async move {
            let mut taken = Vec::new();
            let mut idle = 0;
            while idle < 3 {
                let due = take(&ledger, NOW, 7, false).await;
                idle = if due.is_empty() { idle + 1 } else { 0 };
                taken.extend(due);
                tokio::task::yield_now().await;
            }
            taken
        }));
    }
    let mut taken = Vec::new();
    for worker in workers {
        taken.extend(worker.await.unwrap());
    }
    assert_eq!(taken.len(), 600, "some were given twice, or not at all");
    assert_eq!(keys(&taken).len(), 600);
}

async fn schedules_new_contents_as_they_are_needed(db: Database) {
    let mut story = story(&db, 5).await;
    let take_now = async |limit| {
        let mut tx = story.ledger.write().await.unwrap();
        let due = tx.take_due_probes(NOW, NOW + HOUR, limit, false).await.unwrap();
        tx.commit().await.unwrap();
        due
    };
    assert!(take_now(100).await.is_empty());
    let replicas = story.ledger.read().await.unwrap().replicas().await.unwrap();
    assert_eq!(replicas.len(), 15, "not probed yet, but known");
    assert!(replicas.iter().all(|replica| replica.view.state.is_none()));
    let mut tx = story.ledger.write().await.unwrap();
    tx.schedule_new(4).await.unwrap();
    tx.commit().await.unwrap();
    let first = take_now(100).await;
    assert_eq!(first.len(), 12, "of as many contents as there were probes asked for");
    // One that is probed before it is scheduled is not due again.
    let last = *keys(&take_all(&story.ledger, NOW).await).last().unwrap();
    story.tell(mint(0, 9, 1, 9)).await;
    let row = last.0 + 1;
    record(&story.ledger, &seen(row, last.1, ReplicaState::Verified, NOW)).await;
    assert_eq!(take_all(&story.ledger, NOW).await.len(), 2);
    let known = story.ledger.read().await.unwrap().replicas_of(row).await.unwrap();
    let verified = |replica: &&Replica| replica.view.state == Some(ReplicaState::Verified);
    assert_eq!(known.iter().filter(verified).count(), 1);
}

/// A dropped transaction is rolled back in the background: until then its rows are skipped.
async fn eventually_take(ledger: &Ledger) -> Vec<DueProbe> {
    for _ in 0..200 {
        let due = take_all(ledger, NOW).await;
        if !due.is_empty() {
            return due;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    Vec::new()
}

/// On PostgreSQL a worker does not wait for another's transaction; SQLite has one writer.
async fn skips_what_another_worker_is_taking(db: Database) {
    let story = story(&db, 3).await;
    if db.engine == Engine::Sqlite {
        return;
    }
    schedule(&story.ledger).await;
    let mut one = story.ledger.write().await.unwrap();
    let nodes = one.nodes().await.unwrap();
    let taking = Taking {
        now: NOW,
        lease: NOW + HOUR,
        limit: 2,
        nodes: &[(nodes[1].id, 2)],
        in_doubt_only: false,
    };
    let first = one.take_probes(&taking).await.unwrap();
    assert!(!first.is_contended);
    let first = first.probes;
    let mut other = story.ledger.write().await.unwrap();
    let all: Vec<_> = nodes.iter().map(|node| (node.id, 1)).collect();
    let busy = other.take_probes(&Taking { limit: 0, nodes: &all, ..taking }).await.unwrap();
    assert!(busy.is_contended, "there may be more at the second node");
    drop(other);
    let second = tokio::time::timeout(
        std::time::Duration::from_secs(5),
        take(&story.ledger, NOW, 100, false),
    );
    let second = second.await.expect("the second waited for the first");
    assert_eq!(second.len(), 6, "those of the other nodes");
    assert!(keys(&first).is_disjoint(&keys(&second)));
    drop(one);
    let left = eventually_take(&story.ledger).await;
    assert_eq!(left.len(), 3, "a worker that died took nothing");
    assert!(keys(&left).is_superset(&keys(&first)));
    let mut story = story;
    story.tell(mint(0, 9, 1, 9)).await;
    assert_eq!(take_all(&story.ledger, NOW).await.len(), 3);
}
