//! For how long it is kept what was seen of content that nothing names any more.

use std::collections::BTreeSet;

use everhold::{
    health::{Health, ReplicaState},
    incident::{Severity, Transition},
    ledger::{
        Care, Incident, Ledger, Millis, NewAlert, RowId, Scope, Silence, Store, StoreAt, StoresAt,
        StoresSeen, Subject,
    },
    provenance::StoreStatus,
};

use crate::{
    story::{
        CHAIN, HOUR, NOW, Story, burn, contract, mint, mint_batch, raw, record, row_of, seen,
        set_nodes, take_all,
    },
    support::database::{Database, on_both_engines},
};

on_both_engines!(
    drops_what_is_probed_no_longer_after_a_while,
    keeps_what_is_wanted_however_old,
    what_is_wanted_again_is_due_as_new_content_is,
    drops_what_a_node_said_that_is_asked_no_more,
    drops_so_many_at_once,
    drops_what_was_told_of_what_is_long_over,
);

async fn drop_before(ledger: &Ledger, before: Millis, limit: u32) -> u64 {
    let mut tx = ledger.write().await.unwrap();
    let dropped = tx.drop_evidence(before, limit).await.unwrap();
    tx.commit().await.unwrap();
    dropped
}

/// Contents 1 to `count` at two nodes, each seen once to be there, and asked for their STOREs.
async fn probed(db: &Database, count: u8) -> (Story, Vec<RowId>) {
    let contents: Vec<u8> = (1..=count).collect();
    let mut story = Story::simple(db.open().await).await;
    story.tell(mint_batch(0, 1, 1, &contents)).await;
    let nodes = set_nodes(&story.ledger, &["http://one", "http://two"]).await;
    for probe in take_all(&story.ledger, NOW).await {
        let state = ReplicaState::Verified;
        record(&story.ledger, &seen(probe.content, probe.node, state, NOW)).await;
    }
    let mut tx = story.ledger.write().await.unwrap();
    tx.schedule_new_stores(99).await.unwrap();
    let due = tx.take_due_stores(NOW, NOW + HOUR, 99).await.unwrap();
    let seen = due.iter().map(|one| StoresSeen {
        content: one.content,
        stores: vec![store(nodes[0])],
        nodes: vec![StoresAt { node: nodes[0], live: Ok(1) }],
        due: NOW + HOUR,
    });
    tx.record_stores(&seen.collect::<Vec<_>>(), NOW).await.unwrap();
    tx.commit().await.unwrap();
    (story, nodes)
}

fn store(node: RowId) -> Store {
    Store {
        item_hash: "aa".to_owned(),
        sender: "0x00".to_owned(),
        chain: "ETH".to_owned(),
        address: None,
        channel: None,
        payment: None,
        time: None,
        verified: false,
        ours: false,
        statuses: vec![StoreAt { node, status: StoreStatus::Processed, since: 0 }],
        grants: Vec::new(),
    }
}

/// How many replicas of a content are known to be there, its changes, and its STOREs.
async fn known(story: &Story, content: u8) -> [usize; 3] {
    let row = row_of(&story.ledger, raw(content)).await;
    let mut tx = story.ledger.read().await.unwrap();
    let replicas = tx.replicas_of(row).await.unwrap();
    let mut changes = 0;
    for replica in &replicas {
        changes += tx.changes(row, replica.node).await.unwrap().len();
    }
    let there = replicas.iter().filter(|one| one.view.state.is_some()).count();
    [there, changes, tx.stores(row).await.unwrap().len()]
}

async fn end(story: &mut Story, token: u64) {
    story.finalized = Some(99);
    story.tell(burn(0, token)).await;
}

async fn drops_what_is_probed_no_longer_after_a_while(db: Database) {
    let (mut story, _) = probed(&db, 2).await;
    end(&mut story, 2).await;
    assert_eq!(drop_before(&story.ledger, NOW, 99).await, 0);
    assert_eq!(known(&story, 2).await, [2, 2, 1], "it is kept for a while");
    assert_eq!(drop_before(&story.ledger, NOW + 1, 99).await, 2);
    assert_eq!(known(&story, 2).await, [0; 3]);
    assert_eq!(known(&story, 1).await, [2, 2, 1]);
    assert_eq!(drop_before(&story.ledger, NOW + 1, 99).await, 0);
}

async fn keeps_what_is_wanted_however_old(db: Database) {
    let (story, _) = probed(&db, 2).await;
    assert_eq!(drop_before(&story.ledger, Millis::MAX, 99).await, 0);
    assert_eq!(known(&story, 1).await, [2, 2, 1]);
}

async fn what_is_wanted_again_is_due_as_new_content_is(db: Database) {
    let (mut story, nodes) = probed(&db, 2).await;
    end(&mut story, 2).await;
    drop_before(&story.ledger, NOW + 1, 99).await;
    story.tell(mint(0, 9, 1, 2)).await;
    let due = take_all(&story.ledger, NOW + 1).await;
    assert!(due.iter().all(|probe| probe.id == raw(2)), "{due:?}");
    let at: BTreeSet<_> = due.iter().map(|probe| probe.node).collect();
    assert_eq!((due.len(), at), (2, nodes.into_iter().collect()));
    record(&story.ledger, &seen(due[0].content, due[0].node, ReplicaState::Missing, NOW + 2)).await;
    assert_eq!(known(&story, 2).await, [1, 1, 0]);
    let mut tx = story.ledger.write().await.unwrap();
    let stores = tx.take_due_stores(NOW + 2, NOW + HOUR, 9).await.unwrap();
    assert_eq!(stores.iter().map(|one| one.id).collect::<Vec<_>>(), [raw(2)]);
    let judged = tx.due_assessments(NOW + 2, 9).await.unwrap();
    assert!(judged.iter().any(|one| one.content.row == due[0].content));
}

async fn drops_what_a_node_said_that_is_asked_no_more(db: Database) {
    let (story, nodes) = probed(&db, 2).await;
    set_nodes(&story.ledger, &["http://one"]).await;
    assert_eq!(drop_before(&story.ledger, NOW + 1, 99).await, 2, "of either content");
    assert_eq!(known(&story, 1).await, [1, 1, 1]);
    set_nodes(&story.ledger, &["http://one", "http://two"]).await;
    let due = take_all(&story.ledger, NOW).await;
    assert_eq!(due.len(), 2, "it may come back");
    assert!(due.iter().all(|probe| probe.node == nodes[1]));
}

async fn drops_so_many_at_once(db: Database) {
    let (mut story, _) = probed(&db, 5).await;
    for token in 2..=5 {
        end(&mut story, token).await;
    }
    let mut dropped = Vec::new();
    while let Some(some) = Some(drop_before(&story.ledger, NOW + 1, 3).await).filter(|n| *n > 0) {
        dropped.push(some);
    }
    assert_eq!(dropped.iter().sum::<u64>(), 8);
    assert!(dropped.len() > 1 && dropped.iter().all(|some| *some <= 6), "{dropped:?}");
}

/// An incident with two alerts, of which a sink took the first, or both.
async fn told(story: &Story, id: &str, taken: &[&str]) {
    let incident = Incident {
        id: id.to_owned(),
        collection_id: story.collections[0].id,
        chain_id: CHAIN,
        collection: contract(0),
        subject: Subject::Path { reference: format!("ipfs://x/{id}") },
        health: Health::Lost,
        summary: String::new(),
        opened_at: NOW,
        closed_at: None,
        close_reason: None,
        care: Care::default(),
    };
    let mut tx = story.ledger.write().await.unwrap();
    assert!(tx.open_incident(&incident).await.unwrap());
    for alert in ["1", "2"] {
        let (sink, payload) = ("webhook:1".to_owned(), "{}".to_owned());
        let new =
            NewAlert { id: format!("{id}{alert}"), sink, severity: Severity::Warning, payload };
        tx.enqueue_alert(id, Transition::Opened, &new, NOW).await.unwrap();
        if taken.contains(&alert) {
            tx.alert_delivered(&new.id, NOW).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
}

async fn drops_what_was_told_of_what_is_long_over(db: Database) {
    let story = Story::simple(db.open().await).await;
    for (id, taken, over) in [
        ("over", &["1", "2"][..], Some(NOW)),
        ("waits", &["1"], Some(NOW)),
        ("young", &["1", "2"], Some(NOW + 1)),
        ("open", &["1", "2"], None),
    ] {
        told(&story, id, taken).await;
        let mut tx = story.ledger.write().await.unwrap();
        if let Some(at) = over {
            tx.close_incident(id, "found", at).await.unwrap();
        }
        let silence = Silence {
            id: id.to_owned(),
            scope: Scope::Incident(id.to_owned()),
            reason: "x".to_owned(),
            by: "ann".to_owned(),
            at: NOW - HOUR,
            until: over.unwrap_or(NOW + HOUR),
        };
        tx.silence(&silence).await.unwrap();
        tx.commit().await.unwrap();
    }
    let drop_told = async |before| {
        let mut tx = story.ledger.write().await.unwrap();
        let mut dropped = Vec::new();
        while let Some(some) = Some(tx.drop_told(before, 1).await.unwrap()).filter(|n| *n > 0) {
            dropped.push(some);
        }
        tx.commit().await.unwrap();
        dropped
    };
    assert!(drop_told(NOW).await.is_empty(), "they are kept for a while");
    let dropped = drop_told(NOW + 1).await;
    assert_eq!(
        dropped.iter().sum::<u64>(),
        6,
        "three alerts, an incident, two silences: {dropped:?}"
    );
    let mut tx = story.ledger.write().await.unwrap();
    let left: Vec<_> = tx.incidents(0).await.unwrap().into_iter().map(|one| one.id).collect();
    assert_eq!(left, ["open", "waits", "young"]);
    assert!(tx.told_of("open").await.unwrap().contains("webhook:1"));
    assert_eq!(tx.silences(0).await.unwrap().len(), 2);
    let state = tx.outbox().await.unwrap().remove(0);
    assert_eq!((state.waiting, state.delivered), (1, 4));
    let due = tx.take_due_alerts("webhook:1", NOW, NOW + HOUR).await.unwrap();
    assert_eq!(due.iter().map(|one| &*one.id).collect::<Vec<_>>(), ["waits2"]);
}
