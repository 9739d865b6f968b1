//! Alerts: one for each transition of an incident, signed, and never lost.

use std::fs;

use everhold_e2e::{
    Alert, AlertReceiver, Alerting, Context, Result, Setup, World,
    ended::Ended,
    report::{items, text},
    shape,
};
use serde_json::{Value, json};

const SECRET: &str = "a secret that two share";

/// Two nodes, one token, all healthy, and a receiver that shares the secret.
async fn healthy() -> Result<(World, AlertReceiver)> {
    healthy_with(SECRET).await
}

async fn healthy_with(secret: &str) -> Result<(World, AlertReceiver)> {
    let receiver = AlertReceiver::start(SECRET).await?;
    let alert = Alerting { url: receiver.url(), secret: secret.to_owned() };
    let setup = Setup { nodes: 2, tokens: 1, alert: Some(alert), ..Setup::default() };
    let world = World::healthy(setup).await?;
    assert_eq!(receiver.requests().len(), 0, "nothing happened that is worth an alert");
    Ok((world, receiver))
}

/// Loses the picture on a node; gives its id.
async fn lose_picture(world: &World, node: usize) -> Result<String> {
    let id = world.id(1, "image").await?;
    fs::remove_file(world.nodes[node].path(&id)).unwrap();
    Ok(id)
}

fn events(alerts: &[Alert]) -> Vec<&str> {
    alerts.iter().map(|alert| alert.event.as_str()).collect()
}

#[tokio::test]
async fn each_transition_is_told_exactly_once() -> Result<()> {
    let (world, receiver) = healthy().await?;
    let id = lose_picture(&world, 0).await?;
    // Probes that see nothing new tell nothing.
    for _ in 0..3 {
        world.once(&["--no-repair"]).await?.gives(3)?;
        assert_eq!(events(&receiver.alerts()), ["incident.opened"]);
    }
    fs::write(world.nodes[0].path(&id), b"rot").unwrap();
    let copy = fs::read(world.nodes[1].path(&id)).unwrap();
    fs::write(world.nodes[1].path(&id), vec![0; copy.len()]).unwrap();
    for _ in 0..2 {
        world.once(&["--no-repair"]).await?.gives(3)?;
        assert_eq!(events(&receiver.alerts()), ["incident.opened", "incident.worsened"]);
    }
    fs::write(world.nodes[1].path(&id), &copy).unwrap();
    world.once(&[]).await?.gives(0)?;
    world.once(&[]).await?.gives(0)?;
    let alerts = receiver.requests();
    let told = events(&alerts);
    assert_eq!((told[0], told[1]), ("incident.opened", "incident.worsened"));
    assert_eq!(told.iter().filter(|event| **event == "incident.opened").count(), 1, "{told:?}");
    assert_eq!(told.last(), Some(&"incident.recovered"));
    assert_eq!(told.iter().filter(|event| **event == "incident.recovered").count(), 1, "{told:?}");
    assert!(alerts.iter().all(|alert| alert.signed && alert.taken));
    let incidents: Vec<_> = alerts.iter().map(|alert| text(&alert.body["incident"])).collect();
    assert!(incidents.iter().all(|incident| *incident == incidents[0]), "{incidents:?}");
    let healths: Vec<_> = alerts[..2].iter().map(|alert| text(&alert.body["health"])).collect();
    assert_eq!(healths, ["degraded", "lost"]);
    let mut keys: Vec<_> = alerts.iter().map(|alert| &alert.key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), alerts.len(), "two alerts with one key");
    Ok(())
}

#[tokio::test]
async fn an_alert_says_what_the_documentation_says() -> Result<()> {
    let (world, receiver) = healthy().await?;
    let id = lose_picture(&world, 0).await?;
    world.once(&[]).await?.gives(0)?;
    let alerts = receiver.alerts();
    assert_eq!(events(&alerts), ["incident.opened", "incident.recovered"], "one round");
    let node = world.nodes[0].url();
    for alert in &alerts {
        let body = &alert.body;
        let example = json!({"event": "", "at": "", "incident": "", "chain_id": 1, "collection": "",
            "content": {"id": "", "cid": "", "role": "", "size": 1}, "tokens": [""],
            "token_count": 1, "health": "", "previous": null, "required": 1, "independent": 1,
            "verified": 1, "held": 1, "required_held": 1, "replicas": [{"node": "", "state": "", "checked_at": "",
            "http_status": 1, "bytes": 1, "computed": null, "detail": null}], "message": "",
            "id": "", "flapping": false, "severity": "", "summary": "", "meaning": "", "done": "",
            "todo": "", "evidence": ""});
        assert_eq!(shape::lacks(body, &example), Vec::<String>::new(), "{body}");
        assert_eq!((text(&body["event"]), text(&body["id"])), (&*alert.event, &*alert.key));
        assert_eq!(body["collection"], *world.collection);
        assert_eq!(body["content"]["id"], *id);
        assert_eq!((&body["content"]["role"], &body["tokens"]), (&json!("image"), &json!(["1"])));
    }
    let (opened, recovered) = (&alerts[0].body, &alerts[1].body);
    assert_eq!((&opened["health"], &opened["previous"]), (&json!("degraded"), &Value::Null));
    assert_eq!(
        (&recovered["health"], &recovered["previous"]),
        (&json!("healthy"), &json!("degraded"))
    );
    assert_eq!((&opened["independent"], &recovered["independent"]), (&json!(1), &json!(2)));
    assert_eq!((&opened["held"], &opened["required_held"]), (&json!(1), &json!(0)));
    let message = text(&opened["message"]);
    assert!(message.contains(&id) && message.contains(&node), "{message}");
    let missing = items(&opened["replicas"]).iter().find(|replica| replica["node"] == *node);
    let missing = missing.context("no replica")?;
    assert_eq!((&missing["state"], &missing["http_status"]), (&json!("missing"), &json!(404)));
    Ok(())
}

#[tokio::test]
async fn a_signature_under_another_secret_does_not_verify() -> Result<()> {
    let (world, receiver) = healthy_with("another secret").await?;
    lose_picture(&world, 0).await?;
    world.once(&["--no-repair"]).await?.gives(3)?;
    let came = receiver.requests();
    assert_eq!(events(&came), ["incident.opened"]);
    assert!(!came[0].signed, "signed with another secret, and yet it verifies");
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_fails_twice_gets_the_same_alert_again() -> Result<()> {
    let (world, receiver) = healthy().await?;
    lose_picture(&world, 0).await?;
    receiver.refuse(2);
    world.once(&["--no-repair"]).await?.gives(3)?;
    let came = receiver.requests();
    let taken: Vec<_> = came.iter().map(|alert| alert.taken).collect();
    assert_eq!(taken, [false, false, true]);
    assert!(came.iter().all(|alert| alert.signed && alert.key == came[0].key));
    assert!(came.iter().all(|alert| alert.body == came[0].body));
    // Between the tries it waited, longer each time.
    let waits: Vec<_> = came.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    assert!(waits[0].as_millis() >= 900 && waits[1] > waits[0], "{waits:?}");
    world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(receiver.requests().len(), 3, "it was delivered, and sent again");
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_is_down_gets_the_alert_in_the_next_run() -> Result<()> {
    let (world, mut receiver) = healthy().await?;
    receiver.down().await;
    lose_picture(&world, 0).await?;
    let run = world.once(&["--no-repair"]).await?;
    assert!(run.stderr.contains("outbox"), "{}", run.stderr);
    let seen = run.gives(3)?;
    assert_eq!(seen["round"]["alerts"], 0);
    receiver.up().await?;
    world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(events(&receiver.alerts()), ["incident.opened"]);
    world.once(&[]).await?.gives(0)?;
    assert_eq!(events(&receiver.requests()), ["incident.opened", "incident.recovered"]);
    Ok(())
}

#[tokio::test]
async fn alerts_of_one_incident_come_in_order_after_an_outage() -> Result<()> {
    let (world, mut receiver) = healthy().await?;
    receiver.down().await;
    lose_picture(&world, 0).await?;
    // Opened and recovered within one round, neither delivered.
    world.once(&[]).await?.gives(0)?;
    receiver.up().await?;
    // The first is refused once more: the second must not overtake it.
    receiver.refuse(1);
    world.once(&[]).await?.gives(0)?;
    world.once(&[]).await?.gives(0)?;
    let taken = receiver.alerts();
    assert_eq!(events(&taken), ["incident.opened", "incident.recovered"]);
    Ok(())
}

#[tokio::test]
async fn an_incident_of_a_mint_that_a_reorg_took_back_is_closed() -> Result<()> {
    let (mut world, receiver) = healthy().await?;
    let second = world.art.add()?;
    world.publish(&[]).await?.gives(0)?;
    world.once(&[]).await?.gives(0)?;
    let minted = world.token(2).await?["minted_block"].as_u64().context("minted_block")?;
    fs::remove_file(world.nodes[0].path(&second.image_sha256)).unwrap();
    world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(events(&receiver.alerts()), ["incident.opened"]);

    let head = world.anvil.head().await?;
    world.anvil.reorg(head + 1 - minted, &[]).await?;
    world.anvil.mine(2).await?;
    let round = world.once(&["--no-repair"]).await?.gives(0)?;
    assert_eq!(round["round"]["reorgs"], 1);
    let alerts = receiver.requests();
    assert_eq!(events(&alerts), ["incident.opened", "incident.recovered"]);
    let body = &alerts[1].body;
    assert_eq!((&body["health"], &body["tokens"]), (&Value::Null, &json!([])));
    assert_eq!(body["incident"], alerts[0].body["incident"]);
    let incidents = &round["incidents"];
    assert!(incidents[0]["closed_at"].is_string(), "{incidents}");
    Ok(())
}

/// Nodes can't prove that they hold files named by CIDs: that alone is told in numbers, too.
#[tokio::test]
async fn too_few_held_copies_are_told_as_such() -> Result<()> {
    let receiver = AlertReceiver::start(SECRET).await?;
    let alert = Alerting { url: receiver.url(), secret: SECRET.to_owned() };
    let setup = Setup {
        nodes: 2,
        tokens: 1,
        connected: true,
        codec: "dag-pb",
        alert: Some(alert),
        ..Setup::default()
    };
    let world = World::healthy(setup).await?;
    let one = [("EVERHOLD_REPLICAS_MIN_HELD", "1")];
    world.everhold.run_with(["watch", "--once", "--no-repair"], &one).await?.gives(3)?;
    let alerts = receiver.alerts();
    assert!(!alerts.is_empty());
    for Alert { body, .. } in &alerts {
        assert_eq!((&body["health"], &body["independent"]), (&json!("degraded"), &json!(2)));
        assert_eq!((&body["held"], &body["required_held"]), (&json!(0), &json!(1)));
        let counts = "2 of 2 required independent replicas verified, 0 of 1 required held";
        assert!(text(&body["message"]).contains(counts), "{body}");
    }
    Ok(())
}
