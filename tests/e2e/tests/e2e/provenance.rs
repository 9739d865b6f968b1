//! The STORE messages that keep a content: who sent them, and the warning where the last one ends.

use everhold_e2e::{
    AlertReceiver, Alerting, Context, DevNode, Result, Setup, World, accounts, chain,
    ended::Ended,
    node,
    report::{content, items, text},
    sha256,
};
use serde_json::{Value, json};

const SECRET: &str = "a secret";

/// A healthy world whose STOREs are asked for every round, and its bytes once a day; and who is told.
async fn scene(nodes: usize, publish: &[&str]) -> Result<(World, AlertReceiver)> {
    let receiver = AlertReceiver::start(SECRET).await?;
    let alert = Alerting { url: receiver.url(), secret: SECRET.to_owned() };
    let setup = Setup { nodes, tokens: 1, alert: Some(alert), ..Setup::default() };
    let mut world = World::start(setup).await?;
    world.settings.provenance = "0s".to_owned();
    world.settings.recheck = "24h".to_owned();
    world.deploy(&[]).await?;
    world.publish(publish).await?.gives(0)?;
    world.once(&[]).await?.gives(0)?;
    assert_eq!(receiver.requests().len(), 0);
    Ok((world, receiver))
}

/// The STORE of a file that a node has, as it lists it.
async fn store_of(node: &DevNode, id: &str) -> Result<Value> {
    let stores = node::stores(node).await?;
    let of_file = |store: &&Value| store["content"]["item_hash"] == *id;
    stores.iter().find(of_file).cloned().context(format!("no STORE of {id}"))
}

async fn set_status(node: &DevNode, store: &Value, status: &str) -> Result<()> {
    let standing = json!({"message": store["item_hash"], "status": status});
    node.control("status", &standing).await.map(drop)
}

/// The incidents of kind `removal`.
fn removals(status: &Value) -> Vec<&Value> {
    items(&status["incidents"]).iter().filter(|one| one["kind"] == "removal").collect()
}

/// The STOREs of token 1's content of this role.
async fn stores(world: &World, role: &str) -> Result<Vec<Value>> {
    let token = world.token(1).await?;
    Ok(items(&content(&token, role)?["stores"]).to_vec())
}

fn status_on<'a>(store: &'a Value, node: &DevNode) -> &'a str {
    let mut statuses = items(&store["statuses"]).iter();
    statuses.find(|at| at["node"] == node.url()).map_or("", |at| text(&at["status"]))
}

#[tokio::test]
async fn a_store_that_ends_is_warned_of_while_the_bytes_are_right() -> Result<()> {
    let (world, receiver) = scene(2, &[]).await?;
    let id = world.id(1, "image").await?;
    let store = store_of(&world.nodes[0], &id).await?;
    set_status(&world.nodes[0], &store, "removing").await?;
    world.forget_requests().await?;
    let status = world.once(&["--no-repair"]).await?.gives(0)?;
    let [incident] = removals(&status)[..] else { panic!("{status}") };
    assert_eq!((&incident["content"], &incident["health"]), (&json!(id), &json!("healthy")));
    assert_eq!(incident["closed_at"], Value::Null);
    let node = world.nodes[0].url();
    assert_eq!(incident["summary"], format!("{node} removing"));
    // Not due for a day, but for this.
    assert_eq!(node::gets(&world.nodes[0], &id).await?, 1);
    assert_eq!(node::gets(&world.nodes[0], &world.id(1, "metadata").await?).await?, 0);

    let alerts = receiver.alerts();
    assert_eq!(alerts.len(), 1);
    let body = &alerts[0].body;
    assert_eq!((&*alerts[0].event, &body["kind"]), ("incident.opened", &json!("removal")));
    assert_eq!((&body["content"]["id"], &body["tokens"]), (&json!(id), &json!(["1"])));
    assert_eq!((&body["health"], &body["previous"]), (&json!("healthy"), &Value::Null));
    let last = &body["stores"][0];
    assert_eq!((&last["item_hash"], &last["node"]), (&store["item_hash"], &json!(node)));
    assert_eq!((&last["status"], &last["sender"]), (&json!("removing"), &store["sender"]));
    let message = text(&body["message"]);
    let creator = accounts::CREATOR.address;
    for part in [&id, &node, "still served", "a day", &format!("give {creator} credits")] {
        assert!(message.contains(part), "{message}");
    }

    let seen = stores(&world, "image").await?;
    let [seen] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((&seen["item_hash"], &seen["verified"]), (&store["item_hash"], &json!(true)));
    assert_eq!((&seen["sender"], &seen["address"]), (&json!(creator), &json!(creator)));
    assert_eq!((&seen["relation"], &seen["payment"]), (&json!("owner"), &json!("credit")));
    assert!(text(&seen["time"]).starts_with("20"), "{seen}");
    assert_eq!(status_on(seen, &world.nodes[0]), "removing");
    assert_eq!(status_on(seen, &world.nodes[1]), "processed");

    // The same is not told again; that it is paid for again is.
    world.once(&["--no-repair"]).await?.gives(0)?;
    assert_eq!(receiver.alerts().len(), 1);
    set_status(&world.nodes[0], &store, "processed").await?;
    let status = world.once(&["--no-repair"]).await?.gives(0)?;
    assert!(removals(&status)[0]["closed_at"].is_string(), "{status}");
    let alerts = receiver.alerts();
    assert_eq!((alerts.len(), &*alerts[1].event), (2, "incident.recovered"));
    assert_eq!(alerts[1].body["incident"], alerts[0].body["incident"]);
    Ok(())
}

#[tokio::test]
async fn it_is_over_when_another_store_keeps_it() -> Result<()> {
    let (world, receiver) = scene(1, &[]).await?;
    let id = world.id(1, "image").await?;
    let store = store_of(&world.nodes[0], &id).await?;
    set_status(&world.nodes[0], &store, "removing").await?;
    let status = world.once(&["--no-repair"]).await?.gives(0)?;
    assert_eq!(removals(&status)[0]["closed_at"], Value::Null);
    // What the alert says helps.
    world.publish(&[]).await?.gives(0)?;
    let status = world.once(&["--no-repair"]).await?.gives(0)?;
    let closed = removals(&status)[0];
    assert!(text(&closed["close_reason"]).contains("another STORE"), "{closed}");
    let events: Vec<_> = receiver.alerts().iter().map(|alert| alert.event.clone()).collect();
    assert_eq!(events, ["incident.opened", "incident.recovered"]);
    let mut statuses: Vec<_> = stores(&world, "image").await?;
    statuses.sort_by_key(|store| status_on(store, &world.nodes[0]).to_owned());
    let of: Vec<_> = statuses.iter().map(|store| status_on(store, &world.nodes[0])).collect();
    assert_eq!(of, ["processed", "removing"]);
    // The first one's end is no news any more.
    set_status(&world.nodes[0], &store, "removed").await?;
    let status = world.once(&["--no-repair"]).await?.gives(0)?;
    assert_eq!(removals(&status).len(), 1);
    Ok(())
}

/// A STORE of the same file that its sender did not sign.
fn forged(store: &Value, sender: &str) -> Value {
    let mut forged = json!({});
    for key in ["chain", "type", "item_type", "time", "channel", "signature"] {
        forged[key] = store[key].clone();
    }
    let mut content: Value = serde_json::from_str(text(&store["item_content"])).unwrap();
    content["address"] = json!(sender);
    let content = content.to_string();
    forged["sender"] = json!(sender);
    forged["item_hash"] = json!(sha256(content.as_bytes()));
    forged["item_content"] = json!(content);
    forged
}

#[tokio::test]
async fn a_forged_store_is_shown_as_such_and_keeps_nothing() -> Result<()> {
    let (world, receiver) = scene(1, &[]).await?;
    let id = world.id(1, "image").await?;
    let store = store_of(&world.nodes[0], &id).await?;
    let forged = forged(&store, accounts::OWNER.address);
    let listed = json!({"message": forged, "status": "processed"});
    world.nodes[0].control("forge", &listed).await?;
    set_status(&world.nodes[0], &store, "removing").await?;
    let status = world.once(&["--no-repair"]).await?.gives(0)?;
    assert_eq!(removals(&status)[0]["closed_at"], Value::Null, "the forged one keeps it");
    assert_eq!(receiver.alerts().len(), 1);
    let seen = stores(&world, "image").await?;
    assert_eq!(seen.len(), 2);
    let [real, other] = [&seen[0], &seen[1]];
    assert_eq!((&real["item_hash"], &real["verified"]), (&store["item_hash"], &json!(true)));
    assert_eq!((&other["item_hash"], &other["verified"]), (&forged["item_hash"], &json!(false)));
    assert_eq!(
        (&other["relation"], status_on(other, &world.nodes[0])),
        (&Value::Null, "processed")
    );
    let at = ["token", &world.collection, "1"];
    let (code, shown, _) = everhold_e2e::run::plain(&world.everhold, at).await?;
    assert!(code == 0 && shown.contains("unverified"), "{shown}");
    Ok(())
}

/// A `security` aggregate as nodes have it, whoever signed it.
fn security(of: &str, sender: &str) -> Value {
    let content = json!({"address": of, "time": 1.5, "key": "security",
        "content": {"authorizations": [{"address": sender, "types": ["STORE"]}]}});
    let content = content.to_string();
    let message = json!({"sender": of, "chain": "ETH", "signature": "0x00", "type": "AGGREGATE",
        "item_type": "inline", "item_hash": sha256(content.as_bytes()), "item_content": content,
        "time": 1.5, "channel": "security"});
    json!({"message": message, "status": "processed"})
}

#[tokio::test]
async fn senders_are_told_by_who_they_are_to_the_token() -> Result<()> {
    let (world, _) = scene(2, &["--to", accounts::OWNER.address]).await?;
    let relation = async |world: &World| -> Result<Value> {
        world.once(&[]).await?.gives(0)?;
        let all = stores(world, "metadata").await?;
        assert_eq!(all.len(), 1, "{all:?}");
        Ok(all[0].clone())
    };
    assert_eq!(relation(&world).await?["relation"], "creator");
    let owner = world.everhold.key_file("owner", &accounts::OWNER)?;
    let stranger = world.everhold.key_file("stranger", &accounts::STRANGER)?;
    for (step, payer, expected) in
        [(2, "repairer.key", "repairer"), (3, &*owner, "owner"), (4, &*stranger, "stranger")]
    {
        let next = world.art.revise(1, step)?;
        let file = next.metadata.display().to_string();
        let at = ["update", &file, "--collection", &world.collection, "--token", "1"];
        let keys = ["--private-key-file", &owner, "--payer", payer];
        world.everhold.json(at.into_iter().chain(keys)).await?;
        assert_eq!(relation(&world).await?["relation"], expected);
    }
    // One node of two says that the owner authorised the stranger; then both do.
    let (of, to) = (accounts::OWNER.address, accounts::STRANGER.address);
    world.nodes[1].control("forge", &security(of, to)).await?;
    assert_eq!(relation(&world).await?["relation"], "stranger");
    world.nodes[0].control("forge", &security(of, to)).await?;
    let seen = relation(&world).await?;
    let urls: Vec<_> = world.nodes.iter().map(DevNode::url).collect();
    assert_eq!(seen["relation"], "authorised");
    assert_eq!(seen["authorised_by"], json!([{"account": of, "nodes": urls}]));
    Ok(())
}

#[tokio::test]
async fn a_node_without_lists_stops_nothing() -> Result<()> {
    let (world, _) = scene(2, &[]).await?;
    for code in [400, 404, 501, 500] {
        let fault = json!({"hash": null, "kind": "status", "status": code,
            "path": "/api/v0/messages"});
        world.nodes[0].fault(fault).await?;
        world.once(&["--no-repair"]).await?.gives(0)?;
        let seen = stores(&world, "image").await?;
        // What it said before stands; it does not say that there is none.
        assert_eq!(status_on(&seen[0], &world.nodes[0]), "processed", "{code}");
    }
    let store = store_of(&world.nodes[1], &world.id(1, "image").await?).await?;
    set_status(&world.nodes[1], &store, "removing").await?;
    let status = world.once(&["--no-repair"]).await?.gives(0)?;
    assert_eq!(removals(&status).len(), 1, "the other one is heard");
    Ok(())
}

/// Taken back, so that nodes list it no more: they are asked for it by its name.
#[tokio::test]
async fn a_store_that_was_removed_is_known_by_its_name_and_ends_with_its_token() -> Result<()> {
    let (world, receiver) = scene(1, &[]).await?;
    let id = world.id(1, "image").await?;
    let store = store_of(&world.nodes[0], &id).await?;
    let bytes = node::bytes(&world.nodes[0], &id).await?.context("bytes")?;
    set_status(&world.nodes[0], &store, "removed").await?;
    node::leave_there(&world.nodes[0], bytes).await?;
    let status = world.once(&["--no-repair"]).await?.gives(0)?;
    assert_eq!(removals(&status)[0]["summary"], format!("{} removed", world.nodes[0].url()));
    assert_eq!(status_on(&stores(&world, "image").await?[0], &world.nodes[0]), "removed");
    chain::burn(&world.anvil, &world.collection, accounts::CREATOR.address, 1).await?;
    world.anvil.mine(4).await?;
    let status = world.once(&["--no-repair"]).await?.gives(0)?;
    let closed = removals(&status)[0];
    assert!(text(&closed["close_reason"]).contains("no token names"), "{closed}");
    let alerts = receiver.alerts();
    assert_eq!((alerts.len(), &*alerts[1].event), (2, "incident.recovered"));
    Ok(())
}

#[tokio::test]
async fn watch_traces_stores_beside_all_else() -> Result<()> {
    let (world, receiver) = scene(1, &[]).await?;
    let id = world.id(1, "image").await?;
    let watcher = world.everhold.watch(&["--no-repair"])?;
    let store = store_of(&world.nodes[0], &id).await?;
    set_status(&world.nodes[0], &store, "removing").await?;
    let patience = std::time::Duration::from_secs(60);
    let look = std::time::Duration::from_millis(100);
    for count in [1, 2] {
        everhold_e2e::eventually("the alert", patience, look, async || {
            Ok((receiver.alerts().len() == count).then_some(()))
        })
        .await?;
        set_status(&world.nodes[0], &store, "processed").await?;
    }
    let events: Vec<_> = receiver.alerts().iter().map(|alert| alert.event.clone()).collect();
    assert_eq!(events, ["incident.opened", "incident.recovered"]);
    drop(watcher);
    Ok(())
}
