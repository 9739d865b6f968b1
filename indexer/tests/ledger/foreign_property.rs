//! Whatever contracts of others log, and whenever their URIs are read: once all of them are, the
//! ledger is that of who only saw the end.

use everhold::ledger::Ledger;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use crate::{
    foreign::{look, names},
    foreign_model::{Action, Kind, Model, STANDARDS},
    story::{NOW, Story, new_foreign, set_nodes, take_all},
    support::{
        database::{Database, Engine},
        snapshot::Snapshot,
    },
};

#[derive(Clone, Debug)]
enum Step {
    /// New blocks, committed together.
    Grow(Vec<Vec<Action>>),
    /// A reorg of at most this depth.
    Revert(u8),
    /// URIs that are due are read.
    Look,
}

fn action() -> impl Strategy<Value = Action> {
    let kind = prop_oneof![
        4 => Just(Kind::Give),
        2 => Just(Kind::Many),
        3 => Just(Kind::Burn),
        3 => Just(Kind::Change),
    ];
    let parts = (kind, 0..2_usize, 0..4_u64, 0..4_u64, 0..4_u8, 0..5_u8);
    parts.prop_map(|(kind, collection, token, amount, person, content)| Action {
        collection,
        token,
        amount,
        person,
        content,
        kind,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let block = prop::collection::vec(action(), 0..4);
    prop_oneof![
        5 => prop::collection::vec(block, 1..4).prop_map(Step::Grow),
        3 => (1..6_u8).prop_map(Step::Revert),
        3 => Just(Step::Look),
    ]
}

async fn begin(database: &Database) -> Story {
    let ledger = database.open().await;
    set_nodes(&ledger, &["http://one"]).await;
    let new = [0, 1].map(|index| new_foreign(index, STANDARDS[index]));
    Story::begin_with(ledger, &new).await
}

/// The tokens, without what their URIs led to.
async fn bare(ledger: &Ledger) -> Snapshot {
    let mut snapshot = Snapshot::of(ledger).await;
    snapshot.wanted.clear();
    snapshot.tokens.values_mut().for_each(|token| token.content = None);
    snapshot
}

async fn look_at(story: &Story, model: &Model) {
    look(story, NOW, |collection, token| names(model.now().uri(collection, token))).await;
}

async fn check(engine: Engine, steps: Vec<Step>, batch: usize) {
    let (one, other) = (Database::fresh(engine).await, Database::fresh(engine).await);
    let mut story = begin(&one).await;
    let mut model = Model::new();
    for step in &steps {
        match step {
            Step::Grow(blocks) => {
                for actions in blocks {
                    let said = model.block(actions, story.next());
                    story.block(said);
                }
                story.commit().await;
            }
            Step::Revert(depth) => {
                let ancestor = story.head().saturating_sub(u64::from(*depth));
                model.revert(ancestor);
                story.revert(ancestor).await;
            }
            Step::Look => look_at(&story, &model).await,
        }
        assert_eq!(bare(&story.ledger).await, model.now().snapshot(false), "after {step:?}");
    }
    // A reorg leaves the checkpoint at a block that is there; the next one is read at.
    model.block(&[], story.next());
    story.tell(vec![]).await;
    look_at(&story, &model).await;
    // What was named before is wanted until that is final.
    story.finalized = Some(story.head());
    model.block(&[], story.next());
    story.tell(vec![]).await;
    let expected = model.now().snapshot(true);
    assert_eq!(Snapshot::of(&story.ledger).await, expected, "once all is read");
    let mut fresh = begin(&other).await;
    for blocks in story.blocks[1..].chunks(batch) {
        fresh.blocks.extend_from_slice(blocks);
        fresh.commit().await;
    }
    look_at(&fresh, &model).await;
    assert_eq!(Snapshot::of(&fresh.ledger).await, expected, "a fresh ledger");
    let due = |probes: Vec<everhold::ledger::DueProbe>| {
        let mut ids: Vec<_> = probes.into_iter().map(|probe| probe.id).collect();
        ids.sort();
        ids
    };
    let wanted: Vec<_> = expected.wanted.into_iter().collect();
    assert_eq!(due(take_all(&story.ledger, NOW).await), wanted);
    assert_eq!(due(take_all(&fresh.ledger, NOW).await), wanted);
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
    let case = (prop::collection::vec(step(), 1..14), 1..6_usize);
    let outcome = runner.run(&case, |(steps, batch)| {
        runtime.block_on(check(engine, steps, batch));
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
    run(Engine::Postgres, 32);
}

/// It meant something else in between, which nobody read; then a reorg brings that back.
async fn reads_again_what_meant_the_same_again(engine: Engine) {
    let action = |kind, content| {
        let (collection, token, amount, person) = (0, 1, 0, 1);
        vec![Action { collection, token, amount, person, content, kind }]
    };
    let steps = vec![
        Step::Grow(vec![action(Kind::Change, 1), action(Kind::Give, 0)]),
        Step::Look,
        Step::Grow(vec![action(Kind::Change, 2), action(Kind::Change, 1)]),
        Step::Look,
        Step::Revert(1),
    ];
    check(engine, steps, 1).await;
}

#[tokio::test]
async fn reads_again_what_meant_the_same_again_on_sqlite() {
    reads_again_what_meant_the_same_again(Engine::Sqlite).await;
}

#[tokio::test]
async fn reads_again_what_meant_the_same_again_on_postgres() {
    reads_again_what_meant_the_same_again(Engine::Postgres).await;
}

/// A token ends, a reorg brings it back, and it ends in a lower block before its URI was read again.
async fn ends_before_it_was_read_again(engine: Engine) {
    let action = |kind, person| {
        let (collection, token, amount, content) = (0, 3, 0, 0);
        vec![Action { collection, token, amount, person, content, kind }]
    };
    let steps = vec![
        Step::Grow(vec![action(Kind::Give, 1), vec![]]),
        Step::Look,
        Step::Grow(vec![vec![], vec![]]),
        Step::Grow(vec![vec![], action(Kind::Burn, 0)]),
        Step::Revert(3),
        Step::Grow(vec![action(Kind::Burn, 0)]),
    ];
    check(engine, steps, 1).await;
}

#[tokio::test]
async fn ends_before_it_was_read_again_on_sqlite() {
    ends_before_it_was_read_again(Engine::Sqlite).await;
}

#[tokio::test]
async fn ends_before_it_was_read_again_on_postgres() {
    ends_before_it_was_read_again(Engine::Postgres).await;
}
