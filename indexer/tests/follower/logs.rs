//! Endpoints that leave logs out or invent some: what reaches the ledger is what the chain holds.

use everhold::{
    chain::RpcError,
    watch::{Watch, WatchError},
};
use url::Url;

use crate::{
    anvil::Anvil,
    proxy::{Faults, Proxy},
    setting::{Seen, Setting, once_they_are_back, seen},
    support::database::{Database, Engine},
};

/// A chain on which something happened long ago, and lately.
struct Scene {
    anvil: Anvil,
    setting: Setting,
    expected: Seen,
    /// Blocks of which something is told.
    old: u64,
    new: u64,
}

impl Scene {
    async fn new() -> Self {
        let anvil = Anvil::start().await;
        let collection = anvil.collection().await;
        collection.mint(&[1]).await;
        let token = collection.mint(&[2, 3, 4]).await;
        let old = anvil.head().await;
        collection.update(token, 5).await;
        anvil.mine(300).await;
        collection.mint(&[6, 7]).await;
        let new = anvil.head().await;
        collection.update(token, 8).await;
        anvil.mine(2).await;
        let address = collection.address;
        drop(collection);
        let setting = Setting::of(&[address]).await;
        let expected = setting.fresh(&anvil.url).await;
        Self { anvil, setting, expected, old, new }
    }

    async fn proxy(&self, faults: impl FnOnce(&mut Faults)) -> Proxy {
        let proxy = Proxy::start(&self.anvil.url).await;
        proxy.set(faults);
        proxy
    }

    /// An indexer that begins anew with these endpoints, and its database.
    async fn watch(&self, proxies: &[&Proxy]) -> (Watch, Database) {
        let urls: Vec<Url> = proxies.iter().map(|proxy| proxy.url()).collect();
        let db = Database::fresh(Engine::Sqlite).await;
        (self.setting.start(&db, &urls.iter().collect::<Vec<_>>()).await.unwrap(), db)
    }

    /// Indexes the chain, and gives how often each endpoint was asked in a round after that.
    async fn index(&self, proxies: &[&Proxy], what: &str) -> Vec<u64> {
        let (watch, _db) = self.watch(proxies).await;
        let done = watch.index_once().await;
        done.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(seen(watch.ledger()).await, self.expected, "{what}");
        let asked = || proxies.iter().map(|proxy| proxy.get(|faults| faults.requests));
        let before: Vec<_> = asked().collect();
        watch.index_once().await.unwrap();
        asked().zip(before).map(|(after, before)| after - before).collect()
    }
}

/// What a liar does.
type Lie = fn(&mut Faults, u64);
const LIES: [(&str, Lie); 4] = [
    ("leaves logs out", |faults, block| faults.leaves_out = Some(block..=block)),
    ("leaves all out", |faults, _| faults.leaves_out = Some(0..=u64::MAX)),
    ("invents", |faults, block| faults.invents = Some(block)),
    ("leaves out of ranges alone", |faults, block| {
        faults.leaves_out = Some(block..=block);
        faults.honest_by_hash = true;
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_liar_about_old_blocks_is_unmasked_and_set_aside() {
    let scene = Scene::new().await;
    for (what, lie) in LIES {
        for place in 0..3 {
            let mut proxies = Vec::new();
            for index in 0..3 {
                let is_liar = index == place;
                proxies.push(
                    scene
                        .proxy(|f| {
                            if is_liar {
                                lie(f, scene.old)
                            }
                        })
                        .await,
                );
            }
            let all: Vec<_> = proxies.iter().collect();
            let asked = scene.index(&all, what).await;
            // Two are asked for each range; the third was not asked for the one it lies about.
            if place < 2 {
                assert_eq!(asked[place], 0, "{what}: it is still asked");
            }
            let others = asked.iter().enumerate().filter(|(index, _)| *index != place);
            assert!(others.into_iter().all(|(_, asked)| *asked > 0), "{what}: {asked:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_endpoints_receipts_tell_the_liar() {
    let scene = Scene::new().await;
    for (what, lie) in LIES {
        let liar = scene.proxy(|faults| lie(faults, scene.old)).await;
        // Its receipts may be as false as its logs.
        liar.set(|faults| faults.false_receipts = true);
        let honest = scene.proxy(|_| {}).await;
        let asked = scene.index(&[&liar, &honest], what).await;
        assert_eq!(asked[0], 0, "{what}: it is still asked");
        let one_by_one = scene.proxy(|faults| faults.no_block_receipts = true).await;
        scene.index(&[&one_by_one, &liar], what).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_receipts_nothing_wrong_is_written() {
    let scene = Scene::new().await;
    let liar = scene.proxy(|faults| faults.leaves_out = Some(scene.old..=scene.old)).await;
    let honest = scene.proxy(|_| {}).await;
    for proxy in [&liar, &honest] {
        proxy.set(|faults| faults.no_receipts = true);
    }
    let (watch, _db) = scene.watch(&[&liar, &honest]).await;
    let error = watch.index_once().await.unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, WatchError::Rpc(RpcError::Unproved { number, .. }) if number == scene.old),
        "{text}"
    );
    assert!(text.contains("eth_getBlockReceipts"), "{text}");
    assert!(seen(watch.ledger()).await.snapshot.tokens.is_empty());
    honest.set(|faults| faults.no_receipts = false);
    watch.index_once().await.unwrap();
    assert_eq!(seen(watch.ledger()).await, scene.expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_liar_about_new_blocks_is_unmasked() {
    let scene = Scene::new().await;
    for (what, lie) in LIES {
        for place in 0..2 {
            let liar = scene.proxy(|faults| lie(faults, scene.new)).await;
            let (one, two) = (scene.proxy(|_| {}).await, scene.proxy(|_| {}).await);
            let mut all = vec![&one, &two];
            all.insert(place, &liar);
            scene.index(&all, what).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_endpoint_is_enough_where_every_block_is_proved() {
    let mut scene = Scene::new().await;
    scene.setting.prove_logs = true;
    let honest = scene.proxy(|_| {}).await;
    scene.index(&[&honest], "honest").await;
    // Logs are not asked for, and receipts that are whole prove all of them.
    let lies = scene.proxy(|faults| faults.leaves_out = Some(0..=u64::MAX)).await;
    scene.index(&[&lies], "logs left out").await;
    assert!(lies.get(|faults| faults.searched.is_empty()));
    for block in [scene.old, scene.new] {
        for (what, lie) in LIES {
            let liar = scene.proxy(|faults| lie(faults, block)).await;
            liar.set(|faults| faults.false_receipts = true);
            for one_by_one in [false, true] {
                liar.set(|faults| faults.no_block_receipts = one_by_one);
                let (watch, _db) = scene.watch(&[&liar]).await;
                let error = watch.index_once().await.unwrap_err();
                let is_unproved = matches!(error, WatchError::Rpc(RpcError::Unproved { .. }));
                assert!(is_unproved, "{what}: {error}");
                let told = seen(watch.ledger()).await.indexed[0];
                assert!(told.is_none_or(|told| told < block), "{what}: {told:?}");
            }
        }
    }
    // A header that is not the one its hash says, in the middle of the chain.
    for block in [scene.old, scene.new] {
        let liar = scene.proxy(|faults| faults.empties = Some(block)).await;
        let (watch, _db) = scene.watch(&[&liar]).await;
        let error = watch.index_once().await.unwrap_err();
        assert!(matches!(error, WatchError::Rpc(RpcError::Unproved { .. })), "{error}");
    }
}

/// Blocks come, and are taken back, where every block is proved.
#[tokio::test(flavor = "multi_thread")]
async fn proofs_follow_reorgs() {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let mut setting = Setting::of(&[collection.address]).await;
    setting.prove_logs = true;
    let db = Database::fresh(Engine::Sqlite).await;
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    for round in 0..6_u8 {
        collection.mint(&[round, round + 1]).await;
        anvil.mine(if round == 3 { 700 } else { 5 }).await;
        watch.index_once().await.unwrap();
        anvil.reorg(3).await;
        collection.mint(&[round + 100]).await;
        watch.index_once().await.unwrap();
        setting.prove_logs = false;
        assert_eq!(seen(watch.ledger()).await, setting.fresh(&anvil.url).await, "round {round}");
        setting.prove_logs = true;
    }
}

/// It told its head, and is then restored from an old state: its ranges end there without a word.
#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_falls_behind_while_it_is_read_from_loses_no_logs() {
    let scene = Scene::new().await;
    for behind in [0, scene.old - 1, scene.old, scene.old + 3] {
        let proxy = scene.proxy(|faults| faults.falls_back = Some(behind)).await;
        let (watch, _db) = scene.watch(&[&proxy]).await;
        let error = watch.index_once().await.unwrap_err().to_string();
        assert!(error.contains("does not know block"), "{error}");
        let told = seen(watch.ledger()).await;
        assert_eq!(told.indexed, [None], "behind at {behind}: {told:?}");
        proxy.set(|faults| faults.cap = None);
        once_they_are_back(|| watch.index_once()).await;
        assert_eq!(seen(watch.ledger()).await, scene.expected);
        // Beside others it does no harm.
        proxy.set(|faults| faults.falls_back = Some(behind));
        let (one, two) = (scene.proxy(|_| {}).await, scene.proxy(|_| {}).await);
        scene.index(&[&proxy, &one, &two], "falls behind").await;
    }
}

/// The endpoint names the length it takes: no other is tried, and none twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_length_that_is_named_is_taken_at_once() {
    let scene = Scene::new().await;
    let proxy = scene.proxy(|faults| {
        faults.longest_range = Some(30);
        faults.refusal = Some("eth_getLogs is limited to a 30 block range");
    });
    let proxy = proxy.await;
    scene.index(&[&proxy], "limited").await;
    let searched = proxy.get(|faults| faults.searched.clone());
    let (good, refused): (Vec<_>, Vec<_>) = searched.iter().partition(|(from, to)| to - from < 30);
    // Those that were under way when the first was refused.
    assert!(refused.len() <= 4, "{refused:?}");
    assert!(good.iter().filter(|(from, to)| to - from == 29).count() > 5, "{good:?}");
    let mut unique = searched.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), searched.len(), "a range was asked for twice: {searched:?}");
}
