//! `watch` in the background: its end, its chain going away, reorgs, its HTTP interface.

use std::{
    fs,
    time::{Duration, Instant},
};

use everhold_e2e::{
    Context, Everhold, Result, Setup, Watcher, World, accounts, chain,
    ended::Ended,
    eventually, node,
    proxy::Proxy,
    report::{self, items, lasting, text},
    run::{Sig, signal},
};
use serde_json::{Value, json};

use crate::support::small;

const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(100);

/// Waits until the ledger says so.
async fn status(world: &World, what: &str, is: impl Fn(&Value) -> bool) -> Result<Value> {
    eventually(what, PATIENCE, LOOK, async || {
        let status = world.everhold.status().await?;
        Ok(is(&status).then_some(status))
    })
    .await
}

fn tokens(count: u64) -> impl Fn(&Value) -> bool {
    move |status| {
        status["collections"][0]["tokens"] == count && report::health(status, "healthy") == count
    }
}

async fn ends_at_once(watcher: &mut Watcher, signal_: Sig) -> Result<()> {
    let begun = Instant::now();
    signal(watcher.process().id(), signal_)?;
    let ended = tokio::time::timeout(Duration::from_secs(10), watcher.process().wait());
    let ended = ended.await.context("it does not end")??;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(ended.code(), Some(0), "{:?}", watcher.log_tail(3));
    Ok(())
}

#[tokio::test]
async fn it_ends_at_once_when_it_is_asked_to() -> Result<()> {
    let mut world = World::healthy(small()).await?;
    for signal in [Sig::TERM, Sig::INT] {
        let _ = fs::remove_file(world.everhold.dir().join("watch.log"));
        let mut watcher = world.everhold.watch(&[])?;
        eventually("it runs", PATIENCE, LOOK, async || {
            Ok(watcher.log_tail(9).iter().any(|line| line.contains("watching")).then_some(()))
        })
        .await?;
        ends_at_once(&mut watcher, signal).await?;
    }
    // In the middle of a probe that takes long, and with a chain that is silent.
    world.nodes[0].fault(json!({"hash": null, "kind": "slow", "delay_ms": 5000})).await?;
    world.forget_requests().await?;
    let id = world.id(1, "image").await?;
    let mut watcher = world.everhold.watch(&[])?;
    eventually("a probe", PATIENCE, LOOK, async || {
        Ok((node::gets(&world.nodes[0], &id).await? > 0).then_some(()))
    })
    .await?;
    let chain = world.anvil.process().id();
    signal(chain, Sig::STOP)?;
    let ended = ends_at_once(&mut watcher, Sig::TERM).await;
    signal(chain, Sig::CONT)?;
    ended?;
    world.nodes[0].fault(json!({"hash": null, "kind": "none"})).await?;
    world.once(&[]).await?.gives(0)?;
    Ok(())
}

#[tokio::test]
async fn it_goes_on_without_the_chain_and_takes_it_up_again() -> Result<()> {
    let mut world = World::start(Setup { nodes: 2, tokens: 1, ..Setup::default() }).await?;
    let mut proxy = Proxy::start(&world.anvil.url()).await?;
    world.settings.rpc = vec![proxy.url()];
    world.deploy(&[]).await?;
    world.publish(&[]).await?.gives(0)?;
    let mut watcher = world.everhold.watch(&[])?;
    status(&world, "one token", tokens(1)).await?;
    proxy.down().await;
    eventually("it says that the chain is away", PATIENCE, LOOK, async || {
        let said = watcher.log_tail(50).join("\n");
        Ok(said.contains(proxy.url().trim_end_matches('/')).then_some(()))
    })
    .await?;
    // What is known is cared for all the same.
    let id = world.id(1, "image").await?;
    fs::remove_file(world.nodes[0].path(&id)).unwrap();
    status(&world, "repaired without a chain", |status| {
        items(&status["incidents"]).iter().any(|incident| incident["closed_at"].is_string())
    })
    .await?;
    world.art.add()?;
    let url = world.anvil.url();
    world.publish(&["--rpc", &url]).await?.gives(0)?;
    assert!(watcher.process().is_running());
    proxy.up().await?;
    status(&world, "the token minted meanwhile", tokens(2)).await?;
    assert!(watcher.log_tail(50).iter().any(|line| line.contains("works again")));
    ends_at_once(&mut watcher, Sig::TERM).await
}

#[tokio::test]
async fn a_chain_that_falls_silent_for_a_while_is_taken_up_again() -> Result<()> {
    let mut world = World::healthy(small()).await?;
    let watcher = world.everhold.watch(&[])?;
    let chain = world.anvil.process().id();
    signal(chain, Sig::STOP)?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    signal(chain, Sig::CONT)?;
    world.art.add()?;
    world.publish(&[]).await?.gives(0)?;
    status(&world, "the token minted afterwards", tokens(2)).await?;
    drop(watcher);
    Ok(())
}

/// Token 2 survives a reorg in another block, token 3 does not, and a transfer never was.
async fn reorg(world: &mut World, watcher: Option<&mut Watcher>) -> Result<()> {
    let (anvil, collection) = (&world.anvil, &world.collection);
    let mut minted = Vec::new();
    for _ in [2, 3] {
        world.art.add()?;
        let published = world.publish(&[]).await?.gives(0)?;
        minted.push(text(&published["transactions"][0]["transaction"]).to_owned());
    }
    let (creator, owner) = (accounts::CREATOR.address, accounts::OWNER.address);
    chain::transfer(anvil, collection, creator, owner, 1).await?;
    if watcher.is_none() {
        world.once(&[]).await?.gives(0)?;
    }
    status(world, "three tokens", tokens(3)).await?;
    eventually("the transfer", PATIENCE, LOOK, async || {
        Ok((world.token(1).await?["owner"] == owner).then_some(()))
    })
    .await?;
    let before = world.token(2).await?;
    let from = before["minted_block"].as_u64().context("minted_block")?;
    let raw = anvil.raw_transaction(&minted[0]).await?;
    anvil.reorg(anvil.head().await? + 1 - from, &[(raw, 1)]).await?;
    anvil.mine(2).await?;
    if watcher.is_none() {
        world.once(&[]).await?.gives(0)?;
    }
    status(world, "two tokens", tokens(2)).await?;
    let after = eventually("token 2 in its new block", PATIENCE, LOOK, async || {
        let token = world.token(2).await?;
        Ok((token["minted_block_hash"] != before["minted_block_hash"]).then_some(token))
    })
    .await?;
    let receipt = anvil.receipt(&minted[0]).await?;
    assert_eq!(after["minted_block_hash"], receipt["blockHash"]);
    assert_eq!(world.token(1).await?["owner"], creator);
    let gone = world.everhold.run(["token", collection, "3"]).await?;
    assert_eq!(gone.status, 1);
    // A ledger that never knew the other chain says the same.
    let fresh = Everhold::new()?;
    fresh.configure(&world.settings)?;
    fresh.run(["watch", "--once", "--no-repair"]).await?.gives(0)?;
    for token in [1, 2] {
        let (ours, theirs) = (world.token(token).await?, fresh.token(collection, token).await?);
        let same = |token: &Value| {
            let mut token = lasting(token);
            // Finality moves with the head.
            token["finalized"] = Value::Null;
            token
        };
        assert_eq!(same(&ours), same(&theirs));
    }
    Ok(())
}

#[tokio::test]
async fn a_reorg_while_it_runs_is_followed() -> Result<()> {
    let mut world = World::healthy(small()).await?;
    let mut watcher = world.everhold.watch(&[])?;
    reorg(&mut world, Some(&mut watcher)).await?;
    ends_at_once(&mut watcher, Sig::TERM).await
}

#[tokio::test]
async fn a_reorg_while_it_is_down_is_followed() -> Result<()> {
    let mut world = World::healthy(small()).await?;
    reorg(&mut world, None).await
}

#[tokio::test]
async fn the_http_interface_tells_what_the_commands_tell() -> Result<()> {
    let setup = Setup { more: "[api]\nlisten = \"127.0.0.1:0\"\n", ..small() };
    let world = World::healthy(setup).await?;
    let mut watcher = world.everhold.watch(&["--no-repair"])?;
    let url = eventually("its address", PATIENCE, LOOK, async || {
        let log = watcher.log_tail(20).join("\n");
        let url = log.split("API at ").nth(1).and_then(|rest| rest.split_whitespace().next());
        Ok(url.map(str::to_owned))
    })
    .await?;
    let get = async |path: &str| -> Result<(u16, Value)> {
        let (status, body) = node::ask("GET", &format!("{url}{path}")).await?;
        Ok((status, serde_json::from_str(&body).unwrap_or(Value::String(body))))
    };
    assert_eq!(get("/healthz").await?, (200, json!({"ok": true})));
    let token = format!("/api/v1/collections/{}/tokens", world.collection);
    // A round may come between the two.
    eventually("the same answers", PATIENCE, LOOK, async || {
        let pairs = [
            (get("/api/v1/status").await?, world.everhold.status().await?),
            (get(&format!("{token}/1")).await?, world.token(1).await?),
        ];
        Ok(pairs
            .iter()
            .all(|((status, ours), theirs)| *status == 200 && ours == theirs)
            .then_some(()))
    })
    .await?;
    let stranger = accounts::STRANGER.address;
    for (path, expected) in [
        (format!("{token}/2"), 404),
        (format!("{token}/{}", "9".repeat(60)), 404),
        (format!("/api/v1/collections/{stranger}/tokens/1"), 404),
        (format!("{token}/one"), 400),
        (format!("{token}/-1"), 400),
        (format!("{token}/0x1"), 400),
        (format!("{token}/{}", "9".repeat(90)), 400),
        ("/api/v1/collections/0x12/tokens/1".to_owned(), 400),
    ] {
        let (status, body) = get(&path).await?;
        assert_eq!(status, expected, "{path}: {body}");
        assert!(body["error"].is_string(), "{path}: {body}");
    }
    assert_eq!(get("/elsewhere").await?.0, 404);
    ends_at_once(&mut watcher, Sig::TERM).await?;
    assert!(node::ask("GET", &format!("{url}/healthz")).await.is_err(), "it still listens");
    Ok(())
}

#[tokio::test]
async fn index_only_follows_the_chain_and_asks_no_node() -> Result<()> {
    let mut world = World::start(Setup { nodes: 1, tokens: 3, ..Setup::default() }).await?;
    world.deploy(&[]).await?;
    world.publish(&[]).await?.gives(0)?;
    world.forget_requests().await?;
    let done = world.everhold.run(["watch", "--index-only"]).await?.gives(0)?;
    // A transfer and a digest each.
    assert_eq!(done["round"]["events"], 6, "{done}");
    assert_eq!(done["collections"][0]["address"], json!(world.collection));
    assert_eq!(done["collections"][0]["indexed_block"], world.anvil.head().await?);
    assert_eq!(world.count("GET").await?, 0);
    let status = world.everhold.status().await?;
    assert_eq!(report::health(&status, "pending") + report::health(&status, "lost"), 3, "{status}");
    world.once(&[]).await?.gives(0)?;
    Ok(())
}
