//! A clock that was ahead and is set right puts nothing off for ever.

use everhold::{
    config::Standard,
    content::{Codec, ContentId, Metadata, MetadataLimits},
    health::{Health, ReplicaState, Schedule},
    incident::Transition,
    ledger::{
        Announcement, Form, Incident, Judged, Ledger, LongestWaits, Named, NewAlert, Node,
        NodeKind, ProbeRecord, SPOT_ABOVE, Subject,
    },
};

use crate::{
    foreign::{look, path},
    story::{
        CHAIN, HOUR, NOW, SCHEDULE, Story, contract, digest, give, message, mint, mint_batch,
        new_foreign, raw, record, row_of, schedule, seen, set_nodes, take_all,
    },
    support::database::{Database, on_both_engines},
};

on_both_engines!(
    brings_back_what_a_wrong_clock_put_off,
    brings_back_spot_checks,
    brings_back_uris_and_paths,
    brings_back_alerts,
    brings_back_checks_of_the_vault,
    lets_go_who_was_named_at_a_time_to_come,
    sends_the_newest_message,
    leaves_what_is_put_off_rightly,
);

const AHEAD: i64 = 1000 * HOUR;
const LONGEST: LongestWaits = LongestWaits {
    probe: 2 * HOUR,
    spot: HOUR,
    stores: 2 * HOUR,
    assessment: 3 * HOUR,
    uri: 2 * HOUR,
    path: 2 * HOUR,
    alert: 2 * HOUR,
    vault: 2 * HOUR,
    lease: 2 * HOUR,
    skew: HOUR,
};

async fn brings_back_checks_of_the_vault(db: Database) {
    let story = story(&db).await;
    let (late, soon) = (row_of(&story.ledger, raw(1)).await, row_of(&story.ledger, raw(2)).await);
    let mut tx = story.ledger.write().await.unwrap();
    tx.record_in_vault(late, (Form::File, 1), NOW + AHEAD, NOW + AHEAD + HOUR).await.unwrap();
    tx.record_in_vault(soon, (Form::File, 1), NOW, NOW + HOUR).await.unwrap();
    tx.bring_back_from_the_future(NOW, &LONGEST, 100).await.unwrap();
    let due = tx.take_vault_checks(NOW, NOW + HOUR, 9).await.unwrap();
    assert_eq!(due.iter().map(|one| one.content).collect::<Vec<_>>(), [late]);
}

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

/// A day from now at the latest, as the next full probe is.
async fn brings_back_spot_checks(db: Database) {
    let ledger = db.open().await;
    let node = set_nodes(&ledger, &["http://one"]).await[0];
    let mut story = Story::begin(ledger, &[Codec::DagPb]).await;
    story.tell(mint(0, 1, 1, 1)).await;
    schedule(&story.ledger).await;
    let content = row_of(&story.ledger, ContentId::new(Codec::DagPb, digest(1))).await;
    let probe = |at| ProbeRecord {
        bytes: Some(SPOT_ABOVE + 1),
        gives_blocks: true,
        ..seen(content, node, ReplicaState::Verified, at)
    };
    let daily = Schedule { recheck: 24 * HOUR, spot: HOUR, ..SCHEDULE };
    let longest = LongestWaits { probe: 25 * HOUR, ..LONGEST };
    for (put_off, brought) in [(0, 0), (AHEAD, 2)] {
        let mut tx = story.ledger.write().await.unwrap();
        tx.record_probe(&probe(NOW + put_off), &daily).await.unwrap();
        let back = tx.bring_back_from_the_future(NOW, &longest, 10).await.unwrap();
        assert_eq!(back, brought, "its next probe, and its next spot check");
        let due = async |tx: &mut everhold::ledger::Tx| {
            tx.take_spots(NOW, 10, &[(node, 10)], &daily).await.unwrap().len()
        };
        // Its full probe is due as well, and says more: with that put off again, only the spot check is.
        tx.postpone(content, node, NOW + HOUR).await.unwrap();
        assert_eq!(due(&mut tx).await, usize::from(brought > 0));
        tx.commit().await.unwrap();
    }
}

/// By whom they were taken, and never brought back.
async fn brings_back_uris_and_paths(db: Database) {
    let ledger = db.open().await;
    let mut story = Story::begin_with(ledger, &[new_foreign(0, Standard::Erc721)]).await;
    story.tell(give(0, 1, 1)).await;
    look(&story, NOW, |_, _| path("1.json")).await;
    // A document with a path in it, and a token whose URI is to be read.
    let document = br#"{"image":"ipfs://QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG/1.png"}"#;
    let document = Metadata::parse(document, &MetadataLimits::default()).map_err(|e| e.to_string());
    story.tell(give(0, 2, 1)).await;
    let parent = row_of(&story.ledger, raw(9)).await;
    let mut tx = story.ledger.write().await.unwrap();
    tx.record_metadata(parent, &document, NOW).await.unwrap();
    tx.commit().await.unwrap();
    let take = async |now: i64| {
        let mut tx = story.ledger.write().await.unwrap();
        let uris = tx.take_due_uris(CHAIN, story.head(), now, now + HOUR, 10).await.unwrap().len();
        let paths = tx.take_due_paths(now, now + HOUR, 10, false).await.unwrap().len();
        let before = now.saturating_sub(HOUR).max(NOW + 1);
        let read = tx.take_due_collection(CHAIN, story.head(), before, now).await.unwrap();
        tx.commit().await.unwrap();
        (uris, paths, read.is_some())
    };
    let taken = take(NOW + AHEAD).await;
    assert!(taken.0 > 0 && taken.1 > 0 && taken.2, "{taken:?}");
    assert_eq!(take(NOW).await, (0, 0, false));
    assert_eq!(bring_back(&story.ledger, 10).await as usize, taken.0 + taken.1 + 1);
    assert_eq!(take(NOW).await, taken);
    assert_eq!(bring_back(&story.ledger, 10).await, 0);
}

async fn brings_back_alerts(db: Database) {
    let story = story(&db).await;
    let incident = Incident {
        id: "one".to_owned(),
        collection_id: story.collections[0].id,
        chain_id: CHAIN,
        collection: contract(0),
        subject: Subject::Content { row: row_of(&story.ledger, raw(1)).await, id: raw(1) },
        health: Health::Lost,
        summary: "it is gone".to_owned(),
        opened_at: NOW,
        closed_at: None,
        close_reason: None,
        care: everhold::ledger::Care::default(),
    };
    let alert = NewAlert {
        id: "told".to_owned(),
        sink: "https://example.com/hook".to_owned(),
        severity: everhold::incident::Severity::Warning,
        payload: "{}".to_owned(),
    };
    let mut tx = story.ledger.write().await.unwrap();
    assert!(tx.open_incident(&incident).await.unwrap());
    tx.enqueue_alert("one", Transition::Opened, &alert, NOW + AHEAD).await.unwrap();
    tx.commit().await.unwrap();
    let due = async || {
        let mut tx = story.ledger.write().await.unwrap();
        let due =
            tx.take_due_alerts("https://example.com/hook", NOW, NOW + HOUR).await.unwrap().len();
        tx.commit().await.unwrap();
        due
    };
    assert_eq!(due().await, 0);
    assert_eq!(bring_back(&story.ledger, 10).await, 1);
    assert_eq!(due().await, 1);
    assert_eq!(bring_back(&story.ledger, 10).await, 0);
}

/// A provider that nobody names any more, and that once served: neither keeps it for ever.
async fn lets_go_who_was_named_at_a_time_to_come(db: Database) {
    let ledger = db.open().await;
    let router = Node {
        id: 0,
        url: "http://router".to_owned(),
        kind: NodeKind::Routing,
        operator: None,
        address: "router".to_owned(),
    };
    let mut tx = ledger.write().await.unwrap();
    tx.set_nodes(&[router]).await.unwrap();
    let router = tx.nodes().await.unwrap()[0].id;
    tx.commit().await.unwrap();
    let mut story = Story::simple(ledger).await;
    story.tell(mint(0, 1, 1, 1)).await;
    let content = row_of(&story.ledger, raw(1)).await;
    let url = "http://10.0.0.1:80".to_owned();
    let named = vec![Named { address: url.clone(), url }];
    let mut tx = story.ledger.write().await.unwrap();
    let said = Announcement { content, router, named, at: NOW + AHEAD };
    tx.announce(&[said], NOW).await.unwrap();
    let provider = tx.providers().await.unwrap()[0].0;
    tx.commit().await.unwrap();
    record(&story.ledger, &seen(content, provider, ReplicaState::Verified, NOW + AHEAD)).await;
    record(&story.ledger, &seen(content, provider, ReplicaState::Missing, NOW)).await;
    let leaves = async || {
        let mut tx = story.ledger.write().await.unwrap();
        tx.forget_unannounced(NOW + 1).await.unwrap();
        let left = tx.providers().await.unwrap().is_empty();
        tx.commit().await.unwrap();
        left
    };
    assert!(!leaves().await);
    assert_eq!(bring_back(&story.ledger, 10).await, 2, "when it was named, and when it served");
    assert!(leaves().await);
}

/// One that was taken back is not sent for ever because a wrong clock had it the newest.
async fn sends_the_newest_message(db: Database) {
    let story = story(&db).await;
    let content = row_of(&story.ledger, raw(1)).await;
    let newest = async || {
        let mut tx = story.ledger.read().await.unwrap();
        let kept = tx.kept_stores(&[content], "0x1").await.unwrap();
        kept[&content][0].envelope.clone()
    };
    let mut tx = story.ledger.write().await.unwrap();
    tx.keep_messages(&[message(content, "old", "0x1", "old")], NOW + AHEAD).await.unwrap();
    tx.keep_messages(&[message(content, "new", "0x1", "new")], NOW + 1).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(newest().await, "old");
    assert_eq!(bring_back(&story.ledger, 10).await, 1);
    assert_eq!(newest().await, "new");
}

async fn leaves_what_is_put_off_rightly(db: Database) {
    let story = story(&db).await;
    assert_eq!(SCHEDULE.recheck, HOUR);
    work(&story.ledger, NOW).await;
    assert_eq!(bring_back(&story.ledger, 100).await, 0);
    assert_eq!(due(&story.ledger).await, (0, 0, 0));
}
