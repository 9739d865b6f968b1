//! Reorgs beyond finality, on the chain in memory: what was read beyond them is halted and stays
//! as it was, the rest goes on, and what is read again is that of a fresh index.

use std::sync::{Arc, Mutex};

use alloy::primitives::{Address, U256};
use everhold::{
    chain::RpcError,
    ledger::Collection,
    watch::{WatchError, reindex},
};
use url::Url;

use super::{
    DEPTH, Dice, ENDPOINTS,
    chain::{COLLECTION, Chain, TWIN},
    endpoint::{Shared, Trouble, World, serve},
    engine, happen, seeds,
};
use crate::{
    http::Server,
    setting::{Setting, once_they_are_back, seen_in},
    support::{
        database::{Database, Engine},
        snapshot::{Snapshot, TokenShape},
    },
};

/// A chain of so many blocks and its endpoints.
async fn world(blocks: u64, dice: &mut Dice) -> (Shared, Vec<Server>) {
    let mut chain = Chain::new();
    (1..blocks).for_each(|_| chain.grow(dice));
    let world = Arc::new(Mutex::new(World::of(chain, dice)));
    let mut servers = Vec::new();
    for index in 0..ENDPOINTS {
        servers.push(serve(&world, index).await);
    }
    (world, servers)
}

async fn setting(addresses: &[Address]) -> Setting {
    let mut setting = Setting::of(addresses).await;
    setting.confirmations = DEPTH;
    setting
}

/// What the model says that a collection has.
fn model(world: &Shared) -> Vec<(U256, TokenShape)> {
    let world = world.lock().unwrap();
    let tokens = world.chain.head().tokens.iter();
    tokens.map(|(id, shape)| (U256::from(*id), shape.clone())).collect()
}

fn tokens_of(snapshot: &Snapshot, address: Address) -> Vec<(U256, TokenShape)> {
    let tokens = snapshot.tokens.clone().into_iter().filter(|((of, _), _)| *of == address);
    tokens.map(|((_, id), shape)| (id, shape)).collect()
}

async fn collection(db: &Database, address: Address) -> Collection {
    let ledger = db.open().await;
    let all = ledger.read().await.unwrap().collections().await.unwrap();
    ledger.close().await;
    all.into_iter().find(|known| known.address == address).unwrap()
}

#[test]
fn a_reorg_beyond_finality_halts_what_it_touched_and_nothing_else() {
    seeds::run("beyond finality", beyond);
}

async fn beyond(seed: u64) {
    let mut dice = Dice(seed);
    let (world, servers) = world(150, &mut dice).await;
    let urls: Vec<&Url> = servers.iter().map(|server| &server.url).collect();
    let db = Database::fresh(engine(seed)).await;
    // The twin is read a part of the way, the other to the head.
    setting(&[TWIN]).await.index(&db, &urls).await.unwrap();
    grow(&world, 150, &mut dice);
    setting(&[COLLECTION]).await.index(&db, &urls).await.unwrap();
    let before = seen_in(&db).await;

    // Within the window or below it, but beyond finality; the twin stands below that.
    let above = 150 + dice.below(85);
    let new = 160 + dice.below(60);
    world.lock().unwrap().chain.rewrite(above, new, &mut dice);
    let both = setting(&[TWIN, COLLECTION]).await;
    let round = both.index(&db, &urls).await.unwrap();
    assert_eq!((round.halted, round.reorgs), (1, 0));
    let halted = collection(&db, COLLECTION).await;
    assert!(halted.halted.is_some() && halted.indexed_block == Some(299));
    let now = seen_in(&db).await.snapshot;
    let untouched = tokens_of(&before.snapshot, COLLECTION);
    assert_eq!(tokens_of(&now, COLLECTION), untouched);
    assert_eq!(tokens_of(&now, TWIN), model(&world), "the twin goes on");

    // It stays so through whatever comes then, and errs in no round.
    for _ in 0..3 {
        happen(&world, 0, &mut dice);
        {
            let mut world = world.lock().unwrap();
            (world.stormy, world.longest) = (false, u64::MAX);
        }
        let round = both.index(&db, &urls).await.unwrap();
        assert_eq!(round.halted, 0);
    }
    calm(&world, &mut dice);
    both.index(&db, &urls).await.unwrap();
    let now = seen_in(&db).await.snapshot;
    assert_eq!(tokens_of(&now, COLLECTION), untouched);
    assert_eq!(tokens_of(&now, TWIN), model(&world));

    let config = both.config(&db.url, &urls);
    let ledger = db.open().await;
    let done = reindex(&ledger, &config, COLLECTION, None).await.unwrap();
    assert!(done.incident.is_some());
    ledger.close().await;
    let round = both.index(&db, &urls).await.unwrap();
    assert_eq!(round.halted, 0);
    let now = seen_in(&db).await;
    assert_eq!(now, both.fresh(urls[0]).await, "not a fresh index");
    assert_eq!(tokens_of(&now.snapshot, COLLECTION), model(&world));
    assert!(!collection(&db, COLLECTION).await.rereading);
    db.discard().await;
}

fn grow(world: &Shared, blocks: u64, dice: &mut Dice) {
    let mut world = world.lock().unwrap();
    (0..blocks).for_each(|_| world.chain.grow(dice));
}

/// No more trouble, and one block more than ever was.
fn calm(world: &Shared, dice: &mut Dice) {
    world.lock().unwrap().troubles = vec![Trouble::None; ENDPOINTS];
    grow(world, DEPTH + 1, dice);
}

/// Below all that was ever read, and all of it: everything is halted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_that_begins_anew_behind_its_first_block_halts_everything() {
    let mut dice = Dice(7);
    let (world, servers) = world(300, &mut dice).await;
    let urls: Vec<&Url> = servers.iter().map(|server| &server.url).collect();
    let db = Database::fresh(Engine::Sqlite).await;
    let both = setting(&[TWIN, COLLECTION]).await;
    both.index(&db, &urls).await.unwrap();
    world.lock().unwrap().chain.rewrite(1, 350, &mut dice);
    let round = both.index(&db, &urls).await.unwrap();
    assert_eq!(round.halted, 2);
    let halted = collection(&db, TWIN).await;
    assert_eq!(halted.halted.unwrap().shared, None);
    // One that comes then is read, and has a window of its own.
    let config = both.config(&db.url, &urls);
    let ledger = db.open().await;
    reindex(&ledger, &config, TWIN, None).await.unwrap();
    ledger.close().await;
    both.index(&db, &urls).await.unwrap();
    let reorg = |depth| world.lock().unwrap().chain.reorg(depth, depth + 3, &mut dice.clone());
    reorg(DEPTH);
    let round = both.index(&db, &urls).await.unwrap();
    assert_eq!((round.reorgs, round.halted), (1, 0));
    assert_eq!(tokens_of(&seen_in(&db).await.snapshot, TWIN), model(&world));
}

/// Two of three are silent, and the third is on a chain that the others have left: what answers is
/// of one mind, and yet nothing is halted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minority_halts_nothing_even_if_nobody_else_answers() {
    let mut dice = Dice(11);
    let (world, servers) = world(300, &mut dice).await;
    let urls: Vec<&Url> = servers.iter().map(|server| &server.url).collect();
    let db = Database::fresh(Engine::Sqlite).await;
    let setting = setting(&[COLLECTION]).await;
    let watch = setting.start(&db, &urls).await.unwrap();
    watch.index_once().await.unwrap();
    let before = seen_in(&db).await;
    for (above, new) in [(200, 150), (100, 250), (20, 400)] {
        let mut forked = world.lock().unwrap().chain.clone();
        forked.rewrite(above, new, &mut dice);
        let alone = [Trouble::Down, Trouble::Down, Trouble::Forked(forked.clone())];
        world.lock().unwrap().troubles = alone.to_vec();
        let refused = watch.index_once().await.unwrap_err();
        assert!(matches!(refused, WatchError::Rpc(RpcError::TooFew { .. })), "{refused}");
        // One that answers is not enough, either.
        let two = [Trouble::None, Trouble::Down, Trouble::Forked(forked)];
        world.lock().unwrap().troubles = two.to_vec();
        watch.index_once().await.unwrap_err();
        assert_eq!(seen_in(&db).await, before);
    }
    world.lock().unwrap().troubles = vec![Trouble::None; ENDPOINTS];
    let round = once_they_are_back(|| watch.index_once()).await;
    assert_eq!((round.halted, round.reorgs), (0, 0));
    assert_eq!(seen_in(&db).await, before);
}

/// Two processes see it at once, and halt it once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_halt_a_collection_once() {
    let mut dice = Dice(13);
    let (world, servers) = world(300, &mut dice).await;
    let urls: Vec<&Url> = servers.iter().map(|server| &server.url).collect();
    let db = Database::fresh(Engine::Postgres).await;
    let mut setting = setting(&[COLLECTION]).await;
    setting.webhooks = vec!["http://127.0.0.1:1/hook".parse().unwrap()];
    let one = setting.start(&db, &urls).await.unwrap();
    let other = setting.start(&db, &urls).await.unwrap();
    one.index_once().await.unwrap();
    world.lock().unwrap().chain.rewrite(200, 150, &mut dice);
    let rounds = tokio::join!(one.index_once(), other.index_once());
    assert_eq!(rounds.0.unwrap().halted + rounds.1.unwrap().halted, 1);
    let mut tx = one.ledger().read().await.unwrap();
    assert_eq!(tx.incidents(0).await.unwrap().len(), 1);
    assert_eq!(tx.outbox().await.unwrap()[0].waiting, 1);
}
