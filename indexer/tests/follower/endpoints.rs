//! RPC endpoints that lag, lie, fail and fall silent: nothing is reverted or missed for it.

use everhold::watch::WatchError;

use crate::{
    anvil::Anvil,
    proxy::Proxy,
    setting::{Seen, Setting, seen, seen_in},
    support::database::{Database, Engine},
};

async fn database() -> Database {
    Database::fresh(Engine::Sqlite).await
}

/// An indexer that asks an endpoint so many blocks behind, and another that is up to date.
async fn beside_a_lagging_endpoint(behind: u64) -> (Seen, u64) {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let setting = Setting::of(&[collection.address]).await;
    let lagging = Proxy::start(&anvil.url).await;
    let db = database().await;
    let urls = [&lagging.url(), &anvil.url];
    let watch = setting.start(&db, &urls).await.unwrap();
    anvil.mine(150).await;
    let mut highest = Seen::default();
    let mut reorgs = 0;
    for round in 0..12_u8 {
        collection.mint(&[round]).await;
        anvil.mine(3).await;
        // It falls back, catches up and falls back again.
        let cap = anvil.head().await - if round % 3 == 2 { 0 } else { behind };
        lagging.set(|faults| faults.cap = Some(cap));
        reorgs += watch.once(false).await.unwrap().reorgs;
        let now = seen(watch.ledger()).await;
        assert!(now.indexed >= highest.indexed, "the head went back");
        assert!(now.snapshot.tokens.len() >= highest.snapshot.tokens.len());
        highest = now;
    }
    assert_eq!(highest, setting.fresh(&anvil.url).await);
    (highest, reorgs)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_lags_takes_nothing_back() {
    let (seen, reorgs) = beside_a_lagging_endpoint(20).await;
    assert_eq!(reorgs, 0);
    assert_eq!(seen.snapshot.tokens.len(), 12);
}

/// Further behind than the window is long: a node that was restored from an old snapshot.
#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_lags_far_behind_is_not_taken_for_a_reorg() {
    let (_, reorgs) = beside_a_lagging_endpoint(140).await;
    assert_eq!(reorgs, 0);
}

/// A provider with many machines, of which some are a little behind: each request may meet
/// another. A round may fail for it, but takes nothing back and misses nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_of_several_machines_takes_nothing_back() {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let setting = Setting::of(&[collection.address]).await;
    let proxy = Proxy::start(&anvil.url).await;
    let db = database().await;
    let watch = setting.start(&db, &[&proxy.url()]).await.unwrap();
    anvil.mine(20).await;
    let mut reorgs = 0;
    for round in 0..30_u8 {
        collection.mint(&[round]).await;
        let behind = u64::from(round % 3) + 1;
        let head = anvil.head().await;
        proxy.set(|faults| faults.flickers = Some(head - behind));
        match watch.once(false).await {
            Ok(done) => reorgs += done.reorgs,
            Err(error) => assert!(matches!(error, WatchError::Rpc(_)), "{error}"),
        }
    }
    proxy.set(|faults| faults.flickers = None);
    watch.once(false).await.unwrap();
    assert_eq!(seen(watch.ledger()).await, setting.fresh(&anvil.url).await);
    assert_eq!(reorgs, 0, "there was none");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_three_endpoints_the_liar_is_outvoted_wherever_it_stands() {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let setting = Setting::of(&[collection.address]).await;
    let liar = Proxy::start(&anvil.url).await;
    let honest = Proxy::start(&anvil.url).await;
    anvil.mine(10).await;
    let (a, b, c) = (anvil.url.clone(), honest.url(), liar.url());
    for order in [[&a, &b, &c], [&a, &c, &b], [&c, &a, &b]] {
        for lies_from in [0, 1, anvil.head().await, anvil.head().await + 2] {
            liar.set(|faults| faults.lies_from = Some(lies_from));
            let db = database().await;
            let watch = setting.start(&db, &order).await.unwrap();
            watch.once(false).await.unwrap();
            collection.mint(&[1, 2]).await;
            anvil.mine(3).await;
            let round = watch.once(false).await.unwrap();
            assert_eq!(round.reorgs, 0, "lies from {lies_from} in {order:?}");
            let fresh = setting.fresh(&anvil.url).await;
            assert_eq!(seen(watch.ledger()).await, fresh);
            drop(watch);
            let honest_only = setting.round(&db, &[&a]).await;
            honest_only.unwrap_or_else(|error| panic!("lies from {lies_from}: {error}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_endpoints_that_disagree_neither_is_believed() {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let setting = Setting::of(&[collection.address]).await;
    let liar = Proxy::start(&anvil.url).await;
    let db = database().await;
    let watch = setting.start(&db, &[&liar.url(), &anvil.url]).await.unwrap();
    watch.once(false).await.unwrap();
    let before = seen(watch.ledger()).await;
    collection.mint(&[1]).await;
    liar.set(|faults| faults.lies_from = Some(1));
    assert!(watch.once(false).await.is_err());
    assert_eq!(seen(watch.ledger()).await, before);
    liar.set(|faults| faults.lies_from = None);
    watch.once(false).await.unwrap();
    assert_eq!(seen(watch.ledger()).await, setting.fresh(&anvil.url).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_refuses_long_ranges_is_asked_for_short_ones() {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let setting = Setting::of(&[collection.address]).await;
    for round in 0..8 {
        collection.mint(&[round]).await;
        anvil.mine(9).await;
    }
    let expected = setting.fresh(&anvil.url).await;
    for longest in [1, 2, 7, 50] {
        let proxy = Proxy::start(&anvil.url).await;
        proxy.set(|faults| faults.longest_range = Some(longest));
        let db = database().await;
        setting.round(&db, &[&proxy.url()]).await.unwrap();
        assert_eq!(seen_in(&db).await, expected, "at most {longest} blocks");
    }
}

/// It was down when the indexer started; now it is the only one up, and of another chain.
#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_of_another_chain_that_comes_later_is_not_believed() {
    let (anvil, other) = (Anvil::start().await, Anvil::with_chain_id(99).await);
    let collection = anvil.collection().await;
    // The same account's first contract: at the same address on either chain.
    let foreign = other.collection().await;
    assert_eq!(foreign.address, collection.address);
    foreign.mint(&[66, 67, 68]).await;
    let setting = Setting::of(&[collection.address]).await;
    let (right, wrong) = (Proxy::start(&anvil.url).await, Proxy::start(&other.url).await);
    wrong.set(|faults| faults.down = true);
    let db = database().await;
    let watch = setting.start(&db, &[&right.url(), &wrong.url()]).await.unwrap();
    right.set(|faults| faults.down = true);
    wrong.set(|faults| faults.down = false);
    let _ = watch.once(false).await;
    let seen = seen(watch.ledger()).await;
    assert!(seen.snapshot.tokens.is_empty(), "tokens of another chain");
}
