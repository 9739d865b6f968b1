//! Whatever a chain does and however it is told, the ledger ends as if it had only seen the end.

use std::collections::BTreeSet;

use everhold::{content::ContentId, ledger::Ledger};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use crate::{
    model::{Action, CODECS, Kind, Model, document, named},
    story::{NOW, Story, row_of, set_nodes, take_all},
    support::{
        database::{Database, Engine},
        snapshot::Snapshot,
    },
};

/// One thing that happens to the chain or is done with the ledger.
#[derive(Clone, Debug)]
enum Step {
    /// New blocks, committed together; the block this far below the head is final.
    Grow { blocks: Vec<Vec<Action>>, lag: u8 },
    /// A reorg of at most this depth; it never goes below what is final.
    Revert { depth: u8 },
    /// The last blocks are committed once more.
    Again { depth: u8 },
    /// A probe brings a document's bytes, maybe late.
    Read { collection: usize, content: u8 },
}

#[derive(Clone, Debug)]
struct Case {
    keep_history: bool,
    steps: Vec<Step>,
    /// Blocks a transaction, for the ledger that only sees the end.
    batch: usize,
}

fn action() -> impl Strategy<Value = Action> {
    let kind = prop_oneof![
        4 => Just(Kind::Mint),
        2 => Just(Kind::Give),
        5 => Just(Kind::Update),
        1 => Just(Kind::Freeze),
        2 => Just(Kind::Burn),
    ];
    let parts = (kind, 0..2_usize, 0..3_u64, 1..4_u8, 0..5_u8);
    parts.prop_map(|(kind, collection, token, person, content)| Action {
        kind,
        collection,
        token,
        person,
        content,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let block = prop::collection::vec(action(), 0..4);
    prop_oneof![
        5 => (prop::collection::vec(block, 1..4), 0..8_u8)
            .prop_map(|(blocks, lag)| Step::Grow { blocks, lag }),
        3 => (1..7_u8).prop_map(|depth| Step::Revert { depth }),
        1 => (0..5_u8).prop_map(|depth| Step::Again { depth }),
        2 => (0..2_usize, 0..5_u8)
            .prop_map(|(collection, content)| Step::Read { collection, content }),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let parts = (any::<bool>(), prop::collection::vec(step(), 1..14), 1..6_usize);
    parts.prop_map(|(keep_history, steps, batch)| Case { keep_history, steps, batch })
}

const NODES: [&str; 2] = ["http://one", "http://two"];

async fn begin(database: &Database, keep_history: bool) -> Story {
    let ledger = database.open().await;
    set_nodes(&ledger, &NODES).await;
    let mut story = Story::begin(ledger, &CODECS).await;
    story.keep_history = keep_history;
    story
}

async fn read(ledger: &Ledger, collection: usize, content: u8) {
    let row = row_of(ledger, named(collection, content)).await;
    let mut tx = ledger.write().await.unwrap();
    tx.record_metadata(row, &Ok(document(content)), NOW).await.unwrap();
    tx.commit().await.unwrap();
}

async fn take(step: &Step, story: &mut Story, model: &mut Model) {
    match step {
        Step::Grow { blocks, lag } => {
            for actions in blocks {
                let said = model.block(actions, story.next());
                story.block(said);
            }
            story.finalized = story.head().checked_sub(u64::from(*lag));
            model.finalize(story.finalized);
            story.commit().await;
        }
        Step::Revert { depth } => {
            let lowest = model.finalized.unwrap_or(0);
            let ancestor = story.head().saturating_sub(u64::from(*depth)).max(lowest);
            model.revert(ancestor);
            story.revert(ancestor).await;
        }
        Step::Again { depth } => {
            let from = story.blocks.len().saturating_sub(usize::from(*depth)).max(1);
            if from < story.blocks.len() {
                story.commit_from(from).await.unwrap();
            }
        }
        Step::Read { collection, content } => {
            model.read.insert((*collection, *content));
            read(&story.ledger, *collection, *content).await;
        }
    }
}

/// A ledger that sees the final chain only.
async fn fresh(database: &Database, seen: &Story, model: &Model, batch: usize) -> Story {
    let mut story = begin(database, model.keep_history).await;
    for block in seen.blocks.chunks(batch) {
        story.blocks.truncate(story.told.max(1));
        let from = story.told;
        if from == 0 {
            story.blocks.clear();
        }
        story.blocks.extend_from_slice(block);
        story.finalized = model.finalized.map(|last| last.min(story.head()));
        story.commit_from(from).await.unwrap();
    }
    for (collection, content) in &model.read {
        read(&story.ledger, *collection, *content).await;
    }
    story
}

/// What is due, by content and node: exactly what is wanted, on every node.
async fn check_due(ledger: &Ledger, wanted: &BTreeSet<ContentId>) {
    let due = take_all(ledger, NOW).await;
    let taken: BTreeSet<_> = due.iter().map(|probe| (probe.id, probe.node)).collect();
    assert_eq!(taken.len(), due.len(), "a probe was given twice");
    assert_eq!(due.len(), wanted.len() * NODES.len());
    assert!(due.iter().all(|probe| wanted.contains(&probe.id)));
}

async fn check(engine: Engine, case: Case) {
    let (one, other) = (Database::fresh(engine).await, Database::fresh(engine).await);
    let mut story = begin(&one, case.keep_history).await;
    let mut model = Model::new(case.keep_history);
    for step in &case.steps {
        take(step, &mut story, &mut model).await;
        assert_eq!(Snapshot::of(&story.ledger).await, model.snapshot(), "after {step:?}");
    }
    let expected = model.snapshot();
    let fresh = fresh(&other, &story, &model, case.batch).await;
    assert_eq!(Snapshot::of(&fresh.ledger).await, expected, "a fresh ledger");
    check_due(&story.ledger, &expected.wanted).await;
    check_due(&fresh.ledger, &expected.wanted).await;
    story.ledger.close().await;
    fresh.ledger.close().await;
    one.discard().await;
    other.discard().await;
}

/// Runs the property on random cases: as many as `PROPTEST_CASES` says, or `cases`.
fn run(engine: Engine, cases: u32) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cases = std::env::var("PROPTEST_CASES").map_or(cases, |text| text.parse().unwrap());
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 400,
        ..Config::default()
    });
    let outcome = runner.run(&case(), |case| {
        runtime.block_on(check(engine, case));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn ends_as_if_it_had_only_seen_the_end_on_sqlite() {
    run(Engine::Sqlite, 64);
}

#[test]
fn ends_as_if_it_had_only_seen_the_end_on_postgres() {
    run(Engine::Postgres, 48);
}
