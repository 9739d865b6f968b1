//! A process killed in the middle of a transaction leaves nothing of it.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    time::Duration,
};

use everhold::ledger::Ledger;

use crate::{
    story::{CHAIN, NOW, Story, mint_batch, update},
    support::{
        database::{Database, on_both_engines},
        snapshot::Snapshot,
    },
};

on_both_engines!(leaves_nothing_when_killed_in_the_middle);

/// Set for the process that is to be killed: the database it works on.
const VICTIM: &str = "EVERHOLD_TEST_VICTIM";
const READY: &str = "in the middle of it";

async fn leaves_nothing_when_killed_in_the_middle(db: Database) {
    let mut story = Story::simple(db.open().await).await;
    story.tell(mint_batch(0, 1, 1, &[1, 2, 3])).await;
    let before = Snapshot::of(&story.ledger).await;
    story.ledger.close().await;
    let mut child = spawn(&db.url);
    let output = BufReader::new(child.stdout.take().unwrap());
    let said = output.lines().map_while(std::result::Result::ok);
    assert!(said.into_iter().any(|line| line.contains(READY)));
    child.kill().unwrap();
    child.wait().unwrap();
    story.ledger = db.open().await;
    assert_eq!(Snapshot::of(&story.ledger).await, before);
    let from = story.told;
    story.tell(update(0, 1, 9, 2)).await;
    assert_eq!(from + 1, story.told, "the next process goes on");
    let mut tx = story.ledger.read().await.unwrap();
    assert_eq!(tx.window(CHAIN).await.unwrap().len(), 3);
}

/// This test binary again, to run [`victim`] only.
fn spawn(url: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::victim", "--ignored", "--nocapture"])
        .env(VICTIM, url)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test]
#[ignore = "run by another test, which kills it"]
async fn victim() {
    let Ok(url) = std::env::var(VICTIM) else {
        return;
    };
    let ledger = Ledger::open(&url).await.unwrap();
    let mut story = Story::simple(ledger).await;
    story.block(mint_batch(0, 1, 1, &[1, 2, 3]));
    story.told = story.blocks.len();
    let from = story.told;
    story.block(mint_batch(0, 4, 1, &[4, 5, 6, 7]));
    story.block(update(0, 1, 8, 2));
    story.look().await;
    let mut tx = story.ledger.write().await.unwrap();
    tx.commit_blocks(&story.stretch(&story.parts(from))).await.unwrap();
    tx.revert_blocks(CHAIN, 0, false, NOW).await.unwrap();
    let mut out = std::io::stdout();
    writeln!(out, "\n{READY}").unwrap();
    out.flush().unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
}
