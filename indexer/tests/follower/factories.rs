//! Collections that a factory makes, picked up as they are made.

use alloy::primitives::Address;
use everhold::{
    chain::factory_address,
    config::{CollectionConfig, FactoryConfig},
    ledger::{Collection, Ledger},
    watch::{Watch, WatchError, reindex},
};

use crate::{
    anvil::{Anvil, digest},
    setting::{Setting, seen, status},
    support::database::{Database, on_both_engines},
};

on_both_engines!(
    picks_up_collections_as_they_are_made,
    takes_back_what_a_reorg_takes_back_and_brings_it_again,
    finds_collections_far_below_the_head,
    does_not_double_what_is_configured,
    watches_the_collections_of_some_creators_only,
    a_factory_halts_and_is_read_again,
    follows_a_factory_on_each_of_two_chains,
);

async fn setting(factory: FactoryConfig) -> Setting {
    let mut setting = Setting::of(&[]).await;
    setting.factories = vec![factory];
    setting
}

async fn ours() -> Setting {
    setting(FactoryConfig::default()).await
}

async fn start(setting: &Setting, db: &Database, anvil: &Anvil) -> Watch {
    setting.start(db, &[&anvil.url]).await.unwrap()
}

async fn collections(ledger: &Ledger) -> Vec<Collection> {
    ledger.read().await.unwrap().collections().await.unwrap()
}

async fn addresses(ledger: &Ledger) -> Vec<Address> {
    collections(ledger).await.iter().map(|one| one.address).collect()
}

/// What the ledger holds is what it would where these collections were configured.
async fn assert_as_configured(watch: &Watch, anvil: &Anvil, collections: &[Address]) {
    let expected = Setting::of(collections).await.fresh(&anvil.url).await;
    assert_eq!(seen(watch.ledger()).await, expected);
}

async fn picks_up_collections_as_they_are_made(db: Database) {
    let anvil = Anvil::start().await;
    let watch = start(&ours().await, &db, &anvil).await;
    watch.once(false).await.unwrap();
    assert!(addresses(watch.ledger()).await.is_empty(), "the factory is not even there yet");

    let one = anvil.collection().await;
    let made = anvil.head().await;
    one.mint(&[1, 2]).await;
    watch.once(false).await.unwrap();
    let found = collections(watch.ledger()).await.remove(0);
    assert_eq!((found.address, found.start_block), (one.address, made));
    assert_eq!((found.name.as_str(), found.editable, found.rereading), ("Test", true, false));
    assert_as_configured(&watch, &anvil, &[one.address]).await;

    let two = anvil.collection_with(false).await;
    two.mint(&[3]).await;
    one.mint(&[4]).await;
    watch.once(false).await.unwrap();
    assert_as_configured(&watch, &anvil, &[one.address, two.address]).await;
    assert!(!collections(watch.ledger()).await[1].editable);
    let now = status(&watch).await;
    let factory = factory_address().unwrap().to_checksum(None);
    assert!(now.collections.iter().all(|one| one.factory.as_ref() == Some(&factory)));
    let told: Vec<_> = now.factories.iter().map(|f| (f.address.clone(), f.collections)).collect();
    assert_eq!(told, [(factory, 2)]);
    assert_eq!(now.factories[0].indexed_block, Some(anvil.head().await));
    watch.ledger().close().await;

    // The next process knows them, and goes on.
    let watch = start(&ours().await, &db, &anvil).await;
    two.mint(&[5]).await;
    let round = watch.once(false).await.unwrap();
    assert_eq!(round.events, 2, "nothing is read twice: a transfer and a content");
    assert_as_configured(&watch, &anvil, &[one.address, two.address]).await;
}

async fn takes_back_what_a_reorg_takes_back_and_brings_it_again(db: Database) {
    let anvil = Anvil::start().await;
    let one = anvil.collection().await;
    let watch = start(&ours().await, &db, &anvil).await;
    watch.once(false).await.unwrap();
    let below = anvil.head().await;
    let gone = anvil.collection().await.address;
    anvil.collection_at(gone).mint(&[7]).await;
    watch.once(false).await.unwrap();
    assert_eq!(addresses(watch.ledger()).await, [one.address, gone]);

    anvil.reorg(anvil.head().await - below).await;
    let round = watch.once(false).await.unwrap();
    assert_eq!(round.reorgs, 1);
    assert_eq!(addresses(watch.ledger()).await, [one.address]);
    assert_as_configured(&watch, &anvil, &[one.address]).await;
    let wanted = watch.ledger().read().await.unwrap().wanted_contents().await.unwrap();
    assert!(wanted.is_empty(), "what only it named is no longer wanted");
    assert_eq!(status(&watch).await.factories[0].collections, 1);
    // A process that starts now does not bring it back.
    drop(watch);
    let watch = start(&ours().await, &db, &anvil).await;
    watch.once(false).await.unwrap();
    assert_eq!(addresses(watch.ledger()).await, [one.address]);

    anvil.mine(2).await;
    let again = anvil.collection().await;
    assert_eq!(again.address, gone, "the same settings and salt give the same address");
    let made = anvil.head().await;
    again.mint(&[8]).await;
    watch.once(false).await.unwrap();
    let back = collections(watch.ledger()).await.remove(1);
    assert_eq!((back.address, back.start_block, back.rereading), (gone, made, false));
    assert_as_configured(&watch, &anvil, &[one.address, gone]).await;
}

async fn finds_collections_far_below_the_head(db: Database) {
    let anvil = Anvil::start().await;
    let mut made = Vec::new();
    for content in 1..5 {
        let collection = anvil.collection().await;
        collection.mint(&[content]).await;
        anvil.mine(100).await;
        made.push(collection.address);
    }
    anvil.collection_at(made[0]).mint(&[9]).await;
    let watch = start(&ours().await, &db, &anvil).await;
    watch.once(false).await.unwrap();
    assert_as_configured(&watch, &anvil, &made).await;
    // From a later block on, only what comes there is found.
    let from = collections(watch.ledger()).await[2].start_block;
    let db = Database::fresh(db.engine).await;
    let later = FactoryConfig { start_block: from, ..FactoryConfig::default() };
    let watch = start(&setting(later).await, &db, &anvil).await;
    watch.once(false).await.unwrap();
    assert_eq!(addresses(watch.ledger()).await, made[2..]);
}

async fn does_not_double_what_is_configured(db: Database) {
    let anvil = Anvil::start().await;
    let one = anvil.collection().await;
    one.mint(&[1]).await;
    let mut both = Setting::of(&[one.address]).await;
    both.factories = vec![FactoryConfig::default()];
    let watch = start(&both, &db, &anvil).await;
    watch.once(false).await.unwrap();
    let all = collections(watch.ledger()).await;
    assert_eq!((all.len(), all[0].start_block), (1, 0), "it is read from where it was said");
    assert!(status(&watch).await.collections[0].factory.is_some());
    assert_as_configured(&watch, &anvil, &[one.address]).await;
    // Left out, it is the factory's; named again, it is not read from before it was made.
    let watch = start(&ours().await, &db, &anvil).await;
    assert_eq!(addresses(watch.ledger()).await, [one.address]);
    let watch = start(&both, &db, &anvil).await;
    assert_eq!(watch.once(false).await.unwrap().events, 0);
    // Without the factory it is what the configuration says, and a reorg does not take it away.
    let alone = Setting::of(&[one.address]).await;
    let watch = start(&alone, &db, &anvil).await;
    assert_eq!(addresses(watch.ledger()).await, [one.address]);
    assert!(status(&watch).await.factories.is_empty());
}

async fn watches_the_collections_of_some_creators_only(db: Database) {
    let anvil = Anvil::start().await;
    let one = anvil.collection().await;
    one.mint(&[1]).await;
    let of = |creator| FactoryConfig { creators: vec![creator], ..FactoryConfig::default() };
    let other = setting(of(Address::repeat_byte(7))).await;
    let watch = start(&other, &db, &anvil).await;
    watch.once(false).await.unwrap();
    assert!(addresses(watch.ledger()).await.is_empty(), "anyone may make collections");
    let watch = start(&setting(of(anvil.signer.address())).await, &db, &anvil).await;
    watch.once(false).await.unwrap();
    assert_eq!(addresses(watch.ledger()).await, [one.address], "the factory is not read again");
    assert_as_configured(&watch, &anvil, &[one.address]).await;
    let watch = start(&other, &db, &anvil).await;
    assert!(addresses(watch.ledger()).await.is_empty());
    let stranger = setting(FactoryConfig {
        address: Some(Address::repeat_byte(9)),
        ..FactoryConfig::default()
    });
    let refused = stranger.await.start(&db, &[&anvil.url]).await.unwrap_err();
    assert!(matches!(refused, WatchError::Factory(_)), "{refused}");
}

async fn a_factory_halts_and_is_read_again(db: Database) {
    let anvil = Anvil::start().await;
    let kept = anvil.collection().await;
    kept.mint(&[1]).await;
    anvil.mine(10).await;
    let mut setting = ours().await;
    setting.confirmations = 5;
    let watch = start(&setting, &db, &anvil).await;
    watch.once(false).await.unwrap();
    let below = anvil.head().await;
    let gone = anvil.collection().await;
    gone.mint(&[2]).await;
    anvil.mine(20).await;
    watch.once(false).await.unwrap();
    anvil.reorg(anvil.head().await - below).await;
    assert_eq!(watch.once(false).await.unwrap().halted, 3, "the factory and both collections");
    let now = status(&watch).await;
    assert!(now.factories[0].halted.is_some() && now.collections.len() == 2);
    // A start leaves the incident open.
    let watch = start(&setting, &db, &anvil).await;
    assert_eq!(status(&watch).await.open_incidents().filter(|i| i.kind == "halted").count(), 3);

    let config = setting.config(&db.url, &[&anvil.url]);
    let factory = factory_address().unwrap();
    for address in [factory, kept.address, gone.address] {
        reindex(watch.ledger(), &config, address, None).await.unwrap();
    }
    assert_eq!(collections(watch.ledger()).await.len(), 2, "in use until it is known better");
    watch.once(false).await.unwrap();
    let now = status(&watch).await;
    assert!(!now.factories[0].rereading && now.factories[0].halted.is_none());
    assert_eq!(addresses(watch.ledger()).await, [kept.address]);
    assert_as_configured(&watch, &anvil, &[kept.address]).await;
}

async fn follows_a_factory_on_each_of_two_chains(db: Database) {
    let (a, b) = (Anvil::with_chain_id(31337).await, Anvil::with_chain_id(31338).await);
    let one = a.collection().await;
    one.mint(&[1]).await;
    let setting = ours().await;
    let chains = [(31337, &a.url), (31338, &b.url)];
    let watch = Watch::start(&setting.several(&db.url, &chains), None).await.unwrap();
    watch.once(false).await.unwrap();
    let on = async || {
        let all = collections(watch.ledger()).await;
        all.iter().map(|one| (one.chain_id, one.address)).collect::<Vec<_>>()
    };
    assert_eq!(on().await, [(31337, one.address)]);
    let other = b.collection().await;
    other.mint(&[2]).await;
    watch.once(false).await.unwrap();
    assert_eq!(on().await, [(31337, one.address), (31338, one.address)]);
    b.reorg(2).await;
    watch.once(false).await.unwrap();
    assert_eq!(on().await, [(31337, one.address)], "a reorg takes back what is of its chain");
    let wanted = watch.ledger().read().await.unwrap().wanted_contents().await.unwrap();
    assert!(wanted.iter().map(|content| content.id.digest).eq([digest(1)]));
    let config = CollectionConfig {
        chain_id: Some(1),
        address: one.address,
        start_block: 0,
        standard: None,
    };
    let mut wrong = setting.several(&db.url, &chains);
    wrong.collection.push(config);
    let refused = Watch::start(&wrong, None).await.unwrap_err().to_string();
    assert!(refused.contains("no [[chain]] has that"), "{refused}");
}
