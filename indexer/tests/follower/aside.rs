//! Endpoints that fail are set aside: they hold nobody up, are left alone for as long as they want,
//! and nothing is taken back on the word of those that remain.

use std::time::{Duration, Instant};

use everhold::{
    chain::RpcError,
    watch::{Watch, WatchError},
};
use url::Url;

use crate::{
    anvil::{Anvil, Collection},
    proxy::Proxy,
    setting::{Setting, seen},
    support::database::{Database, Engine},
};

/// A chain, so many endpoints in front of it, and an indexer that asks them.
struct Scene<'a> {
    anvil: &'a Anvil,
    collection: Collection<'a>,
    setting: Setting,
    proxies: Vec<Proxy>,
    watch: Watch,
    _db: Database,
}

impl<'a> Scene<'a> {
    async fn of(anvil: &'a Anvil, endpoints: usize) -> Self {
        let collection = anvil.collection().await;
        let setting = Setting::of(&[collection.address]).await;
        let mut proxies = Vec::new();
        for _ in 0..endpoints {
            proxies.push(Proxy::start(&anvil.url).await);
        }
        collection.mint(&[1, 2]).await;
        anvil.mine(20).await;
        let urls: Vec<Url> = proxies.iter().map(Proxy::url).collect();
        let db = Database::fresh(Engine::Sqlite).await;
        let watch = setting.start(&db, &urls.iter().collect::<Vec<_>>()).await.unwrap();
        watch.index_once().await.unwrap();
        Self { anvil, collection, setting, proxies, watch, _db: db }
    }

    /// What it takes to follow one more block.
    async fn round(&self, content: u8) -> Duration {
        self.collection.mint(&[content]).await;
        let begun = Instant::now();
        self.watch.index_once().await.unwrap();
        let took = begun.elapsed();
        self.assert_fresh().await;
        took
    }

    async fn assert_fresh(&self) {
        let fresh = self.setting.fresh(&self.anvil.url).await;
        assert_eq!(seen(self.watch.ledger()).await, fresh);
    }

    fn requests(&self, index: usize) -> u64 {
        self.proxies[index].get(|faults| faults.requests)
    }

    /// Until the endpoint is asked again, and well.
    async fn until_asked(&self, index: usize) {
        let before = self.requests(index);
        for _ in 0..100 {
            let _ = self.watch.index_once().await;
            // Its trial, and then a round.
            if self.requests(index) > before + 2 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it is not asked again");
    }
}

fn rpc_error(error: WatchError) -> RpcError {
    match error {
        WatchError::Rpc(error) => error,
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_endpoint_holds_the_others_up_once_and_briefly() {
    let anvil = Anvil::start().await;
    let scene = Scene::of(&anvil, 3).await;
    scene.proxies[0].set(|faults| faults.silent = true);
    let first = scene.round(3).await;
    assert!(first > Duration::from_millis(900), "it got a grace: {first:?}");
    assert!(first < Duration::from_secs(5), "the others had answered: {first:?}");
    for content in 4..9 {
        let took = scene.round(content).await;
        assert!(took < Duration::from_millis(900), "it is known to be silent: {took:?}");
    }
    scene.proxies[0].set(|faults| faults.silent = false);
    // The trial that is under way has patience.
    tokio::time::sleep(Duration::from_secs(11)).await;
    scene.until_asked(0).await;
    scene.round(9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_endpoint_is_left_alone_for_as_long_as_it_wants() {
    let anvil = Anvil::start().await;
    let scene = Scene::of(&anvil, 3).await;
    scene.proxies[1].set(|faults| faults.busy = Some(3));
    let begun = Instant::now();
    scene.round(3).await;
    let asked = scene.requests(1);
    scene.round(4).await;
    while begun.elapsed() < Duration::from_millis(2700) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        scene.watch.index_once().await.unwrap();
    }
    assert_eq!(scene.requests(1), asked, "it was asked too early");
    scene.proxies[1].set(|faults| faults.busy = None);
    scene.until_asked(1).await;
    scene.round(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_busy_endpoint_is_left_alone_too() {
    let anvil = Anvil::start().await;
    let scene = Scene::of(&anvil, 1).await;
    scene.collection.mint(&[3]).await;
    scene.proxies[0].set(|faults| (faults.busy, faults.busy_times) = (Some(2), Some(1)));
    let (asked, begun) = (scene.requests(0), Instant::now());
    let left_alone = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(scene.requests(0), asked + 1, "it was asked too early");
    };
    // A round that ends waits for it.
    let (done, ()) = tokio::join!(scene.watch.index_once(), left_alone);
    assert!(done.unwrap().events > 0 && begun.elapsed() >= Duration::from_secs(2));
    scene.assert_fresh().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_endpoint_that_is_busy_for_long_is_not_waited_for() {
    let anvil = Anvil::start().await;
    let scene = Scene::of(&anvil, 1).await;
    scene.proxies[0].set(|faults| (faults.busy, faults.busy_times) = (Some(31), Some(1)));
    let begun = Instant::now();
    scene.watch.index_once().await.unwrap_err();
    let asked = scene.requests(0);
    let error = scene.watch.index_once().await.unwrap_err().to_string();
    assert!(error.contains("429") && error.contains("(until 2"), "{error}");
    assert!(error.contains(scene.proxies[0].url().host_str().unwrap()), "{error}");
    assert_eq!(scene.requests(0), asked);
    assert!(begun.elapsed() < Duration::from_secs(5), "it would be more than half a minute");
}

/// Of three, two were asked too often: then there are too few for a while.
#[tokio::test(flavor = "multi_thread")]
async fn busy_endpoints_without_which_there_are_too_few_are_waited_for() {
    let anvil = Anvil::start().await;
    let scene = Scene::of(&anvil, 3).await;
    for (proxy, seconds) in [(0, 1), (2, 60)] {
        scene.proxies[proxy]
            .set(|faults| (faults.busy, faults.busy_times) = (Some(seconds), Some(1)));
    }
    assert!(scene.round(3).await >= Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_three_endpoints_two_must_answer() {
    let anvil = Anvil::start().await;
    let scene = Scene::of(&anvil, 3).await;
    for down in 0..3_usize {
        scene.proxies[down].set(|faults| faults.down = true);
        scene.round(10 + down as u8).await;
        scene.proxies[down].set(|faults| faults.down = false);
        scene.until_asked(down).await;
    }
    let before = seen(scene.watch.ledger()).await;
    scene.collection.mint(&[20]).await;
    scene.proxies[0].set(|faults| faults.down = true);
    scene.proxies[2].set(|faults| faults.down = true);
    let error = scene.watch.index_once().await.unwrap_err();
    let text = error.to_string();
    let error = rpc_error(error);
    assert!(matches!(error, RpcError::TooFew { have: 1, need: 2, configured: 3, .. }), "{text}");
    for index in [0, 2] {
        let url = scene.proxies[index].url();
        assert!(text.contains(&format!("127.0.0.1:{}", url.port().unwrap())), "{text}");
    }
    assert_eq!(seen(scene.watch.ledger()).await, before);
    scene.proxies.iter().for_each(|proxy| proxy.set(|faults| faults.down = false));
    scene.until_asked(0).await;
    scene.until_asked(2).await;
    scene.round(21).await;
}

/// The others would contradict it.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_back_on_one_endpoints_word() {
    for endpoints in [2, 3] {
        let anvil = Anvil::start().await;
        let scene = Scene::of(&anvil, endpoints).await;
        scene.round(3).await;
        let before = seen(scene.watch.ledger()).await;
        let silent = &scene.proxies[1..];
        silent.iter().for_each(|proxy| proxy.set(|faults| faults.down = true));
        anvil.reorg(3).await;
        scene.collection.mint(&[4]).await;
        for _ in 0..3 {
            let error = rpc_error(scene.watch.index_once().await.unwrap_err());
            let is_right = match error {
                RpcError::Unconfirmed { .. } => endpoints == 2,
                RpcError::TooFew { .. } => endpoints == 3,
                _ => false,
            };
            assert!(is_right, "of {endpoints}: {error}");
            assert_eq!(seen(scene.watch.ledger()).await, before);
        }
        silent.iter().for_each(|proxy| proxy.set(|faults| faults.down = false));
        scene.until_asked(1).await;
        let _ = scene.watch.index_once().await.unwrap();
        scene.assert_fresh().await;
    }
}

/// A second endpoint is a spare.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_endpoints_one_may_be_down() {
    let anvil = Anvil::start().await;
    let scene = Scene::of(&anvil, 2).await;
    for round in 0..6_u8 {
        // It comes and goes.
        scene.proxies[1].set(|faults| faults.down = round % 2 == 0);
        scene.round(3 + round).await;
    }
}
