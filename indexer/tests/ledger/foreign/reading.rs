//! When URIs of collections of others are read: once, and again when something speaks for it.

use alloy::primitives::U256;
use everhold::{
    chain::TokenEventKind,
    config::Standard,
    ledger::{LedgerError, Meaning, UriReading, UriRecord},
};

use super::{
    MINUTE, begin, document, finalize, look, look_at_all, names, nothing, reading, said,
    unverifiable, wanted,
};
use crate::{
    story::{CHAIN, NOW, Story, burn, give, new_foreign, raw, set_nodes, take_all},
    support::{
        database::{Database, on_both_engines},
        snapshot::Snapshot,
    },
};

on_both_engines!(
    reads_a_uri_once_and_again_when_it_changed,
    loses_no_change_that_comes_while_it_reads,
    reads_again_what_a_reorg_touched,
    refuses_what_was_read_at_a_block_that_is_gone,
    tries_what_cannot_be_verified_again_and_again,
    leaves_a_uri_unread_for_a_while,
    reads_a_collection_anew_that_is_something_else,
    reads_what_a_collection_says_of_itself,
);

async fn reads_a_uri_once_and_again_when_it_changed(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell([give(0, 1, 1), give(0, 2, 1)].concat()).await;
    assert_eq!(look(&story, NOW, |_, id| names(id.to::<u8>())).await.len(), 2);
    assert_eq!(wanted(&story.ledger).await.len(), 2);
    assert_eq!(take_all(&story.ledger, NOW).await.len(), 2, "both are due to be probed");
    story.tell(give(0, 1, 5)).await;
    assert!(look(&story, NOW, |_, _| names(9)).await.is_empty(), "a transfer changes no metadata");
    let all = TokenEventKind::MetadataChanged { last: U256::MAX };
    story.tell(said(0, all)).await;
    assert_eq!(look(&story, NOW, |_, _| names(9)).await.len(), 2);
    assert_eq!(wanted(&story.ledger).await.len(), 3, "what they had, until that is final");
    finalize(&mut story).await;
    assert_eq!(wanted(&story.ledger).await, [raw(9)], "what they had is wanted no more");
    let one = TokenEventKind::MetadataChanged { last: U256::from(2) };
    story.tell(said(2, one)).await;
    assert_eq!(look(&story, NOW, |_, _| names(9)).await, [U256::from(2)]);
    assert!(look(&story, NOW + 100 * MINUTE, |_, _| names(9)).await.is_empty());
    story.tell([burn(0, 1), burn(0, 2)].concat()).await;
    assert_eq!(wanted(&story.ledger).await, [raw(9)], "until the end is final");
    finalize(&mut story).await;
    assert!(wanted(&story.ledger).await.is_empty());
}

async fn loses_no_change_that_comes_while_it_reads(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell(give(0, 1, 1)).await;
    let mut tx = story.ledger.write().await.unwrap();
    let due = tx.take_due_uris(CHAIN, 1, NOW, NOW + MINUTE, 10).await.unwrap();
    tx.commit().await.unwrap();
    let read_at = story.blocks.last().unwrap().reference;
    story.tell(said(1, TokenEventKind::MetadataChanged { last: U256::ONE })).await;
    let token = Some(U256::ONE);
    let collection = due.iter().find(|due| due.token == token).unwrap().collection;
    let records = [UriRecord { collection, token, meaning: names(1) }];
    let reading =
        UriReading { block: read_at, ..reading(&story, &records, Some(NOW + MINUTE), NOW) };
    let mut tx = story.ledger.write().await.unwrap();
    assert_eq!(tx.record_uris(&reading).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(look(&story, NOW, |_, _| names(2)).await, [U256::ONE], "it is read once more");
    finalize(&mut story).await;
    assert_eq!(wanted(&story.ledger).await, [raw(2)]);
}

async fn reads_again_what_a_reorg_touched(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell([give(0, 1, 1), give(0, 2, 1), give(0, 3, 1)].concat()).await;
    look(&story, NOW, |_, id| names(id.to::<u8>())).await;
    story.tell(give(0, 1, 2)).await;
    // Token 2 is found to be another one at block 2, though no log said so.
    let records = [UriRecord {
        collection: story.collections[0].id,
        token: Some(U256::from(2)),
        meaning: names(20),
    }];
    let mut tx = story.ledger.write().await.unwrap();
    tx.record_uris(&reading(&story, &records, None, NOW)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(wanted(&story.ledger).await.len(), 4, "what it named before, until that is final");
    story.revert(1).await;
    story.tell(vec![]).await;
    let due = look(&story, NOW, |_, id| names(id.to::<u8>())).await;
    assert_eq!(due, [U256::ONE, U256::from(2)]);
    let expected = [raw(1), raw(2), raw(3)].into_iter().collect();
    assert_eq!(Snapshot::of(&story.ledger).await.wanted, expected);
    // The mint itself is taken back.
    story.revert(0).await;
    story.tell(vec![]).await;
    assert!(look(&story, NOW, |_, _| names(9)).await.is_empty());
    assert_eq!(Snapshot::of(&story.ledger).await, Snapshot::default());
}

async fn refuses_what_was_read_at_a_block_that_is_gone(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell(give(0, 1, 1)).await;
    story.tell(vec![]).await;
    let gone = story.blocks.last().unwrap().reference;
    story.revert(1).await;
    story.tell(vec![]).await;
    let (collection, token) = (story.collections[0].id, Some(U256::ONE));
    let records = [UriRecord { collection, token, meaning: names(1) }];
    let reading = UriReading { block: gone, ..reading(&story, &records, None, NOW) };
    let mut tx = story.ledger.write().await.unwrap();
    let refused = tx.record_uris(&reading).await;
    assert!(matches!(refused, Err(LedgerError::Unlinked(2))));
}

async fn tries_what_cannot_be_verified_again_and_again(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell(give(0, 1, 1)).await;
    let mut at = NOW;
    // After 1, 2, 4 and 8 minutes; then with its collection, every ten.
    for wait in [1, 2, 4, 8] {
        assert_eq!(look(&story, at, |_, _| unverifiable("it reverts")).await.len(), 1, "{wait}");
        assert!(look(&story, at + wait * MINUTE - 1, |_, _| names(1)).await.is_empty());
        at += wait * MINUTE;
    }
    assert_eq!(look(&story, at, |_, _| unverifiable("it reverts")).await.len(), 1);
    assert!(look(&story, at + 1000 * MINUTE, |_, _| names(1)).await.is_empty());
    let mut tx = story.ledger.write().await.unwrap();
    let collection = tx.take_due_collection(CHAIN, 1, at, at).await.unwrap().unwrap();
    assert_eq!(tx.take_due_collection(CHAIN, 1, at, at).await.unwrap(), None);
    assert!(tx.has_due_uris(CHAIN, 1, at + 1, at).await.unwrap());
    assert!(!tx.has_due_uris(CHAIN, 1, at, at).await.unwrap());
    let page = tx.uris_after(collection, None, 2, 10).await.unwrap();
    assert_eq!(page.iter().map(|uri| uri.token).collect::<Vec<_>>(), [None, Some(U256::ONE)]);
    let own = tx.uris_after(collection, Some(None), 2, 10).await.unwrap();
    assert_eq!(own.iter().map(|uri| uri.token).collect::<Vec<_>>(), [Some(U256::ONE)]);
    assert!(tx.uris_after(collection, Some(Some(U256::ONE)), 2, 10).await.unwrap().is_empty());
    let records = [UriRecord { collection, token: Some(U256::ONE), meaning: names(1) }];
    assert_eq!(tx.record_uris(&reading(&story, &records, None, at)).await.unwrap(), 1);
    assert_eq!(tx.record_uris(&reading(&story, &records, None, at)).await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert_eq!(wanted(&story.ledger).await, [raw(1)]);
}

async fn leaves_a_uri_unread_for_a_while(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell(give(0, 1, 1)).await;
    let (collection, token) = (story.collections[0].id, Some(U256::ONE));
    let lease = NOW + MINUTE;
    let mut tx = story.ledger.write().await.unwrap();
    assert_eq!(tx.take_due_uris(CHAIN, 1, NOW, lease, 10).await.unwrap().len(), 2);
    tx.postpone_uris(&[(collection, token), (collection, None)], Some(lease), NOW + 5)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(look(&story, NOW + 4, |_, _| names(1)).await.is_empty());
    assert_eq!(look(&story, NOW + 5, |_, _| names(1)).await, [U256::ONE]);
    // One that was read with its collection; what became due meanwhile stays so.
    let mut tx = story.ledger.write().await.unwrap();
    tx.postpone_uris(&[(collection, token)], None, NOW + 9).await.unwrap();
    tx.postpone_uris(&[(collection, token)], None, NOW + 99).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(look(&story, NOW + 9, |_, _| names(2)).await, [U256::ONE]);
}

async fn reads_a_collection_anew_that_is_something_else(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell(give(0, 1, 1)).await;
    look(&story, NOW, |_, _| names(1)).await;
    let mut tx = story.ledger.write().await.unwrap();
    let found = tx.add_collection(&new_foreign(0, Standard::Erc1155)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((found.standard, found.indexed_block), (Standard::Erc1155, None));
    let now = Snapshot::of(&story.ledger).await;
    assert!(now.tokens.is_empty());
    // What was named stays wanted until it has been read again.
    assert!(found.rereading && now.wanted.len() == 1, "{now:?}");
}

/// ERC-7572, of ours and of others.
async fn reads_what_a_collection_says_of_itself(db: Database) {
    for standard in [Standard::Erc721, Standard::Erc1155, Standard::Everhold] {
        says_of_itself(&Database::fresh(db.engine).await, standard).await;
    }
}

async fn says_of_itself(db: &Database, standard: Standard) {
    let ledger = db.open().await;
    set_nodes(&ledger, &["http://one"]).await;
    let new = match standard {
        Standard::Everhold => crate::story::new_collection(0, everhold::content::Codec::Raw),
        foreign => new_foreign(0, foreign),
    };
    let mut story = Story::begin_with(ledger, &[new]).await;
    story.tell(vec![]).await;
    let own = async |story: &Story, meaning: fn() -> Meaning| {
        look_at_all(story, NOW, |_, token| {
            assert_eq!(token, None);
            meaning()
        })
        .await
        .len()
    };
    assert_eq!(own(&story, nothing).await, 1, "at the start");
    assert!(wanted(&story.ledger).await.is_empty());
    let told = || said(0, TokenEventKind::OwnMetadataChanged);
    story.tell(told()).await;
    assert_eq!(own(&story, || names(1)).await, 1);
    let due = take_all(&story.ledger, NOW).await;
    assert!(due.len() == 1 && due[0].parse, "its metadata is read, too: {due:?}");
    story.tell(told()).await;
    assert_eq!(own(&story, || document(&[2])).await, 1);
    assert_eq!(wanted(&story.ledger).await, [raw(1), raw(2)], "until that is final");
    story.revert(2).await;
    story.tell(vec![]).await;
    assert_eq!(own(&story, || names(1)).await, 1, "its block was taken back");
    assert_eq!(wanted(&story.ledger).await, [raw(1)]);
    story.tell(told()).await;
    own(&story, nothing).await;
    finalize(&mut story).await;
    assert!(wanted(&story.ledger).await.is_empty());
    // Read again from its start, what it names stays.
    story.tell(told()).await;
    own(&story, || names(3)).await;
    let mut tx = story.ledger.write().await.unwrap();
    tx.begin_anew(story.collections[0].id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(wanted(&story.ledger).await, [raw(3)]);
    let mut tx = story.ledger.write().await.unwrap();
    tx.set_active(&[], false, NOW).await.unwrap();
    tx.commit().await.unwrap();
    assert!(wanted(&story.ledger).await.is_empty(), "it is left out");
    story.ledger.close().await;
}
