//! Burned tokens, and collections whose content nobody may change.

use std::fs;

use everhold_e2e::{
    Context, Result, Setup, World, accounts, chain,
    ended::Ended,
    node,
    report::{health, incidents, text},
    run::plain,
};
use serde_json::{Value, json};

use crate::support::refused;

const OWNER: &str = accounts::OWNER.address;

/// Two tokens of OWNER's; of the second one's picture a replica is lost, and that is told.
async fn incident() -> Result<(World, String)> {
    let mut world = World::start(Setup { nodes: 2, ..Setup::default() }).await?;
    world.deploy(&[]).await?;
    world.publish(&["--to", OWNER]).await?.gives(0)?;
    world.once(&[]).await?.gives(0)?;
    let picture = world.id(2, "image").await?;
    fs::remove_file(world.nodes[0].path(&picture)).unwrap();
    let status = world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!((health(&status, "healthy"), health(&status, "degraded")), (1, 1));
    Ok((world, picture))
}

fn is_over(status: &Value, picture: &str) -> bool {
    incidents(status, picture).iter().all(|incident| incident["closed_at"].is_string())
}

#[tokio::test]
async fn a_burned_token_and_its_incident_are_gone() -> Result<()> {
    let (world, picture) = incident().await?;
    chain::burn(&world.anvil, &world.collection, OWNER, 2).await?;
    let status = world.once(&["--no-repair"]).await?.gives(0)?;
    assert_eq!(status["collections"][0]["tokens"], 1);
    assert_eq!(health(&status, "healthy"), 1);
    assert!(is_over(&status, &picture), "{status}");
    let block = world.anvil.head().await?;
    let token = ["token", &world.collection, "2"];
    refused(&world, &token, &["token 2", "burned", &format!("block {block}")]).await?;
    refused(&world, &["token", &world.collection, "3"], &["no token 3"]).await?;

    // Once it is final, nobody asks for its content any more.
    world.anvil.mine(4).await?;
    world.once(&["--no-repair"]).await?.gives(0)?;
    world.forget_requests().await?;
    world.once(&["--no-repair"]).await?.gives(0)?;
    assert_eq!(node::gets(&world.nodes[1], &picture).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_burn_that_a_reorg_takes_back_never_was() -> Result<()> {
    let (world, picture) = incident().await?;
    chain::burn(&world.anvil, &world.collection, OWNER, 2).await?;
    world.once(&["--no-repair"]).await?.gives(0)?;
    world.anvil.reorg(1, &[]).await?;
    world.anvil.mine(1).await?;
    let status = world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(status["round"]["reorgs"], 1);
    assert_eq!((health(&status, "healthy"), health(&status, "degraded")), (1, 1));
    assert!(!is_over(&status, &picture), "{status}");
    assert_eq!(world.token(2).await?["owner"], OWNER);
    world.once(&[]).await?.gives(0)?;
    assert!(is_over(&world.everhold.status().await?, &picture));
    Ok(())
}

#[tokio::test]
async fn what_a_burned_token_needed_is_not_published_again() -> Result<()> {
    let (world, picture) = incident().await?;
    let anvil = &world.anvil;
    chain::burn(anvil, &world.collection, OWNER, 2).await?;
    let document = world.art.token(2).context("token 2")?.metadata.clone();
    let dry = world.publish(&["--dry-run"]).await?.gives(0)?;
    assert_eq!((&dry["contents"], &dry["burned_since"]), (&json!(2), &json!([2])));
    let again = world.publish(&[]).await?.gives(0)?;
    assert_eq!((&again["uploads"], &again["already_minted"]), (&json!(0), &json!(2)));
    assert!(!world.nodes[0].path(&picture).exists());
    let key = world.everhold.key_file("owner", &accounts::OWNER)?;
    let at = ["--collection", &world.collection, "--token", "2", "--private-key-file", &key];
    let update = [&["update", document.to_str().unwrap()][..], &at].concat();
    refused(&world, &update, &["no token 2", "burned"]).await?;
    refused(&world, &[&["freeze"][..], &at].concat(), &["no token 2", "burned"]).await
}

#[tokio::test]
async fn where_edits_are_off_every_token_is_frozen() -> Result<()> {
    let mut world = World::start(Setup { nodes: 1, tokens: 1, ..Setup::default() }).await?;
    let deployed = world.deploy(&["--no-edits"]).await?;
    assert_eq!(deployed["editable"], false);
    assert!(!chain::editable(&world.anvil, &world.collection).await?);
    world.publish(&["--to", OWNER]).await?.gives(0)?;
    let status = world.once(&[]).await?.gives(0)?;
    assert_eq!(status["collections"][0]["editable"], false);
    let token = world.token(1).await?;
    assert_eq!((&token["frozen"], &token["revision"]), (&json!(true), &json!(1)));
    let id = ["token", &world.collection, "1"];
    let (_, said, _) = plain(&world.everhold, id).await?;
    assert!(said.contains("edits are off"), "{said}");

    let key = world.everhold.key_file("owner", &accounts::OWNER)?;
    let revised = world.art.revise(1, 2)?.metadata;
    let at = ["--collection", &world.collection, "--token", "1", "--private-key-file", &key];
    let update = [&["update", revised.to_str().unwrap()][..], &at].concat();
    refused(&world, &update, &["token 1", "edits are off"]).await?;
    let facts = world.facts().await?;
    let freeze = [&["freeze"][..], &at].concat();
    let frozen = world.everhold.json(&freeze).await?;
    assert_eq!((&frozen["frozen"], &frozen["editable"]), (&json!(true), &json!(false)));
    assert_eq!(frozen["transaction"], Value::Null);
    let (status, said, _) = plain(&world.everhold, &freeze).await?;
    assert!(status == 0 && said.contains("edits are off"), "{said}");
    assert_eq!(world.facts().await?, facts, "something was sent");
    assert_eq!(text(&token["owner"]), OWNER);
    Ok(())
}
