//! Incidents that people look after, silence, and that come and go.

use std::{fs, time::Duration};

use everhold_e2e::{
    Result, Services, World,
    ended::Ended,
    eventually,
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
    let unknown = "ab".repeat(32);
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
        (
            &["incident", "silence", "--content", &unknown, "--for", "1h", "--reason", "x"],
            &["knows no content", &unknown],
        ),
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

/// Silences the collection, or ends that.
async fn silence(world: &World, silent: bool) -> Result<()> {
    let about = ["--collection", &world.collection];
    let line = match silent {
        true => [&["incident", "silence"], &about[..], &["--for", "24h", "--reason", "a move"]],
        false => [&["incident", "unsilence"], &about[..], &[]],
    };
    world.everhold.run(line.concat()).await?.gives(0)?;
    Ok(())
}

#[tokio::test]
async fn what_nobody_was_told_of_is_told_at_the_end_of_a_silence_though_somebody_looks_after_it()
-> Result<()> {
    let (world, services) = told().await?;
    silence(&world, true).await?;
    lose(&world, 0).await?;
    world.once(&["--no-repair"]).await?.gives(3)?;
    let id = text(&open(&world).await?["id"]).to_owned();
    world
        .everhold
        .run(["incident", "ack", &id, "--reason", "on it", "--by", "ann"])
        .await?
        .gives(0)?;
    silence(&world, false).await?;
    silence(&world, true).await?;
    // It gets worse: that is told in the place of how it was, and that somebody looks after it still.
    lose(&world, 1).await?;
    world.once(&["--no-repair"]).await?.gives(3)?;
    assert!(events(&services).is_empty() && services.posted("/v2").is_empty());
    silence(&world, false).await?;
    world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(events(&services), ["incident.opened", "incident.acknowledged"]);
    let posted = services.posted("/hook");
    for one in &posted {
        assert_eq!(
            (&one.body["health"], &one.body["severity"]),
            (&json!("lost"), &json!("critical"))
        );
    }
    assert_eq!(posted[1].body["acknowledged_by"], "ann");
    let pagerduty = services.posted("/v2/enqueue");
    let actions: Vec<_> = pagerduty.iter().map(|one| text(&one.body["event_action"])).collect();
    assert_eq!(actions, ["trigger", "acknowledge"]);
    Ok(())
}

#[tokio::test]
async fn what_is_told_at_the_end_of_a_silence_is_how_it_is_then() -> Result<()> {
    let (world, services) = told().await?;
    silence(&world, true).await?;
    let bytes = lose(&world, 0).await?;
    world.once(&["--no-repair"]).await?.gives(3)?;
    let id = text(&open(&world).await?["id"]).to_owned();
    world.everhold.run(["incident", "ack", &id, "--reason", "on it"]).await?.gives(0)?;
    // As bad as before, on the other node: whoever knows of it need not be told, but nobody does.
    bring_back(&world, 0, &bytes).await?;
    lose(&world, 1).await?;
    world.once(&["--no-repair"]).await?.gives(3)?;
    silence(&world, false).await?;
    world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(events(&services), ["incident.opened", "incident.acknowledged"]);
    let opened = &services.posted("/hook")[0].body;
    let missing = |node: usize| format!("{} missing", world.nodes[node].url());
    let message = text(&opened["message"]);
    assert!(message.contains(&missing(1)) && !message.contains(&missing(0)), "{message}");
    Ok(())
}

#[tokio::test]
async fn where_all_was_in_vain_is_told_at_the_end_of_a_silence() -> Result<()> {
    let (world, services) = told().await?;
    // The account that can't pay has an incident of its own.
    let told_of_content = || {
        let posted = services.posted("/hook").into_iter();
        posted.filter(|one| one.body["kind"] == "content").collect::<Vec<_>>()
    };
    let all_in_vain = async |id: &str| {
        let fault = json!({"hash": null, "kind": "status", "status": 402, "path": "/api/v0/storage/add_file"});
        for _ in 0..2 {
            world.nodes[0].fault(fault.clone()).await?;
            world.once(&[]).await?.gives(3)?;
        }
        // What is worse since does not take that back.
        fs::remove_file(world.nodes[1].path(id)).unwrap();
        world.once(&["--no-repair"]).await?.gives(3)
    };
    let id = world.id(1, "image").await?;
    silence(&world, true).await?;
    let bytes = lose(&world, 0).await?;
    all_in_vain(&id).await?;
    assert!(services.posted("/").is_empty());
    silence(&world, false).await?;
    world.once(&["--no-repair"]).await?.gives(3)?;
    let posted = told_of_content();
    let events: Vec<_> = posted.iter().map(|one| text(&one.body["event"])).collect();
    assert_eq!(events, ["incident.opened", "incident.stuck"]);
    assert!(posted.iter().all(|one| one.body["health"] == "lost"), "{posted:?}");
    assert!(text(&posted[1].body["todo"]).contains("too few credits"), "{}", posted[1].body);
    // Whatever was held back, the end of it is all there is to tell then.
    silence(&world, true).await?;
    bring_back(&world, 0, &bytes).await?;
    world.once(&["--no-repair"]).await?.gives(3)?;
    bring_back(&world, 1, &bytes).await?;
    world.once(&["--no-repair"]).await?.gives(0)?;
    silence(&world, false).await?;
    world.once(&["--no-repair"]).await?.gives(0)?;
    let posted = told_of_content();
    assert_eq!((posted.len(), text(&posted[2].body["event"])), (3, "incident.recovered"));
    Ok(())
}

/// What is on its way when a silence begins goes; if it is not taken, it waits for the end.
#[tokio::test]
async fn a_silence_is_heeded_by_what_is_being_sent() -> Result<()> {
    let services = Services::start().await?;
    let world = world(&format!("[[alert]]\nwebhook = \"{}\"\n", services.url("/hook"))).await?;
    services.delay_at("/hook", Duration::from_secs(4));
    services.answer("/hook", 500, "");
    lose(&world, 0).await?;
    let mut watcher = world.everhold.watch(&["--no-repair"])?;
    let sent = async || Ok((services.posted("/hook").len() == 1).then_some(()));
    eventually("it is sent", Duration::from_secs(60), Duration::from_millis(50), sent).await?;
    silence(&world, true).await?;
    assert_eq!(open(&world).await?["silenced"]["reason"], "a move");
    let failed = async || {
        let outbox = world.everhold.json(["alert", "list"]).await?;
        let sink = outbox["sinks"][0].clone();
        Ok((!sink["last_error"].is_null()).then_some(sink))
    };
    let waits =
        eventually("it failed", Duration::from_secs(60), Duration::from_millis(50), failed).await?;
    let silenced = open(&world).await?["silenced"]["until"].clone();
    assert_eq!((&waits["waiting"], &waits["next"]), (&json!(1), &silenced), "{waits}");
    services.delay_at("/hook", Duration::ZERO);
    services.answer("/hook", 200, "");
    // Else it would come again after a second or two.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(services.posted("/hook").len(), 1);
    silence(&world, false).await?;
    let taken = async || Ok((services.posted("/hook").len() == 2).then_some(()));
    eventually("it is told", Duration::from_secs(60), Duration::from_millis(50), taken).await?;
    watcher.terminate().await?;
    let posted = services.posted("/hook");
    assert_eq!(posted[0].key, posted[1].key);
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
