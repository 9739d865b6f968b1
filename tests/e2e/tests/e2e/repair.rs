//! Repairs: from whom, by which message, at whose cost, and what is said where none is possible.

use std::fs;

use everhold_e2e::{
    DevNode, Result, Setup, World, accounts,
    ended::Ended,
    node,
    report::{self, content, history, incidents, items, replica, text},
    sha256,
};
use serde_json::{Value, json};

pub(crate) fn two() -> Setup {
    Setup { nodes: 2, tokens: 1, ..Setup::default() }
}

/// Takes every STORE back, on every node; the bytes stay on the second node, without any message.
pub(crate) async fn without_stores(world: &World) -> Result<()> {
    let ids = [world.id(1, "metadata").await?, world.id(1, "image").await?];
    let mut kept = Vec::new();
    for id in &ids {
        kept.push(node::bytes(&world.nodes[1], id).await?.unwrap());
    }
    for node in &world.nodes {
        for message in node::store_hashes(node).await? {
            let removed = json!({"message": message, "status": "removed"});
            node.control("status", &removed).await?;
        }
    }
    for bytes in kept {
        node::leave_there(&world.nodes[1], bytes).await?;
    }
    for id in &ids {
        assert_eq!(node::bytes(&world.nodes[0], id).await?, None);
        assert!(node::bytes(&world.nodes[1], id).await?.is_some());
    }
    Ok(())
}

/// Ends a node, empties its disk and starts it again: it never heard of anything.
pub(crate) async fn wipe(node: &mut DevNode) -> Result<()> {
    node.stop().await?;
    let files = node.path("");
    fs::remove_dir_all(files.parent().unwrap()).unwrap();
    node.restart().await
}

fn repairs(status: &Value) -> Vec<&Value> {
    items(&status["incidents"]).iter().flat_map(|incident| items(&incident["repairs"])).collect()
}

#[tokio::test]
async fn where_no_store_lives_one_is_signed_by_the_repair_key_and_kept() -> Result<()> {
    let mut world = World::healthy(two()).await?;
    without_stores(&world).await?;
    let before = node::store_hashes(&world.nodes[0]).await?;
    let status = world.once(&[]).await?.gives(0)?;
    let stores = node::stores(&world.nodes[0]).await?;
    let new: Vec<_> =
        stores.iter().filter(|s| !before.iter().any(|old| s["item_hash"] == **old)).collect();
    assert_eq!(new.len(), 2, "one a content");
    assert!(new.iter().all(|store| store["sender"] == accounts::REPAIRER.address), "{new:?}");
    for repair in repairs(&status) {
        assert_eq!((&repair["action"], &repair["state"]), (&json!("new-store"), &json!("done")));
        assert!(new.iter().any(|store| store["item_hash"] == repair["message"]), "{repair}");
    }
    let mut hashes: Vec<_> = new.iter().map(|store| text(&store["item_hash"])).collect();
    hashes.sort_unstable();

    // Lost by a node that never heard of it, while no other has a STORE: the same message again.
    wipe(&mut world.nodes[0]).await?;
    world.once(&[]).await?.gives(0)?;
    assert_eq!(node::store_hashes(&world.nodes[0]).await?, hashes, "a second bill");
    Ok(())
}

#[tokio::test]
async fn a_node_that_was_set_up_anew_gets_everything_with_the_old_stores() -> Result<()> {
    let mut world = World::healthy(two()).await?;
    let stores = node::store_hashes(&world.nodes[1]).await?;
    wipe(&mut world.nodes[0]).await?;
    let status = world.once(&[]).await?.gives(0)?;
    assert_eq!(node::store_hashes(&world.nodes[0]).await?, stores);
    assert_eq!(node::store_hashes(&world.nodes[1]).await?, stores);
    let actions: Vec<_> = repairs(&status).iter().map(|repair| text(&repair["action"])).collect();
    assert_eq!(actions, ["upload-with-store"; 2]);
    Ok(())
}

/// STOREs of the repair key that a node ever heard of.
async fn ours(node: &DevNode) -> Result<Vec<Value>> {
    let stores = node::stores(node).await?;
    let ours = |store: &Value| store["sender"] == accounts::REPAIRER.address;
    Ok(stores.into_iter().filter(ours).collect())
}

/// A node that says that it rejected what it was given may keep it, and let it count when it likes: another
/// beside it would be billed, too.
#[tokio::test]
async fn one_nodes_word_that_our_store_was_rejected_costs_no_second_one() -> Result<()> {
    let world = World::healthy(two()).await?;
    without_stores(&world).await?;
    world.once(&[]).await?.gives(0)?;
    let first = ours(&world.nodes[0]).await?;
    assert_eq!(first.len(), 2, "one a content");
    let id = world.id(1, "image").await?;
    for _ in 0..3 {
        for store in &first {
            let rejected = json!({"message": store, "status": "rejected"});
            world.nodes[0].control("forge", &rejected).await?;
        }
        fs::remove_file(world.nodes[0].path(&id)).unwrap();
        world.once(&[]).await?.gives(0)?;
        assert_eq!(ours(&world.nodes[0]).await?.len(), 2, "a second bill");
    }
    let bill = &world.everhold.json(["repairs"]).await?["spent"]["recurring"];
    assert_eq!(bill, &json!(8.985));
    Ok(())
}

/// Nor that it has ended, more than once; and what may live still is counted.
#[tokio::test]
async fn one_nodes_word_that_our_stores_have_ended_is_not_paid_for_again_and_again() -> Result<()> {
    let world = World::healthy(two()).await?;
    without_stores(&world).await?;
    world.once(&[]).await?.gives(0)?;
    let id = world.id(1, "image").await?;
    // The other can't say where messages stand.
    let mute = json!({"hash": null, "kind": "status", "status": 500, "path": "/api/v0/messages/"});
    world.nodes[1].fault(mute).await?;
    for _ in 0..4 {
        // What has ended is listed without its content.
        let stores = ours(&world.nodes[0]).await?;
        let of_it = stores.iter().filter(|store| store["content"]["item_hash"] == json!(id));
        for store in of_it.filter(|store| store["item_content"].is_string()) {
            let removed = json!({"message": store, "status": "removed"});
            world.nodes[0].control("forge", &removed).await?;
        }
        let _ = fs::remove_file(world.nodes[0].path(&id));
        world.once(&[]).await?;
    }
    assert_eq!(ours(&world.nodes[0]).await?.len(), 3, "a third bill");
    let said = world.everhold.json(["repairs"]).await?;
    assert_eq!(said["spent"]["recurring"], json!(13.4775), "what may live is on the bill");
    let told = items(&said["repairs"]);
    let doubted = |one: &&Value| text(&one["detail"]).contains("not known to have ended");
    assert!(
        told.iter().filter(|one| one["detail"].is_string()).any(|one| doubted(&one)),
        "{told:?}"
    );
    Ok(())
}

/// Somebody else's STORE may be refused for reasons of theirs.
#[tokio::test]
async fn another_store_that_lives_is_tried_before_one_is_signed() -> Result<()> {
    let mut world = World::healthy(two()).await?;
    without_stores(&world).await?;
    world.once(&[]).await?.gives(0)?;
    world.publish(&[]).await?.gives(0)?;
    let stores = node::store_hashes(&world.nodes[0]).await?;
    wipe(&mut world.nodes[1]).await?;
    let path = "/api/v0/storage/add_file";
    let refusal = json!({"hash": null, "kind": "status", "status": 402, "path": path, "times": 1});
    world.nodes[1].fault(refusal).await?;
    let status = world.once(&[]).await?.gives(0)?;
    let repairs = repairs(&status);
    let at_second = repairs.iter().filter(|one| one["node"] == json!(world.nodes[1].url()));
    let told: Vec<_> =
        at_second.map(|one| (text(&one["action"]), text(&one["state"]), &one["message"])).collect();
    let failed = told.iter().filter(|(_, state, _)| *state == "failed").count();
    assert_eq!(failed, 1, "{told:?}");
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().all(|(action, ..)| *action == "upload-with-store"), "{told:?}");
    assert_eq!(node::store_hashes(&world.nodes[0]).await?, stores, "a new STORE");
    assert_eq!(ours(&world.nodes[1]).await?.len() + 1, 2, "the other one was tried: {told:?}");
    Ok(())
}

/// Nothing is signed where too many can't say whether one lives, and it is said who that is.
#[tokio::test]
async fn without_lists_no_store_is_signed_and_one_node_of_many_holds_nobody_up() -> Result<()> {
    let lists =
        json!({"hash": null, "kind": "status", "status": 500, "path": "/api/v0/messages.json"});
    let world = World::healthy(two()).await?;
    without_stores(&world).await?;
    world.nodes[1].fault(lists.clone()).await?;
    let status = world.once(&[]).await?.gives(3)?;
    assert!(ours(&world.nodes[0]).await?.is_empty());
    let told = repairs(&status);
    let name = world.nodes[1].url().trim_start_matches("http://").to_owned();
    assert!(!told.is_empty());
    for repair in told {
        let detail = text(&repair["detail"]);
        assert!(detail.contains(&name) && detail.contains("can't list"), "{repair}");
    }

    let world = World::healthy(Setup { nodes: 4, tokens: 1, ..Setup::default() }).await?;
    without_stores(&world).await?;
    world.nodes[3].fault(lists).await?;
    world.once(&[]).await?.gives(0)?;
    assert_eq!(ours(&world.nodes[0]).await?.len(), 2, "one a content");
    Ok(())
}

/// Anybody may publish STOREs of a file, as large as messages may be.
#[tokio::test]
async fn a_list_that_strangers_made_too_large_hides_no_store() -> Result<()> {
    let world = World::healthy(two()).await?;
    let (node, id) = (&world.nodes[0], world.id(1, "image").await?);
    for number in 0..25 {
        let content = json!({
            "address": accounts::REPAIRER.address, "time": 1.0, "item_type": "storage",
            "item_hash": id, "metadata": { "fat": "x".repeat(190_000), "number": number },
        });
        let content = content.to_string();
        let message = json!({
            "sender": accounts::REPAIRER.address, "chain": "ETH", "signature": "0x00",
            "type": "STORE", "item_type": "inline", "item_content": content,
            "item_hash": sha256(content.as_bytes()), "time": 1.0, "channel": "x",
        });
        node.control("forge", &json!({"message": message, "status": "processed"})).await?;
    }
    fs::remove_file(node.path(&id)).unwrap();
    let status = world.once(&[]).await?.gives(0)?;
    let repairs = items(&incidents(&status, &id)[0]["repairs"]);
    let tried: Vec<_> = repairs.iter().map(|one| text(&one["action"])).collect();
    assert_eq!(tried, ["upload"], "{repairs:?}");
    Ok(())
}

#[tokio::test]
async fn without_a_key_it_is_said_what_is_lacking() -> Result<()> {
    let mut world = World::healthy(two()).await?;
    without_stores(&world).await?;
    world.settings.repair_key = None;
    world.configure()?;
    let run = world.once(&[]).await?;
    assert!(run.stderr.contains("no key"), "{}", run.stderr);
    let status = run.gives(3)?;
    let repairs = repairs(&status);
    assert_eq!(repairs.len(), 2);
    for repair in repairs {
        assert_eq!(
            (&repair["state"], &repair["node"]),
            (&json!("failed"), &json!(world.nodes[0].url()))
        );
        assert!(text(&repair["detail"]).contains("private_key_file"), "{repair}");
    }
    // The remedy that it names works.
    world.settings.repair_key = Some("repairer.key".to_owned());
    world.configure()?;
    world.once(&[]).await?.gives(0)?;
    Ok(())
}

#[tokio::test]
async fn what_no_node_has_is_lost_and_comes_back_with_the_bytes() -> Result<()> {
    let world = World::healthy(two()).await?;
    let id = world.id(1, "image").await?;
    let bytes = node::bytes(&world.nodes[0], &id).await?.unwrap();
    fs::remove_file(world.nodes[0].path(&id)).unwrap();
    fs::write(world.nodes[1].path(&id), vec![7; bytes.len()]).unwrap();
    let run = world.once(&[]).await?;
    assert!(run.stderr.contains(&id) && run.stderr.contains("lost"), "{}", run.stderr);
    let status = run.gives(3)?;
    assert_eq!(report::health(&status, "lost"), 1);
    let incident = incidents(&status, &id)[0];
    assert_eq!(incident["health"], "lost");
    for repair in items(&incident["repairs"]) {
        assert_eq!((&repair["action"], &repair["state"]), (&json!("none"), &json!("failed")));
        assert!(text(&repair["detail"]).contains("nothing to repair it from"), "{repair}");
    }
    // Nobody made it up: no upload, and the rot is still rot.
    assert_eq!(node::bytes(&world.nodes[1], &id).await?, Some(vec![7; bytes.len()]));
    let token = world.token(1).await?;
    assert_eq!(
        (&token["health"], &content(&token, "image")?["verified"]),
        (&json!("lost"), &json!(0))
    );

    node::leave_there(&world.nodes[1], bytes).await?;
    let status = world.once(&[]).await?.gives(0)?;
    assert!(incidents(&status, &id)[0]["closed_at"].is_string());
    assert_eq!(sha256(&fs::read(world.nodes[0].path(&id)).unwrap()), id);
    Ok(())
}

#[tokio::test]
async fn a_node_that_refuses_uploads_is_quoted_and_tried_again() -> Result<()> {
    let world = World::healthy(two()).await?;
    let (node, id) = (&world.nodes[0], world.id(1, "image").await?);
    fs::remove_file(node.path(&id)).unwrap();
    for code in [402, 403, 413, 422, 500, 503] {
        node.fault(json!({"hash": null, "kind": "status", "status": code,
            "path": "/api/v0/storage/add_file"}))
            .await?;
        let status = world.once(&[]).await?.gives(3)?;
        let incident = incidents(&status, &id)[0];
        assert_eq!(incident["closed_at"], Value::Null);
        let repairs = items(&incident["repairs"]);
        assert!(repairs.iter().all(|repair| repair["state"] == "failed"), "{repairs:?}");
        let last = repairs.last().unwrap();
        assert_eq!(last["node"], node.url());
        assert!(text(&last["detail"]).contains(&code.to_string()), "{last}");
    }
    node.fault(json!({"hash": null, "kind": "none"})).await?;
    let status = world.once(&[]).await?.gives(0)?;
    let incident = incidents(&status, &id)[0];
    assert!(incident["closed_at"].is_string());
    assert_eq!(items(&incident["repairs"]).last().unwrap()["state"], "done");
    let token = world.token(1).await?;
    assert_eq!(
        history(replica(&token, "image", &node.url())?),
        ["verified", "missing", "verified"]
    );
    Ok(())
}

/// It takes every upload, says that all is there, and serves nothing.
#[tokio::test]
async fn a_node_that_takes_everything_and_keeps_nothing_costs_no_store() -> Result<()> {
    let world = World::healthy(two()).await?;
    let (node, id) = (&world.nodes[0], world.id(1, "image").await?);
    let stores = world.stores().await?;
    fs::remove_file(node.path(&id)).unwrap();
    node.fault(json!({"hash": id, "kind": "claim"})).await?;
    let run = world.once(&[]).await?;
    assert!(run.stderr.contains("without you"), "{}", run.stderr);
    let status = run.gives(3)?;
    let repairs = items(&incidents(&status, &id)[0]["repairs"]);
    let tried: Vec<_> = repairs.iter().map(|one| text(&one["action"])).collect();
    assert_eq!(tried, ["upload", "upload-with-store", "none"]);
    for repair in &repairs[..2] {
        assert_eq!(repair["state"], "failed", "{repair}");
        assert!(text(&repair["detail"]).contains("still serves none that are right"), "{repair}");
    }
    assert_eq!(world.stores().await?, stores, "a STORE was signed for a liar");
    node.fault(json!({"hash": null, "kind": "none"})).await?;
    world.once(&[]).await?.gives(0)?;
    Ok(())
}

#[tokio::test]
async fn a_node_without_the_endpoint_is_left_to_fetch() -> Result<()> {
    let setup = Setup { nodes: 2, tokens: 1, connected: true, codec: "dag-pb", ..Setup::default() };
    let mut world = World::healthy(setup).await?;
    // It never heard of the STOREs, and takes no uploads.
    wipe(&mut world.nodes[0]).await?;
    let peer = json!({"peer": world.nodes[1].url()});
    world.nodes[0].control("connect", &peer).await?;
    let fault =
        json!({"hash": null, "kind": "status", "status": 404, "path": "/api/v0/ipfs/add_file"});
    world.nodes[0].fault(fault).await?;
    world.settings.wait = "5s".to_owned();
    world.configure()?;
    world.once(&[]).await?.gives(0)?;
    assert_eq!(
        node::store_hashes(&world.nodes[0]).await?,
        node::store_hashes(&world.nodes[1]).await?
    );
    Ok(())
}

#[tokio::test]
async fn repairs_may_be_turned_off() -> Result<()> {
    let world = World::healthy(two()).await?;
    let id = world.id(1, "image").await?;
    fs::remove_file(world.nodes[0].path(&id)).unwrap();
    world.forget_requests().await?;
    let off = [("EVERHOLD_REPAIR_ENABLED", "false")];
    let status = world.everhold.run_with(["watch", "--once"], &off).await?.gives(3)?;
    assert_eq!(repairs(&status).len(), 0);
    assert_eq!(world.count("POST").await?, 0);
    Ok(())
}

/// A node, or the proxy before it, answers as soon as it has seen the request's head, and closes.
#[tokio::test]
async fn a_refusal_that_comes_before_the_whole_file_was_sent_is_quoted() -> Result<()> {
    let setup = Setup { large: Some(1), ..two() };
    let world = World::healthy(setup).await?;
    let (node, id) = (&world.nodes[0], world.id(1, "image").await?);
    assert!(world.art.tokens()[0].image_bytes > 1 << 20);
    fs::remove_file(node.path(&id)).unwrap();
    let path = "/api/v0/storage/add_file";
    node.fault(json!({"hash": null, "kind": "status", "status": 413, "path": path})).await?;
    let status = world.once(&[]).await?.gives(3)?;
    let repairs = items(&incidents(&status, &id)[0]["repairs"]);
    for repair in repairs {
        assert!(text(&repair["detail"]).contains("413"), "{repair}");
    }
    assert!(!repairs.is_empty());
    Ok(())
}

/// What was verified an hour ago need not be so now: bytes are hashed on their way.
#[tokio::test]
async fn bytes_that_went_bad_since_they_were_verified_are_not_passed_on() -> Result<()> {
    let mut world = World::start(Setup { nodes: 3, tokens: 1, ..Setup::default() }).await?;
    world.settings.recheck = "24h".to_owned();
    world.deploy(&[]).await?;
    world.publish(&[]).await?.gives(0)?;
    let id = world.art.tokens()[0].image_sha256.clone();
    fs::remove_file(world.nodes[2].path(&id)).unwrap();
    world.once(&["--no-repair"]).await?.gives(3)?;
    // The first node's copy goes bad after it was seen right; it is not due for a day.
    let path = world.nodes[0].path(&id);
    fs::write(&path, vec![3; fs::read(&path).unwrap().len()]).unwrap();
    world.once(&[]).await?.gives(0)?;
    assert_eq!(sha256(&fs::read(world.nodes[2].path(&id)).unwrap()), id);
    // It was read, and seen to be bad; so that is mended, too.
    let token = world.token(1).await?;
    let bad = replica(&token, "image", &world.nodes[0].url())?;
    assert_eq!(
        history(bad),
        ["verified", "corrupt", "verified"],
        "the repair saw its bytes: {bad}"
    );
    assert_eq!(sha256(&fs::read(&path).unwrap()), id);
    Ok(())
}
