//! Beginning anew: nothing that is still named is given up, and nothing that was seen forgotten.

use everhold::{
    content::{Codec, ContentId},
    health::{Health, ReplicaState},
    ledger::{Judged, Millis, Tx},
};

use crate::{
    halts::{halt, sorted, wanted},
    story::{NOW, Story, mint, new_collection, raw, record, row_of, seen, set_nodes, update},
    support::database::{Database, on_both_engines},
};

on_both_engines!(
    begins_anew_without_giving_up_what_is_still_named,
    begins_anew_from_a_lower_start,
    does_not_end_rereading_for_what_was_seen_before,
);

async fn begin_anew(story: &Story, index: usize) {
    let mut tx = story.ledger.write().await.unwrap();
    tx.begin_anew(story.collections[index].id).await.unwrap();
    tx.commit().await.unwrap();
}

/// What health knows of a content.
async fn past(tx: &mut Tx, id: ContentId) -> Option<(Option<Millis>, bool)> {
    let all = tx.wanted_contents().await.unwrap();
    let found = all.into_iter().find(|content| content.id == id)?;
    Some((found.past.wanted_since, found.past.was_healthy))
}

async fn begins_anew_without_giving_up_what_is_still_named(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    let nodes = set_nodes(&story.ledger, &["http://one"]).await;
    story.tell([mint(0, 1, 1, 1), mint(0, 2, 1, 2), mint(0, 3, 1, 3)].concat()).await;
    story.tell(update(0, 2, 4, 2)).await;
    story.finalized = Some(2);
    story.tell(vec![]).await;
    assert_eq!(wanted(&story).await, sorted(&[1, 3, 4]));
    let (first, gone) = (row_of(&story.ledger, raw(1)).await, row_of(&story.ledger, raw(3)).await);
    for row in [first, gone] {
        record(&story.ledger, &seen(row, nodes[0], ReplicaState::Verified, NOW)).await;
    }
    let mut tx = story.ledger.write().await.unwrap();
    let judged = Judged { content: first, health: Some(Health::Healthy), next: None };
    tx.write_assessments(&[judged]).await.unwrap();
    tx.commit().await.unwrap();
    let before = past(&mut story.ledger.read().await.unwrap(), raw(1)).await.unwrap();
    assert!(before.1);
    halt(&story, None, None).await;
    begin_anew(&story, 0).await;

    // In between, and twice: no token is known, and yet nothing is given up or forgotten.
    begin_anew(&story, 0).await;
    let mut tx = story.ledger.read().await.unwrap();
    assert!(tx.tokens(story.collections[0].id).await.unwrap().is_empty());
    let collection = tx.collections().await.unwrap().remove(0);
    assert_eq!((collection.indexed_block, collection.halted), (None, None));
    assert!(collection.rereading);
    assert_eq!(past(&mut tx, raw(1)).await, Some(before));
    drop(tx);
    assert_eq!(wanted(&story).await, sorted(&[1, 3, 4]), "and what was dropped stays so");

    // The new chain names the first, never heard of the third, and has the second as it was.
    story.forget(0);
    story.finalized = None;
    story.tell([mint(0, 1, 1, 1), mint(0, 2, 1, 2)].concat()).await;
    assert_eq!(wanted(&story).await, sorted(&[1, 2, 3, 4]));
    story.look().await;
    let mut tx = story.ledger.write().await.unwrap();
    let collection = story.collections[0].clone();
    assert!(tx.has_been_reread(&collection, false, NOW).await.unwrap());
    assert!(!tx.has_been_reread(&collection, false, NOW).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(wanted(&story).await, sorted(&[1, 2]));
    let mut tx = story.ledger.read().await.unwrap();
    assert_eq!(past(&mut tx, raw(1)).await, Some(before), "never unwanted in between");
    let replicas = tx.replicas().await.unwrap();
    let kept = replicas.iter().find(|replica| replica.content == first).unwrap();
    assert_eq!(kept.view.state, Some(ReplicaState::Verified), "the evidence stays");
    assert!(!tx.collections().await.unwrap()[0].rereading);
}

/// A lower `start_block` ends a halt, too, and gives nothing up either.
async fn begins_anew_from_a_lower_start(db: Database) {
    let mut story = Story::begin(db.open().await, &[]).await;
    let mut new = new_collection(0, Codec::Raw);
    new.start_block = 2;
    let mut tx = story.ledger.write().await.unwrap();
    story.collections.push(tx.add_collection(&new).await.unwrap());
    tx.commit().await.unwrap();
    story.block(vec![]);
    story.block(mint(0, 1, 1, 1));
    story.commit_from(2).await.unwrap();
    halt(&story, None, None).await;
    new.start_block = 1;
    let mut tx = story.ledger.write().await.unwrap();
    let lowered = tx.add_collection(&new).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((lowered.start_block, lowered.indexed_block, lowered.halted), (1, None, None));
    assert!(lowered.rereading);
    assert_eq!(wanted(&story).await, sorted(&[1]));
}

/// Somebody begins it anew once more while another process believes it has been read.
async fn does_not_end_rereading_for_what_was_seen_before(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    story.tell(mint(0, 1, 1, 1)).await;
    begin_anew(&story, 0).await;
    story.commit_from(0).await.unwrap();
    story.look().await;
    begin_anew(&story, 0).await;
    let mut tx = story.ledger.write().await.unwrap();
    assert!(!tx.has_been_reread(&story.collections[0], false, NOW).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(wanted(&story).await, sorted(&[1]));
}
