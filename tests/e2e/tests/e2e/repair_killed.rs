//! A repair that is killed at each place around what it does and what it writes down: whatever was left
//! behind, the next process brings it to its end, and nothing is done, billed or told twice.

use std::{collections::BTreeMap, fs};

use everhold_e2e::{
    AlertReceiver, Alerting, DevNode, Result, Setup, World, accounts,
    ended::Ended,
    node,
    report::{items, text},
};
use serde_json::{Value, json};

use crate::repair::{two, without_stores};

/// Runs `watch --once` so that it dies at a place. That it ends in another way is an error: the place
/// was not met, and nothing tested.
async fn die_at(world: &World, place: &str) -> Result<()> {
    let at = [("EVERHOLD_CRASH_AT", place)];
    let run = world.everhold.run_with(["watch", "--once"], &at).await?;
    assert_eq!(run.status, 128 + 9, "{place} was not met: {}", run.stderr);
    Ok(())
}

/// The repairs of a token's contents.
async fn repairs(world: &World, token: u64) -> Result<Vec<Value>> {
    let token = world.token(token).await?;
    let contents = items(&token["contents"]).iter();
    Ok(contents.flat_map(|content| items(&content["repairs"]).to_vec()).collect())
}

/// None is left open, and all that was begun has come to its end.
fn all_settled(repairs: &[Value]) {
    for repair in repairs {
        let state = text(&repair["state"]);
        assert!(matches!(state, "done" | "failed"), "{repair}");
        assert!(repair["finished_at"].is_string(), "{repair}");
    }
}

/// Each place on the way of an upload that needs no message.
const UPLOAD: [&str; 14] = [
    "repair.chosen",
    "repair.before-plan",
    "repair.planned",
    "repair.copied",
    "repair.before-upload",
    "repair.uploaded",
    "repair.acted",
    "repair.before-sent",
    "repair.sent",
    "probe.before-record",
    "probe.recorded",
    "assess.before-commit",
    "assess.committed",
    "alert.sent",
];

#[tokio::test]
async fn an_upload_comes_to_its_end_and_is_told_once_wherever_it_is_killed() -> Result<()> {
    let receiver = AlertReceiver::start("shared").await?;
    let alert = Alerting { url: receiver.url(), secret: "shared".to_owned() };
    let world = World::healthy(Setup {
        alert: Some(alert),
        more: "[incidents]\nwindow = \"0s\"\n",
        ..two()
    })
    .await?;
    let id = world.id(1, "image").await?;
    let stores = world.stores().await?;
    for place in UPLOAD {
        fs::remove_file(world.nodes[0].path(&id)).unwrap();
        die_at(&world, place).await?;
        world.once(&[]).await?.gives(0)?;
        assert!(node::bytes(&world.nodes[0], &id).await?.is_some(), "{place}");
        assert_eq!(world.stores().await?, stores, "{place}: a STORE was signed");
    }
    all_settled(&repairs(&world, 1).await?);
    told_once(&world, &receiver).await
}

/// Each incident was opened once and recovered once, whatever was sent again with the same key.
async fn told_once(world: &World, receiver: &AlertReceiver) -> Result<()> {
    let mut keys: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for alert in receiver.alerts() {
        let told = keys.entry((text(&alert.body["incident"]).to_owned(), alert.event)).or_default();
        if !told.contains(&alert.key) {
            told.push(alert.key);
        }
    }
    for (what, told) in &keys {
        assert_eq!(told.len(), 1, "{what:?}");
    }
    let status = world.everhold.status().await?;
    for incident in items(&status["incidents"]) {
        assert!(incident["closed_at"].is_string(), "{incident}");
        for event in ["incident.opened", "incident.recovered"] {
            let key = (text(&incident["id"]).to_owned(), event.to_owned());
            assert!(keys.contains_key(&key), "{key:?} was lost");
        }
    }
    Ok(())
}

/// Each place on the way of an upload with a STORE that is signed for it.
const NEW_STORE: [&str; 8] = [
    "store.signed",
    "repair.before-plan",
    "repair.planned",
    "repair.before-upload",
    "repair.uploaded",
    "repair.acted",
    "repair.before-sent",
    "repair.sent",
];

#[tokio::test]
async fn one_store_is_signed_for_a_content_wherever_it_is_killed() -> Result<()> {
    let places = NEW_STORE.map(|place| async move {
        let world = World::healthy(two()).await?;
        without_stores(&world).await?;
        let before = node::store_hashes(&world.nodes[0]).await?;
        die_at(&world, place).await?;
        world.once(&[]).await?.gives(0)?;
        let stores = node::stores(&world.nodes[0]).await?;
        let new = stores.iter().filter(|s| !before.iter().any(|old| s["item_hash"] == **old));
        let mut files: Vec<_> = new
            .map(|store| {
                assert_eq!(store["sender"], accounts::REPAIRER.address);
                store["content"]["item_hash"].to_string()
            })
            .collect();
        files.sort();
        files.dedup();
        assert_eq!((files.len(), stores.len() - before.len()), (2, 2), "{place}: a second bill");
        all_settled(&repairs(&world, 1).await?);
        Ok::<_, everhold_e2e::Error>(())
    });
    for place in places {
        place.await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_message_alone_comes_to_its_end_wherever_it_is_killed() -> Result<()> {
    let setup = Setup { nodes: 2, tokens: 1, connected: true, codec: "dag-pb", ..Setup::default() };
    let mut world = World::healthy(setup).await?;
    world.settings.wait = "10s".to_owned();
    world.configure()?;
    for place in ["repair.before-publish", "repair.published"] {
        crate::repair::wipe(&mut world.nodes[0]).await?;
        let peer = json!({"peer": world.nodes[1].url()});
        world.nodes[0].control("connect", &peer).await?;
        let fault =
            json!({"hash": null, "kind": "status", "status": 404, "path": "/api/v0/ipfs/add_file"});
        world.nodes[0].fault(fault).await?;
        die_at(&world, place).await?;
        world.once(&[]).await?.gives(0)?;
        let stores = world.stores().await?;
        assert_eq!(stores[0], stores[1], "{place}");
        all_settled(&repairs(&world, 1).await?);
    }
    Ok(())
}

#[tokio::test]
async fn a_refusal_is_known_wherever_it_is_killed() -> Result<()> {
    let world = World::healthy(two()).await?;
    let (node, id) = (&world.nodes[0], world.id(1, "image").await?);
    fs::remove_file(node.path(&id)).unwrap();
    let path = "/api/v0/storage/add_file";
    for place in ["repair.refused", "repair.undone-noted"] {
        node.fault(json!({"hash": null, "kind": "status", "status": 403, "path": path})).await?;
        die_at(&world, place).await?;
        world.once(&[]).await?.gives(3)?;
        all_settled(&repairs(&world, 1).await?);
        let said = repairs(&world, 1).await?;
        assert!(said.iter().any(|repair| text(&repair["detail"]).contains("403")), "{said:?}");
    }
    node.fault(json!({"hash": null, "kind": "none"})).await?;
    world.once(&[]).await?.gives(0)?;
    Ok(())
}

/// What was kept of a STORE that has ended everywhere is of no more use.
#[tokio::test]
async fn a_store_that_has_ended_is_replaced_by_one_wherever_that_is_killed() -> Result<()> {
    let world = World::healthy(two()).await?;
    without_stores(&world).await?;
    world.once(&[]).await?.gives(0)?;
    let before = node::store_hashes(&world.nodes[0]).await?;
    let ours = |store: &Value| store["sender"] == accounts::REPAIRER.address;
    let stores = node::stores(&world.nodes[0]).await?;
    without_stores(&world).await?;
    for store in stores.iter().filter(|store| ours(store)) {
        let everywhere = json!({"message": store, "status": "removed"});
        world.nodes[1].control("forge", &everywhere).await?;
    }
    die_at(&world, "store.ended").await?;
    world.once(&[]).await?.gives(0)?;
    let after = node::store_hashes(&world.nodes[0]).await?;
    assert_eq!(after.len(), before.len() + 2, "one a content");
    Ok(())
}

/// A node that was away has a STORE of ours in force that all others say has ended: since then there is
/// a second, and one is taken back.
#[tokio::test]
async fn a_superfluous_store_is_forgotten_once_wherever_that_is_killed() -> Result<()> {
    for place in ["forget.signed", "forget.kept", "forget.sent", "forget.ended"] {
        let mut world = World::healthy(Setup { nodes: 3, tokens: 1, ..Setup::default() }).await?;
        let id = world.id(1, "image").await?;
        let bytes = node::bytes(&world.nodes[0], &id).await?.unwrap();
        for node in &world.nodes {
            end_stores(node, &id).await?;
        }
        for node in &world.nodes[1..] {
            node::leave_there(node, bytes.clone()).await?;
        }
        world.once(&[]).await?.gives(0)?;
        let first = our_store(&world.nodes[0], &id, &[]).await?;
        let forged = json!({"message": first, "status": "processed"});
        world.nodes[1].control("forge", &forged).await?;
        world.nodes[1].stop().await?;
        end_stores(&world.nodes[0], &id).await?;
        world.once(&[]).await?;
        let first = text(&first["item_hash"]).to_owned();
        let second = our_store(&world.nodes[0], &id, &[&first]).await?;
        let second = text(&second["item_hash"]).to_owned();

        world.nodes[1].restart().await?;
        die_at(&world, place).await?;
        world.once(&[]).await?.gives(0)?;
        for (at, node) in world.nodes.iter().enumerate() {
            assert_eq!(status_of(node, &second).await?, "processed", "{place}, node {at}");
        }
        assert_eq!(status_of(&world.nodes[1], &first).await?, "forgotten", "{place}");
        assert_eq!(forgets(&world.nodes[1]).await?, 1, "{place}");
    }
    Ok(())
}

/// Has every STORE of a content end on a node, and the bytes with them.
async fn end_stores(node: &DevNode, id: &str) -> Result<()> {
    for store in node::stores(node).await? {
        if store["content"]["item_hash"] == *id {
            let removed = json!({"message": store["item_hash"], "status": "removed"});
            node.control("status", &removed).await?;
        }
    }
    assert_eq!(node::bytes(node, id).await?, None);
    Ok(())
}

/// The STORE of the repairer on a node, but for those that are known.
async fn our_store(node: &DevNode, id: &str, known: &[&str]) -> Result<Value> {
    let stores = node::stores(node).await?;
    let found = stores.into_iter().find(|store| {
        store["content"]["item_hash"] == *id
            && store["sender"] == accounts::REPAIRER.address
            && !known.contains(&text(&store["item_hash"]))
    });
    Ok(found.expect("a new STORE"))
}

/// Where a message stands on a node.
async fn status_of(node: &DevNode, hash: &str) -> Result<String> {
    let (_, body) = node::ask("GET", &format!("{}/api/v0/messages/{hash}", node.url())).await?;
    let answer: Value = serde_json::from_str(&body).unwrap_or_default();
    Ok(text(&answer["status"]).to_owned())
}

/// How many FORGETs the node ever heard of.
async fn forgets(node: &DevNode) -> Result<usize> {
    let url = format!(
        "{}/api/v0/messages.json?msgTypes=FORGET&pagination=0&msgStatuses=processed,pending",
        node.url()
    );
    let (_, body) = node::ask("GET", &url).await?;
    let answer: Value = serde_json::from_str(&body).unwrap();
    Ok(items(&answer["messages"]).len())
}
