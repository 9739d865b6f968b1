//! Storms: mints, updates, transfers, burns and reorgs, while endpoints lag, fork, fail and refuse,
//! and the process is killed; afterwards the ledger is that of a fresh index, and of a plain model.
//!
//! Everything follows from a seed but the moments at which tasks take their turns. `make soak`
//! runs many seeds.

mod beyond;
mod calls;
mod chain;
mod database;
mod endpoint;
mod foreign;
mod leases;
mod model;
mod says;
mod seeds;
mod wire;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use everhold::{
    config::Span,
    watch::{Watch, WatchError},
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use url::Url;

use self::{
    chain::{COLLECTION, Chain},
    database::Fragile,
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
/// How often the database fails under a process that goes on.
const FAILURES: u64 = 4;
/// How often it is looked whether that process is at the head again: for longer than its longest
/// pause. They are counted, since a machine may stop all of it for a minute.
const LOOKS: u32 = 2_400;

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

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len() as u64) as usize]
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
    let storm = Storm { setting: &setting, db: &db, urls, fragile: Fragile::new(&db).await };
    let mut watch = None;
    storm.round(&mut watch, &world, &mut dice).await;
    for _ in 0..STEPS {
        happen(&world, liar, &mut dice);
        storm.round(&mut watch, &world, &mut dice).await;
    }
    world.lock().unwrap().calm();
    let watch = match watch {
        Some(watch) => watch,
        None => storm.start().await.unwrap(),
    };
    storm.endures(&watch, &world, &mut dice).await;
    drop(watch);
    // What URIs named before is watched until the block is final in which another was seen.
    for blocks in [0, DEPTH + 1] {
        world.lock().unwrap().chain.rest(blocks, &mut dice);
        let round = setting.round(&db, &storm.urls).await;
        round.unwrap_or_else(|error| panic!("{error}"));
    }
    let found = seen_in(&db).await;
    let chain = world.lock().unwrap().chain.clone();
    nothing_is_halted(&db).await;
    Model::seen(&found).must_be(&Model::of(&chain));
    assert_eq!(found, setting.fresh(storm.urls[0]).await, "not a fresh index");
    drop(storm);
    db.discard().await;
}

async fn nothing_is_halted(db: &Database) {
    let ledger = db.open().await;
    let collections = ledger.read().await.unwrap().collections().await.unwrap();
    assert!(collections.iter().all(|collection| collection.halted.is_none()));
    ledger.close().await;
}

/// What a process needs.
struct Storm<'a> {
    setting: &'a Setting,
    db: &'a Database,
    urls: Vec<&'a Url>,
    fragile: Fragile,
}

/// Something happens to the chain, and to at most one endpoint. Only one of them ever lies: of two that
/// did so a process knows for a minute and longer.
fn happen(world: &Shared, liar: usize, dice: &mut Dice) {
    let mut world = world.lock().unwrap();
    world.stormy = dice.below(4) > 0;
    world.longest = if dice.below(3) == 0 { 1 + dice.below(30) } else { u64::MAX };
    let before = world.chain.clone();
    world.chain.go_on(dice);
    world.troubles = vec![Trouble::None; ENDPOINTS];
    let ill = dice.below(ENDPOINTS as u64) as usize;
    world.troubles[ill] = match dice.below(10) {
        0 | 1 => Trouble::Lags(1 + dice.below(100)),
        2 => Trouble::Forked(before),
        3 => Trouble::Flickers(1 + dice.below(10)),
        4 if ill == liar => Trouble::LeavesOut(1 + dice.below(5)),
        5 if ill == liar => Trouble::Invents(1 + dice.below(5)),
        6 => Trouble::Busy(1),
        7 => Trouble::Flaps(1 + dice.below(9)),
        _ => Trouble::None,
    };
}

impl Storm<'_> {
    async fn start(&self) -> Result<Watch, WatchError> {
        Watch::start(&self.setting.config(&self.fragile.url(), &self.urls), None).await
    }

    /// The indexer follows, perhaps while the chain goes on or its database fails, and is perhaps
    /// killed in it. What fails is tried again in the next step.
    async fn round(&self, watch: &mut Option<Watch>, world: &Shared, dice: &mut Dice) {
        let killed = (dice.below(3) == 0).then(|| Duration::from_millis(dice.below(500)));
        let reorg = (dice.below(3) == 0).then(|| Duration::from_millis(dice.below(200)));
        let failing = (dice.below(3) == 0).then(|| Dice(dice.next()));
        let reads = dice.below(2) == 0;
        let meanwhile = async {
            if let Some(moment) = reorg {
                sleep(moment).await;
                let depth = 1 + dice.below(DEPTH);
                let new = depth + dice.below(5);
                world.lock().unwrap().chain.reorg(depth, new, dice);
            }
        };
        let database = async {
            if let Some(dice) = failing {
                self.fragile.fails(dice).await;
            }
        };
        let working = async {
            if watch.is_none() {
                *watch = self.start().await.ok();
            }
            match watch {
                Some(watch) if reads => drop(watch.once(false).await),
                Some(watch) => drop(watch.index_once().await),
                None => {}
            }
        };
        let working = async {
            match killed {
                Some(moment) => timeout(moment, working).await.is_err(),
                None => {
                    working.await;
                    false
                }
            }
        };
        let (is_killed, (), ()) = tokio::join!(working, meanwhile, database);
        if is_killed {
            // Its transaction and its connections go with it.
            *watch = None;
        }
    }

    /// One process goes on by itself, whatever its database does.
    async fn endures(&self, watch: &Watch, world: &Shared, dice: &mut Dice) {
        let stop = CancellationToken::new();
        let meanwhile = async {
            for _ in 0..FAILURES {
                let failing = self.fragile.fails(Dice(dice.next()));
                let going_on = async {
                    for _ in 0..3 {
                        world.lock().unwrap().chain.go_on(dice);
                        sleep(Duration::from_millis(dice.below(150))).await;
                    }
                };
                tokio::join!(failing, going_on);
                self.catches_up(world, dice).await;
            }
            stop.cancel();
        };
        let (ended, ()) = tokio::join!(watch.forever(false, &stop), meanwhile);
        ended.unwrap();
    }

    /// The ledger becomes what the chain says, without anybody's doing.
    async fn catches_up(&self, world: &Shared, dice: &mut Dice) {
        let model = {
            let mut world = world.lock().unwrap();
            // One block more than ever was: an endpoint at a known block is only behind.
            (0..=DEPTH).for_each(|_| world.chain.grow(dice));
            Model::of(&world.chain)
        };
        for _ in 0..LOOKS {
            if Model::seen(&seen_in(self.db).await) == model {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        Model::seen(&seen_in(self.db).await).must_be(&model);
    }
}
