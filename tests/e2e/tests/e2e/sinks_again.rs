//! Alertmanager forgets what it is not told again: what goes on is told again, and an end is the last word.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use everhold_e2e::{
    Everhold, Posted, Result, Services, Setup, World, ended::Ended, eventually, report::items,
    report::text,
};
use serde_json::Value;

use crate::{postgres::server, sinks::world_with};

const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);
const AT: &str = "/api/v2/alerts";
/// How long Alertmanager takes to answer, where it does.
const HOLD: Duration = Duration::from_secs(8);

fn sink(url: &str) -> String {
    format!("[[alert]]\nname = \"am\"\nalertmanager = \"{url}\"\n")
}

/// Of each content, when its alert was last said to end.
fn ends(posted: &[Posted]) -> BTreeMap<String, String> {
    let alerts = posted.iter().flat_map(|one| items(&one.body).iter());
    let warnings = alerts.filter(|alert| alert["labels"]["severity"] == "warning");
    warnings
        .map(|alert| {
            (text(&alert["labels"]["content"]).to_owned(), text(&alert["endsAt"]).to_owned())
        })
        .collect()
}

async fn until(what: &str, is: impl Fn() -> bool) -> Result<()> {
    eventually(what, PATIENCE, PAUSE, async || Ok(is().then_some(()))).await
}

/// Loses a token's picture on the first node; gives its id and its bytes.
async fn lose(world: &World, token: u64) -> Result<(String, Vec<u8>)> {
    let id = world.id(token, "image").await?;
    let path = world.nodes[0].path(&id);
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(path).unwrap();
    Ok((id, bytes))
}

/// What the ledger says of the open incidents.
async fn open(everhold: &Everhold) -> Result<Vec<Value>> {
    let status = everhold.status().await?;
    let all = items(&status["incidents"]).iter().cloned();
    Ok(all.filter(|one| one["closed_at"].is_null()).collect())
}

async fn until_none_is_open(everhold: &Everhold) -> Result<()> {
    let is = async || Ok(open(everhold).await?.is_empty().then_some(()));
    eventually("it is over", PATIENCE, PAUSE, is).await
}

#[tokio::test]
async fn what_goes_on_is_told_again_at_a_start_and_not_what_is_silent() -> Result<()> {
    let services = Services::start().await?;
    let setup = Setup { nodes: 2, tokens: 2, ..Setup::default() };
    let world = world_with(setup, &sink(&services.url(""))).await?;
    let ((one, bytes), (two, _)) = (lose(&world, 1).await?, lose(&world, 2).await?);
    let mut watcher = world.everhold.watch(&["--no-repair"])?;
    until("both are told", || ends(&services.posted(AT)).len() == 2).await?;
    watcher.terminate().await?;
    let first = services.posted(AT);
    let silence = ["incident", "silence", "--content", &two, "--for", "1h", "--reason", "known"];
    world.everhold.run(silence).await?.gives(0)?;

    let mut watcher = world.everhold.watch(&["--no-repair"])?;
    until("it is told again", || services.posted(AT).len() > first.len()).await?;
    let again = ends(&services.posted(AT).split_off(first.len()));
    let before = ends(&first);
    assert_eq!(again.keys().collect::<Vec<_>>(), [&one], "the other is silent");
    assert!(again[&one] > before[&one], "{again:?} {before:?}");
    fs::write(world.nodes[0].path(&one), bytes).unwrap();
    until("its end is told", || ends(&services.posted(AT))[&one] < again[&one]).await?;
    watcher.terminate().await?;
    let told = services.posted(AT).len();
    let mut watcher = world.everhold.watch(&["--no-repair"])?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    watcher.terminate().await?;
    assert_eq!(services.posted(AT).len(), told, "nothing goes on that may be told");
    Ok(())
}

/// Rounds may be far apart: what one of them tells is believed as long as what it saw counts, two days.
#[tokio::test]
async fn a_round_tells_again_what_goes_on_until_the_next() -> Result<()> {
    let services = Services::start().await?;
    let setup = Setup { nodes: 2, tokens: 1, ..Setup::default() };
    let world = world_with(setup, &sink(&services.url(""))).await?;
    let (id, bytes) = lose(&world, 1).await?;
    let mut last = String::new();
    for round in 1..=3 {
        world.once(&["--no-repair"]).await?.gives(3)?;
        assert_eq!(services.posted(AT).len(), round, "once a round");
        let end = ends(&services.posted(AT))[&id].clone();
        assert!(end > last, "{end} {last}");
        last = end;
    }
    let alert = &services.posted(AT)[2].body[0];
    let day = |time: &Value| text(time)[8..10].parse::<i64>().unwrap();
    let days = day(&alert["endsAt"]) - day(&alert["startsAt"]);
    assert!(days == 2 || days < 0, "{alert}");
    fs::write(world.nodes[0].path(&id), bytes).unwrap();
    world.once(&["--no-repair"]).await?.gives(0)?;
    world.once(&["--no-repair"]).await?.gives(0)?;
    assert_eq!(services.posted(AT).len(), 4, "nothing goes on");
    assert!(ends(&services.posted(AT))[&id] < last, "its end is told at once");
    Ok(())
}

#[tokio::test]
async fn an_end_waits_for_what_is_told_again_before() -> Result<()> {
    let services = Services::start().await?;
    let setup = Setup { nodes: 2, tokens: 1, ..Setup::default() };
    let world = world_with(setup, &sink(&services.url(""))).await?;
    let (id, bytes) = lose(&world, 1).await?;
    world.once(&["--no-repair"]).await?.gives(3)?;
    services.delay_at(AT, HOLD);
    let mut watcher = world.everhold.watch(&["--no-repair"])?;
    until("it is told again", || services.posted(AT).len() == 2).await?;
    let begun = Instant::now();
    fs::write(world.nodes[0].path(&id), bytes).unwrap();
    until_none_is_open(&world.everhold).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(begun.elapsed() < HOLD, "too slow to see anything");
    assert_eq!(services.posted(AT).len(), 2, "the end must not come first");
    until("its end is told", || services.posted(AT).len() == 3).await?;
    assert!(begun.elapsed() > HOLD - Duration::from_millis(500));
    watcher.terminate().await?;
    let posted = services.posted(AT);
    assert!(ends(&posted[2..])[&id] < ends(&posted[1..2])[&id], "{posted:?}");
    Ok(())
}

/// One process tells again what goes on, and another meanwhile that it is over.
#[tokio::test]
async fn what_another_process_told_meanwhile_has_the_last_word() -> Result<()> {
    let services = Services::start().await?;
    let database = Some(server::new_database().await);
    let setup = Setup { nodes: 2, tokens: 1, database, ..Setup::default() };
    let mut world = world_with(setup, &sink(&services.url("/fast"))).await?;
    let (id, bytes) = lose(&world, 1).await?;
    world.once(&["--no-repair"]).await?.gives(3)?;
    // The same to the outbox; and it looks at nothing by itself for a while.
    let other = Everhold::new()?;
    world.settings.more = sink(&services.url("/slow"));
    world.settings.poll = "60s".to_owned();
    other.configure(&world.settings)?;
    services.delay_at(&format!("/slow{AT}"), HOLD);
    let mut watcher = other.watch(&["--no-repair"])?;
    until("it is told again", || services.posted("/slow").len() == 1).await?;
    fs::write(world.nodes[0].path(&id), bytes).unwrap();
    world.once(&["--no-repair"]).await?.gives(0)?;
    let fast = services.posted("/fast");
    let end = ends(&fast)[&id].clone();
    assert_eq!((fast.len(), services.posted("/slow").len()), (2, 1));
    until("it is corrected", || services.posted("/slow").len() == 2).await?;
    watcher.terminate().await?;
    let posted = services.posted("/slow");
    let (again, last) = (ends(&posted[..1])[&id].clone(), ends(&posted[1..])[&id].clone());
    assert!(last < again && end < again, "{last} {end} {again}");
    Ok(())
}
