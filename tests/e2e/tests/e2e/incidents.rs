//! Incidents that people look after, silence, and that come and go.

use std::{fs, time::Duration};

use everhold_e2e::{
    Result, Services, World,
    ended::Ended,
    report::{items, text},
};
use serde_json::{Value, json};

use crate::sinks::world;

/// A world with a webhook and a service of PagerDuty.
async fn told() -> Result<(World, Services)> {
    let services = Services::start().await?;
    let sinks = format!(
        "[[alert]]\nwebhook = \"{}\"\n[[alert]]\npagerduty = {{ routing_key_file = \"routing\", url = \"{}\" }}\n",
        services.url("/hook"),
        services.url("")
    );
    Ok((world(&sinks).await?, services))
}

fn events(services: &Services) -> Vec<String> {
    let posted = services.posted("/hook");
    posted.iter().map(|one| text(&one.body["event"]).to_owned()).collect()
}

/// Loses the picture on a node; gives its bytes.
async fn lose(world: &World, node: usize) -> Result<Vec<u8>> {
    let path = world.nodes[node].path(&world.id(1, "image").await?);
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(path).unwrap();
    Ok(bytes)
}

async fn bring_back(world: &World, node: usize, bytes: &[u8]) -> Result<()> {
    fs::write(world.nodes[node].path(&world.id(1, "image").await?), bytes).unwrap();
    Ok(())
}

async fn open(world: &World) -> Result<Value> {
    let listed = world.everhold.json(["incident", "list"]).await?;
    Ok(items(&listed["incidents"]).first().cloned().unwrap_or_default())
}

#[tokio::test]
async fn whoever_looks_after_an_incident_is_told_that_it_is_worse_or_over() -> Result<()> {
    let (world, services) = told().await?;
    let bytes = lose(&world, 0).await?;
    world.once(&["--no-repair"]).await?.gives(3)?;
    let id = text(&open(&world).await?["id"]).to_owned();
    let ack = ["incident", "ack", &id, "--reason", "disks are on their way", "--by", "ann"];
    world.everhold.run(ack).await?.gives(0)?;
    let known = open(&world).await?;
    assert_eq!(
        (&known["acknowledged"]["by"], &known["acknowledged"]["reason"]),
        (&json!("ann"), &json!("disks are on their way"))
    );
    // As bad as before, on another node, is nothing new to them.
    bring_back(&world, 0, &bytes).await?;
    fs::remove_file(world.nodes[1].path(&world.id(1, "image").await?)).unwrap();
    world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(events(&services), ["incident.opened", "incident.acknowledged"]);
    lose(&world, 0).await?;
    world.once(&["--no-repair"]).await?.gives(3)?;
    bring_back(&world, 0, &bytes).await?;
    bring_back(&world, 1, &bytes).await?;
    world.once(&["--no-repair"]).await?.gives(0)?;
    assert_eq!(events(&services)[2..], ["incident.worsened", "incident.recovered"]);
    let pagerduty = services.posted("/v2/enqueue");
    let actions: Vec<_> = pagerduty.iter().map(|one| text(&one.body["event_action"])).collect();
    assert_eq!(actions, ["trigger", "acknowledge", "trigger", "resolve"]);
    for (command, names) in [
        (&["incident", "ack", &id, "--reason", "x"][..], &["is over since"][..]),
        (
            &["incident", "ack", "nonsense", "--reason", "x"],
            &["no incident nonsense", "incident list"],
        ),
        (
            &["incident", "silence", "nonsense", "--for", "1h", "--reason", "x"],
            &["no incident nonsense"],
        ),
        (
            &["incident", "silence", "nonsense", "--for", "0s", "--reason", "x"],
            &["--for 0s silences nothing"],
        ),
        (&["incident", "silence", "--content", "x", "--for", "1h", "--reason", "x"], &["`x`"]),
        (&["incident", "ack", &id, "--reason", " "], &["--reason is empty"]),
        (&["incident", "unsilence", "--collection", &world.collection], &["nothing silences that"]),
    ] {
        let run = world.everhold.run(command.iter().chain(&["-q"])).await?;
        run.refuses(names).unwrap_or_else(|error| panic!("{command:?}: {error}"));
    }
    Ok(())
}

#[tokio::test]
async fn nobody_is_told_in_a_silence_and_of_what_is_wrong_still_at_its_end() -> Result<()> {
    let (world, services) = told().await?;
    let address = world.collection.clone();
    let silence =
        ["incident", "silence", "--collection", &address, "--for", "24h", "--reason", "a move"];
    world.everhold.run(silence).await?.gives(0)?;
    // One that comes and goes meanwhile is nothing to be told of.
    let bytes = lose(&world, 0).await?;
    world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(open(&world).await?["silenced"]["reason"], "a move");
    bring_back(&world, 0, &bytes).await?;
    world.once(&["--no-repair"]).await?.gives(0)?;
    lose(&world, 0).await?;
    world.once(&["--no-repair"]).await?.gives(3)?;
    lose(&world, 1).await?;
    world.once(&["--no-repair"]).await?.gives(3)?;
    assert!(events(&services).is_empty() && services.posted("/v2").is_empty());
    world.everhold.run(["incident", "unsilence", "--collection", &address]).await?.gives(0)?;
    world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(events(&services), ["incident.opened"]);
    assert_eq!(services.posted("/hook")[0].body["health"], "lost");
    // What they were told of is over within a silence: they are told of that at its end.
    let id = text(&open(&world).await?["id"]).to_owned();
    world
        .everhold
        .run(["incident", "silence", &id, "--for", "4s", "--reason", "x"])
        .await?
        .gives(0)?;
    bring_back(&world, 0, &bytes).await?;
    bring_back(&world, 1, &bytes).await?;
    world.once(&["--no-repair"]).await?.gives(0)?;
    assert_eq!(events(&services).len(), 1);
    tokio::time::sleep(Duration::from_secs(4)).await;
    world.once(&["--no-repair"]).await?.gives(0)?;
    assert_eq!(events(&services), ["incident.opened", "incident.recovered"]);
    Ok(())
}

#[tokio::test]
async fn what_comes_and_goes_is_told_so_once_and_is_over_when_it_stays_well() -> Result<()> {
    let (world, services) = told().await?;
    for _ in 0..4 {
        let bytes = lose(&world, 0).await?;
        world.once(&["--no-repair"]).await?.gives(3)?;
        bring_back(&world, 0, &bytes).await?;
        world.once(&["--no-repair"]).await?.gives(0)?;
    }
    let (opened, recovered) = ("incident.opened", "incident.recovered");
    assert_eq!(events(&services), [opened, recovered, opened, recovered, "incident.flapping"]);
    assert_eq!(services.posted("/hook")[4].body["flapping"], true);
    let known = open(&world).await?;
    assert_eq!((&known["flapping"], &known["health"]), (&json!(true), &json!("degraded")));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let window = [("EVERHOLD_INCIDENTS_WINDOW", "1s")];
    world.everhold.run_with(["watch", "--once", "--no-repair"], &window).await?.gives(0)?;
    assert_eq!(events(&services).last().map(String::as_str), Some(recovered));
    assert_eq!((events(&services).len(), open(&world).await?), (6, Value::Null));
    Ok(())
}
