//! Reorgs beyond finality on a real chain, what is told of them, and how a halt ends.

use std::sync::{Arc, Mutex};

use everhold::{
    health::Health,
    ledger::{Collection, Incident, Ledger, Millis, Subject},
    watch::{ReindexError, reindex},
};
use serde_json::Value;

use crate::{
    anvil::{Anvil, digest},
    http::{Reply, Server},
    proxy::Proxy,
    setting::{Setting, seen, seen_in, status},
    support::database::{Database, on_both_engines},
};

on_both_engines!(
    halts_within_the_window_and_tells_of_it,
    halts_where_nothing_remembered_is_left,
    halts_a_backfill_that_was_interrupted,
    lets_another_collection_go_on,
    reads_again_without_alarms_in_between,
    notices_a_reindex_while_it_runs,
    closes_the_incident_of_a_collection_left_out,
);

async fn collections(ledger: &Ledger) -> Vec<Collection> {
    ledger.read().await.unwrap().collections().await.unwrap()
}

async fn open_incidents(ledger: &Ledger) -> Vec<Incident> {
    ledger.read().await.unwrap().incidents(Millis::MAX).await.unwrap()
}

/// A webhook that keeps what it gets.
async fn webhook() -> (Server, Arc<Mutex<Vec<Value>>>) {
    let came = Arc::new(Mutex::new(Vec::new()));
    let kept = came.clone();
    let server = Server::start(move |body| {
        kept.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
        async { Some(Reply::new(200, Vec::new())) }
    });
    (server.await, came)
}

async fn halts_within_the_window_and_tells_of_it(db: Database) {
    let (hook, came) = webhook().await;
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let mut setting = Setting::of(&[collection.address]).await;
    setting.confirmations = 4;
    setting.webhooks = vec![hook.url.clone()];
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    collection.mint(&[1]).await;
    anvil.mine(10).await;
    let token = collection.mint(&[2]).await;
    anvil.mine(2).await;
    watch.once(false).await.unwrap();
    let (before, head) = (seen(watch.ledger()).await, anvil.head().await);
    assert_eq!(status(&watch).await.collections[0].not_final, 1);

    anvil.reorg(8).await;
    anvil.mine(1).await;
    let round = watch.once(false).await.unwrap();
    assert_eq!((round.halted, round.reorgs, round.alerts), (1, 0, 1));
    assert_eq!(seen(watch.ledger()).await, before, "nothing was changed");
    let round = watch.once(false).await.unwrap();
    assert_eq!((round.halted, round.alerts), (0, 0), "it is said once");
    let now = status(&watch).await;
    let halted = now.collections[0].halted.as_ref().unwrap();
    assert_eq!(halted.shared_block, Some(head - 8));
    assert_eq!(now.collections[0].finalized_block, Some(head - 8));
    assert_eq!(now.collections[0].not_final, 1, "token {token} is on no chain any more");
    let incident = now.open_incidents().find(|incident| incident.kind == "halted").unwrap();
    assert_eq!((&incident.content, incident.health), (&None, Health::Unverifiable));
    assert_eq!(incident.summary, halted.reason);

    let config = setting.config(&db.url, &[&anvil.url]);
    reindex(watch.ledger(), &config, collection.address, None).await.unwrap();
    let round = watch.once(false).await.unwrap();
    assert_eq!((round.halted, round.alerts), (0, 1));
    assert_eq!(seen(watch.ledger()).await, setting.fresh(&anvil.url).await);
    let came = came.lock().unwrap().clone();
    let told: Vec<_> = came.iter().filter_map(|body| body["event"].as_str()).collect();
    assert_eq!(told, ["incident.opened", "incident.recovered"]);
    assert!(came.iter().all(|body| body["kind"] == "halted"), "{came:?}");
    assert_eq!(came[0]["incident"], came[1]["incident"]);
    assert_eq!((&came[0]["content"], &came[0]["health"]), (&Value::Null, &"unverifiable".into()));
    let command =
        format!("everhold reindex {} --chain-id 31337", collection.address.to_checksum(None));
    assert_eq!(came[0]["command"], command);
    assert_eq!((&came[1]["previous"], &came[1]["health"]), (&"unverifiable".into(), &Value::Null));
}

async fn halts_where_nothing_remembered_is_left(db: Database) {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    anvil.mine(200).await;
    collection.mint(&[1, 2]).await;
    let setting = Setting::of(&[collection.address]).await;
    setting.round(&db, &[&anvil.url]).await.unwrap();
    let before = seen_in(&db).await;
    anvil.reorg(150).await;
    for halted in [1, 0] {
        let round = setting.round(&db, &[&anvil.url]).await.unwrap();
        assert_eq!((round.halted, round.reorgs), (halted, 0));
        assert_eq!(seen_in(&db).await, before, "nothing was changed");
    }
    let ledger = db.open().await;
    let halt = collections(&ledger).await.remove(0).halted.unwrap();
    assert!(halt.reason.contains("the oldest one remembered"), "{halt:?}");
    let config = setting.config(&db.url, &[&anvil.url]);
    let unknown = alloy::primitives::Address::repeat_byte(9);
    let refused = reindex(&ledger, &config, unknown, None).await;
    assert!(matches!(refused, Err(ReindexError::Unknown(address)) if address == unknown));
    reindex(&ledger, &config, collection.address, None).await.unwrap();
    ledger.close().await;
    setting.round(&db, &[&anvil.url]).await.unwrap();
    assert_eq!(seen_in(&db).await, setting.fresh(&anvil.url).await);
}

/// The process ends in the middle of a backfill, and the chain is rewritten below what it had read:
/// no block of a window was written yet, and the ledger must know it all the same.
async fn halts_a_backfill_that_was_interrupted(db: Database) {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    anvil.mine(100).await;
    collection.mint(&[1]).await;
    anvil.mine(160).await;
    let setting = Setting::of(&[collection.address]).await;
    let proxy = Proxy::start(&anvil.url).await;
    // The backfill gets through, the blocks of the window do not.
    let window = anvil.head().await - 128;
    proxy.set(|faults| faults.logs_up_to = Some(window));
    setting.round(&db, &[&proxy.url()]).await.unwrap_err();
    let before = seen_in(&db).await;
    let stopped = before.indexed[0].unwrap();
    assert!(stopped > 101 && stopped < anvil.head().await - 100, "{stopped}");
    assert_eq!(before.snapshot.tokens.len(), 1);
    anvil.reorg(anvil.head().await - 50).await;
    proxy.set(|faults| faults.logs_up_to = None);
    let round = setting.round(&db, &[&proxy.url()]).await.unwrap();
    assert_eq!(round.halted, 1, "it was read from blocks that are gone");
    assert_eq!(seen_in(&db).await, before);
}

/// A collection that the fork did not reach, and one that is not begun, are none the worse for it.
async fn lets_another_collection_go_on(db: Database) {
    let anvil = Anvil::start().await;
    let (first, second) = (anvil.collection().await, anvil.collection().await);
    let third = anvil.collection().await;
    second.mint(&[7]).await;
    anvil.mine(20).await;
    first.mint(&[1]).await;
    Setting::of(&[second.address]).await.round(&db, &[&anvil.url]).await.unwrap();
    anvil.mine(40).await;
    let setting = Setting::of(&[first.address]).await;
    setting.round(&db, &[&anvil.url]).await.unwrap();
    anvil.reorg(30).await;
    anvil.mine(5).await;
    second.mint(&[8]).await;
    let all = Setting::of(&[first.address, second.address, third.address]).await;
    let round = all.round(&db, &[&anvil.url]).await.unwrap();
    assert_eq!(round.halted, 1);
    let ledger = db.open().await;
    let head = anvil.head().await;
    let now = collections(&ledger).await;
    let of = |address| now.iter().find(|known| known.address == address).unwrap();
    assert!(of(first.address).halted.is_some());
    for going in [second.address, third.address] {
        assert_eq!((&of(going).halted, of(going).indexed_block), (&None, Some(head)));
    }
    // An ordinary reorg is followed for the others.
    anvil.reorg(3).await;
    anvil.mine(1).await;
    let round = all.round(&db, &[&anvil.url]).await.unwrap();
    assert_eq!((round.halted, round.reorgs), (0, 1));
    let others = Setting::of(&[second.address, third.address]).await;
    let expected = others.fresh(&anvil.url).await.snapshot.tokens;
    let tokens = seen(&ledger).await.snapshot.tokens;
    let going: Vec<_> = tokens.iter().filter(|((of, _), _)| *of != first.address).collect();
    assert_eq!(going, expected.iter().collect::<Vec<_>>());
    ledger.close().await;
}

/// Its content is on no node: an incident is open. Reading the collection again neither ends it nor
/// opens another, and forgets no evidence.
async fn reads_again_without_alarms_in_between(db: Database) {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    let (kept, gone) = (collection.mint(&[1]).await, collection.mint(&[2]).await);
    let mut setting = Setting::of(&[collection.address]).await;
    (setting.grace_secs, setting.confirmations) = (0, 2);
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    watch.once(false).await.unwrap();
    let of = |content: u8| {
        move |incident: &Incident| {
            incident.subject.content().is_some_and(|(_, id)| id.digest == digest(content))
        }
    };
    let before = open_incidents(watch.ledger()).await;
    assert_eq!(before.len(), 2);
    let lost = before.iter().find(|incident| of(1)(incident)).unwrap();
    // The second mint is not on the chain that comes instead.
    let minted = seen(watch.ledger()).await.snapshot.tokens[&(collection.address, gone)].minted.0;
    anvil.mine(5).await;
    watch.once(false).await.unwrap();
    anvil.reorg(anvil.head().await - minted + 1).await;
    assert_eq!(watch.once(false).await.unwrap().halted, 1);
    assert_eq!(open_incidents(watch.ledger()).await.len(), 3);

    let config = setting.config(&db.url, &[&anvil.url]);
    reindex(watch.ledger(), &config, collection.address, None).await.unwrap();
    // Another process looks at the contents before this one reads the chain again.
    assert!(seen(watch.ledger()).await.snapshot.tokens.is_empty());
    let proxy = Proxy::start(&anvil.url).await;
    let careful = setting.start(&db, &[&proxy.url()]).await.unwrap();
    proxy.set(|faults| faults.down = true);
    let stop = tokio_util::sync::CancellationToken::new();
    let care = async {
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        stop.cancel();
    };
    let (cared, ()) = tokio::join!(careful.forever(false, &stop), care);
    cared.unwrap();
    let between = open_incidents(watch.ledger()).await;
    assert_eq!(between.len(), 2, "{between:?}");

    watch.once(false).await.unwrap();
    let after = open_incidents(watch.ledger()).await;
    assert_eq!(after.len(), 1, "{after:?}");
    assert!(of(1)(&after[0]), "{after:?}");
    assert_eq!((&after[0].id, after[0].opened_at), (&lost.id, lost.opened_at));
    let mut tx = watch.ledger().read().await.unwrap();
    let all = tx.incidents(0).await.unwrap();
    assert_eq!(all.len(), 3, "none was opened in between: {all:?}");
    drop(tx);
    let now = seen(watch.ledger()).await;
    let ids: Vec<_> = now.snapshot.tokens.keys().map(|(_, id)| *id).collect();
    assert_eq!(ids, [kept]);
    assert_eq!(now, setting.fresh(&anvil.url).await);
}

/// `watch` needs no restart.
async fn notices_a_reindex_while_it_runs(db: Database) {
    let anvil = Anvil::start().await;
    let collection = anvil.collection().await;
    collection.mint(&[1]).await;
    anvil.mine(20).await;
    let setting = Setting::of(&[collection.address]).await;
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    watch.index_once().await.unwrap();
    anvil.reorg(15).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let hand = async {
        let ledger = db.open().await;
        let until = async |done: fn(&Collection) -> bool| {
            while !done(&collections(&ledger).await[0]) {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        until(|collection| collection.halted.is_some()).await;
        let config = setting.config(&db.url, &[&anvil.url]);
        reindex(&ledger, &config, collection.address, None).await.unwrap();
        until(|collection| !collection.rereading).await;
        ledger.close().await;
        stop.cancel();
    };
    let patience = std::time::Duration::from_secs(60);
    let both = async { tokio::join!(watch.forever(false, &stop), hand) };
    tokio::time::timeout(patience, both).await.expect("it does not notice").0.unwrap();
    assert_eq!(seen(watch.ledger()).await, setting.fresh(&anvil.url).await);
}

async fn closes_the_incident_of_a_collection_left_out(db: Database) {
    let anvil = Anvil::start().await;
    let (first, second) = (anvil.collection().await, anvil.collection().await);
    anvil.mine(30).await;
    let both = Setting::of(&[first.address, second.address]).await;
    both.round(&db, &[&anvil.url]).await.unwrap();
    anvil.reorg(20).await;
    assert_eq!(both.round(&db, &[&anvil.url]).await.unwrap().halted, 2);
    let one = Setting::of(&[second.address]).await;
    one.round(&db, &[&anvil.url]).await.unwrap();
    let ledger = db.open().await;
    assert_eq!(open_incidents(&ledger).await.len(), 1);
    let all = ledger.read().await.unwrap().incidents(0).await.unwrap();
    let reason = all.iter().find_map(|incident| incident.close_reason.clone()).unwrap();
    assert!(reason.contains("left out"), "{reason}");
    both.round(&db, &[&anvil.url]).await.unwrap();
    let open = open_incidents(&ledger).await;
    assert_eq!(open.len(), 2, "it is still halted");
    assert!(open.iter().all(|incident| incident.subject == Subject::Halted));
    ledger.close().await;
}
