//! Contracts of others on a real chain: found out, followed, asked for their URIs.

use std::time::Duration;

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, Bytes, U256, hex},
    providers::Provider,
    rpc::types::TransactionRequest,
    sol,
};
use alloy_sol_types::SolCall;
use everhold::{
    chain::{CollectionError, Detected, MULTICALL, detect},
    config::Standard,
    health::Health,
    ledger,
    report::TokenReport,
    watch::Watch,
};
use serde_json::{Value, json};

use crate::{
    anvil::Anvil,
    proxy::Proxy,
    setting::{Setting, status},
    support::{
        database::{Database, Engine, on_both_engines},
        snapshot::collection,
    },
};

on_both_engines!(reads_what_foreign_contracts_say, follows_editions_of_an_1155);

sol! {
    function mint(uint256 id, bytes uri) external;
    function mintMany(uint256 first, bytes[] uris) external;
    function mintRange(uint256 first, uint256 last) external;
    function setURI(uint256 id, bytes uri) external;
    function setBase(bytes base) external;
    function setHabit(uint256 id, uint8 habit) external;
    function tellUpdate(uint256 id) external;
    function tellUpdates(uint256 first, uint256 last) external;
    function tellNonsense() external;
    function setContractURI(bytes uri, bool tells) external;
    function move(uint256 id, address to) external;
    function setTemplate(string template) external;
    function tell(address from, address to, uint256 id, uint256 value) external;
    function tellMany(address from, address to, uint256[] ids, uint256[] values) external;
}

pub(crate) const CID: &str = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
const REVERTS: u8 = 1;
const BURNS: u8 = 2;
const MEGABYTE: u8 = 3;
const NO_TEXT: u8 = 4;

/// A fixture: `npm run artifacts` writes them.
pub(crate) fn fixture(name: &str) -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/foreign/");
    let text = std::fs::read_to_string(format!("{path}{name}.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

pub(crate) fn code(name: &str, field: &str) -> Bytes {
    hex::decode(fixture(name)[field].as_str().unwrap()).unwrap().into()
}

/// A contract of somebody else's.
pub(crate) struct Foreign<'a> {
    anvil: &'a Anvil,
    pub(crate) address: Address,
}

pub(crate) async fn deploy<'a>(anvil: &'a Anvil, name: &str) -> Foreign<'a> {
    let from = anvil.signer.address();
    let request =
        TransactionRequest::default().with_from(from).with_deploy_code(code(name, "bytecode"));
    let receipt = sent(anvil, request).await;
    Foreign { anvil, address: receipt.contract_address.unwrap() }
}

async fn sent(anvil: &Anvil, request: TransactionRequest) -> alloy::rpc::types::TransactionReceipt {
    let request = request.with_gas_limit(25_000_000);
    let hash = *anvil.provider.send_transaction(request).await.unwrap().tx_hash();
    loop {
        if let Some(receipt) = anvil.provider.get_transaction_receipt(hash).await.unwrap() {
            assert!(receipt.status());
            return receipt;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

impl Foreign<'_> {
    pub(crate) async fn does(&self, call: impl SolCall) {
        let from = self.anvil.signer.address();
        let request = TransactionRequest::default().with_from(from).with_to(self.address);
        sent(self.anvil, request.with_input(call.abi_encode())).await;
    }

    pub(crate) async fn mint(&self, id: u64, uri: &[u8]) {
        self.does(mintCall { id: U256::from(id), uri: uri.to_vec().into() }).await;
    }

    async fn habit(&self, id: u64, habit: u8) {
        self.does(setHabitCall { id: U256::from(id), habit }).await;
    }

    async fn found(&self, said: Option<Standard>) -> Result<Detected, CollectionError> {
        detect(&self.anvil.rpc().await, self.address, said).await
    }
}

pub(crate) async fn report(watch: &Watch, address: Address, token: u64) -> TokenReport {
    let mut tx = watch.ledger().read().await.unwrap();
    let (policy, now) = (watch.policy(), ledger::now());
    let of = collection(&mut tx, address).await.unwrap();
    let report = TokenReport::read(&mut tx, policy, &of, U256::from(token), now).await;
    report.unwrap().unwrap_or_else(|| panic!("no token {token}"))
}

/// Puts something with `aggregate3` where Multicall3 is on public chains.
pub(crate) async fn multicall(anvil: &Anvil) {
    anvil.call("anvil_setCode", json!([MULTICALL, code("Batcher", "runtime")])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn finds_out_what_a_contract_is() {
    let anvil = Anvil::start().await;
    let standard = async |name: &str| deploy(&anvil, name).await.found(None).await;
    let erc721 = standard("Foreign721").await.unwrap();
    assert_eq!((erc721.standard, &*erc721.name), (Standard::Erc721, "Foreign"));
    let erc1155 = standard("Foreign1155").await.unwrap();
    assert_eq!(erc1155.standard, Standard::Erc1155);
    assert!(erc1155.name.starts_with("erc1155 at 0x"), "{}", erc1155.name);
    let old = standard("Old721").await.unwrap();
    assert_eq!((old.standard, &*old.name), (Standard::Erc721, "Old Kitties"));
    for name in ["YesToAll", "Erc20Like"] {
        let contract = deploy(&anvil, name).await;
        let refused = contract.found(None).await.unwrap_err();
        assert!(matches!(refused, CollectionError::NotRecognised(_)), "{name}: {refused}");
        assert!(refused.is_about_contract() && refused.to_string().contains("standard = "));
        let said = contract.found(Some(Standard::Erc721)).await.unwrap();
        assert_eq!(said.standard, Standard::Erc721);
    }
    let ours = anvil.collection().await;
    let rpc = anvil.rpc().await;
    let ours = detect(&rpc, ours.address, None).await.unwrap();
    assert_eq!((ours.standard, &*ours.name, ours.editable), (Standard::Everhold, "Test", true));
    let nothing = detect(&rpc, Address::repeat_byte(9), None).await;
    assert!(matches!(nothing, Err(CollectionError::NoCode { .. })));
}

/// A token for everything that a URI can be; each is told apart, and none keeps another from it.
async fn reads_what_foreign_contracts_say(db: Database) {
    let anvil = Anvil::start().await;
    if db.engine == Engine::Sqlite {
        multicall(&anvil).await;
    }
    let contract = deploy(&anvil, "Foreign721").await;
    let inline = format!("data:application/json,{{\"image\":\"ipfs://{CID}\"}}");
    let uris: [(&[u8], Health, &str); 9] = [
        (format!("ipfs://{CID}").leak().as_bytes(), Health::Lost, ""),
        (b"data:application/json,{\"name\":\"whole\"}", Health::Healthy, ""),
        (inline.leak().as_bytes(), Health::Lost, ""),
        (b"https://example.com/4.json", Health::Unverifiable, "class http"),
        (b"ar://abc", Health::Unverifiable, "class arweave"),
        (b"\xff\xfe", Health::Unverifiable, "not UTF-8"),
        (b"", Health::Unverifiable, "is empty"),
        (b"data:application/json,{", Health::Unverifiable, "can't be read"),
        (
            b"ipfs://bafybeidpyn67vz6loaxz5h4kz3kj36gpkckozrrw5auehzwodlppb5z47e/9.json",
            Health::Unverifiable,
            "nobody is configured",
        ),
    ];
    let many = uris.iter().map(|(uri, ..)| uri.to_vec().into()).collect();
    contract.does(mintManyCall { first: U256::ONE, uris: many }).await;
    let habits: [(u64, u8, &str); 4] = [
        (20, REVERTS, "it reverted with 0x"),
        (21, BURNS, "does not give its tokenURI"),
        (22, MEGABYTE, "class unknown"),
        (23, NO_TEXT, "32 bytes that are no text"),
    ];
    for (id, habit, _) in habits {
        contract.mint(id, b"ipfs://x").await;
        contract.habit(id, habit).await;
    }
    contract.does(tellNonsenseCall {}).await;
    contract.does(mintRangeCall { first: U256::from(100), last: U256::from(103) }).await;
    contract.does(mintRangeCall { first: U256::ZERO, last: U256::MAX }).await;
    let mut setting = Setting::of(&[contract.address]).await;
    setting.grace_secs = 0;
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    watch.once(false).await.unwrap();
    for (at, (uri, health, reason)) in uris.iter().enumerate() {
        let token = report(&watch, contract.address, at as u64 + 1).await;
        let said = (&token.unverifiable, &token.unresolved);
        assert_eq!(token.health, *health, "{:?}: {said:?}", String::from_utf8_lossy(uri));
        assert!(token.unverifiable.join(" ").contains(reason), "{reason}: {said:?}");
        assert_eq!((token.digest, token.codec, token.revision), (None, None, None));
        let given = std::str::from_utf8(uri).ok().map(str::to_owned);
        assert_eq!(token.uri, given);
    }
    for (id, _, reason) in habits {
        let token = report(&watch, contract.address, id).await;
        assert_eq!(token.health, Health::Unverifiable, "{id}");
        assert!(token.unverifiable[0].contains(reason), "{id}: {:?}", token.unverifiable);
    }
    let range = report(&watch, contract.address, 103).await;
    assert_eq!(range.owner, Some(anvil.signer.address().to_string()));
    let all = status(&watch).await;
    assert_eq!((all.collections[0].tokens, all.collections[0].standard), (17, Standard::Erc721));
    let odd: Vec<_> = all.collections[0].odd_logs.iter().map(|odd| (odd.kind, odd.count)).collect();
    assert_eq!(odd, [("erc20-transfer", 1), ("huge-range", 1), ("undecodable", 1)]);
    assert_eq!(all.incidents.len(), 1, "two tokens hang on what nobody has");

    // The contract is gone; what is known of it stays, and the others are watched on.
    contract.habit(4, REVERTS).await;
    contract.does(tellUpdateCall { id: U256::from(4) }).await;
    watch.once(false).await.unwrap();
    assert!(report(&watch, contract.address, 4).await.unverifiable[0].contains("reverted"));
    anvil.call("anvil_setCode", json!([contract.address, "0x"])).await;
    anvil.mine(1).await;
    watch.once(false).await.unwrap();
    let gone = report(&watch, contract.address, 20).await;
    assert!(gone.unverifiable[0].contains("destroyed itself"), "it is tried again each time");
    assert_eq!(report(&watch, contract.address, 2).await.health, Health::Healthy, "not its turn");
    drop(watch);
    let ours = anvil.collection().await;
    ours.mint(&[1]).await;
    let mut setting = Setting::of(&[contract.address, ours.address]).await;
    setting.recheck_secs = 0;
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    watch.once(false).await.unwrap();
    let gone = report(&watch, contract.address, 2).await;
    assert!(gone.unverifiable[0].contains("destroyed itself"), "{:?}", gone.unverifiable);
    assert_eq!(status(&watch).await.collections[1].tokens, 1);
    watch.ledger().close().await;
}

async fn follows_editions_of_an_1155(db: Database) {
    let anvil = Anvil::start().await;
    multicall(&anvil).await;
    let contract = deploy(&anvil, "Foreign1155").await;
    let (nobody, somebody) = (Address::ZERO, Address::repeat_byte(5));
    let tell = |from, to, id: u64, value: u64| tellCall {
        from,
        to,
        id: U256::from(id),
        value: U256::from(value),
    };
    contract.does(tell(nobody, somebody, 1, 10)).await;
    let ids = vec![U256::from(2), U256::MAX, U256::from(2)];
    let values = vec![U256::from(1), U256::MAX, U256::from(4)];
    contract.does(tellManyCall { from: nobody, to: somebody, ids, values }).await;
    contract.does(tell(somebody, nobody, 1, 3)).await;
    let uneven = tellManyCall { from: nobody, to: somebody, ids: vec![U256::ONE], values: vec![] };
    contract.does(uneven).await;
    let image = format!("ipfs://{CID}");
    let template = format!("data:,{{\"name\":\"{{id}}\",\"image\":\"{image}\"}}");
    contract.does(setTemplateCall { template: template.clone() }).await;
    let setting = Setting::of(&[contract.address]).await;
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    watch.once(false).await.unwrap();
    let token = report(&watch, contract.address, 1).await;
    assert_eq!((token.owner, token.supply.as_deref()), (None, Some("7")));
    assert_eq!(token.uri, Some(template), "as the contract gives it");
    assert_eq!(report(&watch, contract.address, 2).await.supply.as_deref(), Some("5"));
    let all = status(&watch).await;
    assert_eq!(
        (all.collections[0].tokens, all.collections[0].odd_logs[0].kind),
        (3, "uneven-batch")
    );
    assert_eq!(token.contents.len(), 1, "its image; the document is on the chain");
    // A reorg takes back the burn, and then the token's end.
    contract.does(tell(somebody, nobody, 2, 5)).await;
    watch.once(false).await.unwrap();
    assert_eq!(status(&watch).await.collections[0].tokens, 2);
    anvil.reorg(1).await;
    anvil.mine(1).await;
    watch.once(false).await.unwrap();
    assert_eq!(report(&watch, contract.address, 2).await.supply.as_deref(), Some("5"));
    watch.ledger().close().await;
}

/// Old contracts change URIs and tell nobody; others tell, of one token or of all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_again_what_changed() {
    let anvil = Anvil::start().await;
    multicall(&anvil).await;
    let contract = deploy(&anvil, "Foreign721").await;
    // More than go into one call, and one among them that burns all the gas it gets.
    let uris = (0..150).map(|id| format!("https://example.com/{id}").into_bytes().into()).collect();
    contract.does(mintManyCall { first: U256::ZERO, uris }).await;
    contract.habit(7, BURNS).await;
    let db = Database::fresh(Engine::Sqlite).await;
    let mut setting = Setting::of(&[contract.address]).await;
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    assert_eq!(watch.once(false).await.unwrap().uris, 150);
    let uri = async |watch: &Watch, id| report(watch, contract.address, id).await.uri;
    assert_eq!(uri(&watch, 149).await.as_deref(), Some("https://example.com/149"));
    assert_eq!(uri(&watch, 7).await, None);
    let set = |id: u64, uri: &'static [u8]| setURICall { id: U256::from(id), uri: uri.into() };
    contract.does(set(1, b"https://example.com/new")).await;
    contract.does(set(2, b"https://example.com/silent")).await;
    contract.does(tellUpdateCall { id: U256::ONE }).await;
    assert_eq!(watch.once(false).await.unwrap().uris, 1);
    assert_eq!(uri(&watch, 1).await.as_deref(), Some("https://example.com/new"));
    assert_eq!(uri(&watch, 2).await.as_deref(), Some("https://example.com/2"));
    contract.does(tellUpdatesCall { first: U256::ZERO, last: U256::MAX }).await;
    assert_eq!(watch.once(false).await.unwrap().uris, 1);
    assert_eq!(uri(&watch, 2).await.as_deref(), Some("https://example.com/silent"));
    contract.does(setBaseCall { base: format!("ipfs://{CID}").into_bytes().into() }).await;
    assert_eq!(watch.once(false).await.unwrap().uris, 0, "nothing was said");
    drop(watch);
    setting.recheck_secs = 0;
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    assert_eq!(watch.once(false).await.unwrap().uris, 149, "all but the one that burns");
    assert_eq!(uri(&watch, 0).await, Some(format!("ipfs://{CID}")));
    assert_eq!(watch.once(false).await.unwrap().uris, 0);
    contract.does(setBaseCall { base: Bytes::new() }).await;
    assert_eq!(watch.once(false).await.unwrap().uris, 149);
    assert_eq!(uri(&watch, 0).await.as_deref(), Some("https://example.com/0"));
    watch.ledger().close().await;
}

/// Endpoints without EIP-1898, that take only short calls, or that have enough for now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_through_endpoints_that_do_less() {
    let anvil = Anvil::start().await;
    multicall(&anvil).await;
    let contract = deploy(&anvil, "Foreign721").await;
    let uris = (0..100).map(|id| format!("https://example.com/{id}").into_bytes().into()).collect();
    contract.does(mintManyCall { first: U256::ZERO, uris }).await;
    let proxy = Proxy::start(&anvil.url).await;
    let db = Database::fresh(Engine::Sqlite).await;
    let setting = Setting::of(&[contract.address]).await;
    let watch = setting.start(&db, &[&proxy.url()]).await.unwrap();
    proxy.set(|faults| faults.busy_calls = true);
    let meanwhile = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let token = report(&watch, contract.address, 3).await;
        assert_eq!(token.health, Health::Pending, "that says nothing of the token: {token:?}");
        proxy.set(|faults| {
            faults.busy_calls = false;
            faults.numbers_only = true;
            // Some ten questions.
            faults.longest_call = Some(5_000);
            faults.calls = 0;
        });
    };
    let (done, ()) = tokio::join!(watch.once(false), meanwhile);
    assert_eq!(done.unwrap().uris, 100);
    for id in [0, 63, 64, 99] {
        let uri = report(&watch, contract.address, id).await.uri;
        assert_eq!(uri, Some(format!("https://example.com/{id}")));
    }
    let mut calls = 0;
    proxy.set(|faults| calls = faults.calls);
    assert!((5..=40).contains(&calls), "{calls} calls for 100 tokens");
    watch.ledger().close().await;
}

/// A call that fails on its way once is no word of the contract's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asks_again_what_failed_on_its_way() {
    let anvil = Anvil::start().await;
    let contract = deploy(&anvil, "Foreign721").await;
    let proxy = Proxy::start(&anvil.url).await;
    let db = Database::fresh(Engine::Sqlite).await;
    let setting = Setting::of(&[contract.address]).await;
    let watch = setting.start(&db, &[&proxy.url()]).await.unwrap();
    watch.once(false).await.unwrap();
    let uris = vec![b"https://example.com/0".to_vec().into()];
    contract.does(mintManyCall { first: U256::ZERO, uris }).await;
    proxy.set(|faults| faults.fails_calls = 1);
    watch.once(false).await.unwrap();
    assert_eq!(proxy.get(|faults| faults.fails_calls), 0);
    let uri = report(&watch, contract.address, 0).await.uri;
    assert_eq!(uri.as_deref(), Some("https://example.com/0"));
    watch.ledger().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn follows_a_contract_older_than_the_standard() {
    sol! {
        function mint(uint256 id) external;
    }
    let anvil = Anvil::start().await;
    let contract = deploy(&anvil, "Old721").await;
    contract.does(mintCall { id: U256::MAX }).await;
    let db = Database::fresh(Engine::Sqlite).await;
    let setting = Setting::of(&[contract.address]).await;
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    watch.once(false).await.unwrap();
    let mut tx = watch.ledger().read().await.unwrap();
    let (policy, now) = (watch.policy(), ledger::now());
    let of = collection(&mut tx, contract.address).await.unwrap();
    let token = TokenReport::read(&mut tx, policy, &of, U256::MAX, now).await;
    let token = token.unwrap().unwrap();
    assert_eq!(token.owner, Some(anvil.signer.address().to_string()));
    assert_eq!(token.uri.as_deref(), Some("https://old.example/"));
    drop(tx);
    watch.ledger().close().await;
}
