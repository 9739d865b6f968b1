//! A clock that was ahead and is set right puts nothing off for ever.

use everhold::{
    health::{Health, ReplicaState},
    ledger::{Judged, Ledger, LongestWaits},
};

use crate::{
    story::{HOUR, NOW, SCHEDULE, Story, mint_batch, record, seen, set_nodes, take_all},
    support::database::{Database, on_both_engines},
};

on_both_engines!(brings_back_what_a_wrong_clock_put_off, leaves_what_is_put_off_rightly);

const AHEAD: i64 = 1000 * HOUR;
const LONGEST: LongestWaits = LongestWaits {
    probe: 2 * HOUR,
    spot: HOUR,
    stores: 2 * HOUR,
    assessment: 3 * HOUR,
    lease: 2 * HOUR,
};

async fn story(db: &Database) -> Story {
    let ledger = db.open().await;
    set_nodes(&ledger, &["http://one", "http://two"]).await;
    let mut story = Story::simple(ledger).await;
    story.tell(mint_batch(0, 1, 1, &[1, 2, 3])).await;
    story
}

/// Everything is done as at `now`: probes but one, which is under way, STOREs, verdicts.
async fn work(ledger: &Ledger, now: i64) {
    let taken = take_all(ledger, now).await;
    assert_eq!(taken.len(), 6);
    for (probe, state) in
        taken[1..].iter().zip([ReplicaState::Verified, ReplicaState::Missing].into_iter().cycle())
    {
        record(ledger, &seen(probe.content, probe.node, state, now)).await;
    }
    let mut tx = ledger.write().await.unwrap();
    tx.schedule_new_stores(10).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = ledger.write().await.unwrap();
    assert_eq!(tx.take_due_stores(now, now + HOUR, 10).await.unwrap().len(), 3);
    let due = tx.due_assessments(now, 10).await.unwrap();
    assert_eq!(due.len(), 3);
    let judged: Vec<_> = due
        .iter()
        .map(|one| Judged {
            content: one.content.row,
            health: Some(Health::Degraded),
            next: Some(now + HOUR),
        })
        .collect();
    tx.write_assessments(&judged).await.unwrap();
    tx.commit().await.unwrap();
}

async fn bring_back(ledger: &Ledger, limit: u32) -> u64 {
    let mut tx = ledger.write().await.unwrap();
    let brought = tx.bring_back_from_the_future(NOW, &LONGEST, limit).await.unwrap();
    tx.commit().await.unwrap();
    brought
}

/// How many probes, looks at STOREs and verdicts are due.
async fn due(ledger: &Ledger) -> (usize, usize, usize) {
    let probes = take_all(ledger, NOW).await.len();
    let mut tx = ledger.write().await.unwrap();
    let stores = tx.take_due_stores(NOW, NOW + HOUR, 10).await.unwrap().len();
    let verdicts = tx.due_assessments(NOW, 10).await.unwrap().len();
    tx.commit().await.unwrap();
    (probes, stores, verdicts)
}

async fn brings_back_what_a_wrong_clock_put_off(db: Database) {
    let story = story(&db).await;
    work(&story.ledger, NOW + AHEAD).await;
    assert_eq!(due(&story.ledger).await, (0, 0, 0));
    // Five probes, three looks, three verdicts, one lease: some at a time.
    let mut brought = Vec::new();
    loop {
        match bring_back(&story.ledger, 3).await {
            0 => break,
            some => brought.push(some),
        }
    }
    assert_eq!(brought, [3 + 3 + 3 + 1, 2]);
    assert_eq!(due(&story.ledger).await, (6, 3, 3));
}

async fn leaves_what_is_put_off_rightly(db: Database) {
    let story = story(&db).await;
    assert_eq!(SCHEDULE.recheck, HOUR);
    work(&story.ledger, NOW).await;
    assert_eq!(bring_back(&story.ledger, 100).await, 0);
    assert_eq!(due(&story.ledger).await, (0, 0, 0));
}
