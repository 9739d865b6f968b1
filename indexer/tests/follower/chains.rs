//! Several chains in one process, with the same contract on each.

use std::{fs, future::Future, net::TcpListener, process::Output, time::Duration};

use alloy::primitives::{Address, U256};
use everhold::{
    api::Api,
    ledger::{self, Collection, Ledger, LedgerError},
    report::{TokenReport, collection_at},
    watch::{ReindexError, Watch, WatchError, reindex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    anvil::{self, Anvil, digest},
    proxy::Proxy,
    setting::{Setting, status},
    support::database::{Database, Engine, on_both_engines},
};

on_both_engines!(
    keeps_the_same_address_on_two_chains_apart,
    a_reorg_on_one_chain_leaves_the_other_alone,
    finality_of_one_chain_is_not_that_of_the_other,
    one_chain_that_is_down_holds_up_no_other,
    a_chain_that_is_down_at_the_start_is_reached_later,
    refuses_chains_that_are_not_what_they_should_be,
);

const A: u64 = 31337;
const B: u64 = 31338;

/// Two chains, each with a collection at the same address.
struct Two {
    a: Anvil,
    b: Anvil,
    address: Address,
}

impl Two {
    async fn start() -> Self {
        let (a, b) = (Anvil::with_chain_id(A).await, Anvil::with_chain_id(B).await);
        let address = a.collection().await.address;
        assert_eq!(b.collection().await.address, address, "the factory makes it so");
        Self { a, b, address }
    }

    fn on<'a>(&self, anvil: &'a Anvil) -> anvil::Collection<'a> {
        anvil.collection_at(self.address)
    }
}

async fn collections(ledger: &Ledger) -> Vec<Collection> {
    ledger.read().await.unwrap().collections().await.unwrap()
}

/// What a chain's collection holds: ids and contents.
async fn tokens(ledger: &Ledger, chain: u64) -> Vec<(u64, String)> {
    let mut tx = ledger.read().await.unwrap();
    let all = tx.collections().await.unwrap();
    let collection = all.iter().find(|one| one.chain_id == chain).unwrap();
    let policy = everhold::health::Policy { min: 1, min_held: 0, grace: 0, recheck: 0 };
    let mut found = Vec::new();
    for token in tx.tokens(collection.id).await.unwrap() {
        let now = ledger::now();
        let report = TokenReport::read(&mut tx, &policy, collection, token.token_id, now);
        let report = report.await.unwrap().unwrap();
        assert_eq!(report.chain_id, chain);
        found.push((token.token_id.to::<u64>(), report.digest.unwrap()));
    }
    found
}

fn is(tokens: &[(u64, u8)]) -> Vec<(u64, String)> {
    tokens.iter().map(|(id, content)| (*id, digest(*content).to_string())).collect()
}

async fn indexed(ledger: &Ledger, chain: u64) -> Option<u64> {
    collections(ledger).await.into_iter().find(|one| one.chain_id == chain)?.indexed_block
}

async fn soon<F: Future<Output = bool>>(what: &str, mut done: impl FnMut() -> F) {
    for _ in 0..400 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}");
}

async fn start(setting: &Setting, db: &Database, a: &Url, b: &Url) -> Result<Watch, WatchError> {
    Watch::start(&setting.several(&db.url, &[(A, a), (B, b)]), None).await
}

async fn keeps_the_same_address_on_two_chains_apart(db: Database) {
    let two = Two::start().await;
    two.on(&two.a).mint(&[1, 2]).await;
    two.on(&two.b).mint(&[3]).await;
    let mut setting = Setting::of(&[two.address]).await;
    setting.grace_secs = 0;
    let watch = start(&setting, &db, &two.a.url, &two.b.url).await.unwrap();
    let round = watch.once(false).await.unwrap();
    assert_eq!(round.failed_chains, 0);
    let ledger = watch.ledger();
    assert_eq!(tokens(ledger, A).await, is(&[(1, 1), (2, 2)]));
    assert_eq!(tokens(ledger, B).await, is(&[(1, 3)]));

    let status = status(&watch).await;
    let mut tx = ledger.read().await.unwrap();
    let told: Vec<_> = status.collections.iter().map(|c| (c.chain_id, c.tokens)).collect();
    assert_eq!(told, [(A, 2), (B, 1)]);
    assert!(status.chains.iter().map(|chain| chain.chain_id).eq([A, B]));
    // The node has nothing: each chain's contents are missed for themselves.
    let of = |chain| status.incidents.iter().filter(|one| one.chain_id == chain).count();
    assert_eq!((of(A), of(B)), (2, 1));
    let all = tx.collections().await.unwrap();
    let ambiguous = collection_at(&all, two.address, None).unwrap_err().to_string();
    assert!(ambiguous.ends_with("is on several chains (31337, 31338)"), "{ambiguous}");
    drop(tx);

    let config = setting.several(&db.url, &[(A, &two.a.url), (B, &two.b.url)]);
    let refused = reindex(ledger, &config, two.address, None).await.unwrap_err();
    assert!(matches!(refused, ReindexError::Several(_)), "{refused}");
    let done = reindex(ledger, &config, two.address, Some(B)).await.unwrap();
    assert_eq!(done.before.chain_id, B);
    assert_eq!((indexed(ledger, A).await.is_some(), indexed(ledger, B).await), (true, None));
    watch.once(false).await.unwrap();
    assert_eq!(tokens(ledger, B).await, is(&[(1, 3)]));
}

async fn a_reorg_on_one_chain_leaves_the_other_alone(db: Database) {
    let two = Two::start().await;
    two.on(&two.a).mint(&[1]).await;
    two.on(&two.b).mint(&[2]).await;
    let setting = Setting::of(&[two.address]).await;
    let watch = start(&setting, &db, &two.a.url, &two.b.url).await.unwrap();
    watch.once(false).await.unwrap();
    two.a.reorg(1).await;
    two.on(&two.a).mint(&[7]).await;
    let round = watch.once(false).await.unwrap();
    assert_eq!(round.reorgs, 1);
    assert_eq!(tokens(watch.ledger(), A).await, is(&[(1, 7)]));
    assert_eq!(tokens(watch.ledger(), B).await, is(&[(1, 2)]));
    // Deeper than what is final: one is halted, the other goes on.
    two.a.mine(30).await;
    watch.once(false).await.unwrap();
    two.a.reorg(25).await;
    two.on(&two.b).mint(&[3]).await;
    let round = watch.once(false).await.unwrap();
    assert_eq!(round.halted, 1);
    let halted: Vec<_> = collections(watch.ledger()).await;
    assert_eq!(halted.iter().map(|c| c.halted.is_some()).collect::<Vec<_>>(), [true, false]);
    assert_eq!(tokens(watch.ledger(), B).await, is(&[(1, 2), (2, 3)]));
}

async fn finality_of_one_chain_is_not_that_of_the_other(db: Database) {
    let two = Two::start().await;
    let token = two.on(&two.a).mint(&[1]).await;
    two.on(&two.b).mint(&[2]).await;
    two.on(&two.a).update(token, 9).await;
    let mut setting = Setting::of(&[two.address]).await;
    setting.confirmations = 5;
    let watch = start(&setting, &db, &two.a.url, &two.b.url).await.unwrap();
    watch.once(false).await.unwrap();
    let wanted = async || {
        let mut tx = watch.ledger().read().await.unwrap();
        let all = tx.wanted_contents().await.unwrap();
        all.iter().any(|content| content.id.digest == digest(1))
    };
    two.b.mine(20).await;
    watch.once(false).await.unwrap();
    assert!(wanted().await, "what B calls final says nothing of A's block of the same number");
    two.a.mine(20).await;
    watch.once(false).await.unwrap();
    assert!(!wanted().await);
}

async fn one_chain_that_is_down_holds_up_no_other(db: Database) {
    let two = Two::start().await;
    let proxy = Proxy::start(&two.a.url).await;
    let setting = Setting::of(&[two.address]).await;
    let watch = start(&setting, &db, &proxy.url(), &two.b.url).await.unwrap();
    let stop = CancellationToken::new();
    let run = async {
        let ledger = watch.ledger();
        let reads = async |chain, anvil: &Anvil| {
            let head = anvil.head().await;
            soon("the chain is read", || async { indexed(ledger, chain).await == Some(head) })
                .await;
        };
        reads(A, &two.a).await;
        proxy.set(|faults| faults.down = true);
        two.on(&two.a).mint(&[1]).await;
        for content in 2..5 {
            two.on(&two.b).mint(&[content]).await;
            reads(B, &two.b).await;
        }
        assert_eq!(tokens(ledger, B).await.len(), 3);
        assert_eq!(tokens(ledger, A).await.len(), 0);
        proxy.set(|faults| faults.down = false);
        reads(A, &two.a).await;
        assert_eq!(tokens(ledger, A).await, is(&[(1, 1)]));
        stop.cancel();
    };
    let (done, ()) = tokio::join!(watch.forever(false, &stop), run);
    done.unwrap();
    // A single round does what it can, and says that it was not all.
    proxy.set(|faults| faults.down = true);
    two.on(&two.b).mint(&[8]).await;
    let round = watch.once(false).await.unwrap();
    assert_eq!((round.failed_chains, round.events > 0), (1, true));
    assert_eq!(watch.index_once().await.unwrap().failed_chains, 1);
}

async fn a_chain_that_is_down_at_the_start_is_reached_later(db: Database) {
    let two = Two::start().await;
    let proxy = Proxy::start(&two.a.url).await;
    two.on(&two.a).mint(&[1]).await;
    two.on(&two.b).mint(&[2]).await;
    let setting = Setting::of(&[two.address]).await;
    proxy.set(|faults| faults.down = true);
    let watch = start(&setting, &db, &proxy.url(), &two.b.url).await.unwrap();
    let round = watch.once(false).await.unwrap();
    assert_eq!(round.failed_chains, 1);
    assert_eq!(collections(watch.ledger()).await.len(), 1);
    assert_eq!(tokens(watch.ledger(), B).await, is(&[(1, 2)]));
    proxy.set(|faults| faults.down = false);
    soon("it is reached", || async { watch.index_once().await.unwrap().failed_chains == 0 }).await;
    assert_eq!(tokens(watch.ledger(), A).await, is(&[(1, 1)]));
    drop(watch);
    // What is known of it is watched at once by the next process.
    proxy.set(|faults| faults.down = true);
    let watch = start(&setting, &db, &proxy.url(), &two.b.url).await.unwrap();
    assert_eq!(tokens(watch.ledger(), A).await, is(&[(1, 1)]));
    // With none to be reached there is nothing to begin with.
    let dead: Url = "http://127.0.0.1:1".parse().unwrap();
    let refused = start(&setting, &db, &dead, &proxy.url()).await.unwrap_err();
    assert!(matches!(refused, WatchError::Rpc(_)), "{refused}");
}

async fn refuses_chains_that_are_not_what_they_should_be(db: Database) {
    let two = Two::start().await;
    let setting = Setting::of(&[two.address]).await;
    let mixed = start(&setting, &db, &two.b.url, &two.b.url).await.unwrap_err().to_string();
    assert!(mixed.contains("serves chain 31338, but chain 31337"), "{mixed}");
    start(&setting, &db, &two.a.url, &two.b.url).await.unwrap();
    // One chain less is no mistake; none of them is.
    let one = setting.several(&db.url, &[(B, &two.b.url)]);
    let watch = Watch::start(&one, None).await.unwrap();
    let left: Vec<_> = collections(watch.ledger()).await;
    assert_eq!(left.iter().map(|one| one.chain_id).collect::<Vec<_>>(), [B]);
    let third = Anvil::with_chain_id(5).await;
    third.collection().await;
    let other = setting.several(&db.url, &[(5, &third.url)]);
    let refused = Watch::start(&other, None).await.unwrap_err();
    let expected = LedgerError::OtherChain { ledger: A, rpc: 5 };
    assert_eq!(refused.to_string(), expected.to_string());
    let more = setting.several(&db.url, &[(5, &third.url), (B, &two.b.url)]);
    let watch = Watch::start(&more, None).await.unwrap();
    watch.index_once().await.unwrap();
    assert_eq!(collections(watch.ledger()).await.len(), 2);
    let token = U256::from(1);
    assert!(two.on(&two.b).contract.owner_of(token).await.is_err(), "nothing was minted");
}

/// What the HTTP interface answers: status and body.
async fn get(port: u16, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http_a_token_is_asked_for_with_its_chain() {
    let two = Two::start().await;
    two.on(&two.a).mint(&[1]).await;
    two.on(&two.b).mint(&[2]).await;
    let setting = Setting::of(&[two.address]).await;
    let db = Database::fresh(Engine::Sqlite).await;
    let watch = start(&setting, &db, &two.a.url, &two.b.url).await.unwrap();
    watch.once(false).await.unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let (api, stop) = (Api::listen(address).await.unwrap(), CancellationToken::new());
    let serving = api.serve(watch.ledger().clone(), *watch.policy(), stop.clone());
    let asking = async {
        let path = format!("/api/v1/collections/{}/tokens/1", two.address);
        let (status, body) = get(address.port(), &path).await;
        assert!(status == 400 && body.contains("?chain_id=N says which"), "{status} {body}");
        for (chain, content) in [(A, 1), (B, 2)] {
            let (status, body) = get(address.port(), &format!("{path}?chain_id={chain}")).await;
            assert!(status == 200 && body.contains(&digest(content).to_string()), "{body}");
        }
        let (status, body) = get(address.port(), &format!("{path}?chain_id=5")).await;
        assert!(status == 404 && body.contains("is not in the ledger"), "{status} {body}");
        let (status, _) = get(address.port(), &format!("{path}?chain_id=x")).await;
        assert_eq!(status, 400);
        stop.cancel();
    };
    let (served, ()) = tokio::join!(serving, asking);
    served.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_of_one_chain_ask_which() {
    let two = Two::start().await;
    two.on(&two.a).mint(&[1]).await;
    two.on(&two.b).mint(&[2]).await;
    let setting = Setting::of(&[two.address]).await;
    let db = Database::fresh(Engine::Sqlite).await;
    let watch = start(&setting, &db, &two.a.url, &two.b.url).await.unwrap();
    watch.once(false).await.unwrap();
    watch.ledger().close().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("everhold.toml");
    let chain = |id, url: &Url| format!("[[chain]]\nchain_id = {id}\nrpc = [\"{url}\"]\n");
    let text =
        format!("database = \"{}\"\n", db.url) + &chain(A, &two.a.url) + &chain(B, &two.b.url);
    fs::write(&file, text).unwrap();
    let run = async |arguments: &[&str]| -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_everhold"));
        command.arg("--config").arg(&file).args(arguments).current_dir(dir.path());
        command.output().await.unwrap()
    };
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let address = two.address.to_string();
    let unclear = run(&["token", &address, "1"]).await;
    assert_eq!(unclear.status.code(), Some(2), "{}", said(&unclear));
    assert!(said(&unclear).contains("--chain-id N says which"), "{}", said(&unclear));
    let clear = run(&["token", &address, "1", "--chain-id", "31338", "--json"]).await;
    let value: serde_json::Value = serde_json::from_slice(&clear.stdout).unwrap();
    assert_eq!((&value["chain_id"], &value["digest"]), (&B.into(), &digest(2).to_string().into()));
    assert_eq!(run(&["reindex", &address]).await.status.code(), Some(2));
    let again = run(&["reindex", &address, "--chain-id", "31337"]).await;
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));

    let key = dir.path().join("key");
    fs::write(&key, anvil::KEY).unwrap();
    let key = ["--private-key-file", key.to_str().unwrap()];
    let freeze = ["freeze", "--collection", &address, "--token", "1", key[0], key[1]];
    let unclear = run(&freeze).await;
    assert_eq!(unclear.status.code(), Some(2), "{}", said(&unclear));
    assert!(said(&unclear).contains("chain_id 31337, 31338"), "{}", said(&unclear));
    let frozen = run(&[&freeze[..], &["--chain-id", "31338"]].concat()).await;
    assert_eq!(frozen.status.code(), Some(0), "{}", said(&frozen));
    let is_frozen = async |anvil| two.on(anvil).contract.is_frozen(U256::from(1)).await.unwrap();
    assert_eq!((is_frozen(&two.a).await, is_frozen(&two.b).await), (false, true));
    // Endpoints of another chain than the one that is named.
    let rpc = ["--chain-id", "31337", "--rpc", two.b.url.as_str()];
    let mistaken = run(&[&freeze[..], &rpc].concat()).await;
    assert_eq!(mistaken.status.code(), Some(2), "{}", said(&mistaken));
    assert!(said(&mistaken).contains("serves chain 31338"), "{}", said(&mistaken));
    let unclear = run(&["status", "--rpc", two.b.url.as_str()]).await;
    assert!(said(&unclear).contains("--rpc is of one"), "{}", said(&unclear));
}
