//! A `watch` that is killed again and again while it indexes, probes, repairs and alerts, and
//! ends where one that was never killed ends.

use std::{collections::BTreeMap, fs, time::Duration};

use everhold_e2e::{
    AlertReceiver, Alerting, Everhold, Result, Setup, World, accounts, chain,
    ended::Ended,
    report::{items, lasting, text},
    seed::Seed,
};
use serde_json::{Value, json};

const SEED: u64 = 20_261_122;
const KILLS: usize = 10;
const TOKENS: u64 = 6;
/// What is lost again and again is told each time.
const EACH_TIME: &str = "[incidents]\nwindow = \"0s\"\n";

#[tokio::test]
async fn ten_kills_lose_and_double_nothing() -> Result<()> {
    let receiver = AlertReceiver::start("shared").await?;
    let alert = Alerting { url: receiver.url(), secret: "shared".to_owned() };
    let setup = Setup { tokens: TOKENS, alert: Some(alert), more: EACH_TIME, ..Setup::default() };
    let mut world = World::start(setup).await?;
    world.deploy(&[]).await?;
    world.publish(&[]).await?.gives(0)?;
    let stores = world.stores().await?;
    // Probes take about as long as the process lives, so that kills meet them.
    for node in &world.nodes {
        node.fault(json!({"hash": null, "kind": "slow", "delay_ms": 10})).await?;
    }
    let mut seed = Seed::new(SEED);
    let mut cut_short = 0;
    for round in 0..KILLS {
        harm(&world, &mut seed).await?;
        let mut watcher = world.everhold.watch(&[])?;
        let life = 50 + seed.below(2_000);
        tokio::time::sleep(Duration::from_millis(life)).await;
        assert!(watcher.process().is_running(), "round {round}: {:?}", watcher.log_tail(3));
        watcher.kill().await?;
        let status = world.everhold.run(["status"]).await?;
        assert_eq!(status.status, 0, "round {round}, killed after {life} ms: {}", status.stderr);
        cut_short += usize::from(!well(&status.json.unwrap_or_default()));
    }
    assert!(cut_short > 0, "no kill came before the work was done: nothing was tested");
    for node in &world.nodes {
        node.fault(json!({"hash": null, "kind": "none"})).await?;
    }
    world.once(&[]).await?.gives(0)?;
    compare_with_a_fresh_run(&world).await?;
    told_once(&world, &receiver).await?;
    assert_eq!(world.stores().await?, stores, "a STORE was signed that nothing needed");
    Ok(())
}

fn well(status: &Value) -> bool {
    status["collections"][0]["health"]["healthy"] == TOKENS
}

/// Loses or spoils up to three files on the first two nodes, and moves a token; the third node
/// keeps everything.
async fn harm(world: &World, seed: &mut Seed) -> Result<()> {
    for _ in 0..3 {
        let node = &world.nodes[seed.index(2)];
        let token = &world.art.tokens()[seed.index(world.art.tokens().len())];
        let path = node.path(&token.image_sha256);
        let Ok(bytes) = fs::read(&path) else { continue };
        match seed.below(2) {
            0 => fs::remove_file(&path).unwrap(),
            _ => fs::write(&path, vec![1; bytes.len()]).unwrap(),
        }
    }
    let token = 1 + seed.below(TOKENS);
    let at = chain::owner(&world.anvil, &world.collection, token).await?;
    let (one, other) = (accounts::CREATOR.address, accounts::OWNER.address);
    let to = if at == one.to_lowercase() { other } else { one };
    chain::transfer(&world.anvil, &world.collection, &at, to, token).await
}

async fn compare_with_a_fresh_run(world: &World) -> Result<()> {
    let fresh = Everhold::new()?;
    let settings = everhold_e2e::Settings { alert: None, ..world.settings.clone() };
    fresh.configure(&settings)?;
    fresh.run(["watch", "--once", "--no-repair"]).await?.gives(0)?;
    let (ours, theirs) = (world.everhold.status().await?, fresh.status().await?);
    assert_eq!(ours["collections"], theirs["collections"]);
    assert_eq!(ours["nodes"], theirs["nodes"]);
    for token in 1..=TOKENS {
        let ours = world.token(token).await?;
        let theirs = fresh.token(&world.collection, token).await?;
        assert_eq!(lasting(&ours), lasting(&theirs));
        let owner = chain::owner(&world.anvil, &world.collection, token).await?;
        assert_eq!(text(&ours["owner"]).to_lowercase(), owner);
    }
    Ok(())
}

/// Every incident was opened once and recovered once. The same alert may come again after a kill,
/// with the same key: that is what the key is for.
async fn told_once(world: &World, receiver: &AlertReceiver) -> Result<()> {
    let mut keys: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for alert in receiver.alerts() {
        let incident = text(&alert.body["incident"]).to_owned();
        let told = keys.entry((incident, alert.event)).or_default();
        if !told.contains(&alert.key) {
            told.push(alert.key);
        }
    }
    let status = world.everhold.status().await?;
    let incidents = items(&status["incidents"]);
    assert!(!incidents.is_empty());
    for incident in incidents {
        let id = text(&incident["id"]).to_owned();
        assert!(incident["closed_at"].is_string(), "{incident}");
        for event in ["incident.opened", "incident.recovered"] {
            let told = keys.remove(&(id.clone(), event.to_owned())).unwrap_or_default();
            assert_eq!(told.len(), 1, "{event} of {id}: {told:?}");
        }
    }
    // What is harmed again while it is repaired may look as though nothing helped.
    let others = ["incident.worsened", "incident.improved", "incident.changed", "incident.stuck"];
    assert!(keys.keys().all(|(_, event)| others.contains(&&**event)), "{keys:?}");
    Ok(())
}
