//! Storms: mints, updates, transfers, burns and reorgs, while endpoints lag, fork, fail and refuse,
//! and the process is killed; afterwards the ledger is that of a fresh index, and of a plain model.
//!
//! Everything follows from a seed but the moments at which tasks take their turns. `make soak`
//! runs many seeds.

mod beyond;
mod calls;
mod chain;
mod endpoint;
mod foreign;
mod model;
mod says;
mod seeds;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use everhold::{config::Span, watch::Watch};
use url::Url;

use self::{
    chain::{COLLECTION, Chain},
    endpoint::{Shared, Trouble, World, serve},
    foreign::{ERC721, ERC1155},
    model::Model,
};
use crate::{
    http::Server,
    setting::{Setting, seen_in},
    support::database::{Database, Engine},
};

/// Deepest reorg, and blocks until one is final.
const DEPTH: u64 = 64;
const ENDPOINTS: usize = 3;
const STEPS: u64 = 30;

/// Numbers from a seed (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`, which is not zero.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// Every other seed is of PostgreSQL.
fn engine(seed: u64) -> Engine {
    if seed.is_multiple_of(2) { Engine::Postgres } else { Engine::Sqlite }
}

#[test]
fn after_any_storm_the_ledger_is_that_of_a_fresh_index() {
    seeds::run("storm", storm);
}

async fn storm(seed: u64) {
    let mut dice = Dice(seed);
    let mut chain = Chain::new();
    chain.silent = dice.below(3) == 0;
    (0..dice.below(300)).for_each(|_| chain.grow(&mut dice));
    let mut setting = Setting::of(&[COLLECTION, ERC721, ERC1155]).await;
    setting.confirmations = DEPTH;
    // Endpoints are tried again as quickly as the storm goes on.
    setting.poll = Span(Duration::from_millis(5));
    if chain.silent {
        setting.recheck_secs = 0;
    }
    let mut world = World::of(chain, &dice);
    world.multicall = dice.below(4) > 0;
    world.by_hash = dice.below(4) > 0;
    // What contracts are is found out in the storm, too.
    world.stormy = true;
    // One endpoint lies from the beginning, about blocks that nobody reads again.
    let liar = dice.below(ENDPOINTS as u64) as usize;
    world.troubles[liar] = match dice.below(3) {
        0 => Trouble::LeavesOut(1 + dice.below(7)),
        1 => Trouble::Invents(1 + dice.below(7)),
        _ => Trouble::None,
    };
    let world: Shared = Arc::new(Mutex::new(world));
    let mut servers = Vec::new();
    for index in 0..ENDPOINTS {
        servers.push(serve(&world, index).await);
    }
    let urls: Vec<&Url> = servers.iter().map(|server: &Server| &server.url).collect();
    let db = Database::fresh(engine(seed)).await;
    let storm = Storm { setting: &setting, db: &db, urls: urls.clone() };
    let mut watch = None;
    round(&storm, &mut watch, &world, &mut dice).await;
    for _ in 0..STEPS {
        happen(&world, &mut dice);
        round(&storm, &mut watch, &world, &mut dice).await;
    }
    drop(watch);
    {
        let mut world = world.lock().unwrap();
        world.calm();
        // One block more than ever was: an endpoint at a known block is only behind.
        (0..=DEPTH).for_each(|_| world.chain.grow(&mut dice));
    }
    let round = setting.round(&db, &urls).await;
    round.unwrap_or_else(|error| panic!("{error}"));
    let found = seen_in(&db).await;
    let chain = world.lock().unwrap().chain.clone();
    assert_eq!(found.halted, 0);
    Model::seen(&found).must_be(&Model::of(&chain));
    assert_eq!(found, setting.fresh(urls[0]).await, "not a fresh index");
    db.discard().await;
}

/// What a process needs.
struct Storm<'a> {
    setting: &'a Setting,
    db: &'a Database,
    urls: Vec<&'a Url>,
}

/// Something happens to the chain, and to at most one endpoint.
fn happen(world: &Shared, dice: &mut Dice) {
    let mut world = world.lock().unwrap();
    world.stormy = dice.below(4) > 0;
    world.longest = if dice.below(3) == 0 { 1 + dice.below(30) } else { u64::MAX };
    let before = world.chain.clone();
    match dice.below(3) {
        0 => {
            let depth = 1 + dice.below(DEPTH);
            let new = 1 + dice.below(depth + 10);
            world.chain.reorg(depth, new, dice);
        }
        _ => (0..dice.below(20)).for_each(|_| world.chain.grow(dice)),
    }
    world.troubles = vec![Trouble::None; ENDPOINTS];
    let ill = dice.below(ENDPOINTS as u64) as usize;
    world.troubles[ill] = match dice.below(10) {
        0 | 1 => Trouble::Lags(1 + dice.below(100)),
        2 => Trouble::Forked(before),
        3 => Trouble::Flickers(1 + dice.below(10)),
        4 => Trouble::LeavesOut(1 + dice.below(5)),
        5 => Trouble::Invents(1 + dice.below(5)),
        6 => Trouble::Busy(1),
        7 => Trouble::Flaps(1 + dice.below(9)),
        _ => Trouble::None,
    };
}

/// The indexer follows, perhaps while the chain goes on, and is perhaps killed in it. What fails is
/// tried again in the next step.
async fn round(storm: &Storm<'_>, watch: &mut Option<Watch>, world: &Shared, dice: &mut Dice) {
    let killed = (dice.below(3) == 0).then(|| Duration::from_millis(dice.below(500)));
    let reorg = (dice.below(3) == 0).then(|| Duration::from_millis(dice.below(200)));
    let reads = dice.below(2) == 0;
    let meanwhile = async {
        if let Some(moment) = reorg {
            tokio::time::sleep(moment).await;
            let depth = 1 + dice.below(DEPTH);
            let new = depth + dice.below(5);
            world.lock().unwrap().chain.reorg(depth, new, dice);
        }
    };
    let working = async {
        if watch.is_none() {
            *watch = storm.setting.start(storm.db, &storm.urls).await.ok();
        }
        match watch {
            Some(watch) if reads => drop(watch.once(false).await),
            Some(watch) => drop(watch.index_once().await),
            None => {}
        }
    };
    let working = async {
        match killed {
            Some(moment) => tokio::time::timeout(moment, working).await.is_err(),
            None => {
                working.await;
                false
            }
        }
    };
    let (is_killed, ()) = tokio::join!(working, meanwhile);
    if is_killed {
        // Its transaction and its connections go with it.
        *watch = None;
    }
}
