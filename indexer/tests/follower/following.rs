//! Reorgs, restarts and bindings: after each, the ledger is that of a fresh index.

use alloy::{primitives::U256, providers::Provider};
use everhold::{
    ledger::LedgerError,
    watch::{Watch, WatchError},
};

use crate::{
    anvil::{Anvil, Collection},
    proxy::Proxy,
    setting::{Setting, seen, seen_in},
    support::database::{Database, on_both_engines},
};

on_both_engines!(
    follows_reorgs_of_every_depth,
    follows_reorgs_that_came_while_it_was_stopped,
    follows_a_chain_that_became_shorter,
    goes_on_where_it_was_stopped,
    follows_a_reorg_in_the_middle_of_a_round,
    refuses_another_chain_and_a_chain_begun_anew,
    waits_for_a_start_block_in_the_future,
    reads_a_collection_that_is_added_later,
    drops_replaced_content_when_the_update_is_final,
);

/// Mints, updates, freezes and burns in a few blocks.
async fn busy(collection: &Collection<'_>, seed: u8) {
    let token = collection.mint(&[seed, seed + 1]).await;
    collection.update(token, seed + 2).await;
    collection.mint(&[seed]).await;
    if seed.is_multiple_of(3) {
        collection.freeze(token + U256::from(1)).await;
    }
    if seed.is_multiple_of(20) {
        collection.burn(token).await;
    }
}

async fn assert_fresh(setting: &Setting, anvil: &Anvil, watch: &Watch, when: &str) {
    let expected = setting.fresh(&anvil.url).await;
    assert_eq!(expected.indexed, [Some(anvil.head().await)]);
    assert_eq!(seen(watch.ledger()).await, expected, "{when}");
}

async fn follows_reorgs_of_every_depth(db: Database) {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let mut setting = Setting::of(&[collection.address]).await;
    setting.confirmations = 32;
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    anvil.mine(10).await;
    for depth in [1, 2, 3, 5, 8, 13, 20] {
        for round in 0..5 {
            busy(&collection, 10 * round).await;
        }
        watch.once(false).await.unwrap();
        let before = seen(watch.ledger()).await;
        anvil.reorg(depth).await;
        busy(&collection, 99).await;
        let round = watch.once(false).await.unwrap();
        assert_eq!(round.reorgs, 1, "depth {depth}");
        assert_ne!(seen(watch.ledger()).await, before);
        assert_fresh(&setting, &anvil, &watch, &format!("depth {depth}")).await;
        let round = watch.once(false).await.unwrap();
        assert_eq!((round.reorgs, round.events), (0, 0));
    }
}

async fn follows_reorgs_that_came_while_it_was_stopped(db: Database) {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let mut setting = Setting::of(&[collection.address]).await;
    setting.confirmations = 32;
    for depth in [1, 7, 20] {
        for round in 0..5 {
            busy(&collection, 10 * round).await;
        }
        anvil.mine(2).await;
        setting.round(&db, &[&anvil.url]).await.unwrap();
        anvil.reorg(depth).await;
        anvil.reorg(depth / 2 + 1).await;
        busy(&collection, 120).await;
        anvil.mine(300).await;
        busy(&collection, 150).await;
        setting.round(&db, &[&anvil.url]).await.unwrap();
        assert_eq!(seen_in(&db).await, setting.fresh(&anvil.url).await, "depth {depth}");
    }
}

async fn follows_a_chain_that_became_shorter(db: Database) {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let setting = Setting::of(&[collection.address]).await;
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    busy(&collection, 1).await;
    busy(&collection, 20).await;
    anvil.mine(5).await;
    watch.once(false).await.unwrap();
    let before = seen(watch.ledger()).await;
    anvil.roll_back(7).await;
    let round = watch.once(false).await.unwrap();
    assert_eq!(round.reorgs, 0, "an endpoint that is behind takes nothing back");
    assert_eq!(seen(watch.ledger()).await, before);
    // Another chain, and still a shorter one.
    busy(&collection, 40).await;
    watch.once(false).await.unwrap();
    anvil.mine(20).await;
    busy(&collection, 60).await;
    watch.once(false).await.unwrap();
    assert_fresh(&setting, &anvil, &watch, "longer again").await;
}

async fn goes_on_where_it_was_stopped(db: Database) {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    for round in 0..4 {
        busy(&collection, 10 * round).await;
        anvil.mine(10).await;
    }
    let setting = Setting::of(&[collection.address]).await;
    let proxy = Proxy::start(&anvil.url).await;
    proxy.set(|faults| faults.longest_range = Some(7));
    let mut failures = 0;
    loop {
        // Every process gets a little further: some of its requests are refused for their size.
        proxy.set(|faults| faults.logs_left = Some(8));
        match setting.round(&db, &[&proxy.url()]).await {
            Ok(_) => break,
            Err(error) => assert!(matches!(error, WatchError::Rpc(_)), "{error}"),
        }
        failures += 1;
        assert!(failures < 20, "it gets no further");
    }
    assert!(failures > 0, "nothing was interrupted");
    assert_eq!(seen_in(&db).await, setting.fresh(&anvil.url).await);
}

/// A reorg between two stretches of one round, before each of its requests for logs in turn.
async fn follows_a_reorg_in_the_middle_of_a_round(db: Database) {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let setting = Setting::of(&[collection.address]).await;
    let proxy = Proxy::start(&anvil.url).await;
    let watch = setting.start(&db, &[&proxy.url()]).await.unwrap();
    for requests in 3..=12 {
        for round in 0..4 {
            busy(&collection, 10 * round).await;
        }
        let provider = anvil.provider.clone();
        let reorg = async move {
            let params = serde_json::json!([10, []]);
            let done: serde_json::Value =
                provider.raw_request("anvil_reorg".into(), params).await.unwrap();
            assert!(done.is_null());
        };
        proxy.set(|faults| {
            // So that there are several stretches within the blocks that change.
            faults.longest_range = Some(2);
            faults.before_logs = Some((requests, Box::pin(reorg)));
        });
        watch.once(false).await.unwrap();
        // Where the round asked less often, the reorg comes with the next.
        let when = format!("before request {requests}");
        assert_fresh(&setting, &anvil, &watch, &when).await;
    }
}

async fn refuses_another_chain_and_a_chain_begun_anew(db: Database) {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    busy(&collection, 1).await;
    let setting = Setting::of(&[collection.address]).await;
    setting.round(&db, &[&anvil.url]).await.unwrap();
    let before = seen_in(&db).await;
    let other = Anvil::with_chain_id(99).await;
    other.collection().await;
    let refused = setting.round(&db, &[&other.url]).await.unwrap_err();
    let expected = LedgerError::OtherChain { ledger: 31337, rpc: 99 };
    assert_eq!(refused.to_string(), expected.to_string());
    // Its genesis has another time.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let anew = Anvil::start().await;
    anew.collection().await;
    let refused = setting.round(&db, &[&anew.url]).await.unwrap_err();
    assert_eq!(refused.to_string(), LedgerError::OtherGenesis(31337).to_string());
    let both = setting.round(&db, &[&anvil.url, &other.url]).await;
    assert!(both.unwrap_err().to_string().contains("must be of one chain"));
    assert_eq!(seen_in(&db).await, before);
}

async fn waits_for_a_start_block_in_the_future(db: Database) {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    collection.mint(&[1]).await;
    let mut setting = Setting::of(&[collection.address]).await;
    let start = anvil.head().await + 10;
    setting.start_at(start);
    setting.round(&db, &[&anvil.url]).await.unwrap();
    assert_eq!(seen_in(&db).await.indexed, [None]);
    anvil.mine(9).await;
    setting.round(&db, &[&anvil.url]).await.unwrap();
    assert_eq!(seen_in(&db).await.indexed, [None]);
    let token = collection.mint(&[2]).await;
    setting.round(&db, &[&anvil.url]).await.unwrap();
    let now = seen_in(&db).await;
    assert_eq!(now.indexed, [Some(start)]);
    let ids: Vec<_> = now.snapshot.tokens.keys().map(|(_, id)| *id).collect();
    assert_eq!(ids, [token]);
    assert_eq!(now, setting.fresh(&anvil.url).await);
}

async fn reads_a_collection_that_is_added_later(db: Database) {
    let anvil = Anvil::start().await;
    let (first, second) = (anvil.collection().await, anvil.collection().await);
    busy(&first, 1).await;
    busy(&second, 30).await;
    let one = Setting::of(&[first.address]).await;
    one.round(&db, &[&anvil.url]).await.unwrap();
    anvil.mine(200).await;
    busy(&first, 60).await;
    let both = Setting::of(&[first.address, second.address]).await;
    both.round(&db, &[&anvil.url]).await.unwrap();
    assert_eq!(seen_in(&db).await, both.fresh(&anvil.url).await);
    anvil.reorg(3).await;
    busy(&second, 90).await;
    both.round(&db, &[&anvil.url]).await.unwrap();
    assert_eq!(seen_in(&db).await, both.fresh(&anvil.url).await);
}

async fn drops_replaced_content_when_the_update_is_final(db: Database) {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let mut setting = Setting::of(&[collection.address]).await;
    setting.confirmations = 4;
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    let token = collection.mint(&[1]).await;
    collection.update(token, 2).await;
    for blocks in 0..6 {
        watch.once(false).await.unwrap();
        let wanted = seen(watch.ledger()).await.snapshot.wanted.len();
        assert_eq!(wanted, if blocks < 4 { 2 } else { 1 }, "{blocks} blocks later");
        anvil.mine(1).await;
    }
}

/// The other is read from the first block on, and both together.
#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_begins_later_is_read_from_there_on() {
    let anvil = Anvil::start().await;
    let (late, early) = (anvil.collection().await, anvil.collection().await);
    late.mint(&[1, 2]).await;
    early.mint(&[3]).await;
    anvil.mine(200).await;
    let start = anvil.head().await + 1;
    late.mint(&[4]).await;
    anvil.mine(200).await;
    let mut both = Setting::of(&[late.address, early.address]).await;
    both.start_at(start);
    let mut alone = Setting::of(&[late.address]).await;
    alone.start_at(start);
    let tokens = async |setting: &Setting| {
        let tokens = setting.fresh(&anvil.url).await.snapshot.tokens;
        tokens.into_iter().filter(|((address, _), _)| *address == late.address).collect::<Vec<_>>()
    };
    let read = tokens(&both).await;
    assert_eq!(read, tokens(&alone).await);
    assert_eq!(read.len(), 1, "what came before is not read");
}
