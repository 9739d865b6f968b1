//! How an indexer starts, through endpoints that fall silent just then, lie about what a contract
//! is, are asked too often, or tell less than they should.

use std::{
    process::Output,
    time::{Duration, Instant},
};

use alloy::primitives::Address;
use everhold::{
    config::FactoryConfig,
    watch::{Watch, WatchError},
};
use serde_json::json;
use tokio::process::Command;
use url::Url;

use crate::{
    anvil::Anvil,
    proxy::Proxy,
    setting::{Seen, Setting, seen},
    support::database::{Database, Engine},
};

/// Endpoints in front of one chain.
async fn proxies<const N: usize>(anvil: &Anvil) -> [Proxy; N] {
    let mut all = Vec::new();
    for _ in 0..N {
        all.push(Proxy::start(&anvil.url).await);
    }
    all.try_into().ok().unwrap()
}

/// The database goes with what is given first.
async fn start(setting: &Setting, proxies: &[Proxy]) -> Result<(Database, Watch), WatchError> {
    let db = Database::fresh(Engine::Sqlite).await;
    let urls: Vec<Url> = proxies.iter().map(Proxy::url).collect();
    let watch = setting.start(&db, &urls.iter().collect::<Vec<_>>()).await?;
    Ok((db, watch))
}

/// What a start and a round make of the chain.
async fn followed(setting: &Setting, proxies: &[Proxy]) -> Seen {
    let (_db, watch) = start(setting, proxies).await.unwrap();
    watch.index_once().await.unwrap();
    seen(watch.ledger()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_falls_silent_at_any_moment_of_a_start_holds_it_up_briefly() {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    collection.mint(&[1, 2]).await;
    let setting = Setting::of(&[collection.address]).await;
    let expected = setting.fresh(&anvil.url).await;
    for after in 0..14 {
        let proxies = proxies::<3>(&anvil).await;
        proxies[0].set(|faults| faults.falls_silent = Some(after));
        let begun = Instant::now();
        let (_db, watch) = start(&setting, &proxies).await.unwrap();
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(4), "silent after {after} requests: {took:?}");
        watch.index_once().await.unwrap();
        assert_eq!(seen(watch.ledger()).await, expected);
    }
    // A second endpoint is a spare: the first one is waited for a little longer.
    let proxies = proxies::<2>(&anvil).await;
    proxies[0].set(|faults| faults.falls_silent = Some(4));
    let begun = Instant::now();
    assert_eq!(followed(&setting, &proxies).await, expected);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

/// Zero is no to any question for an interface, and nobody's address.
const ZERO: &str = "0x0000000000000000000000000000000000000000000000000000000000000000";

#[tokio::test(flavor = "multi_thread")]
async fn of_three_endpoints_the_one_that_lies_about_a_contract_is_outvoted_wherever_it_stands() {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    collection.mint(&[1]).await;
    let mut setting = Setting::of(&[collection.address]).await;
    setting.factories = vec![FactoryConfig::default()];
    let expected = setting.fresh(&anvil.url).await;
    for liar in 0..3 {
        for says in [None, Some("0x"), Some(ZERO)] {
            let proxies = proxies::<3>(&anvil).await;
            proxies[liar].set(|faults| (faults.no_code, faults.says) = (says.is_none(), says));
            assert_eq!(followed(&setting, &proxies).await, expected, "{liar} says {says:?}");
        }
        // Of what is not there it says that it is.
        let nothing = Setting::of(&[Address::repeat_byte(9)]).await;
        let proxies = proxies::<3>(&anvil).await;
        for honest in (0..3).filter(|index| *index != liar) {
            proxies[honest].set(|faults| faults.no_code = true);
        }
        let refused = start(&nothing, &proxies).await.err().unwrap().to_string();
        assert!(refused.contains("no contract there"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_endpoints_that_differ_about_a_contract_neither_is_believed() {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let setting = Setting::of(&[collection.address]).await;
    let proxies = proxies::<2>(&anvil).await;
    proxies[0].set(|faults| faults.no_code = true);
    let refused = start(&setting, &proxies).await.err().unwrap().to_string();
    let address = collection.address.to_checksum(None);
    assert!(refused.contains("disagree") && refused.contains(&address), "{refused}");
    // One is behind for a moment.
    let honest = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        proxies[0].set(|faults| faults.no_code = false);
    };
    let (started, ()) = tokio::join!(start(&setting, &proxies), honest);
    let (_db, watch) = started.unwrap();
    watch.index_once().await.unwrap();
}

/// The newest blocks, those of a long past, and those of a reorg.
#[tokio::test(flavor = "multi_thread")]
async fn blocks_without_times_or_with_absurd_ones_are_followed() {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let setting = Setting::of(&[collection.address]).await;
    collection.mint(&[1, 2]).await;
    anvil.mine(200).await;
    let absurd = [json!(null), json!("0x1ffffffffffffffff"), json!("soon"), json!([7])];
    for (round, time) in [None].into_iter().chain(absurd.map(Some)).enumerate() {
        let proxies = proxies::<2>(&anvil).await;
        proxies.iter().for_each(|proxy| {
            proxy.set(|faults| match &time {
                Some(_) => faults.time = time.clone(),
                // As little as following takes.
                None => faults.lacks = &["timestamp", "stateRoot", "gasLimit", "transactions"],
            });
        });
        let db = Database::fresh(Engine::Sqlite).await;
        let urls = proxies.each_ref().map(Proxy::url);
        let watch = setting.start(&db, &[&urls[0], &urls[1]]).await.unwrap();
        watch.once(false).await.unwrap();
        collection.mint(&[10 + round as u8]).await;
        watch.once(false).await.unwrap();
        anvil.reorg(1).await;
        anvil.mine(1).await;
        assert_eq!(watch.once(false).await.unwrap().reorgs, 1, "{time:?}");
        let (seen, fresh) = (seen(watch.ledger()).await, setting.fresh(&anvil.url).await);
        assert_eq!(seen.indexed, fresh.indexed, "{time:?}");
        assert_eq!(seen.snapshot.tokens.len(), fresh.snapshot.tokens.len(), "{time:?}");
    }
}

/// A hash is made of all of a header: what lacks some can't be proved, and it is said so.
#[tokio::test(flavor = "multi_thread")]
async fn blocks_without_times_can_not_be_proved() {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    collection.mint(&[1]).await;
    let mut setting = Setting::of(&[collection.address]).await;
    setting.prove_logs = true;
    let [proxy] = proxies::<1>(&anvil).await;
    proxy.set(|faults| faults.lacks = &["timestamp"]);
    let (_db, watch) = start(&setting, std::slice::from_ref(&proxy)).await.unwrap();
    let refused = watch.index_once().await.unwrap_err().to_string();
    assert!(refused.contains("can't be proved") && refused.contains("left out"), "{refused}");
}

/// `everhold watch --index-only` with one endpoint.
async fn index_only(setting: &Setting, proxy: &Proxy) -> Output {
    let db = Database::fresh(Engine::Sqlite).await;
    let config = setting.config(&db.url, &[&proxy.url()]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("everhold.toml");
    let (rpc, address) = (&config.chain[0].rpc[0], config.collection[0].address);
    let (node, database) = (&config.aleph.named()[0].url, &config.database);
    let text = format!(
        "database = \"{database}\"\n[chain]\nrpc = [\"{rpc}\"]\n[[collection]]\naddress = \
         \"{address}\"\n[aleph]\nnodes = [\"{node}\"]\n[replicas]\nmin = 1\n"
    );
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_everhold"));
    command.arg("--config").arg(&file).args(["watch", "--index-only", "--json"]);
    command.kill_on_drop(true).current_dir(dir.path()).output().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_round_waits_for_an_endpoint_that_wants_a_pause_and_says_so_once() {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    collection.mint(&[1, 2]).await;
    let setting = Setting::of(&[collection.address]).await;
    // In the middle of what the start asks, one after the other and together, and of what the round does.
    for (asked, pauses) in [(0, 2), (6, 1), (14, 2)] {
        let [proxy] = proxies::<1>(&anvil).await;
        // Twice in a row, or at once.
        let before = proxy.get(|faults| faults.requests);
        proxy.set(|faults| {
            (faults.busy, faults.busy_times, faults.busy_from) = (Some(1), Some(2), before + asked);
        });
        let begun = Instant::now();
        let output = index_only(&setting, &proxy).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(begun.elapsed() >= Duration::from_secs(pauses), "{said}");
        assert_eq!(said.matches("it is waited for").count(), 1, "{said}");
        let printed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(printed["collections"][0]["indexed_block"], anvil.head().await);
    }
    let [proxy] = proxies::<1>(&anvil).await;
    proxy.set(|faults| faults.busy = Some(600));
    let begun = Instant::now();
    let output = index_only(&setting, &proxy).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(begun.elapsed() < Duration::from_secs(20), "more than it waits for");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("429") && !said.contains("it is waited for"), "{said}");
}
