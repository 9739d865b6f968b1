//! `publish` to nodes that are down, that lag, or that believe what they do not have.

use everhold_e2e::{
    Context, Result, Setup, World, chain,
    ended::Ended,
    node,
    report::{self, items, text},
};
use serde_json::{Value, json};

fn report_of<'a>(published: &'a Value, url: &str) -> Result<&'a Value> {
    let found = items(&published["nodes"]).iter().find(|node| node["url"] == url);
    found.context(format!("{url} is not in {published}"))
}

#[tokio::test]
async fn a_node_that_is_down_is_named_and_filled_by_watch_when_it_is_back() -> Result<()> {
    let mut world = World::start(Setup::default()).await?;
    world.deploy(&[]).await?;
    let url = world.nodes[2].url();
    world.nodes[2].stop().await?;
    let run = world.publish(&[]).await?;
    assert!(run.stderr.contains(&url), "{}", run.stderr);
    let published = run.gives(3)?;
    let down = report_of(&published, &url)?;
    assert_eq!((&down["verified"], &down["lacking"]), (&json!(0), &json!(4)));
    assert!(down["down"].is_string());
    for at in [0, 1] {
        let up = report_of(&published, &world.nodes[at].url())?;
        assert_eq!((&up["verified"], &up["down"]), (&json!(4), &Value::Null));
    }
    assert_eq!(chain::mints(&world.anvil, &world.collection).await?, [1, 2], "the others go on");

    world.nodes[2].restart().await?;
    let stores = node::store_hashes(&world.nodes[0]).await?;
    world.once(&[]).await?.gives(0)?;
    let status = world.everhold.status().await?;
    assert_eq!(report::node(&status, &url)?["verified"], 4);
    assert_eq!(node::store_hashes(&world.nodes[0]).await?, stores);
    assert_eq!(node::store_hashes(&world.nodes[2]).await?, stores, "the same STOREs as elsewhere");
    Ok(())
}

/// What lives and is not listed would be billed twice.
#[tokio::test]
async fn nothing_is_signed_where_no_node_can_say_what_lives() -> Result<()> {
    let world = World::healthy(Setup { nodes: 1, tokens: 1, ..Setup::default() }).await?;
    let stores = node::store_hashes(&world.nodes[0]).await?;
    let fault =
        json!({"hash": null, "kind": "status", "status": 500, "path": "/api/v0/messages.json"});
    world.nodes[0].fault(fault).await?;
    world.publish(&["-q"]).await?.refuses(&["can't list", "HTTP 500", "[aleph] nodes"])?;
    world.nodes[0].fault(json!({"hash": null, "kind": "none"})).await?;
    assert_eq!(node::store_hashes(&world.nodes[0]).await?, stores);
    let published = world.publish(&[]).await?.gives(0)?;
    assert_eq!(published["stores"], 0);
    Ok(())
}

/// Nodes enough without it: `publish` is content, and what the node lacks is left to `watch`.
#[tokio::test]
async fn a_node_more_than_min_that_was_down_is_filled_as_well() -> Result<()> {
    let mut world = World::start(Setup::default()).await?;
    world.settings.min = 2;
    world.deploy(&[]).await?;
    let url = world.nodes[2].url();
    world.nodes[2].stop().await?;
    let run = world.publish(&[]).await?;
    assert!(run.stderr.contains(&url), "{}", run.stderr);
    run.gives(0)?;
    world.nodes[2].restart().await?;
    world.once(&[]).await?.gives(0)?;
    let status = world.everhold.status().await?;
    assert_eq!(report::node(&status, &url)?["verified"], 4, "left to `watch`, and left by it");
    Ok(())
}

/// Within the grace after the mint nobody is alarmed, but one round brings everything about that
/// it can.
#[tokio::test]
async fn young_content_is_brought_to_a_node_that_was_down_without_an_incident() -> Result<()> {
    let mut world = World::start(Setup::default()).await?;
    world.settings.grace = "10m".to_owned();
    world.deploy(&[]).await?;
    world.nodes[2].stop().await?;
    world.publish(&[]).await?.gives(3)?;
    world.nodes[2].restart().await?;
    let seen = world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(seen["collections"][0]["health"]["pending"], 2, "{seen}");
    let repaired = world.once(&[]).await?.gives(0)?;
    assert_eq!(repaired["round"]["repaired"], 4, "{repaired}");
    assert_eq!(repaired["incidents"], json!([]), "{repaired}");
    Ok(())
}

#[tokio::test]
async fn the_first_node_may_be_the_one_that_is_down() -> Result<()> {
    let mut world = World::start(Setup { nodes: 2, ..Setup::default() }).await?;
    world.deploy(&[]).await?;
    world.nodes[0].stop().await?;
    let published = world.publish(&[]).await?.gives(3)?;
    assert_eq!(published["minted"], json!([1, 2]));
    world.nodes[0].restart().await?;
    let again = world.publish(&[]).await?.gives(0)?;
    assert_eq!((&again["stores"], &again["minted"]), (&json!(0), &json!([])));
    assert_eq!(report_of(&again, &world.nodes[0].url())?["verified"], 4);
    Ok(())
}

#[tokio::test]
async fn connected_nodes_fetch_by_themselves_and_a_lagging_one_is_sent_the_bytes() -> Result<()> {
    let setup = Setup { connected: true, codec: "dag-pb", ..Setup::default() };
    let mut world = World::start(setup).await?;
    world.settings.wait = "3s".to_owned();
    world.deploy(&[]).await?;
    world.nodes[2].control("replication", &json!({"paused": true})).await?;
    let published = world.publish(&[]).await?.gives(0)?;
    for node in &world.nodes {
        assert_eq!(report_of(&published, &node.url())?["verified"], 4, "{published}");
    }
    let mut posts = Vec::new();
    for node in &world.nodes {
        posts.push(node::count(node, "POST").await?);
    }
    assert_eq!(posts[1], 0, "it had everything from the first one, and was sent it all the same");
    assert!(posts[2] >= 4, "it lagged, and yet was sent {} uploads", posts[2]);
    world.once(&["--no-repair"]).await?.gives(0)?;
    Ok(())
}

#[tokio::test]
async fn a_node_that_takes_everything_and_serves_nothing_is_not_believed() -> Result<()> {
    let mut world = World::start(Setup { nodes: 2, ..Setup::default() }).await?;
    world.deploy(&[]).await?;
    world.nodes[1].fault(json!({"hash": null, "kind": "claim", "size": 1000})).await?;
    let url = world.nodes[1].url();
    let run = world.publish(&[]).await?;
    assert!(run.stderr.contains(&url), "{}", run.stderr);
    let published = run.gives(3)?;
    let liar = report_of(&published, &url)?;
    assert_eq!((&liar["verified"], &liar["lacking"]), (&json!(0), &json!(4)));
    // It says that it has them.
    let id = &world.art.tokens()[0].image_sha256;
    assert_eq!(node::head(&world.nodes[1], id).await?, 200);
    assert_eq!(node::bytes(&world.nodes[1], id).await?, None);
    let status = world.once(&[]).await?.gives(3)?;
    let liar = report::node(&status, &url)?;
    assert_eq!((&liar["verified"], &liar["missing"]), (&json!(0), &json!(4)), "{liar}");
    let repairs = items(&status["incidents"]).iter().flat_map(|i| items(&i["repairs"]));
    let repairs: Vec<_> = repairs.collect();
    assert!(!repairs.is_empty() && repairs.iter().all(|repair| repair["state"] == "failed"));
    assert!(text(&repairs[0]["detail"]).contains("serves"), "{}", repairs[0]);
    Ok(())
}
