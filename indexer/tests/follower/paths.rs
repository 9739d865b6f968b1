//! Paths that lead nowhere: who is told, and when that is over.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use alloy::primitives::{Address, U256};
use everhold::{
    config::Config,
    content::{Codec, ContentId, Digest, id_of},
    health::Health,
    report::{IncidentStatus, Status},
    watch::{allow, deny},
};

use sqlx::{AssertSqlSafe, Connection};

use crate::{
    anvil::Anvil,
    foreign::{CID, deploy, moveCall, report},
    http::{Reply, Server},
    setting::{Setting, status},
    support::database::{Database, Engine, on_both_engines},
};

on_both_engines!(
    tells_once_of_a_path_that_leads_nowhere,
    does_not_follow_a_path_below_what_is_denied,
    learns_of_no_bytes_without_denying_them,
);

/// A folder in which `1.json` is [`CID`]: a dag-pb block.
fn folder() -> (ContentId, Vec<u8>) {
    let field =
        |tag: u8, bytes: &[u8]| [&[tag, u8::try_from(bytes.len()).unwrap()], bytes].concat();
    let content: ContentId = CID.parse().unwrap();
    let cid = [&[1, 0x55, 0x12, 32][..], &content.digest.0].concat();
    let link = [field(0x0a, &cid), field(0x12, b"1.json"), vec![0x18, 5]].concat();
    let block = [field(0x12, &link), field(0x0a, &[8, 1])].concat();
    (ContentId { codec: Codec::DagPb, digest: Digest::of(&block) }, block)
}

fn paths(status: &Status) -> Vec<&IncidentStatus> {
    status.open_incidents().filter(|incident| incident.kind == "path").collect()
}

async fn tells_once_of_a_path_that_leads_nowhere(db: Database) {
    let anvil = Anvil::start().await;
    let (id, block) = folder();
    let has: Arc<Mutex<Option<Vec<u8>>>> = Arc::default();
    let given = has.clone();
    let gateway = Server::start(move |_| {
        let block = given.lock().unwrap().clone();
        async move {
            Some(match block {
                Some(block) => Reply::new(200, block),
                None => Reply::new(404, "not found"),
            })
        }
    });
    let gateway = gateway.await;
    let contract = deploy(&anvil, "Foreign721").await;
    let cid = id.cid();
    contract.mint(1, format!("ipfs://{cid}/1.json").as_bytes()).await;
    contract.mint(2, format!("https://ipfs.io/ipfs/{cid}/1.json").as_bytes()).await;
    contract.mint(3, format!("ipfs://{cid}/3.json").as_bytes()).await;
    let mut setting = Setting::of(&[contract.address]).await;
    setting.grace_secs = 0;
    setting.gateways = vec![gateway.url.clone()];
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    watch.once(false).await.unwrap();
    let all = status(&watch).await;
    assert_eq!(all.collections[0].health[&Health::Lost], 3);
    let open = paths(&all);
    assert_eq!(open.len(), 2, "{open:?}");
    let first = open.iter().find(|one| one.path == Some(format!("ipfs://{cid}/1.json"))).unwrap();
    assert_eq!((first.health, first.content.as_ref()), (Health::Lost, None));
    let id = first.id.clone();
    watch.once(false).await.unwrap();
    assert!(paths(&status(&watch).await).iter().any(|one| one.id == id), "it is the same one");
    // The folder comes: one file is in it, the other is not.
    *has.lock().unwrap() = Some(block);
    watch.once(false).await.unwrap();
    let all = status(&watch).await;
    let open = paths(&all);
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0].path, Some(format!("ipfs://{cid}/3.json")));
    let over = all.incidents.iter().find(|one| one.id == id).unwrap();
    assert!(over.close_reason.as_ref().is_some_and(|why| why.contains("found")), "{over:?}");
    // The token that names the other one is burned; a reorg brings it back, and then ends it again.
    contract.does(moveCall { id: U256::from(3), to: Address::ZERO }).await;
    watch.once(false).await.unwrap();
    assert!(paths(&status(&watch).await).is_empty());
    anvil.reorg(1).await;
    anvil.mine(1).await;
    watch.once(false).await.unwrap();
    assert_eq!(paths(&status(&watch).await).len(), 1);
    watch.ledger().close().await;
}

async fn does_not_follow_a_path_below_what_is_denied(db: Database) {
    let anvil = Anvil::start().await;
    let (id, block) = folder();
    let asked: Arc<AtomicUsize> = Arc::default();
    let counter = asked.clone();
    let gateway = Server::start(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        let block = block.clone();
        async move { Some(Reply::new(200, block)) }
    });
    let gateway = gateway.await;
    let contract = deploy(&anvil, "Foreign721").await;
    contract.mint(1, format!("ipfs://{}/1.json", id.cid()).as_bytes()).await;
    contract.mint(2, format!("https://ipfs.io/ipfs/{id}/1.json").as_bytes()).await;
    let mut setting = Setting::of(&[contract.address]).await;
    setting.grace_secs = 0;
    setting.gateways = vec![gateway.url.clone()];
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    let config = Config::default();
    deny(watch.ledger(), &config, &id.to_string(), "by order 7/26").await.unwrap();
    watch.once(false).await.unwrap();
    let all = status(&watch).await;
    assert_eq!(all.collections[0].health[&Health::Denied], 2);
    assert_eq!((asked.load(Ordering::Relaxed), all.open_incidents().count()), (0, 0));
    let token = report(&watch, contract.address, 1).await;
    assert!(token.unresolved[0].contains("denied: by order 7/26"), "{:?}", token.unresolved);
    assert!(status(&watch).await.all_healthy());
    allow(watch.ledger(), &config, &id.to_string()).await.unwrap();
    watch.once(false).await.unwrap();
    assert!(asked.load(Ordering::Relaxed) > 0);
    let named = watch.ledger().read().await.unwrap().wanted_contents().await.unwrap();
    let found: ContentId = CID.parse().unwrap();
    assert_eq!(named.iter().map(|content| content.id).collect::<Vec<_>>(), [found]);
    watch.ledger().close().await;
}

/// Has the database fail where a content comes to be denied, or not any more.
async fn fail_at_denials(db: &Database, fails: bool) {
    let sql = match (db.engine, fails) {
        (Engine::Sqlite, true) => {
            "CREATE TRIGGER crash BEFORE UPDATE OF denied ON contents WHEN NEW.denied = 1
             BEGIN SELECT RAISE(ABORT, 'crash'); END"
        }
        (Engine::Postgres, true) => {
            "CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql
                AS $$ BEGIN RAISE EXCEPTION 'crash'; END $$;
             CREATE TRIGGER crash BEFORE UPDATE OF denied ON contents FOR EACH ROW
                WHEN (NEW.denied = 1) EXECUTE FUNCTION crash()"
        }
        (Engine::Sqlite, false) => "DROP TRIGGER crash",
        (Engine::Postgres, false) => "DROP TRIGGER crash ON contents",
    };
    let sql = sqlx::raw_sql(AssertSqlSafe(sql));
    match db.engine {
        Engine::Sqlite => {
            let mut connection = sqlx::SqliteConnection::connect(&db.url).await.unwrap();
            sql.execute(&mut connection).await.unwrap();
        }
        Engine::Postgres => {
            let mut connection = sqlx::PgConnection::connect(&db.url).await.unwrap();
            sql.execute(&mut connection).await.unwrap();
        }
    }
}

/// A process that ends between the two would leave them scheduled for whoever goes on.
async fn learns_of_no_bytes_without_denying_them(db: Database) {
    let anvil = Anvil::start().await;
    let bytes = br#"{"name":"not to be had"}"#;
    let id = id_of(Codec::DagPb, bytes);
    let gateway = Server::start(move |_| async move { Some(Reply::new(200, bytes)) }).await;
    let contract = deploy(&anvil, "Foreign721").await;
    contract.mint(1, format!("ipfs://{}", id.cid()).as_bytes()).await;
    let mut setting = Setting::of(&[contract.address]).await;
    setting.gateways = vec![gateway.url.clone()];
    let watch = setting.start(&db, &[&anvil.url]).await.unwrap();
    let digest = alloy::hex::encode(Digest::of(bytes).0);
    deny(watch.ledger(), &Config::default(), &digest, "by order 7/26").await.unwrap();
    let wanted = async || {
        let mut tx = watch.ledger().read().await.unwrap();
        let wanted = tx.wanted_contents().await.unwrap();
        wanted.iter().map(|content| content.known.sha256).collect::<Vec<_>>()
    };
    fail_at_denials(&db, true).await;
    watch.once(false).await.unwrap_err();
    assert_eq!(wanted().await, [None], "nothing is known of it by halves");
    fail_at_denials(&db, false).await;
    watch.once(false).await.unwrap();
    assert_eq!(wanted().await, []);
    assert_eq!(status(&watch).await.collections[0].health[&Health::Denied], 1);
    watch.ledger().close().await;
}
