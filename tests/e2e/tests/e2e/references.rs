//! What metadata may refer to, and what can be said of it.

use std::fs;

use everhold_e2e::{
    Result, Setup, World,
    content::raw_uri,
    ended::Ended,
    node,
    report::{self, content, items, text},
    sha256,
};
use serde_json::{Value, json};

/// A collection of these documents on one node, published and watched once.
async fn watched(documents: &[String]) -> Result<(World, Value)> {
    let mut world = World::start(Setup { nodes: 1, tokens: 0, ..Setup::default() }).await?;
    let dir = world.everhold.dir().join("documents");
    fs::create_dir_all(&dir).unwrap();
    for (at, document) in documents.iter().enumerate() {
        fs::write(dir.join(format!("{}.json", at + 1)), document).unwrap();
    }
    node::leave_there(&world.nodes[0], PICTURE.to_vec()).await?;
    world.deploy(&[]).await?;
    world.everhold.json(world.publishing(&dir, &[])).await?;
    let run = world.once(&["--no-repair"]).await?;
    let healthy = run.json.clone().unwrap_or_default();
    let all = report::health(&healthy, "healthy") == documents.len() as u64;
    let status = run.gives(if all { 0 } else { 3 })?;
    Ok((world, status))
}

/// Put on the node by somebody else, without any message.
const PICTURE: &[u8] = b"a picture that somebody else stored";

#[tokio::test]
async fn a_foreign_cid_of_a_raw_block_is_asked_for_by_its_sha256() -> Result<()> {
    let cid = raw_uri(PICTURE).replace("ipfs://", "");
    let documents = [
        format!("{{\"image\":\"ipfs://{cid}\"}}"),
        format!("{{\"image\":\"https://gateway.example/ipfs/{cid}\"}}"),
        format!("{{\"image\":\"https://{cid}.ipfs.gateway.example/\"}}"),
        "{\"image\":\"data:image/svg+xml,<svg/>\"}".to_owned(),
        "{\"name\":\"no picture at all\"}".to_owned(),
    ];
    let (world, status) = watched(&documents).await?;
    assert_eq!(report::health(&status, "healthy"), 5, "{status}");
    for token in 1..=3 {
        let token = world.token(token).await?;
        let image = content(&token, "image")?;
        assert_eq!((text(&image["id"]), text(&image["cid"])), (&*sha256(PICTURE), &*cid));
        assert_eq!(image["health"], "healthy");
    }
    for token in [4, 5] {
        assert_eq!(items(&world.token(token).await?["contents"]).len(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn what_has_no_hash_is_unverifiable_and_what_nobody_has_is_lost() -> Result<()> {
    let gone = raw_uri(b"a picture that nobody stored");
    let documents = [
        "{\"image\":\"https://example.org/1.png\"}".to_owned(),
        format!("{{\"image\":\"{gone}\"}}"),
        format!("{{\"image\":\"{gone}\",\"animation_url\":\"http://example.org/1.mp4\"}}"),
        format!("{{\"image\":\"{}\"}}", raw_uri(PICTURE)),
    ];
    let (world, status) = watched(&documents).await?;
    let healths = &status["collections"][0]["health"];
    assert_eq!(
        healths,
        &json!({"healthy": 1, "denied": 0, "pending": 0, "unverifiable": 1, "degraded": 0, "lost": 2})
    );
    assert_eq!(world.token(1).await?["health"], "unverifiable");
    let reasons = world.token(1).await?["unverifiable"].to_string();
    assert!(reasons.contains("https://example.org/1.png"), "{reasons}");
    let incidents = items(&status["incidents"]);
    assert_eq!(incidents.len(), 1, "two tokens share what is lost");
    assert_eq!(incidents[0]["health"], "lost");
    Ok(())
}

#[tokio::test]
async fn within_its_grace_a_young_token_is_pending_and_no_incident() -> Result<()> {
    let mut world = World::start(Setup { nodes: 2, tokens: 1, ..Setup::default() }).await?;
    world.settings.grace = "10m".to_owned();
    world.deploy(&[]).await?;
    world.nodes[1].stop().await?;
    world.publish(&[]).await?.gives(3)?;
    let status = world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(report::health(&status, "pending"), 1);
    assert_eq!(status["incidents"], json!([]));
    world.nodes[1].restart().await?;
    world.publish(&[]).await?.gives(0)?;
    world.once(&["--no-repair"]).await?.gives(0)?;
    // What was healthy once has no grace any more.
    fs::remove_file(world.nodes[0].path(&world.id(1, "image").await?)).unwrap();
    let status = world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(report::health(&status, "degraded"), 1);
    assert_eq!(items(&status["incidents"]).len(), 1);
    Ok(())
}

#[tokio::test]
async fn one_rpc_of_two_may_be_away() -> Result<()> {
    let mut world = World::healthy(Setup { nodes: 1, tokens: 1, ..Setup::default() }).await?;
    world.settings.rpc.insert(0, "http://127.0.0.1:1".to_owned());
    world.configure()?;
    world.art.add()?;
    world.publish(&[]).await?.gives(0)?;
    world.once(&[]).await?.gives(0)?;
    assert_eq!(world.token(2).await?["health"], "healthy");
    Ok(())
}
