//! Two processes that follow the chain into one ledger: the slower one writes what it read before
//! the other wrote. Whether that is an error or is passed over, nothing of it may stay.

use std::time::Duration;

use everhold::{
    chain::{BlockRef, TokenEvent},
    ledger::{Collection, Commit, Ledger, Result},
};

use crate::{
    story::{CHAIN, NOW, Story, mint},
    support::{
        database::{Database, on_both_engines},
        snapshot::Snapshot,
    },
};

on_both_engines!(
    refuses_a_stretch_of_a_chain_that_was_left,
    refuses_a_stretch_that_leaves_a_gap,
    writes_one_of_two_forks_that_come_at_once,
    does_not_go_back_to_an_older_checkpoint,
);

/// A stretch that a follower has read and will write later.
struct Slow {
    collections: Vec<Collection>,
    parts: (Vec<BlockRef>, Vec<TokenEvent>),
}

impl Slow {
    /// It looks at the ledger now, and reads the blocks from this one on.
    async fn read(story: &mut Story, from: usize) -> Self {
        story.look().await;
        Self { collections: story.collections.clone(), parts: story.parts(from) }
    }

    async fn write(&self, ledger: &Ledger) -> Result<()> {
        let (blocks, events) = &self.parts;
        let commit = Commit {
            chain_id: CHAIN,
            collections: &self.collections,
            to: blocks.last().unwrap().number,
            blocks,
            events,
            finalized: None,
            window_start: 0,
            keep_history: false,
            now: NOW,
        };
        let mut tx = ledger.write().await?;
        tx.commit_blocks(&commit).await?;
        tx.commit().await
    }
}

async fn indexed(story: &mut Story) -> Option<u64> {
    story.look().await;
    story.collections[0].indexed_block
}

/// Meanwhile the other has followed a reorg.
async fn refuses_a_stretch_of_a_chain_that_was_left(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    story.tell(mint(0, 1, 1, 1)).await;
    story.tell(vec![]).await;
    story.block(mint(0, 2, 1, 2));
    story.block(mint(0, 3, 1, 3));
    let slow = Slow::read(&mut story, 3).await;
    story.revert(1).await;
    for _ in 0..4 {
        story.tell(vec![]).await;
    }
    let expected = Snapshot::of(&story.ledger).await;
    let _ = slow.write(&story.ledger).await;
    assert_eq!(Snapshot::of(&story.ledger).await, expected);
    let mut tx = story.ledger.read().await.unwrap();
    for block in tx.window(CHAIN).await.unwrap() {
        assert_eq!(block.hash, story.block_hash(block.number), "block {}", block.number);
    }
}

/// The stretch is of the new chain; what lies below it was taken back and not yet read anew.
async fn refuses_a_stretch_that_leaves_a_gap(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    story.tell(mint(0, 1, 1, 1)).await;
    story.tell(mint(0, 2, 1, 2)).await;
    story.forget(1);
    story.block(mint(0, 3, 1, 3));
    story.block(mint(0, 4, 1, 4));
    let slow = Slow::read(&mut story, 3).await;
    let mut other = story.ledger.write().await.unwrap();
    other.revert_blocks(CHAIN, 1, false, NOW).await.unwrap();
    other.commit().await.unwrap();
    let before = Snapshot::of(&story.ledger).await;
    let _ = slow.write(&story.ledger).await;
    assert_eq!(Snapshot::of(&story.ledger).await, before);
    assert_eq!(indexed(&mut story).await, Some(1));
}

/// They see different forks and write at the same moment.
async fn writes_one_of_two_forks_that_come_at_once(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    story.tell(mint(0, 1, 1, 1)).await;
    story.block(mint(0, 2, 1, 2));
    story.look().await;
    let parts = story.parts(2);
    let mut first = story.ledger.write().await.unwrap();
    first.commit_blocks(&story.stretch(&parts)).await.unwrap();
    story.forget(1);
    story.block(mint(0, 3, 1, 3));
    let slow = Slow { collections: story.collections.clone(), parts: story.parts(2) };
    let first = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        first.commit().await
    };
    let (first, second) = tokio::join!(first, slow.write(&story.ledger));
    first.unwrap();
    let snapshot = Snapshot::of(&story.ledger).await;
    let ids: Vec<_> = snapshot.tokens.keys().map(|(_, id)| id.to::<u64>()).collect();
    assert_eq!(ids, [1, 2], "the second: {second:?}");
}

/// They see the same chain; the slower one has read less of it.
async fn does_not_go_back_to_an_older_checkpoint(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    story.block(mint(0, 1, 1, 1));
    story.block(mint(0, 2, 1, 1));
    let slow = Slow::read(&mut story, 0).await;
    story.block(mint(0, 3, 1, 1));
    story.block(mint(0, 4, 1, 1));
    story.commit().await;
    let _ = slow.write(&story.ledger).await;
    assert_eq!(indexed(&mut story).await, Some(4));
    assert_eq!(Snapshot::of(&story.ledger).await.tokens.len(), 4);
}
