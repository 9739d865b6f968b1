//! What status tells of the chain: how far behind, what is not final, what is still to come; also
//! where block times make no sense.

use everhold::ledger;
use serde_json::json;

use crate::{
    anvil::Anvil,
    proxy::Proxy,
    setting::{Setting, status},
    support::database::{Database, Engine, on_both_engines},
};

on_both_engines!(tells_how_far_it_is_behind);

async fn tells_how_far_it_is_behind(db: Database) {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let setting = Setting::of(&[collection.address]).await;
    let proxy = Proxy::start(&anvil.url).await;
    let watch = setting.start(&db, &[&proxy.url()]).await.unwrap();
    let now = status(&watch).await;
    assert_eq!((now.chains[0].head_block, now.collections[0].lag_blocks), (None, None));
    collection.mint(&[1]).await;
    watch.index_once().await.unwrap();
    let read = anvil.head().await;
    let now = status(&watch).await;
    let one = &now.collections[0];
    assert_eq!((one.lag_blocks, one.lag_seconds, one.not_final), (Some(0), Some(0), 1));
    assert_eq!(now.chains[0].head_block, Some(read));
    // The blocks are seen, and their logs can't be read.
    anvil.call("evm_increaseTime", json!([600])).await;
    anvil.mine(20).await;
    proxy.set(|faults| faults.logs_left = Some(0));
    watch.index_once().await.unwrap_err();
    drop(watch);
    proxy.set(|faults| faults.logs_left = None);
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    let mut tx = watch.ledger().write().await.unwrap();
    let known = tx.window(31337).await.unwrap()[0];
    let head = everhold::chain::BlockRef {
        number: anvil.head().await,
        time: known.time.map(|time| time + 620),
        ..known
    };
    tx.see_head(31337, &head, ledger::now() - 90_000).await.unwrap();
    tx.commit().await.unwrap();
    let now = status(&watch).await;
    let one = &now.collections[0];
    assert_eq!((one.lag_blocks, one.lag_seconds), (Some(20), Some(620)));
    assert!((90..100).contains(&now.chains[0].head_age_seconds.unwrap()));
    watch.index_once().await.unwrap();
    let now = status(&watch).await;
    let one = &now.collections[0];
    assert_eq!((one.lag_blocks, one.lag_seconds, one.not_final), (Some(0), Some(0), 0));
    assert!(now.chains[0].head_age_seconds.unwrap() < 60);
    assert_eq!(now.chains[0].head_block, Some(read + 20));
}

/// Whatever an endpoint says of time, the chain is followed, and status can be told.
#[tokio::test(flavor = "multi_thread")]
async fn block_times_that_make_no_sense_break_nothing() {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let setting = Setting::of(&[collection.address]).await;
    let db = Database::fresh(Engine::Sqlite).await;
    let proxy = Proxy::start(&anvil.url).await;
    let watch = setting.start(&db, &[&proxy.url()]).await.unwrap();
    let hex = |time: u64| json!(format!("{time:#x}"));
    let times = [0, u64::MAX, 5, i64::MAX as u64, 0].map(hex);
    let absurd = [json!(null), json!("0xfffffffffffffffff"), json!("yesterday"), json!(-3)];
    for (round, time) in times.into_iter().chain(absurd).enumerate() {
        proxy.set(|faults| faults.time = Some(time.clone()));
        collection.mint(&[u8::try_from(round).unwrap()]).await;
        watch.once(false).await.unwrap();
        let now = status(&watch).await;
        let one = &now.collections[0];
        assert_eq!((one.lag_blocks, one.lag_seconds), (Some(0), Some(0)), "time {time}");
        assert!(serde_json::to_string(&now).is_ok());
        assert_eq!(one.tokens, round + 1);
    }
}

/// Said once, shown, and no trouble for the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_block_in_the_future_is_shown() {
    let anvil = Anvil::start().await;
    let (first, second) = (anvil.collection().await, anvil.collection().await);
    second.mint(&[1]).await;
    let mut setting = Setting::of(&[first.address, second.address]).await;
    for start in [u64::MAX, i64::MAX as u64, anvil.head().await + 5] {
        setting.start_at(start);
        let db = Database::fresh(Engine::Sqlite).await;
        let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
        watch.once(false).await.unwrap();
        watch.once(false).await.unwrap();
        let now = status(&watch).await;
        let [waiting, read] = &now.collections[..] else { panic!("{now:?}") };
        assert_eq!((waiting.indexed_block, waiting.finalized_block), (None, None));
        assert_eq!((waiting.lag_blocks, waiting.lag_seconds), (Some(0), None), "start {start}");
        assert_eq!(read.indexed_block, Some(anvil.head().await));
        assert_eq!(read.tokens, 1);
    }
}
