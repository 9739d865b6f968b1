//! What URIs of collections of others name is wanted, for as long as they name it.

use alloy::primitives::U256;
use everhold::{chain::TokenEventKind, config::Standard, ledger::PathOf};

use super::{MINUTE, begin, document, finalize, look, names, path, said, wanted};
use crate::{
    story::{NOW, Said, burn, give, person, raw, row_of, take_all},
    support::{
        database::{Database, on_both_engines},
        snapshot::Snapshot,
    },
};

on_both_engines!(
    wants_what_a_document_in_a_uri_refers_to,
    follows_a_path_to_its_content,
    gives_a_reborn_token_its_content_again,
    keeps_what_a_uri_named_until_that_is_final,
    keeps_what_a_uri_named_as_long_as_its_token_lives,
    a_reorg_gives_a_uri_back_what_it_named,
);

async fn wants_what_a_document_in_a_uri_refers_to(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell([give(0, 1, 1), give(0, 2, 1)].concat()).await;
    look(&story, NOW, |_, id| document(&[10, 10 + id.to::<u8>()])).await;
    let expected = |all: &[u8]| all.iter().map(|child| raw(*child)).collect();
    assert_eq!(Snapshot::of(&story.ledger).await.wanted, expected(&[10, 11, 12]));
    assert_eq!(take_all(&story.ledger, NOW).await.len(), 3, "the documents need no node");
    let shared = row_of(&story.ledger, raw(10)).await;
    let authorities = story.ledger.read().await.unwrap().authorities(&[shared]).await.unwrap();
    assert_eq!(authorities[&shared].owners, [person(1)], "owns both tokens");
    story.tell(burn(0, 2)).await;
    assert_eq!(Snapshot::of(&story.ledger).await.wanted, expected(&[10, 11, 12]));
    finalize(&mut story).await;
    assert_eq!(Snapshot::of(&story.ledger).await.wanted, expected(&[10, 11]));
    story.tell(said(1, TokenEventKind::MetadataChanged { last: U256::ONE })).await;
    look(&story, NOW, |_, _| document(&[12])).await;
    assert_eq!(Snapshot::of(&story.ledger).await.wanted, expected(&[10, 11, 12]));
    finalize(&mut story).await;
    assert_eq!(Snapshot::of(&story.ledger).await.wanted, expected(&[12]));
    // Left out of the configuration, it wants nothing; put back, it does again.
    let id = story.collections[0].id;
    for (active, children) in [(&[][..], &[][..]), (&[id], &[12])] {
        let mut tx = story.ledger.write().await.unwrap();
        tx.set_active(active, false, NOW).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(Snapshot::of(&story.ledger).await.wanted, expected(children));
    }
    story.revert(0).await;
    assert_eq!(Snapshot::of(&story.ledger).await, Snapshot::default());
}

async fn follows_a_path_to_its_content(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell(give(0, 1, 1)).await;
    look(&story, NOW, |_, _| path("1.json")).await;
    let mut tx = story.ledger.write().await.unwrap();
    let due = tx.take_due_paths(NOW, NOW + MINUTE, 10, false).await.unwrap();
    let of = PathOf::Uri { collection: story.collections[0].id, token: Some(U256::ONE) };
    assert_eq!((due.len(), &due[0].of, due[0].failures), (1, &of, 0));
    assert!(due[0].text.ends_with("/1.json"));
    tx.path_failed(&due[0], "nobody has it", 1, NOW + 1).await.unwrap();
    assert_eq!(tx.next_doubtful_path().await.unwrap(), Some(NOW + 1));
    assert!(tx.take_due_paths(NOW, NOW + MINUTE, 10, true).await.unwrap().is_empty());
    let again = tx.take_due_paths(NOW + 1, NOW + 2 * MINUTE, 10, true).await.unwrap();
    assert_eq!((again.len(), again[0].failures), (1, 1));
    // What was taken before has no say any more.
    tx.path_found(&due[0], raw(8), false, NOW).await.unwrap();
    tx.path_found(&again[0], raw(9), false, NOW).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(wanted(&story.ledger).await, [raw(9)]);
    let shape = Snapshot::of(&story.ledger).await.tokens.into_values().next().unwrap();
    assert_eq!(shape.content, Some(raw(9)));
    // A reorg makes it be read again; the same path leads to the same content without a walk.
    story.tell(give(0, 1, 2)).await;
    story.revert(1).await;
    story.tell(vec![]).await;
    assert_eq!(look(&story, NOW, |_, _| path("1.json")).await.len(), 1);
    assert_eq!(wanted(&story.ledger).await, [raw(9)]);
    // Another path is followed anew.
    story.tell(said(1, TokenEventKind::MetadataChanged { last: U256::ONE })).await;
    look(&story, NOW, |_, _| path("2.json")).await;
    assert_eq!(wanted(&story.ledger).await, [raw(9)], "until that is final");
    finalize(&mut story).await;
    assert!(wanted(&story.ledger).await.is_empty());
    let mut tx = story.ledger.write().await.unwrap();
    assert_eq!(tx.take_due_paths(NOW, NOW + MINUTE, 10, false).await.unwrap().len(), 1);
}

async fn gives_a_reborn_token_its_content_again(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell(give(0, 1, 1)).await;
    look(&story, NOW, |_, _| names(1)).await;
    story.tell([burn(0, 1), give(0, 1, 2)].concat()).await;
    finalize(&mut story).await;
    assert!(wanted(&story.ledger).await.is_empty());
    assert_eq!(look(&story, NOW, |_, _| names(1)).await.len(), 1);
    assert_eq!(wanted(&story.ledger).await, [raw(1)]);
}

fn changed(token: u64) -> Vec<Said> {
    said(token, TokenEventKind::MetadataChanged { last: U256::from(token) })
}

async fn keeps_what_a_uri_named_until_that_is_final(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell(give(0, 1, 1)).await;
    look(&story, NOW, |_, _| names(1)).await;
    story.tell(changed(1)).await;
    look(&story, NOW, |_, _| names(2)).await;
    assert_eq!(wanted(&story.ledger).await.len(), 2);
    // The block before the one it was seen in is final: that says nothing yet.
    story.finalized = Some(1);
    story.tell(vec![]).await;
    assert_eq!(wanted(&story.ledger).await.len(), 2);
    story.finalized = Some(2);
    story.tell(vec![]).await;
    assert_eq!(wanted(&story.ledger).await, [raw(2)]);
    assert_eq!(take_all(&story.ledger, NOW).await.len(), 1);
}

async fn keeps_what_a_uri_named_as_long_as_its_token_lives(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.keep_history = true;
    story.tell([give(0, 1, 1), give(0, 2, 1)].concat()).await;
    look(&story, NOW, |_, id| document(&[id.to::<u8>()])).await;
    story.tell([changed(1), changed(2)].concat()).await;
    look(&story, NOW, |_, id| names(10 + id.to::<u8>())).await;
    finalize(&mut story).await;
    assert_eq!(wanted(&story.ledger).await.len(), 4);
    story.tell(burn(0, 1)).await;
    finalize(&mut story).await;
    let expected = [raw(2), raw(12)].into_iter().collect();
    assert_eq!(Snapshot::of(&story.ledger).await.wanted, expected);
}

/// What is read at a block that is taken back, nobody ever named; what it replaced was named all along.
async fn a_reorg_gives_a_uri_back_what_it_named(db: Database) {
    let mut story = begin(&db, Standard::Erc721).await;
    story.tell([give(0, 1, 1), give(0, 2, 1), give(0, 3, 1)].concat()).await;
    look(&story, NOW, |_, id| names(id.to::<u8>())).await;
    story.tell([changed(1), changed(2), burn(0, 3)].concat()).await;
    look(&story, NOW, |_, id| names(10 + id.to::<u8>())).await;
    assert_eq!(wanted(&story.ledger).await.len(), 5);
    for fork in 0..2 {
        story.revert(1).await;
        assert!(wanted(&story.ledger).await.contains(&raw(1)), "fork {fork}");
        assert!(wanted(&story.ledger).await.contains(&raw(3)), "fork {fork}");
        story.tell(vec![]).await;
    }
    // The second is another in the new fork, too.
    look(&story, NOW, |_, id| names(if id == U256::from(2) { 22 } else { id.to::<u8>() })).await;
    let expected = [raw(1), raw(2), raw(3), raw(22)].into_iter().collect();
    assert_eq!(Snapshot::of(&story.ledger).await.wanted, expected);
    finalize(&mut story).await;
    let expected = [raw(1), raw(3), raw(22)].into_iter().collect();
    assert_eq!(Snapshot::of(&story.ledger).await.wanted, expected);
}
