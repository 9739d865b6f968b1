//! Nodes that are down, refuse, or want to be paid.

use everhold_e2e::{
    Context, Result, Setup, World, accounts, chain,
    ended::Ended,
    report::{self, items, text},
};

use crate::support::{refused, small, words};

#[tokio::test]
async fn an_account_without_credit_is_told_what_it_lacks() -> Result<()> {
    let mut world = World::start(Setup { billing: true, ..small() }).await?;
    world.deploy(&[]).await?;
    let before = world.anvil.head().await?;
    let url = world.nodes[0].url();
    let run = world.publish(&["-q"]).await?;
    run.clone().refuses(&[&url, "402", accounts::CREATOR.address, "/art/"])?;
    // The reason of the rejected message, with what it asks for.
    run.refuses(&["required_credits", "account_credits"])?;
    assert_eq!(world.anvil.head().await?, before);
    assert_eq!(chain::next_token_id(&world.anvil, &world.collection).await?, 1);
    let files = world.nodes[0].files().await?;
    assert!(files.iter().all(|file| file.size.is_none()), "{files:?}");

    // A dry run asks for nothing; with credit the same command goes through.
    world.publish(&["--dry-run"]).await?.gives(0)?;
    let post = everhold_e2e::NodeOptions {
        no_ipfs: true,
        billing: true,
        arguments: vec!["--credit".into(), format!("{}=100000000", accounts::CREATOR.address)],
        ..Default::default()
    };
    let paid = everhold_e2e::DevNode::start(post).await?;
    world.settings.nodes = vec![paid.url()];
    world.configure()?;
    world.publish(&[]).await?.gives(0)?;
    world.once(&[]).await?.gives(0)?;
    Ok(())
}

#[tokio::test]
async fn no_node_at_all_is_said_and_nothing_is_minted() -> Result<()> {
    let mut world = World::start(Setup { nodes: 2, tokens: 1, ..Setup::default() }).await?;
    world.deploy(&[]).await?;
    let urls = [world.nodes[0].url(), world.nodes[1].url()];
    let head = world.anvil.head().await?;
    for node in &mut world.nodes {
        node.stop().await?;
    }
    let line = world.publishing(world.art.dir(), &["-q"]);
    for line in [line, world.publishing(world.art.dir(), &["-q", "--dry-run"])] {
        world.everhold.run(words(&line)).await?.refuses(&[&urls[0], &urls[1]])?;
    }
    assert_eq!(world.anvil.head().await?, head);
    world.settings.nodes.clear();
    world.settings.min = 0;
    world.configure()?;
    world.everhold.run(words(&world.publishing(world.art.dir(), &["-q"]))).await?.refuses(&["node"])
}

#[tokio::test]
async fn a_node_that_refuses_uploads_is_named_and_nothing_is_minted() -> Result<()> {
    let mut world = World::start(small()).await?;
    world.deploy(&[]).await?;
    for status in [403, 413, 500] {
        let path = "/api/v0/storage/add_file";
        let fault = serde_json::json!({"hash": null, "kind": "status", "status": status,
            "path": path});
        world.nodes[0].fault(fault).await?;
        let (head, url) = (world.anvil.head().await?, world.nodes[0].url());
        let run = world.publish(&["-q"]).await?;
        run.refuses(&[&url, &status.to_string()])?;
        assert_eq!(world.anvil.head().await?, head, "something was minted");
    }
    world.nodes[0].fault(serde_json::json!({"hash": null, "kind": "none"})).await?;
    world.publish(&[]).await?.gives(0)?;
    Ok(())
}

#[tokio::test]
async fn a_node_that_is_down_is_named_and_the_others_go_on() -> Result<()> {
    let mut world = World::healthy(Setup { tokens: 1, ..Setup::default() }).await?;
    let url = world.nodes[1].url();
    world.nodes[1].stop().await?;
    let seen = world.once(&[]).await?;
    assert!(seen.stderr.contains(&url), "{}", seen.stderr);
    let status = seen.gives(3)?;
    let verified = |url: &str| report::node(&status, url).map(|node| node["verified"].clone());
    assert_eq!(verified(&world.nodes[0].url())?, 2);
    assert_eq!(verified(&world.nodes[2].url())?, 2);
    let down = report::node(&status, &url)?;
    assert_eq!((&down["verified"], &down["unreachable"]), (&0.into(), &2.into()));
    let incident = items(&status["incidents"]).first().context("no incident")?;
    assert!(text(&incident["summary"]).contains(&url), "{incident}");
    // It comes back as it was: nothing needs to be repaired.
    world.nodes[1].restart().await?;
    world.forget_requests().await?;
    world.once(&[]).await?.gives(0)?;
    assert_eq!(world.count("POST").await?, 0);
    refused(&world, &["token", &world.collection, "9"], &[&world.collection, "9"]).await
}
