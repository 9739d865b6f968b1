//! The deny list: what is on it is never fetched, stored or repaired, and everybody is told why.

use std::fs;

use everhold_e2e::{
    AlertReceiver, Alerting, Result, Setup, World,
    ended::Ended,
    node,
    report::{self, content, incidents, items, text},
    run::plain,
};
use serde_json::{Value, json};

use crate::support::{refused, small};

const REASON: &str = "by order 7/26";

fn add(id: &str) -> [&str; 5] {
    ["deny", "add", id, "--reason", REASON]
}

/// How often all nodes were asked for a content.
async fn gets(world: &World, id: &str) -> Result<u64> {
    let mut sum = 0;
    for node in &world.nodes {
        sum += node::gets(node, id).await?;
    }
    Ok(sum)
}

#[tokio::test]
async fn what_is_denied_is_not_asked_for_and_its_incident_is_over() -> Result<()> {
    let receiver = AlertReceiver::start("x").await?;
    let alert = Alerting { url: receiver.url(), secret: "x".to_owned() };
    let setup = Setup { nodes: 2, tokens: 2, alert: Some(alert), ..Setup::default() };
    let world = World::healthy(setup).await?;
    let id = world.id(1, "image").await?;
    fs::remove_file(world.nodes[0].path(&id)).unwrap();
    world.once(&["--no-repair"]).await?.gives(3)?;

    let done = world.everhold.json(add(&id)).await?;
    assert_eq!((&done["changed"], &done["reason"]), (&json!(true), &json!(REASON)));
    assert_eq!(done["contents"], json!([id]));
    let status = world.everhold.status().await?;
    let incident = incidents(&status, &id)[0];
    assert_eq!(incident["close_reason"], format!("denied: {REASON}"));
    world.forget_requests().await?;
    let status = world.once(&[]).await?.gives(0)?;
    assert_eq!((gets(&world, &id).await?, world.count("POST").await?), (0, 0));
    assert!(!world.nodes[0].path(&id).exists(), "it was repaired");
    assert_eq!((report::health(&status, "denied"), report::health(&status, "healthy")), (1, 1));
    assert_eq!(status["denied"], json!([{"content": id, "reason": REASON}]));
    let token = world.token(1).await?;
    let image = content(&token, "image")?;
    assert_eq!((&token["health"], &image["health"]), (&json!("denied"), &json!("denied")));
    assert_eq!((&image["denied"], &image["replicas"]), (&json!(REASON), &json!([])));
    let events: Vec<_> = receiver.alerts().iter().map(|alert| alert.event.clone()).collect();
    assert_eq!(events, ["incident.opened", "incident.recovered"]);
    let (_, shown, _) = plain(&world.everhold, ["token", &world.collection, "1"]).await?;
    assert!(shown.contains(&format!("denied: {REASON}")), "{shown}");
    let (_, shown, _) = plain(&world.everhold, ["status"]).await?;
    assert!(shown.contains(REASON), "{shown}");

    // Off the list it is as before: looked at at once, and repaired.
    let done = world.everhold.json(["deny", "remove", &id]).await?;
    assert_eq!((&done["changed"], &done["reason"]), (&json!(true), &Value::Null));
    let status = world.once(&[]).await?.gives(0)?;
    assert!(gets(&world, &id).await? > 0 && world.nodes[0].path(&id).exists());
    assert_eq!((report::health(&status, "healthy"), &status["denied"]), (2, &json!([])));
    Ok(())
}

#[tokio::test]
async fn what_is_denied_is_neither_published_nor_put_into_a_token() -> Result<()> {
    let mut world = World::start(small()).await?;
    world.deploy(&[]).await?;
    let id = world.art.tokens()[0].image_sha256.clone();
    // By its CID, before anything knows it.
    let cid = everhold_e2e::content::cid_v1("55", &id);
    world.everhold.json(add(&cid)).await?;
    let publish = world.publishing(world.art.dir(), &[]);
    let publish: Vec<_> = publish.iter().map(String::as_str).collect();
    refused(&world, &publish, &["denied", REASON, &id]).await?;
    world.everhold.json(["deny", "remove", &format!("0x{id}")]).await?;
    world.publish(&[]).await?.gives(0)?;
    world.once(&[]).await?.gives(0)?;
    let next = world.art.revise(1, 2)?;
    world.everhold.json(add(&next.image_sha256)).await?;
    let file = next.metadata.display().to_string();
    let update = ["update", &file, "--collection", &world.collection, "--token", "1"];
    let update = [&update[..], &["--private-key-file", &world.key]].concat();
    refused(&world, &update, &["denied", REASON, &next.image_sha256]).await?;
    Ok(())
}

/// Its name has another digest: nobody knows that these are the bytes until they were seen once.
#[tokio::test]
async fn what_has_denied_bytes_is_denied_once_they_were_seen() -> Result<()> {
    let setup = Setup { connected: true, codec: "dag-pb", ..Setup::default() };
    let mut world = World::start(setup).await?;
    world.deploy(&[]).await?;
    world.publish(&[]).await?.gives(0)?;
    let done = world.everhold.json(add(&world.art.tokens()[0].image_sha256)).await?;
    assert_eq!(done["contents"], json!([]), "nothing is known to have them");
    let status = world.once(&[]).await?.gives(0)?;
    assert_eq!((report::health(&status, "denied"), report::health(&status, "healthy")), (1, 1));
    let id = world.id(1, "image").await?;
    assert_eq!(status["denied"], json!([{"content": id, "reason": REASON}]));
    world.forget_requests().await?;
    world.once(&[]).await?.gives(0)?;
    assert_eq!(gets(&world, &id).await?, 0);
    Ok(())
}

#[tokio::test]
async fn files_of_the_configuration_are_read_at_each_start() -> Result<()> {
    let mut world = World::healthy(small()).await?;
    let id = world.id(1, "metadata").await?;
    let list = world.everhold.dir().join("denied.txt");
    fs::write(&list, format!("# from a court\n{id} {REASON}\n")).unwrap();
    world.settings.more = "[deny]\nfiles = [\"denied.txt\"]\n".to_owned();
    world.configure()?;
    world.forget_requests().await?;
    let status = world.once(&[]).await?.gives(0)?;
    assert_eq!(report::health(&status, "denied"), 1);
    assert_eq!((gets(&world, &id).await?, world.count("GET").await?), (0, 0), "nor what it names");
    let token = world.token(1).await?;
    assert_eq!(items(&token["contents"]).len(), 1, "what it names is not shown");
    let listed = world.everhold.json(["deny", "list"]).await?;
    let entry = &listed["denied"][0];
    assert_eq!((&entry["reason"], &entry["source"]), (&json!(REASON), &json!("file")));
    assert_eq!(entry["digest"], format!("0x{id}"));
    refused(&world, &["deny", "remove", &id], &["[deny] files", REASON]).await?;
    // A list that can't be read keeps the indexer from starting: it may deny anything.
    fs::write(&list, "nonsense\n").unwrap();
    refused(&world, &["watch", "--once"], &["denied.txt:1", "64 hexadecimal digits"]).await?;
    fs::write(&list, "").unwrap();
    let status = world.once(&[]).await?.gives(0)?;
    assert_eq!(report::health(&status, "healthy"), 1);
    assert_eq!(gets(&world, &id).await?, 1);
    Ok(())
}

#[tokio::test]
async fn check_does_not_fetch_it_either() -> Result<()> {
    let world = World::healthy(small()).await?;
    let id = world.id(1, "image").await?;
    world.everhold.json(["check", &id]).await?;
    world.everhold.json(add(&id)).await?;
    world.forget_requests().await?;
    let checked = world.everhold.run(["check", &id]).await?.gives(3)?;
    assert_eq!(checked["verdict"], "unfetchable");
    assert!(text(&checked["answers"][0]["detail"]).contains(REASON), "{checked}");
    assert_eq!(gets(&world, &id).await?, 0);
    Ok(())
}

#[tokio::test]
async fn what_is_no_id_is_refused() -> Result<()> {
    let world = World::healthy(small()).await?;
    for id in ["nonsense", "abcd", "https://example.com/1.json"] {
        refused(&world, &["deny", "add", id, "--reason", "x"], &["64 hexadecimal digits"]).await?;
    }
    let id = "ab".repeat(32);
    refused(&world, &["deny", "add", &id, "--reason", " "], &["--reason is empty"]).await?;
    let done = world.everhold.json(["deny", "remove", &id]).await?;
    assert_eq!(done["changed"], false);
    Ok(())
}
