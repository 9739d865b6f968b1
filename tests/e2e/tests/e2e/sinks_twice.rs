//! Nothing is told twice, or it has the same key: processes that are killed, and two at once.

use std::{collections::BTreeMap, fs, time::Duration};

use everhold_e2e::{
    Everhold, Result, Services, Setup, World,
    dag::Dag,
    ended::Ended,
    eventually,
    foreign::Foreign,
    gateway::{Gateway, Habit},
    report::text,
};
use serde_json::json;
use sqlx::{Connection, PgConnection};

use crate::{
    postgres::server,
    sinks::{world, world_with},
    support::small,
};

const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

fn hook(services: &Services) -> String {
    format!("[[alert]]\nwebhook = \"{}\"\n", services.url("/hook"))
}

#[tokio::test]
async fn an_alert_that_was_sent_and_not_written_down_comes_again_with_its_key() -> Result<()> {
    let services = Services::start().await?;
    let world = world(&hook(&services)).await?;
    services.delay(Duration::from_secs(8));
    let id = world.id(1, "image").await?;
    fs::remove_file(world.nodes[0].path(&id)).unwrap();
    let mut watcher = world.everhold.watch(&["--no-repair"])?;
    eventually("the alert is sent", PATIENCE, PAUSE, async || {
        Ok((services.posted("/hook").len() == 1).then_some(()))
    })
    .await?;
    watcher.kill().await?;
    services.delay(Duration::ZERO);
    let mut watcher = world.everhold.watch(&["--no-repair"])?;
    eventually("it is sent again", PATIENCE, PAUSE, async || {
        Ok((services.posted("/hook").len() == 2).then_some(()))
    })
    .await?;
    // Nothing more comes of it.
    tokio::time::sleep(Duration::from_secs(2)).await;
    watcher.terminate().await?;
    let posted = services.posted("/hook");
    assert_eq!(posted.len(), 2);
    assert!(!posted[0].key.is_empty() && posted[0].key == posted[1].key);
    assert_eq!(posted[0].body, posted[1].body);
    Ok(())
}

#[tokio::test]
async fn two_processes_on_one_database_send_nothing_twice() -> Result<()> {
    let services = Services::start().await?;
    let database = Some(server::new_database().await);
    let setup = Setup { nodes: 2, tokens: 4, database, ..Setup::default() };
    let world = world_with(setup, &hook(&services)).await?;
    let other = Everhold::new()?;
    other.configure(&world.settings)?;
    // Each alert is on its way for longer than a look at the outbox takes, and one process starts then.
    services.delay(Duration::from_millis(1_500));
    for token in world.art.tokens() {
        fs::remove_file(world.nodes[0].path(&token.image_sha256)).unwrap();
    }
    let mut one = world.everhold.watch(&["--no-repair"])?;
    eventually("an alert is on its way", PATIENCE, PAUSE, async || {
        Ok((!services.posted("/hook").is_empty()).then_some(()))
    })
    .await?;
    let mut two = other.watch(&["--no-repair"])?;
    eventually("all are sent", PATIENCE, PAUSE, async || {
        Ok((services.posted("/hook").len() >= 4).then_some(()))
    })
    .await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    one.terminate().await?;
    two.terminate().await?;
    let mut incidents: BTreeMap<String, usize> = BTreeMap::new();
    for posted in services.posted("/hook") {
        *incidents.entry(text(&posted.body["incident"]).to_owned()).or_default() += 1;
    }
    assert_eq!(incidents.len(), 4);
    assert!(incidents.values().all(|times| *times == 1), "{incidents:?}");
    Ok(())
}

/// What was told of incidents of a kind.
fn told_of(services: &Services, kind: &str) -> Vec<String> {
    let posted = services.posted("/hook").into_iter().filter(|one| one.body["kind"] == *kind);
    posted.map(|one| text(&one.body["event"]).to_owned()).collect()
}

/// Both know its incident as open, and that nothing names the path any more, before either writes it down.
#[tokio::test]
async fn two_processes_tell_once_that_nobody_needs_a_path_any_more() -> Result<()> {
    let services = Services::start().await?;
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("1"), "{\"name\":\"1\"}").unwrap();
    let dag = Dag::import(dir.path(), json!({"cidVersion": 1, "rawLeaves": true})).await?;
    let files: Vec<(&str, &[u8])> =
        dag.blocks.iter().map(|(cid, bytes)| (cid.as_str(), bytes.as_slice())).collect();
    let gateway = Gateway::start(Habit::BlocksOnly, &dag, &files).await?;
    let database = server::new_database().await;
    let setup = Setup { nodes: 1, tokens: 0, database: Some(database.clone()), ..Setup::default() };
    let mut world = World::start(setup).await?;
    let contract = Foreign::deploy(&world.anvil, "Foreign721").await?;
    world.settings.collections.push((contract.address.clone(), 0));
    let gateways = format!("[ipfs]\ngateways = [\"{}\"]\n", gateway.url());
    world.settings.more = hook(&services) + &gateways;
    world.configure()?;
    let uris = ["1", "2"].map(|name| format!("ipfs://{}/{name}", dag.root));
    contract.mint(&world.anvil, 1, &uris).await?;
    world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(told_of(&services, "path"), ["incident.opened"]);

    let other = Everhold::new()?;
    other.configure(&world.settings)?;
    let mut holder = PgConnection::connect(&database).await.unwrap();
    let mut held = holder.begin().await.unwrap();
    let hold = "SELECT id FROM incidents WHERE kind = 'path' FOR UPDATE";
    assert_eq!(sqlx::query(hold).fetch_all(&mut *held).await.unwrap().len(), 1);
    let (mut one, mut two) =
        (world.everhold.watch(&["--no-repair"])?, other.watch(&["--no-repair"])?);
    contract.set_uri(&world.anvil, 2, &uris[0], true).await?;
    let mut watching = PgConnection::connect(&database).await.unwrap();
    // On a machine that is busy, one may come too late to be caught in the act: then this shows less.
    for _ in 0..200 {
        let waiting = "SELECT COUNT(*) FROM pg_stat_activity
                       WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE incidents%'";
        let (waiting,): (i64,) = sqlx::query_as(waiting).fetch_one(&mut watching).await.unwrap();
        if waiting >= 2 {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    held.rollback().await.unwrap();
    eventually("its end is told", PATIENCE, PAUSE, async || {
        Ok((told_of(&services, "path").len() > 1).then_some(()))
    })
    .await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    one.terminate().await?;
    two.terminate().await?;
    assert_eq!(told_of(&services, "path"), ["incident.opened", "incident.recovered"]);
    Ok(())
}

#[tokio::test]
async fn two_that_end_a_halt_at_once_have_it_told_once() -> Result<()> {
    let services = Services::start().await?;
    let database = Some(server::new_database().await);
    let world = world_with(Setup { database, ..small() }, &hook(&services)).await?;
    world.anvil.mine(20).await?;
    world.once(&[]).await?.gives(0)?;
    world.anvil.reorg(10, &[]).await?;
    world.anvil.mine(1).await?;
    world.once(&[]).await?.gives(3)?;
    assert_eq!(told_of(&services, "halted"), ["incident.opened"]);
    let other = Everhold::new()?;
    other.configure(&world.settings)?;
    let reindex = ["reindex", &world.collection, "--yes"];
    let (one, two) = tokio::join!(world.everhold.run(reindex), other.run(reindex));
    let ended = [one?.gives(0)?, two?.gives(0)?];
    let closed = ended.iter().filter(|one| !one["incident"].is_null()).count();
    assert_eq!(closed, 1, "{ended:?}");
    world.once(&[]).await?.gives(0)?;
    assert_eq!(told_of(&services, "halted"), ["incident.opened", "incident.recovered"]);
    Ok(())
}
