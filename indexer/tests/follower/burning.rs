//! Burned tokens, tokens minted by voucher, and collections with edits off.

use alloy::primitives::{Address, U256};
use everhold::{
    health::Health,
    ledger::{self, Ledger, Millis},
    report::{Absent, TokenReport},
    watch::Watch,
};

use crate::{
    anvil::{Anvil, digest},
    setting::{Setting, seen, status},
    support::{
        database::{Database, on_both_engines},
        snapshot,
    },
};

on_both_engines!(
    lets_a_burned_token_go_and_takes_it_back,
    drops_a_burned_tokens_content_when_the_burn_is_final,
    follows_a_token_minted_by_voucher,
    calls_every_token_frozen_where_edits_are_off,
);

/// Nobody has any content here, and there is no grace: everything is lost, and an incident.
async fn all_lost(collection: Address) -> Setting {
    let mut setting = Setting::of(&[collection]).await;
    setting.grace_secs = 0;
    setting
}

async fn report(watch: &Watch, collection: Address, token: U256) -> Option<TokenReport> {
    let mut tx = watch.ledger().read().await.unwrap();
    let now = ledger::now();
    let of = snapshot::collection(&mut tx, collection).await.unwrap();
    TokenReport::read(&mut tx, watch.policy(), &of, token, now).await.unwrap()
}

async fn absent(watch: &Watch, collection: Address, token: U256) -> Absent {
    let mut tx = watch.ledger().read().await.unwrap();
    let of = snapshot::collection(&mut tx, collection).await.unwrap();
    Absent::read(&mut tx, &of, token).await.unwrap()
}

/// The contents of open incidents.
async fn open_incidents(ledger: &Ledger) -> Vec<String> {
    let mut tx = ledger.read().await.unwrap();
    let open = tx.incidents(Millis::MAX).await.unwrap();
    let named = open.iter().filter_map(|i| i.subject.content());
    let mut contents: Vec<_> = named.map(|(_, id)| id.digest.to_hex()).collect();
    contents.sort();
    contents
}

fn sorted(contents: &[u8]) -> Vec<String> {
    let mut all: Vec<_> = contents.iter().map(|content| digest(*content).to_hex()).collect();
    all.sort();
    all
}

async fn lets_a_burned_token_go_and_takes_it_back(db: Database) {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let setting = all_lost(collection.address).await;
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    // Tokens 1 and 2 share their content; 3 is frozen.
    let first = collection.mint(&[1, 1, 3]).await;
    let frozen = first + U256::from(2);
    collection.freeze(frozen).await;
    watch.once(false).await.unwrap();
    assert_eq!(open_incidents(watch.ledger()).await, sorted(&[1, 3]));
    let before = seen(watch.ledger()).await.snapshot;
    assert_eq!(absent(&watch, collection.address, U256::from(9)).await, Absent::NotMinted);

    collection.burn(first).await;
    collection.burn(frozen).await;
    watch.once(false).await.unwrap();
    let now = status(&watch).await;
    assert_eq!((now.collections[0].tokens, now.collections[0].health[&Health::Lost]), (1, 1));
    assert_eq!(open_incidents(watch.ledger()).await, sorted(&[1]), "token 2 still has the other");
    assert!(report(&watch, collection.address, frozen).await.is_none());
    let Absent::Burned { burn, .. } = absent(&watch, collection.address, frozen).await else {
        panic!("it does not say that the token was burned");
    };
    assert_eq!(burn.block.0, anvil.head().await);
    let reason = now.incidents.iter().find_map(|incident| incident.close_reason.as_deref());
    assert_eq!(reason, Some("no token names this content any more"));
    assert_eq!(seen(watch.ledger()).await, setting.fresh(&anvil.url).await);

    // Both burns never were.
    anvil.reorg(2).await;
    anvil.mine(1).await;
    watch.once(false).await.unwrap();
    assert_eq!(seen(watch.ledger()).await.snapshot, before);
    assert_eq!(status(&watch).await.collections[0].tokens, 3);
    assert_eq!(open_incidents(watch.ledger()).await, sorted(&[1, 3]));
    assert_eq!(report(&watch, collection.address, frozen).await.unwrap().frozen, Some(true));
}

async fn drops_a_burned_tokens_content_when_the_burn_is_final(db: Database) {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let mut setting = Setting::of(&[collection.address]).await;
    setting.confirmations = 4;
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    let token = collection.mint(&[1, 2]).await;
    // An update before it: both contents were only this token's.
    collection.update(token, 3).await;
    collection.burn(token).await;
    for blocks in 0..6 {
        watch.once(false).await.unwrap();
        let wanted = seen(watch.ledger()).await.snapshot.wanted.len();
        let expected = match blocks {
            0..3 => 3,
            3 => 2,
            _ => 1,
        };
        assert_eq!(wanted, expected, "{blocks} blocks later");
        anvil.mine(1).await;
    }
    assert_eq!(seen(watch.ledger()).await.snapshot, setting.fresh(&anvil.url).await.snapshot);
}

async fn follows_a_token_minted_by_voucher(db: Database) {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let setting = Setting::of(&[collection.address]).await;
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    collection.mint(&[1]).await;
    let token = collection.redeem(2).await;
    collection.mint(&[3, 4]).await;
    watch.once(false).await.unwrap();
    let redeemed = report(&watch, collection.address, token).await.unwrap();
    assert_eq!(redeemed.digest, Some(digest(2).to_string()));
    let owner = Some(anvil.signer.address().to_string());
    assert_eq!((redeemed.revision, redeemed.owner), (Some(1), owner));
    assert_eq!(status(&watch).await.collections[0].tokens, 4);
    anvil.reorg(2).await;
    anvil.mine(1).await;
    watch.once(false).await.unwrap();
    assert!(report(&watch, collection.address, token).await.is_none());
    assert_eq!(absent(&watch, collection.address, token).await, Absent::NotMinted);
}

async fn calls_every_token_frozen_where_edits_are_off(db: Database) {
    let anvil = Anvil::start().await;
    let (fixed, free) = (anvil.collection_with(false).await, anvil.collection().await);
    let setting = Setting::of(&[fixed.address, free.address]).await;
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    let (of_fixed, of_free) = (fixed.mint(&[1, 2]).await, free.mint(&[1]).await);
    watch.once(false).await.unwrap();
    let editable: Vec<_> =
        status(&watch).await.collections.iter().map(|collection| collection.editable).collect();
    assert_eq!(editable, [Some(false), Some(true)]);
    assert_eq!(report(&watch, fixed.address, of_fixed).await.unwrap().frozen, Some(true));
    assert_eq!(report(&watch, free.address, of_free).await.unwrap().frozen, Some(false));
    // What is not editable can be burned.
    fixed.burn(of_fixed).await;
    watch.once(false).await.unwrap();
    assert!(matches!(absent(&watch, fixed.address, of_fixed).await, Absent::Burned { .. }));
}
