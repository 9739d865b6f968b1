//! Nothing is told twice, or it has the same key: processes that are killed, and two at once.

use std::{collections::BTreeMap, fs, time::Duration};

use everhold_e2e::{Everhold, Result, Services, Setup, eventually, report::text};

use crate::{
    postgres::server,
    sinks::{world, world_with},
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
