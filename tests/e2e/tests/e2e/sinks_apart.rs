//! Each sink is for itself, and so is each alert: none that is slow, down or disliked holds up others.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use everhold_e2e::{Result, Services, Setup, ended::Ended, eventually, report::items};

use crate::sinks::world_with;

const TOKENS: u64 = 20;
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

/// One sink never answers, one wants to be left alone, and one dislikes the alert that comes first.
fn sinks(services: &Services) -> String {
    services.delay_at("/slow", 2 * PATIENCE);
    services.refuse_first("/hook", 500);
    services.answer(
        "/bot12345:token-of-the-bot/sendMessage",
        429,
        r#"{"ok":false,"error_code":429,"description":"slowly","parameters":{"retry_after":60}}"#,
    );
    format!(
        "[[alert]]\nwebhook = \"{}\"\n[[alert]]\nwebhook = \"{}\"\n\
         [[alert]]\ntelegram = {{ chat = \"-100\", token_file = \"bot\", url = \"{}\" }}\n",
        services.url("/slow"),
        services.url("/hook"),
        services.url("")
    )
}

#[tokio::test]
async fn no_sink_and_no_alert_holds_up_another() -> Result<()> {
    let services = Services::start().await?;
    let setup = Setup { nodes: 2, tokens: TOKENS, ..Setup::default() };
    let world = world_with(setup, &sinks(&services)).await?;
    for token in world.art.tokens() {
        fs::remove_file(world.nodes[0].path(&token.image_sha256)).unwrap();
    }
    let mut watcher = world.everhold.watch(&["--no-repair"])?;
    let told = || services.posted("/hook").into_iter().map(|one| one.key).collect::<BTreeSet<_>>();
    eventually("all were tried", PATIENCE, PAUSE, async || {
        Ok((told().len() as u64 == TOKENS).then_some(()))
    })
    .await?;
    let slow = services.posted("/slow").len();
    assert!(slow <= 2, "the others waited for the one that does not answer: {slow} times");
    assert_eq!(services.posted("/bot").len(), 1, "it asked to be left alone for a minute");
    watcher.terminate().await?;

    // A round is not held up either by what waits.
    let begun = Instant::now();
    world.once(&["--no-repair"]).await?.gives(3)?;
    assert!(begun.elapsed() < Duration::from_secs(45), "{:?}", begun.elapsed());
    let outbox = world.everhold.json(["alert", "list"]).await?;
    let waiting: Vec<_> = items(&outbox["sinks"]).iter().map(|one| &one["waiting"]).collect();
    assert_eq!(waiting, [TOKENS, 1, TOKENS], "{outbox}");
    Ok(())
}

/// Whatever else it says each time.
#[tokio::test]
async fn why_a_sink_takes_nothing_is_said_once() -> Result<()> {
    let services = Services::start().await?;
    let sinks = format!("[[alert]]\nwebhook = \"{}\"\n", services.url("/hook"));
    let world = world_with(Setup { nodes: 2, tokens: 1, ..Setup::default() }, &sinks).await?;
    fs::remove_file(world.nodes[0].path(&world.id(1, "image").await?)).unwrap();
    services.answer("/hook", 500, "request 7f3a failed");
    let mut watcher = world.everhold.watch(&["--no-repair"])?;
    for (times, body) in [(1, "request 99be failed"), (2, "request 0c4d failed"), (3, "")] {
        eventually("it is tried again", PATIENCE, PAUSE, async || {
            Ok((services.posted("/hook").len() == times).then_some(()))
        })
        .await?;
        services.answer("/hook", 500, body);
    }
    services.answer("/hook", 200, "");
    eventually("it is taken", PATIENCE, PAUSE, async || {
        let outbox = world.everhold.json(["alert", "list"]).await?;
        Ok((outbox["sinks"][0]["delivered"] == 1).then_some(()))
    })
    .await?;
    watcher.terminate().await?;
    let log = fs::read_to_string(watcher.log()).unwrap();
    assert_eq!(log.matches("alert to webhook 127.0.0.1: HTTP 500").count(), 1, "{log}");
    assert_eq!(log.matches("takes alerts again").count(), 1, "{log}");
    Ok(())
}

/// Another process, or the next configuration, may know the sink.
#[tokio::test]
async fn what_waits_for_a_sink_that_is_left_out_waits() -> Result<()> {
    let services = Services::start().await?;
    let sinks = format!("[[alert]]\nwebhook = \"{}\"\n", services.url("/hook"));
    let mut world = world_with(Setup { nodes: 2, tokens: 1, ..Setup::default() }, &sinks).await?;
    services.answer("/hook", 500, "");
    fs::remove_file(world.nodes[0].path(&world.id(1, "image").await?)).unwrap();
    world.once(&["--no-repair"]).await?.gives(3)?;
    services.answer("/hook", 200, "");
    let tried = services.posted("/hook").len();
    world.settings.more = String::new();
    world.configure()?;
    let run = world.once(&["--no-repair"]).await?;
    assert!(!run.stderr.contains("no longer configured"), "{}", run.stderr);
    let outbox = world.everhold.json(["alert", "list"]).await?;
    assert_eq!(outbox["sinks"][0]["waiting"], 1, "{outbox}");
    assert_eq!(services.posted("/hook").len(), tried);
    world.settings.more = sinks;
    world.configure()?;
    assert_eq!(world.once(&["--no-repair"]).await?.gives(3)?["round"]["alerts"], 1);
    Ok(())
}
