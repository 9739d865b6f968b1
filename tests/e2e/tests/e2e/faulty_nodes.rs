//! Nodes that answer, but not well: what counts as a verdict and what does not.

use std::{fs, time::Duration};

use everhold_e2e::{
    Result, Setup, World,
    ended::Ended,
    fake::Redirector,
    node,
    report::{self, history, items, replica, text},
};
use serde_json::{Value, json};

const IMPATIENT: &str = "[limits]\nidle_timeout = \"1s\"\n";

fn two() -> Setup {
    Setup { nodes: 2, tokens: 1, more: IMPATIENT, ..Setup::default() }
}

/// Sets a fault of the picture on the first node; gives the picture's id.
async fn fault(world: &World, mut fault: Value) -> Result<String> {
    let id = world.id(1, "image").await?;
    fault["hash"] = json!(id);
    world.nodes[0].fault(fault).await?;
    world.forget_requests().await?;
    Ok(id)
}

/// The picture's replica on the first node.
async fn picture(world: &World) -> Result<Value> {
    Ok(replica(&world.token(1).await?, "image", &world.nodes[0].url())?.clone())
}

#[tokio::test]
async fn two_failures_leave_the_verdict_as_it_was() -> Result<()> {
    let world = World::healthy(two()).await?;
    let id = fault(&world, json!({"kind": "status", "status": 503, "times": 2})).await?;
    let status = world.once(&["--no-repair"]).await?.gives(0)?;
    assert_eq!(node::gets(&world.nodes[0], &id).await?, 3, "two that failed, one that did not");
    assert_eq!(node::gets(&world.nodes[1], &id).await?, 1);
    assert_eq!(items(&status["incidents"]).len(), 0);
    let seen = picture(&world).await?;
    assert_eq!(history(&seen), ["verified"]);
    assert_eq!(seen["failures"], 0);
    Ok(())
}

#[tokio::test]
async fn three_failures_make_it_unreachable() -> Result<()> {
    let world = World::healthy(two()).await?;
    let id = fault(&world, json!({"kind": "status", "status": 503})).await?;
    let status = world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(node::gets(&world.nodes[0], &id).await?, 3);
    let counts = report::node(&status, &world.nodes[0].url())?;
    assert_eq!((&counts["unreachable"], &counts["verified"]), (&json!(1), &json!(1)));
    assert_eq!(report::health(&status, "degraded"), 1);
    let seen = picture(&world).await?;
    assert_eq!(history(&seen), ["verified", "unreachable"]);
    assert_eq!((&seen["http_status"], &seen["failures"]), (&json!(503), &json!(3)));
    // Once it answers again, all is well, and nothing was repaired.
    world.nodes[0].fault(json!({"hash": null, "kind": "none"})).await?;
    world.nodes[0].fault(json!({"hash": id, "kind": "none"})).await?;
    world.once(&["--no-repair"]).await?.gives(0)?;
    assert_eq!(history(&picture(&world).await?), ["verified", "unreachable", "verified"]);
    Ok(())
}

#[tokio::test]
async fn a_body_cut_short_proves_nothing() -> Result<()> {
    let world = World::healthy(two()).await?;
    fault(&world, json!({"kind": "cut_body"})).await?;
    let status = world.once(&["--no-repair"]).await?.gives(3)?;
    let counts = report::node(&status, &world.nodes[0].url())?;
    assert_eq!((&counts["unreachable"], &counts["corrupt"]), (&json!(1), &json!(0)));
    let seen = picture(&world).await?;
    assert_eq!(seen["state"], "unreachable");
    assert!(text(&seen["detail"]).contains("cut"), "{seen}");
    let whole = world.art.tokens()[0].image_bytes;
    assert!(seen["bytes"].as_u64().unwrap() < whole, "{seen}");
    Ok(())
}

#[tokio::test]
async fn a_node_that_stalls_holds_nobody_up() -> Result<()> {
    let world = World::healthy(two()).await?;
    fault(&world, json!({"kind": "stall"})).await?;
    let run = world.once(&["--no-repair"]).await?;
    // Three times one second, and the pauses of one and two seconds between.
    assert!(run.took < Duration::from_secs(12), "{:?}", run.took);
    let status = run.gives(3)?;
    assert_eq!(report::node(&status, &world.nodes[0].url())?["unreachable"], 1);
    assert_eq!(report::node(&status, &world.nodes[1].url())?["verified"], 2);
    let seen = picture(&world).await?;
    assert!(text(&seen["detail"]).contains("no byte came for 1s"), "{seen}");
    Ok(())
}

#[tokio::test]
async fn a_slow_node_is_a_good_node() -> Result<()> {
    let world = World::healthy(two()).await?;
    // Longer than idle_timeout altogether, never longer without a byte.
    fault(&world, json!({"kind": "slow", "delay_ms": 100})).await?;
    let run = world.once(&["--no-repair"]).await?;
    assert!(run.took > Duration::from_millis(1500), "{:?}: it was not slow", run.took);
    run.gives(0)?;
    Ok(())
}

#[tokio::test]
async fn a_file_cut_short_on_the_disk_is_repaired() -> Result<()> {
    let world = World::healthy(two()).await?;
    let path = world.nodes[0].path(&world.id(1, "image").await?);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(picture(&world).await?["state"], "unreachable", "the node answers 500");
    world.once(&[]).await?.gives(0)?;
    assert_eq!(fs::read(&path).unwrap(), bytes);
    Ok(())
}

#[tokio::test]
async fn a_claim_is_never_counted_as_verified() -> Result<()> {
    let world = World::healthy(two()).await?;
    let id = fault(&world, json!({"kind": "claim"})).await?;
    assert_eq!(node::head(&world.nodes[0], &id).await?, 200, "it claims");
    let status = world.once(&[]).await?.gives(3)?;
    let counts = report::node(&status, &world.nodes[0].url())?;
    assert_eq!((&counts["verified"], &counts["missing"]), (&json!(1), &json!(1)));
    let repairs = items(&status["incidents"][0]["repairs"]);
    assert!(!repairs.is_empty());
    for repair in repairs {
        // The node answered the upload with success.
        assert_eq!(repair["state"], "failed", "{repair}");
        assert!(text(&repair["detail"]).contains("still serves none"), "{repair}");
    }
    assert_eq!(history(&picture(&world).await?), ["verified", "missing"]);
    Ok(())
}

#[tokio::test]
async fn redirects_are_not_followed() -> Result<()> {
    let mut world = World::healthy(Setup { nodes: 1, tokens: 1, ..Setup::default() }).await?;
    let good = world.nodes[0].url();
    for status in [301, 302, 307, 308] {
        let fake = Redirector::start(&good, status).await?;
        world.settings.nodes = vec![good.clone(), fake.url()];
        world.settings.min = 2;
        world.configure()?;
        world.forget_requests().await?;
        let seen = world.once(&["--no-repair"]).await?.gives(3)?;
        assert!(fake.asked() >= 6, "three probes of two contents, not {}", fake.asked());
        let counts = report::node(&seen, &fake.url())?;
        assert_eq!((&counts["verified"], &counts["unreachable"]), (&json!(0), &json!(2)));
        let id = world.id(1, "image").await?;
        assert_eq!(node::gets(&world.nodes[0], &id).await?, 1, "the redirect was followed");
    }
    Ok(())
}
