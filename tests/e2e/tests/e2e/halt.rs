//! A reorg beyond finality: the collection is halted, people are told, and `reindex` ends it.

use std::time::Duration;

use everhold_e2e::{
    AlertReceiver, Alerting, Context, Everhold, Result, Setup, World, accounts,
    ended::Ended,
    eventually,
    report::{health, items, text},
    run::plain,
};
use serde_json::{Value, json};

use crate::support::{refused, small};

const SECRET: &str = "a secret that two share";

/// One token, well, and then a chain that was rewritten beyond `confirmations = 3`.
async fn rewritten() -> Result<(World, AlertReceiver)> {
    let receiver = AlertReceiver::start(SECRET).await?;
    let alert = Alerting { url: receiver.url(), secret: SECRET.to_owned() };
    let world = World::healthy(Setup { alert: Some(alert), ..small() }).await?;
    world.anvil.mine(20).await?;
    world.once(&[]).await?.gives(0)?;
    world.anvil.reorg(10, &[]).await?;
    world.anvil.mine(1).await?;
    Ok((world, receiver))
}

fn halt_of(status: &Value) -> Result<Value> {
    let halts: Vec<_> = items(&status["incidents"])
        .iter()
        .filter(|incident| incident["kind"] == "halted")
        .cloned()
        .collect();
    assert_eq!(halts.len(), 1, "{status}");
    halts.into_iter().next().context("no incident")
}

#[tokio::test]
async fn a_reorg_beyond_finality_halts_until_reindex() -> Result<()> {
    let (world, receiver) = rewritten().await?;
    let before = world.token(1).await?;
    let command = format!("everhold reindex {} --chain-id 31337", world.collection);

    let run = world.once(&[]).await?;
    assert!(run.stderr.contains(&command), "{}", run.stderr);
    let status = run.gives(3)?;
    assert_eq!((&status["round"]["halted"], &status["round"]["reorgs"]), (&json!(1), &json!(0)));
    let halted = &status["collections"][0]["halted"];
    let shared = halted["shared_block"].as_u64().context("shared_block")?;
    assert_eq!(shared + 11, world.anvil.head().await?);
    assert_eq!(status["collections"][0]["indexed_block"], shared + 10);
    assert_eq!(status["collections"][0]["finalized_block"], shared);
    assert_eq!(health(&status, "healthy"), 1, "its token goes on as it was");
    let incident = halt_of(&status)?;
    assert_eq!((&incident["content"], &incident["health"]), (&Value::Null, &json!("unverifiable")));
    assert_eq!((&incident["summary"], &incident["repairs"]), (&halted["reason"], &json!([])));
    assert_eq!(incident["closed_at"], Value::Null);

    // Nothing is lost or told twice, whatever is run.
    world.once(&[]).await?.gives(3)?;
    let index_only = world.everhold.run(["watch", "--index-only"]).await?;
    assert!(index_only.stderr.contains(&command), "{}", index_only.stderr);
    let index_only = index_only.gives(3)?;
    assert_eq!(index_only["collections"][0]["halted"], *halted);
    let token = world.token(1).await?;
    assert_eq!((&token["halted"], &token["finalized"]), (&json!(true), &json!(true)));
    assert_eq!(token["digest"], before["digest"]);
    for line in [&["status"][..], &["watch", "--index-only"], &["token", &world.collection, "1"]] {
        let (code, out, err) = plain(&world.everhold, line).await?;
        assert!(matches!(code, 0 | 3) && out.contains("halted"), "{line:?}: {out}{err}");
    }
    let (_, people, _) = plain(&world.everhold, ["status"]).await?;
    assert!(people.contains(&command), "{people}");

    let done = world.everhold.json(["reindex", &world.collection]).await?;
    assert_eq!(done["address"], *world.collection);
    assert_eq!((&done["incident"], &done["was_halted"]), (&incident["id"], halted));
    assert_eq!(done["was_indexed_block"], shared + 10);
    let (_, people, _) = plain(&world.everhold, ["status"]).await?;
    assert!(people.contains("being read again"), "{people}");
    let status = world.once(&[]).await?.gives(0)?;
    assert_eq!(status["collections"][0]["halted"], Value::Null);
    assert_eq!(status["collections"][0]["rereading"], false);
    assert_eq!(status["round"]["repairs"], 0);
    let closed = halt_of(&status)?;
    assert!(text(&closed["close_reason"]).contains("read again"), "{closed}");

    let alerts = receiver.requests();
    let told: Vec<_> = alerts.iter().map(|alert| alert.event.as_str()).collect();
    assert_eq!(told, ["incident.opened", "incident.recovered"]);
    assert!(alerts.iter().all(|alert| alert.signed && alert.taken));
    for alert in &alerts {
        let body = &alert.body;
        assert_eq!((&body["kind"], &body["content"]), (&json!("halted"), &Value::Null), "{body}");
        assert_eq!((&body["incident"], &body["tokens"]), (&incident["id"], &json!([])));
        assert_eq!(
            (&body["collection"], &body["chain_id"]),
            (&json!(world.collection), &json!(31337))
        );
        assert_eq!(body["shared_block"], shared);
    }
    assert_eq!(
        (&alerts[0].body["health"], &alerts[0].body["command"]),
        (&json!("unverifiable"), &json!(command))
    );
    assert_eq!(
        (&alerts[1].body["health"], &alerts[1].body["previous"]),
        (&Value::Null, &json!("unverifiable"))
    );
    Ok(())
}

/// No restart, and no second thought of what is well.
#[tokio::test]
async fn a_running_watch_halts_and_takes_up_a_reindex() -> Result<()> {
    let (world, _receiver) = rewritten().await?;
    let mut watcher = world.everhold.watch(&[])?;
    let until = async |what: &str, is: fn(&Value) -> bool| {
        let (patience, look) = (Duration::from_secs(30), Duration::from_millis(100));
        eventually(what, patience, look, async || {
            let status = world.everhold.status().await?;
            Ok(is(&status).then_some(()))
        })
        .await
    };
    until("a halt", |status| status["collections"][0]["halted"].is_object()).await?;
    world.everhold.json(["reindex", &world.collection, "--yes"]).await?;
    until("the end of it", |status| {
        let one = &status["collections"][0];
        one["halted"].is_null() && one["rereading"] == false && one["health"]["healthy"] == 1
    })
    .await?;
    watcher.terminate().await?;
    let log = std::fs::read_to_string(watcher.log()).unwrap();
    assert_eq!(log.matches("is halted").count(), 1, "{log}");
    world.once(&[]).await?.gives(0)?;
    Ok(())
}

#[tokio::test]
async fn reindex_refuses_what_it_does_not_know() -> Result<()> {
    let world = World::healthy(small()).await?;
    let stranger = accounts::STRANGER.address;
    refused(&world, &["reindex", stranger], &[stranger, "not in the ledger"]).await?;
    let none = Everhold::new()?;
    none.configure(&world.settings)?;
    let run = none.run(["reindex", &world.collection, "-q"]).await?;
    assert_eq!(run.status, 1);
    run.refuses(&["there is no database", "sqlite://everhold.db"])?;
    assert!(!none.dir().join("everhold.db").exists(), "it made one");
    Ok(())
}

/// It costs nothing but reading: not one probe is made anew for it.
#[tokio::test]
async fn a_collection_that_is_well_may_be_read_again() -> Result<()> {
    let mut world = World::start(small()).await?;
    world.settings.recheck = "1h".to_owned();
    world.configure()?;
    world.deploy(&[]).await?;
    world.publish(&[]).await?.gives(0)?;
    let first = world.once(&[]).await?.gives(0)?;
    let before = world.token(1).await?;
    let done = world.everhold.json(["reindex", &world.collection]).await?;
    assert_eq!((&done["was_halted"], &done["incident"]), (&Value::Null, &Value::Null));
    let again = world.once(&[]).await?.gives(0)?;
    assert_eq!(again["round"]["events"], first["round"]["events"]);
    assert_eq!(again["round"]["probes"], 0);
    assert_eq!(world.token(1).await?, before);
    assert_eq!(again["incidents"], json!([]));
    Ok(())
}

#[tokio::test]
async fn status_says_what_is_behind_and_what_is_still_to_come() -> Result<()> {
    let mut world = World::healthy(small()).await?;
    let status = world.everhold.status().await?;
    let (one, chain) = (&status["collections"][0], &status["chains"][0]);
    assert_eq!((&one["lag_blocks"], &one["lag_seconds"]), (&json!(0), &json!(0)));
    assert_eq!(chain["head_block"], world.anvil.head().await?);
    assert!(chain["head_seen_at"].is_string() && chain["head_time"].is_string(), "{chain}");
    assert_eq!(one["not_final"], 1);
    let (_, people, _) = plain(&world.everhold, ["status"]).await?;
    assert!(people.contains("1 token is not final yet") && people.contains("0 blocks"), "{people}");

    world.settings.collections.clear();
    let start = world.anvil.head().await? + 1000;
    world.deploy(&["--salt", "7"]).await?;
    world.settings.collections[0].1 = start;
    world.configure()?;
    let run = world.once(&[]).await?;
    let said = run.stderr.matches(&format!("its start_block is {start}")).count();
    assert_eq!(said, 1, "{}", run.stderr);
    let status = run.gives(0)?;
    assert_eq!(status["collections"][0]["indexed_block"], Value::Null);
    let (_, people, _) = plain(&world.everhold, ["status"]).await?;
    assert!(people.contains(&format!("start_block {start} is still to come")), "{people}");
    let (_, people, _) = plain(&world.everhold, ["watch", "--index-only"]).await?;
    assert!(people.contains(&format!("it starts at {start}")), "{people}");
    Ok(())
}
