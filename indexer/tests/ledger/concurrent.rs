//! Several processes on one ledger: they wait for each other, and none fails or loses anything.

use std::{collections::BTreeSet, time::Duration};

use everhold::{
    health::ReplicaState::{Missing, Verified},
    ledger::{Judged, Ledger, ProbeRecord},
};

use crate::{
    story::{
        CHAIN, NOW, SCHEDULE, Story, hash, mint, mint_batch, new_collection, raw, record, row_of,
        seen, set_nodes, take_all, update,
    },
    support::{
        database::{Database, Engine, on_both_engines},
        snapshot::Snapshot,
    },
};

on_both_engines!(
    starts_twice_at_once,
    writes_probes_while_blocks_are_taken_back,
    binds_twice_at_once,
    works_with_many_hands_at_once,
    reads_one_state,
    sees_two_nodes_come_to_one_address_at_once,
);

/// Two processes on an empty database.
async fn starts_twice_at_once(db: Database) {
    let start = |url: String| async move {
        let ledger = Ledger::open(&url).await?;
        let mut tx = ledger.write().await?;
        tx.bind_chain(CHAIN, hash("genesis")).await?;
        tx.add_collection(&new_collection(0, everhold::content::Codec::Raw)).await?;
        tx.commit().await
    };
    let starts: Vec<_> = (0..4).map(|_| tokio::spawn(start(db.url.clone()))).collect();
    for one in starts {
        one.await.unwrap().expect("another process started, too");
    }
}

async fn binds_twice_at_once(db: Database) {
    let ledger = db.open().await;
    let mut first = ledger.write().await.unwrap();
    first.bind_chain(CHAIN, hash("genesis")).await.unwrap();
    let second = async {
        let mut tx = ledger.write().await?;
        tx.bind_chain(CHAIN, hash("genesis")).await?;
        tx.commit().await
    };
    let first = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        first.commit().await
    };
    let (first, second) = tokio::join!(first, second);
    first.unwrap();
    second.expect("another process was a little faster");
}

/// The follower takes a mint back while a worker writes down what it saw of that content.
async fn writes_probes_while_blocks_are_taken_back(db: Database) {
    let ledger = db.open().await;
    let nodes = set_nodes(&ledger, &["http://one", "http://two"]).await;
    let mut story = Story::simple(ledger.clone()).await;
    story.tell(mint(0, 1, 1, 1)).await;
    let row = row_of(&ledger, raw(1)).await;
    let mut worker = ledger.write().await.unwrap();
    let missing = seen(row, nodes[0], Missing, NOW);
    worker.record_probe(&missing, &SCHEDULE).await.unwrap();
    let follower = tokio::spawn(async move {
        let mut tx = ledger.write().await?;
        tx.revert_blocks(CHAIN, 0, false, NOW).await?;
        tx.commit().await
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let verified = seen(row, nodes[1], Verified, NOW);
    let recorded = worker.record_probe(&verified, &SCHEDULE).await;
    let committed = match recorded {
        Ok(_) => worker.commit().await,
        Err(error) => Err(error),
    };
    let followed = follower.await.unwrap();
    committed.expect("the worker");
    followed.expect("the follower");
    assert!(Snapshot::of(&story.ledger).await.wanted.is_empty());
}

async fn probe_for_a_while(ledger: Ledger, rounds: u32) -> everhold::ledger::Result<usize> {
    let mut probes = 0;
    for round in 0..rounds {
        let now = NOW + i64::from(round);
        let mut tx = ledger.write().await?;
        tx.schedule_new(16).await?;
        tx.commit().await?;
        let mut tx = ledger.write().await?;
        let mut due = tx.take_due_probes(now, now, 16, false).await?;
        tx.commit().await?;
        // Probes end in any order. They are written in one that is the same for all workers:
        // two that wait for each other are a deadlock.
        due.sort_by_key(|probe| (probe.content, probe.node));
        let mut tx = ledger.write().await?;
        for probe in &due {
            let verified = seen(probe.content, probe.node, Verified, now);
            tx.record_probe(&verified, &SCHEDULE).await?;
            tx.make_due(probe.content, probe.node).await?;
        }
        tx.commit().await?;
        probes += due.len();
    }
    Ok(probes)
}

/// A follower that follows reorgs, and three workers that probe.
async fn works_with_many_hands_at_once(db: Database) {
    let ledger = db.open().await;
    set_nodes(&ledger, &["http://one", "http://two", "http://three"]).await;
    let mut story = Story::simple(ledger.clone()).await;
    let contents: Vec<u8> = (0..20).collect();
    story.tell(mint_batch(0, 1, 1, &contents)).await;
    let workers: Vec<_> =
        (0..3).map(|_| tokio::spawn(probe_for_a_while(ledger.clone(), 40))).collect();
    for round in 0..20_u8 {
        story.tell(update(0, 1 + u64::from(round), 50 + round, 2)).await;
        story.revert(story.head() - 1).await;
    }
    for worker in workers {
        let probes = worker.await.unwrap();
        assert!(probes.expect("a worker") > 0);
    }
    let wanted = Snapshot::of(&story.ledger).await.wanted;
    assert_eq!(wanted, contents.iter().map(|content| raw(*content)).collect());
}

/// A reader sees one state, whatever is written meanwhile.
async fn reads_one_state(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    story.tell(mint(0, 1, 1, 1)).await;
    let row = story.collections[0].id;
    let reader = match db.engine {
        Engine::Sqlite => db.open().await,
        Engine::Postgres => story.ledger.clone(),
    };
    let mut tx = reader.read().await.unwrap();
    assert_eq!(tx.token_contents(row, None, 99).await.unwrap().len(), 1);
    story.tell(mint(0, 2, 1, 2)).await;
    assert_eq!(tx.token_contents(row, None, 99).await.unwrap().len(), 1);
    assert_eq!(tx.wanted_contents().await.unwrap().len(), 1);
    drop(tx);
    let mut tx = reader.read().await.unwrap();
    assert_eq!(tx.token_contents(row, None, 99).await.unwrap().len(), 2);
}

/// Each by another worker, with the bytes of another content: what both serve is judged anew.
async fn sees_two_nodes_come_to_one_address_at_once(db: Database) {
    let ledger = db.open().await;
    let nodes = set_nodes(&ledger, &["http://one", "http://two"]).await;
    let mut story = Story::simple(ledger.clone()).await;
    story.tell(mint_batch(0, 1, 1, &[1, 2, 3])).await;
    take_all(&ledger, NOW).await;
    let mut rows = Vec::new();
    for content in 1..=3 {
        rows.push(row_of(&ledger, raw(content)).await);
    }
    let served = |content, node, address: String, at| ProbeRecord {
        addresses: BTreeSet::from([address]),
        ..seen(content, node, Verified, at)
    };
    for content in &rows {
        for node in &nodes {
            record(&ledger, &served(*content, *node, format!("1.2.3.{node}"), NOW)).await;
        }
    }
    let judge = async || {
        let mut tx = ledger.write().await.unwrap();
        let due = tx.due_assessments(NOW + 9, 9).await.unwrap();
        let due: Vec<_> = due.iter().map(|one| one.content.row).collect();
        let judged: Vec<_> =
            due.iter().map(|row| Judged { content: *row, health: None, next: None }).collect();
        tx.write_assessments(&judged).await.unwrap();
        tx.commit().await.unwrap();
        due
    };
    assert_eq!(judge().await.len(), 3);
    let come = |content, node| served(content, node, "9.9.9.9".to_owned(), NOW + 1);
    let mut first = ledger.write().await.unwrap();
    first.record_probe(&come(rows[1], nodes[0]), &SCHEDULE).await.unwrap();
    let (second, probe) = (ledger.clone(), come(rows[2], nodes[1]));
    let second = tokio::spawn(async move {
        let mut tx = second.write().await?;
        tx.record_probe(&probe, &SCHEDULE).await?;
        tx.commit().await
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    first.commit().await.unwrap();
    second.await.unwrap().unwrap();
    assert!(judge().await.contains(&rows[0]), "neither brought bytes of it from there");
}
