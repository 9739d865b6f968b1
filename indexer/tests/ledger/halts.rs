//! Halting beyond finality: what was read is not touched, and the rest goes on.

use alloy::primitives::U256;
use everhold::{
    content::{Codec, ContentId},
    health::Health,
    ledger::{Collection, Fork, ForkVerdict, Incident, LedgerError, Millis, Subject},
};

use crate::{
    story::{CHAIN, HOUR, NOW, Story, contract, hash, mint, raw, update},
    support::{
        database::{Database, on_both_engines},
        snapshot::Snapshot,
    },
};

on_both_engines!(
    judges_a_fork_by_the_ledger_as_it_is,
    halts_what_was_read_beyond_the_fork_and_nothing_else,
    halts_all_that_was_read_where_nothing_is_shared,
    keeps_a_halted_collection_out_of_the_chains_way,
    keeps_the_contents_of_a_halted_collection,
    begins_a_collection_anew_that_nobody_looks_at,
    opens_one_incident_for_a_halt,
    remembers_the_block_that_a_backfill_came_to,
    remembers_the_head,
    counts_what_is_not_final,
);

/// Two collections; the first read up to block 10, the second up to block 3.
async fn two(db: &Database) -> Story {
    let mut story = Story::begin(db.open().await, &[Codec::Raw, Codec::Raw]).await;
    story.tell([mint(0, 1, 1, 1), mint(1, 1, 1, 2)].concat()).await;
    story.tell(update(0, 1, 3, 2)).await;
    story.tell(update(1, 1, 4, 2)).await;
    let second = story.collections.pop().unwrap();
    for block in 4..=10 {
        story.tell(mint(0, block, 1, 1)).await;
    }
    story.finalized = Some(8);
    story.commit_from(10).await.unwrap();
    story.collections.push(second);
    story
}

pub(super) async fn halt(
    story: &Story,
    shared: Option<u64>,
    finalized: Option<u64>,
) -> Vec<Collection> {
    let mut tx = story.ledger.write().await.unwrap();
    let window = tx.window(CHAIN).await.unwrap();
    let fork = Fork { chain_id: CHAIN, window: &window, shared, finalized };
    assert_eq!(tx.judge_fork(&fork).await.unwrap(), ForkVerdict::BeyondFinality);
    let halted = tx.halt_beyond(&fork, NOW).await.unwrap();
    tx.commit().await.unwrap();
    halted
}

async fn collections(story: &Story) -> Vec<Collection> {
    story.ledger.read().await.unwrap().collections().await.unwrap()
}

pub(super) async fn wanted(story: &Story) -> Vec<ContentId> {
    Snapshot::of(&story.ledger).await.wanted.into_iter().collect()
}

pub(super) fn sorted(contents: &[u8]) -> Vec<ContentId> {
    let mut ids: Vec<_> = contents.iter().map(|content| raw(*content)).collect();
    ids.sort();
    ids
}

async fn judges_a_fork_by_the_ledger_as_it_is(db: Database) {
    let story = two(&db).await;
    let mut tx = story.ledger.write().await.unwrap();
    let window = tx.window(CHAIN).await.unwrap();
    for (shared, expected) in [
        (Some(9), ForkVerdict::Revert),
        (Some(8), ForkVerdict::Revert),
        (Some(7), ForkVerdict::BeyondFinality),
        (None, ForkVerdict::BeyondFinality),
    ] {
        let fork = Fork { chain_id: CHAIN, window: &window, shared, finalized: None };
        assert_eq!(tx.judge_fork(&fork).await.unwrap(), expected, "{shared:?}");
        let other = Fork { window: &window[1..], ..fork };
        assert_eq!(tx.judge_fork(&other).await.unwrap(), ForkVerdict::Moved, "{shared:?}");
    }
}

async fn halts_what_was_read_beyond_the_fork_and_nothing_else(db: Database) {
    let story = two(&db).await;
    let before = Snapshot::of(&story.ledger).await;
    let halted = halt(&story, Some(5), Some(7)).await;
    let ids: Vec<_> = halted.iter().map(|collection| collection.id).collect();
    assert_eq!(ids, [story.collections[0].id]);
    assert_eq!(Snapshot::of(&story.ledger).await, before, "nothing of either is touched");
    let all = collections(&story).await;
    let reason = all[0].halted.clone().unwrap();
    assert_eq!((reason.since, reason.shared), (NOW, Some(5)));
    assert_eq!(
        reason.reason,
        "the chain was rewritten from block 6 on, though block 8 counted as final; it was read up \
         to block 10"
    );
    assert_eq!(all[0].indexed_block, Some(10));
    assert_eq!(all[0].finalized_block, Some(5), "the others are gone from the chain");
    assert_eq!((&all[1].halted, all[1].indexed_block), (&None, Some(3)));
    assert_eq!(all[1].finalized_block, Some(3));
    let mut tx = story.ledger.read().await.unwrap();
    let window: Vec<_> = tx.window(CHAIN).await.unwrap().iter().map(|b| b.number).collect();
    assert_eq!(window, [5, 4, 3, 2, 1, 0]);
}

async fn halts_all_that_was_read_where_nothing_is_shared(db: Database) {
    let story = two(&db).await;
    let mut tx = story.ledger.write().await.unwrap();
    let mut new = crate::story::new_collection(2, Codec::Raw);
    new.start_block = 100;
    let unread = tx.add_collection(&new).await.unwrap();
    tx.commit().await.unwrap();
    let halted = halt(&story, None, Some(6)).await;
    assert_eq!(halted.len(), 2);
    for collection in &halted {
        let halt = collection.halted.as_ref().unwrap();
        assert!(halt.reason.contains("below block 0, the oldest one remembered"), "{halt:?}");
        assert_eq!((halt.shared, collection.finalized_block), (None, None));
    }
    let mut tx = story.ledger.read().await.unwrap();
    assert_eq!(tx.collections().await.unwrap()[2], unread);
    assert!(tx.window(CHAIN).await.unwrap().is_empty());
    assert_eq!(tx.chain_heads().await.unwrap()[0].finalized_block, Some(6));
}

/// Neither a reorg nor a follower that had read on before touches it.
async fn keeps_a_halted_collection_out_of_the_chains_way(db: Database) {
    let mut story = two(&db).await;
    halt(&story, Some(5), Some(7)).await;
    let before = Snapshot::of(&story.ledger).await;
    let halted = collections(&story).await[0].clone();
    let second = story.collections.pop().unwrap();
    story.block(mint(0, 50, 1, 5));
    let late = story.commit_from(10).await;
    assert!(matches!(late, Err(LedgerError::Unlinked(_))), "{late:?}");
    // The other one follows the new chain, and a reorg in it.
    let first = std::mem::replace(&mut story.collections, vec![second]);
    story.forget(5);
    story.finalized = None;
    story.block(mint(1, 7, 1, 6));
    story.commit_from(4).await.unwrap();
    assert_eq!(collections(&story).await[1].indexed_block, Some(6));
    story.revert(5).await;
    story.revert(2).await;
    story.collections.extend(first);
    let now = collections(&story).await;
    assert_eq!((&now[0].halted, now[0].indexed_block), (&halted.halted, Some(10)));
    assert_eq!(now[1].indexed_block, Some(2));
    let after = Snapshot::of(&story.ledger).await;
    let of_first = |snapshot: &Snapshot| {
        let tokens = snapshot.tokens.clone().into_iter();
        tokens.filter(|((address, _), _)| *address == contract(0)).collect::<Vec<_>>()
    };
    assert_eq!(of_first(&after), of_first(&before));
}

/// The chain's finality goes on; what an update on blocks that are gone replaced may be the
/// content of the token on the chain that came instead.
async fn keeps_the_contents_of_a_halted_collection(db: Database) {
    let mut story = Story::begin(db.open().await, &[Codec::Raw, Codec::Raw]).await;
    let second = story.collections.pop().unwrap();
    story.tell(mint(0, 1, 1, 1)).await;
    story.finalized = Some(2);
    for _ in 2..=5 {
        story.tell(vec![]).await;
    }
    story.tell(update(0, 1, 2, 2)).await;
    assert_eq!(wanted(&story).await, sorted(&[1, 2]));
    halt(&story, Some(1), Some(2)).await;
    story.collections = vec![second];
    story.forget(1);
    story.finalized = Some(20);
    for _ in 2..=30 {
        story.block(vec![]);
    }
    story.commit_from(0).await.unwrap();
    assert_eq!(wanted(&story).await, sorted(&[1, 2]));
}

async fn begins_a_collection_anew_that_nobody_looks_at(db: Database) {
    let story = two(&db).await;
    let mut tx = story.ledger.write().await.unwrap();
    tx.set_active(&[story.collections[1].id], false, NOW).await.unwrap();
    tx.commit().await.unwrap();
    assert!(halt(&story, Some(5), Some(7)).await.is_empty());
    let mut tx = story.ledger.read().await.unwrap();
    let all = tx.all_collections().await.unwrap();
    assert_eq!((all[0].indexed_block, &all[0].halted), (None, &None));
    assert!(tx.tokens(all[0].id).await.unwrap().is_empty());
    assert_eq!(all[1].indexed_block, Some(3));
}

async fn opens_one_incident_for_a_halt(db: Database) {
    let story = two(&db).await;
    let about = |id: &str, index: usize| Incident {
        id: id.to_owned(),
        collection_id: story.collections[index].id,
        chain_id: CHAIN,
        collection: contract(index),
        subject: Subject::Halted,
        health: Health::Unverifiable,
        summary: "why".to_owned(),
        opened_at: NOW,
        closed_at: None,
        close_reason: None,
        care: everhold::ledger::Care::default(),
    };
    let mut tx = story.ledger.write().await.unwrap();
    assert!(tx.open_incident(&about("a", 0)).await.unwrap());
    assert!(!tx.open_incident(&about("b", 0)).await.unwrap());
    assert!(tx.open_incident(&about("c", 1)).await.unwrap());
    tx.close_incident("a", "by hand", NOW + HOUR).await.unwrap();
    assert!(tx.open_incident(&about("d", 0)).await.unwrap());
    tx.commit().await.unwrap();
    let mut tx = story.ledger.read().await.unwrap();
    let open = tx.incidents(Millis::MAX).await.unwrap();
    let ids: Vec<_> =
        open.iter().map(|incident| (incident.id.as_str(), incident.subject.clone())).collect();
    assert_eq!(ids, [("c", Subject::Halted), ("d", Subject::Halted)]);
    assert_eq!((open[1].health, open[1].summary.as_str()), (Health::Unverifiable, "why"));
}

/// Below the window, the blocks at which collections stand are kept, and no others.
async fn remembers_the_block_that_a_backfill_came_to(db: Database) {
    let mut story = two(&db).await;
    let second = story.collections.pop().unwrap();
    let block = story.block(vec![]);
    let parts = story.parts(11);
    story.look().await;
    let commit = everhold::ledger::Commit { window_start: 9, ..story.stretch(&parts) };
    let mut tx = story.ledger.write().await.unwrap();
    tx.commit_blocks(&commit).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = story.ledger.read().await.unwrap();
    let numbers: Vec<_> = tx.window(CHAIN).await.unwrap().iter().map(|b| b.number).collect();
    assert_eq!(numbers, [block, 10, 9, 3]);
    let behind = tx.collections().await.unwrap().remove(1);
    assert_eq!((behind.id, behind.indexed_block), (second.id, Some(3)));
    assert_eq!(behind.indexed_time, story.blocks[3].reference.time);
}

async fn remembers_the_head(db: Database) {
    let story = two(&db).await;
    let mut tx = story.ledger.write().await.unwrap();
    let chain = tx.chain_heads().await.unwrap().remove(0);
    assert_eq!((chain.chain_id, chain.head, chain.finalized_block), (CHAIN, None, Some(8)));
    for time in [Some(7), Some(0), None, Some(u64::MAX)] {
        let mut head = story.blocks[10].reference;
        (head.hash, head.time) = (hash("head"), time);
        tx.see_head(CHAIN, &head, NOW).await.unwrap();
        let seen = tx.chain_heads().await.unwrap()[0].head.unwrap();
        assert_eq!((seen.block, seen.seen_at), (10, NOW));
        // One that would not fit as milliseconds is cut.
        assert_eq!(seen.time, time.map(|time| time.min(i64::MAX as u64 / 1000)));
    }
}

async fn counts_what_is_not_final(db: Database) {
    let story = two(&db).await;
    let mut tx = story.ledger.read().await.unwrap();
    let first = tx.collections().await.unwrap().remove(0);
    assert_eq!(first.finalized_block, Some(8));
    assert_eq!(tx.tokens_above(first.id, Some(8)).await.unwrap(), 2);
    assert_eq!(tx.tokens_above(first.id, Some(1)).await.unwrap(), 8, "an update counts, too");
    assert_eq!(tx.tokens_above(first.id, None).await.unwrap(), 8);
    assert_eq!(tx.tokens(first.id).await.unwrap().len(), 8);
    assert!(tx.token(first.id, U256::from(10)).await.unwrap().is_some());
}
