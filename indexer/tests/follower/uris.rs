//! What contracts say, through endpoints that lie about it, differ or are silent.

use alloy::primitives::U256;
use everhold::{health::Health, watch::Watch};
use url::Url;

use crate::{
    anvil::Anvil,
    foreign::{
        CID, Foreign, deploy, mintRangeCall, multicall, report, setBaseCall, tellUpdatesCall,
    },
    proxy::Proxy,
    setting::{Setting, once_they_are_back},
    support::{
        database::{Database, Engine, on_both_engines},
        snapshot::Snapshot,
    },
};

on_both_engines!(
    believes_no_endpoint_that_alone_tells_other_uris,
    leaves_uris_unread_where_two_differ,
    follows_the_spare_while_the_other_is_silent,
);

/// Of the same length as [`CID`]: another content.
const OTHER: &str = "bafkreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const LIE: Option<(&str, &str)> = Some((CID, OTHER));

async fn contract(anvil: &Anvil, tokens: u64) -> Foreign<'_> {
    multicall(anvil).await;
    let contract = deploy(anvil, "Foreign721").await;
    contract.does(setBaseCall { base: format!("ipfs://{CID}").into_bytes().into() }).await;
    contract.does(mintRangeCall { first: U256::ZERO, last: U256::from(tokens - 1) }).await;
    contract
}

async fn wanted(watch: &Watch) -> Vec<String> {
    let wanted = Snapshot::of(watch.ledger()).await.wanted;
    wanted.into_iter().map(|content| content.cid()).collect()
}

async fn three(anvil: &Anvil) -> [Proxy; 3] {
    let url = &anvil.url;
    [Proxy::start(url).await, Proxy::start(url).await, Proxy::start(url).await]
}

fn urls(proxies: &[Proxy]) -> Vec<Url> {
    proxies.iter().map(Proxy::url).collect()
}

async fn believes_no_endpoint_that_alone_tells_other_uris(db: Database) {
    let anvil = Anvil::start().await;
    let contract = contract(&anvil, 100).await;
    let proxies = three(&anvil).await;
    let urls = urls(&proxies);
    let setting = Setting::of(&[contract.address]).await;
    let watch = setting.start(&db, &urls.iter().collect::<Vec<_>>()).await.unwrap();
    watch.once(false).await.unwrap();
    proxies[1].set(|faults| faults.swaps = LIE);
    // Each is asked in turn: of three blocks it is two in which the liar is.
    for block in 0..3 {
        contract.does(tellUpdatesCall { first: U256::ZERO, last: U256::MAX }).await;
        once_they_are_back(|| watch.once(false)).await;
        assert_eq!(wanted(&watch).await, [CID], "block {block}");
        let told = report(&watch, contract.address, 99).await.uri;
        assert_eq!(told, Some(format!("ipfs://{CID}")));
    }
    // Set aside for a minute, it is asked no more.
    let asked = proxies[1].get(|faults| faults.calls);
    assert!(asked > 0 && asked < 100, "{asked}");
    contract.does(tellUpdatesCall { first: U256::ZERO, last: U256::MAX }).await;
    watch.once(false).await.unwrap();
    assert_eq!(proxies[1].get(|faults| faults.calls), asked);
    watch.ledger().close().await;
}

async fn leaves_uris_unread_where_two_differ(db: Database) {
    let anvil = Anvil::start().await;
    let contract = contract(&anvil, 3).await;
    let (honest, liar) = (Proxy::start(&anvil.url).await, Proxy::start(&anvil.url).await);
    liar.set(|faults| faults.swaps = LIE);
    let setting = Setting::of(&[contract.address]).await;
    let watch = setting.start(&db, &[&honest.url(), &liar.url()]).await.unwrap();
    assert_eq!(watch.once(false).await.unwrap().uris, 0);
    assert!(wanted(&watch).await.is_empty(), "nobody knows who is right");
    let token = report(&watch, contract.address, 0).await;
    assert_eq!((token.health, token.uri), (Health::Pending, None));
    liar.set(|faults| faults.swaps = None);
    assert_eq!(watch.once(false).await.unwrap().uris, 3);
    assert_eq!(wanted(&watch).await, [CID]);
    // Nor is anything given up for a word that the other does not confirm.
    liar.set(|faults| faults.swaps = LIE);
    contract.does(tellUpdatesCall { first: U256::ZERO, last: U256::MAX }).await;
    assert_eq!(watch.once(false).await.unwrap().uris, 0);
    assert_eq!(wanted(&watch).await, [CID]);
    watch.ledger().close().await;
}

async fn follows_the_spare_while_the_other_is_silent(db: Database) {
    let anvil = Anvil::start().await;
    let contract = contract(&anvil, 3).await;
    let (one, other) = (Proxy::start(&anvil.url).await, Proxy::start(&anvil.url).await);
    let setting = Setting::of(&[contract.address]).await;
    let watch = setting.start(&db, &[&one.url(), &other.url()]).await.unwrap();
    one.set(|faults| faults.down = true);
    assert_eq!(once_they_are_back(|| watch.once(false)).await.uris, 3);
    assert_eq!(wanted(&watch).await, [CID]);
    watch.ledger().close().await;
}

/// One without states tells logs as before; URIs are read from the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asks_others_where_one_has_no_states() {
    let anvil = Anvil::start().await;
    let contract = contract(&anvil, 3).await;
    let proxies = three(&anvil).await;
    let urls = urls(&proxies);
    let setting = Setting::of(&[contract.address]).await;
    let db = Database::fresh(Engine::Sqlite).await;
    let watch = setting.start(&db, &urls.iter().collect::<Vec<_>>()).await.unwrap();
    for stateless in &proxies {
        stateless.set(|faults| faults.stateless = true);
        contract.does(tellUpdatesCall { first: U256::ZERO, last: U256::MAX }).await;
        watch.once(false).await.unwrap();
        assert_eq!(wanted(&watch).await, [CID]);
        assert_eq!(report(&watch, contract.address, 2).await.uri_class.as_deref(), Some("ipfs"));
        stateless.set(|faults| faults.stateless = false);
    }
    // One alone is not believed.
    proxies[..2].iter().for_each(|proxy| proxy.set(|faults| faults.stateless = true));
    contract.does(tellUpdatesCall { first: U256::ZERO, last: U256::MAX }).await;
    let refused = watch.once(false).await.unwrap_err().to_string();
    assert!(refused.contains("missing trie node"), "{refused}");
    watch.ledger().close().await;
}

/// A contract may answer each machine otherwise: that costs a bounded number of questions, and sets
/// nobody aside.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn does_not_ask_on_and_on_where_all_differ() {
    let anvil = Anvil::start().await;
    let contract = contract(&anvil, 400).await;
    let proxies = three(&anvil).await;
    proxies[0].set(|faults| faults.swaps = LIE);
    proxies[1].set(|faults| faults.swaps = Some(("ipfs", "ipns")));
    let urls = urls(&proxies);
    let setting = Setting::of(&[contract.address]).await;
    let db = Database::fresh(Engine::Sqlite).await;
    let watch = setting.start(&db, &urls.iter().collect::<Vec<_>>()).await.unwrap();
    proxies.iter().for_each(|proxy| proxy.set(|faults| faults.calls = 0));
    assert_eq!(watch.once(false).await.unwrap().uris, 0);
    assert!(wanted(&watch).await.is_empty());
    let calls: u64 = proxies.iter().map(|proxy| proxy.get(|faults| faults.calls)).sum();
    assert!((100..=200).contains(&calls), "{calls} calls for 400 tokens");
    contract.does(tellUpdatesCall { first: U256::ZERO, last: U256::MAX }).await;
    proxies.iter().for_each(|proxy| proxy.set(|faults| faults.swaps = None));
    assert_eq!(watch.once(false).await.unwrap().uris, 400, "none was set aside");
    watch.ledger().close().await;
}
