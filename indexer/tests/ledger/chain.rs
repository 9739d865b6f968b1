//! Commit, revert and binding: the ledger follows a chain and nothing else.

use alloy::primitives::U256;
use everhold::{
    content::{Codec, ContentId},
    health::Policy,
    ledger::{Burn, Ledger, LedgerError, NewCollection},
    picture::Picture,
};

use crate::{
    story::{
        CHAIN, NOW, Story, burn, contract, digest, freeze, give, hash, mint, mint_batch,
        new_collection, person, raw, update,
    },
    support::{
        database::{Database, on_both_engines},
        snapshot::{Snapshot, TokenShape},
    },
};

on_both_engines!(
    reads_back_what_was_committed,
    gives_every_token_of_a_batch_its_own_digest,
    is_idempotent,
    takes_blocks_back,
    keeps_replaced_content_until_the_update_is_final,
    keeps_history_when_told_to,
    does_not_call_new_blocks_final_after_a_deep_reorg,
    leaves_nothing_of_a_dropped_transaction,
    refuses_another_chain,
    survives_being_opened_again,
    knows_no_block_before_the_first,
    reads_a_late_collection_beside_the_others,
    leaves_a_removed_collection_out_and_takes_it_back,
    ignores_logs_of_other_contracts,
    tells_the_same_digest_under_two_codecs_apart,
    knows_where_a_token_was_burned,
    learns_whether_edits_are_off,
);

async fn token(story: &Story, id: u64) -> Option<TokenShape> {
    let snapshot = Snapshot::of(&story.ledger).await;
    snapshot.tokens.get(&(contract(0), U256::from(id))).cloned()
}

async fn wanted(ledger: &Ledger) -> Vec<ContentId> {
    Snapshot::of(ledger).await.wanted.into_iter().collect()
}

fn sorted(contents: &[u8]) -> Vec<ContentId> {
    let mut ids: Vec<_> = contents.iter().map(|content| raw(*content)).collect();
    ids.sort();
    ids
}

async fn reads_back_what_was_committed(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    story.block(mint(0, 7, 1, 10));
    story.block(give(0, 7, 2));
    story.block([update(0, 7, 11, 2), freeze(0, 7), mint(0, 8, 1, 10)].concat());
    story.block(burn(0, 8));
    story.commit().await;
    let expected = TokenShape {
        owner: person(2),
        supply: None,
        content: Some(raw(11)),
        revision: 2,
        frozen: true,
        minted: (1, story.block_hash(1)),
        content_set: Some((3, story.block_hash(3))),
    };
    assert_eq!(token(&story, 7).await, Some(expected));
    assert_eq!(token(&story, 8).await, None);
    let mut tx = story.ledger.read().await.unwrap();
    let collection = tx.collections().await.unwrap().remove(0);
    assert_eq!(collection.indexed_block, Some(4));
    assert_eq!(collection.name, "collection 0");
    let window = tx.window(CHAIN).await.unwrap();
    assert_eq!(window.len(), 5);
    assert_eq!(window[0], story.blocks[4].reference);
}

async fn gives_every_token_of_a_batch_its_own_digest(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    let contents: Vec<u8> = (0..50).collect();
    story.tell(mint_batch(0, 1, 9, &contents)).await;
    for content in contents {
        let token = token(&story, u64::from(content) + 1).await.unwrap();
        assert_eq!(token.content, Some(raw(content)));
        assert_eq!((token.owner, token.revision), (person(9), 1));
    }
}

async fn is_idempotent(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    story.block([mint(0, 1, 1, 1), mint(0, 2, 1, 1)].concat());
    story.block([update(0, 1, 2, 2), burn(0, 2)].concat());
    story.finalized = Some(1);
    story.commit().await;
    let before = Snapshot::of(&story.ledger).await;
    for from in [0, 1, 2, 0] {
        story.commit_from(from).await.unwrap();
        assert_eq!(Snapshot::of(&story.ledger).await, before);
    }
}

async fn takes_blocks_back(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    story.tell(mint(0, 1, 1, 1)).await;
    let first = Snapshot::of(&story.ledger).await;
    story.tell([mint(0, 2, 1, 2), give(0, 1, 5), freeze(0, 1)].concat()).await;
    let second = Snapshot::of(&story.ledger).await;
    story.tell([burn(0, 1), update(0, 2, 3, 2)].concat()).await;
    story.revert(2).await;
    assert_eq!(Snapshot::of(&story.ledger).await, second);
    story.revert(1).await;
    assert_eq!(Snapshot::of(&story.ledger).await, first);
    story.revert(0).await;
    assert_eq!(Snapshot::of(&story.ledger).await, Snapshot::default());
    let mut tx = story.ledger.read().await.unwrap();
    assert_eq!(tx.collections().await.unwrap()[0].indexed_block, Some(0));
}

async fn keeps_replaced_content_until_the_update_is_final(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    story.tell(mint(0, 1, 1, 1)).await;
    story.tell(update(0, 1, 2, 2)).await;
    assert_eq!(wanted(&story.ledger).await, sorted(&[1, 2]));
    story.finalized = Some(1);
    story.tell(vec![]).await;
    assert_eq!(wanted(&story.ledger).await, sorted(&[1, 2]));
    story.finalized = Some(2);
    story.tell(vec![]).await;
    assert_eq!(wanted(&story.ledger).await, sorted(&[2]));
    story.tell(burn(0, 1)).await;
    assert_eq!(wanted(&story.ledger).await, sorted(&[2]));
    story.finalized = Some(5);
    story.tell(vec![]).await;
    assert_eq!(wanted(&story.ledger).await, []);
}

async fn keeps_history_when_told_to(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    story.keep_history = true;
    story.tell([mint(0, 1, 1, 1), mint(0, 2, 1, 4)].concat()).await;
    story.tell(update(0, 1, 2, 2)).await;
    story.tell([update(0, 1, 3, 3), update(0, 2, 5, 2)].concat()).await;
    story.finalized = Some(3);
    story.tell(vec![]).await;
    assert_eq!(wanted(&story.ledger).await, sorted(&[1, 2, 3, 4, 5]));
    story.tell(burn(0, 1)).await;
    story.finalized = Some(5);
    story.tell(vec![]).await;
    assert_eq!(wanted(&story.ledger).await, sorted(&[4, 5]));
}

/// A reorg below the final block happens (`confirmations` is a guess): what comes after it has
/// to wait for its own finality.
async fn does_not_call_new_blocks_final_after_a_deep_reorg(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    story.tell(mint(0, 1, 1, 1)).await;
    story.finalized = Some(8);
    for _ in 2..=10 {
        story.tell(vec![]).await;
    }
    story.revert(3).await;
    story.finalized = Some(2);
    let update = story.tell(update(0, 1, 2, 2)).await;
    assert!(update <= 8);
    assert_eq!(wanted(&story.ledger).await, sorted(&[1, 2]));
    let mut tx = story.ledger.read().await.unwrap();
    let finalized = tx.collections().await.unwrap()[0].finalized_block;
    assert!(finalized <= Some(3), "{finalized:?} is above the ancestor");
}

async fn leaves_nothing_of_a_dropped_transaction(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    story.tell(mint(0, 1, 1, 1)).await;
    let before = Snapshot::of(&story.ledger).await;
    let from = story.told;
    story.block([update(0, 1, 2, 2), mint(0, 2, 1, 3)].concat());
    story.look().await;
    let mut tx = story.ledger.write().await.unwrap();
    tx.commit_blocks(&story.stretch(&story.parts(from))).await.unwrap();
    drop(tx);
    assert_eq!(Snapshot::of(&story.ledger).await, before);
    let mut tx = story.ledger.write().await.unwrap();
    tx.revert_blocks(CHAIN, 0, false, NOW).await.unwrap();
    drop(tx);
    assert_eq!(Snapshot::of(&story.ledger).await, before);
    let mut tx = story.ledger.read().await.unwrap();
    assert_eq!(tx.collections().await.unwrap()[0].indexed_block, Some(1));
    assert_eq!(tx.window(CHAIN).await.unwrap().len(), 2);
}

async fn refuses_another_chain(db: Database) {
    let ledger = db.open().await;
    for _ in 0..2 {
        let mut tx = ledger.write().await.unwrap();
        tx.bind_chain(CHAIN, hash("genesis")).await.unwrap();
        tx.commit().await.unwrap();
    }
    let mut tx = ledger.write().await.unwrap();
    let other = tx.check_chains(&[1]).await;
    assert!(matches!(other, Err(LedgerError::OtherChain { ledger: CHAIN, rpc: 1 })));
    tx.check_chains(&[1, CHAIN]).await.unwrap();
    let anew = tx.bind_chain(CHAIN, hash("another genesis")).await;
    assert!(matches!(anew, Err(LedgerError::OtherGenesis(CHAIN))));
    tx.bind_chain(CHAIN, hash("genesis")).await.unwrap();
}

async fn survives_being_opened_again(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    story.tell([mint(0, 1, 1, 1), mint(0, 2, 2, 2)].concat()).await;
    let before = Snapshot::of(&story.ledger).await;
    story.ledger.close().await;
    story.ledger = db.open().await;
    assert_eq!(Snapshot::of(&story.ledger).await, before);
    story.tell(burn(0, 2)).await;
    assert_eq!(Snapshot::of(&story.ledger).await.tokens.len(), 1);
}

async fn knows_no_block_before_the_first(db: Database) {
    let mut story = Story::begin(db.open().await, &[]).await;
    let mut tx = story.ledger.write().await.unwrap();
    let mut new = new_collection(0, Codec::Raw);
    new.start_block = 100;
    let collection = tx.add_collection(&new).await.unwrap();
    assert_eq!(collection.indexed_block, None);
    assert_eq!(collection.start_block, 100);
    tx.commit().await.unwrap();
    story.revert(0).await;
    let mut tx = story.ledger.read().await.unwrap();
    assert_eq!(tx.collections().await.unwrap(), [collection]);
}

async fn reads_a_late_collection_beside_the_others(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    story.tell(mint(0, 1, 1, 1)).await;
    story.block(update(0, 1, 2, 2));
    story.finalized = Some(2);
    story.tell(mint(1, 1, 1, 3)).await;
    let mut tx = story.ledger.write().await.unwrap();
    let late = tx.add_collection(&new_collection(1, Codec::Raw)).await;
    tx.commit().await.unwrap();
    let first = std::mem::replace(&mut story.collections, vec![late.unwrap()]);
    story.commit_from(0).await.unwrap();
    story.collections.extend(first);
    let snapshot = Snapshot::of(&story.ledger).await;
    assert_eq!(snapshot.tokens.len(), 2);
    assert_eq!(wanted(&story.ledger).await, sorted(&[2, 3]));
}

async fn leaves_a_removed_collection_out_and_takes_it_back(db: Database) {
    let mut story = Story::begin(db.open().await, &[Codec::Raw, Codec::Raw]).await;
    story.tell([mint(0, 1, 1, 1), mint(1, 1, 1, 2)].concat()).await;
    let both = Snapshot::of(&story.ledger).await;
    let mut tx = story.ledger.write().await.unwrap();
    let ids: Vec<_> = story.collections.iter().map(|collection| collection.id).collect();
    tx.set_active(&ids[..1], false, NOW).await.unwrap();
    assert_eq!(tx.collections().await.unwrap().len(), 1);
    let policy = Policy { min: 1, min_held: 0, grace: 0, recheck: 0 };
    let shown = Picture::take(&mut tx, &policy, NOW).await.unwrap();
    assert_eq!(shown.collections.iter().map(|one| one.tokens.len()).sum::<usize>(), 1);
    tx.commit().await.unwrap();
    assert_eq!(wanted(&story.ledger).await, sorted(&[1]), "nobody asks for the other");
    let mut tx = story.ledger.write().await.unwrap();
    tx.set_active(&ids, false, NOW).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(Snapshot::of(&story.ledger).await, both);
}

async fn ignores_logs_of_other_contracts(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    story.tell([mint(3, 1, 1, 1), mint(0, 1, 1, 2)].concat()).await;
    assert_eq!(wanted(&story.ledger).await, sorted(&[2]));
}

async fn tells_the_same_digest_under_two_codecs_apart(db: Database) {
    let mut story = Story::begin(db.open().await, &[Codec::Raw, Codec::DagPb]).await;
    story.tell([mint(0, 1, 1, 1), mint(1, 1, 1, 1)].concat()).await;
    let mut both = vec![raw(1), ContentId::new(Codec::DagPb, digest(1))];
    both.sort();
    assert_eq!(wanted(&story.ledger).await, both);
    story.finalized = Some(2);
    story.tell(burn(0, 1)).await;
    assert_eq!(wanted(&story.ledger).await, [ContentId::new(Codec::DagPb, digest(1))]);
}

async fn knows_where_a_token_was_burned(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    story.tell([mint(0, 1, 1, 1), mint(0, 2, 1, 1)].concat()).await;
    // The last words of one are a burn, of the other not.
    let block = story.tell([update(0, 1, 2, 2), burn(0, 1), give(0, 2, 2)].concat()).await;
    let collection = story.collections[0].id;
    let burn_of = async |story: &Story, id: u64| {
        let mut tx = story.ledger.read().await.unwrap();
        tx.burn(collection, U256::from(id)).await.unwrap()
    };
    let expected =
        Burn { block: (block, story.block_hash(block)), transaction: hash("transaction") };
    assert_eq!(burn_of(&story, 1).await, Some(expected));
    assert_eq!((burn_of(&story, 2).await, burn_of(&story, 3).await), (None, None));
    story.revert(1).await;
    assert_eq!(burn_of(&story, 1).await, None);
}

async fn learns_whether_edits_are_off(db: Database) {
    let story = Story::simple(db.open().await).await;
    assert!(story.collections[0].editable);
    let mut tx = story.ledger.write().await.unwrap();
    let new = NewCollection { editable: false, ..new_collection(0, Codec::Raw) };
    assert!(!tx.add_collection(&new).await.unwrap().editable);
    assert!(!tx.collections().await.unwrap()[0].editable);
}
