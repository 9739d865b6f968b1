//! Several chains in one process, with the same contract on each.

use std::{future::Future, time::Duration};

use alloy::primitives::{Address, U256};
use everhold::{
    ledger::{self, Collection, Ledger, LedgerError},
    report::{Status, TokenReport, collection_at},
    watch::{ReindexError, Watch, WatchError, reindex},
};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    anvil::{self, Anvil, digest},
    proxy::Proxy,
    setting::Setting,
    support::database::{Database, on_both_engines},
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

    let mut tx = ledger.read().await.unwrap();
    let status = Status::read(&mut tx, watch.policy(), ledger::now()).await.unwrap();
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
