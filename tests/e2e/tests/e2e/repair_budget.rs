//! Budgets, dry runs, and the log of what was done: nothing is spent that was not allowed, and people see
//! what it costs.

use std::{fs, time::Duration};

use everhold_e2e::{
    AlertReceiver, Alerting, Context, Result, Setup, World, accounts,
    ended::Ended,
    node,
    report::{incidents, items, text},
};
use serde_json::{Value, json};

use crate::{
    repair::{two, without_stores},
    support::refused,
};

/// What `everhold repairs` says.
async fn log(world: &World) -> Result<Value> {
    world.everhold.json(["repairs"]).await
}

#[tokio::test]
async fn a_budget_of_zero_is_kept_said_and_ended_by_raising_it() -> Result<()> {
    let mut world = World::healthy(two()).await?;
    let id = world.id(1, "image").await?;
    fs::remove_file(world.nodes[0].path(&id)).unwrap();
    for what in ["actions", "bytes"] {
        world.settings.more = format!("[repair.budget]\n{what} = 0\n");
        world.configure()?;
        world.forget_requests().await?;
        let run = world.once(&[]).await?;
        assert!(run.stderr.contains(&format!("{what} = 0 is used up")), "{}", run.stderr);
        let status = run.gives(3)?;
        assert_eq!(world.count("POST").await?, 0);
        let repairs = items(&incidents(&status, &id)[0]["repairs"]);
        assert_eq!(repairs.len(), 1, "{repairs:?}");
        assert_eq!(
            (text(&repairs[0]["action"]), text(&repairs[0]["state"])),
            ("upload", "waiting")
        );
        assert!(text(&repairs[0]["detail"]).contains("has to wait"), "{repairs:?}");
        assert_eq!(log(&world).await?["waiting"], 1);
    }
    world.settings.more = "[repair.budget]\nactions = 1\n".to_owned();
    world.configure()?;
    world.once(&[]).await?.gives(0)?;
    let log = log(&world).await?;
    assert_eq!((&log["waiting"], &log["spent"]["actions"]), (&json!(0), &json!(1)));
    assert_eq!(log["budget"]["actions"], 1);
    let repair = items(&log["repairs"]).last().unwrap();
    let size = fs::metadata(world.nodes[0].path(&id)).unwrap().len();
    assert_eq!((text(&repair["content"]), &repair["bytes"]), (id.as_str(), &json!(size)));
    assert_eq!((text(&repair["state"]), &repair["credits_per_hour"]), ("done", &json!(0.0)));

    // That was the hour's.
    fs::remove_file(world.nodes[0].path(&id)).unwrap();
    world.once(&[]).await?.gives(3)?;
    Ok(())
}

#[tokio::test]
async fn stores_are_signed_as_far_as_credits_go() -> Result<()> {
    let mut world = World::healthy(two()).await?;
    without_stores(&world).await?;
    // One costs 4.4925 credits an hour, however small its file.
    world.settings.more = "[repair.budget]\ncredits = 5.0\n".to_owned();
    world.configure()?;
    let before = node::store_hashes(&world.nodes[0]).await?.len();
    let run = world.once(&[]).await?;
    assert!(run.stderr.contains("credits = 5 is used up"), "{}", run.stderr);
    run.gives(3)?;
    assert_eq!(node::store_hashes(&world.nodes[0]).await?.len(), before + 1);
    let said = log(&world).await?;
    assert_eq!(
        (&said["spent"]["credits"], &said["spent"]["recurring"]),
        (&json!(4.4925), &json!(4.4925))
    );
    // What recurs is another budget.
    world.settings.more = "[repair.budget]\nrecurring = 8.9\n".to_owned();
    world.configure()?;
    let run = world.once(&[]).await?;
    assert!(run.stderr.contains("recurring = 8.9 is used up"), "{}", run.stderr);
    run.gives(3)?;
    world.settings.more = "[repair.budget]\nrecurring = 8.985\n".to_owned();
    world.configure()?;
    world.once(&[]).await?.gives(0)?;
    assert_eq!(node::store_hashes(&world.nodes[0]).await?.len(), before + 2);
    assert_eq!(log(&world).await?["spent"]["recurring"], json!(8.985));
    Ok(())
}

/// An owner may point a token at gigabytes.
#[tokio::test]
async fn what_is_too_large_or_above_an_owners_share_is_left_and_others_are_not() -> Result<()> {
    let setup = Setup { nodes: 2, tokens: 2, large: Some(2), ..Setup::default() };
    let mut world = World::healthy(setup).await?;
    let (small, large) = (world.id(1, "image").await?, world.id(2, "image").await?);
    let lose = || {
        for id in [&small, &large] {
            fs::remove_file(world.nodes[0].path(id)).unwrap();
        }
    };
    for settings in
        ["[repair.budget.token]\nbytes = 1000000\n", "[repair.budget.owner]\nbytes = 1000000\n"]
    {
        lose();
        let mut settings_of = world.settings.clone();
        settings_of.more = settings.to_owned();
        world.everhold.configure(&settings_of)?;
        world.once(&[]).await?.gives(3)?;
        assert!(node::bytes(&world.nodes[0], &small).await?.is_some(), "{settings}");
        assert!(node::bytes(&world.nodes[0], &large).await?.is_none(), "{settings}");
        world.configure()?;
        world.once(&[]).await?.gives(0)?;
    }
    lose();
    let most = [("EVERHOLD_REPAIR_MAX_SIZE", "1000000")];
    world.everhold.run_with(["watch", "--once"], &most).await?.gives(3)?;
    assert!(node::bytes(&world.nodes[0], &small).await?.is_some());
    assert!(node::bytes(&world.nodes[0], &large).await?.is_none());
    world.settings.more = String::new();
    world.once(&[]).await?.gives(0)?;
    Ok(())
}

#[tokio::test]
async fn a_dry_run_says_what_it_would_cost_and_does_nothing() -> Result<()> {
    let world = World::healthy(two()).await?;
    let id = world.id(1, "image").await?;
    without_stores(&world).await?;
    world.forget_requests().await?;
    let run = world.once(&["--dry-run"]).await?.gives(3)?;
    let planned = items(&run["planned"]);
    assert_eq!(planned.len(), 2, "{planned:?}");
    let image = planned.iter().find(|one| one["content"] == *id).unwrap();
    assert_eq!(
        (text(&image["action"]), text(&image["node"])),
        ("new-store", world.nodes[0].url().as_str())
    );
    assert_eq!(image["credits_per_hour"], json!(4.4925));
    assert_eq!(world.count("POST").await?, 0);
    assert!(items(&log(&world).await?["repairs"]).is_empty());
    let (status, out, _) =
        everhold_e2e::run::plain(&world.everhold, ["watch", "--once", "--dry-run"]).await?;
    assert_eq!(status, 3);
    assert!(out.contains("would do: ") && out.contains("4.4925 credits an hour"), "{out}");
    world.once(&[]).await?.gives(0)?;
    assert!(run["round"]["repairs"] == 0);
    Ok(())
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_by_line() -> Result<()> {
    let mut world = World::healthy(crate::support::small()).await?;
    for (settings, name) in [
        ("[repair.budget]\ncredits = -1.0\n", "credits: -1 is no amount of credits"),
        ("[repair.budget.token]\nbytes = \"many\"\n", "bytes: invalid type"),
        ("[repair.budget]\nstores = 1\n", "unknown field `stores`"),
    ] {
        world.settings.more = settings.to_owned();
        world.configure()?;
        refused(&world, &["watch", "--once"], &["everhold.toml:", name]).await?;
    }
    Ok(())
}

/// The account lets the repairer sign; the repairer signs, the account pays.
#[tokio::test]
async fn another_account_pays_once_it_has_let_the_key_sign() -> Result<()> {
    let mut world = World::healthy(two()).await?;
    without_stores(&world).await?;
    let before = node::store_hashes(&world.nodes[0]).await?;
    let account = accounts::CREATOR.address;
    world.settings.more = format!("[repair]\naccount = \"{account}\"\n");
    // The harness writes a [repair] of its own.
    world.settings.more.clear();
    world.configure()?;
    // In its own name the key could not pay: what it signed then is of no use, and never sent again.
    for path in ["/api/v0/storage/add_file", "/api/v0/messages"] {
        let refuses =
            json!({"hash": null, "kind": "status", "status": 402, "path": path, "times": 9});
        world.nodes[0].fault(refuses).await?;
    }
    world.once(&[]).await?.gives(3)?;
    world.nodes[0].fault(json!({"hash": null, "kind": "none"})).await?;
    let pays = [("EVERHOLD_REPAIR_ACCOUNT", account)];
    let run = world.everhold.run_with(["watch", "--once"], &pays).await?;
    assert!(
        run.stderr.contains("may not act for this address") || run.stderr.contains("refused"),
        "{}",
        run.stderr
    );
    run.gives(3)?;

    let key = world.key.clone();
    let to = accounts::REPAIRER.address;
    let delegate = |more: &[&'static str]| {
        let mut words = vec!["delegate".to_owned(), "--to".to_owned(), to.to_owned()];
        words.extend(["--private-key-file".to_owned(), key.clone()]);
        words.extend(more.iter().map(|word| (*word).to_owned()));
        words
    };
    let done = world.everhold.json(delegate(&[])).await?;
    assert_eq!((text(&done["account"]), text(&done["delegate"])), (account, to));
    assert_eq!(items(&done["nodes"]).len(), 2, "{done}");
    let again = world.everhold.json(delegate(&[])).await?;
    assert_eq!(again["message"], Value::Null, "it stands there already");
    world.everhold.run_with(["watch", "--once"], &pays).await?.gives(0)?;
    let stores = node::stores(&world.nodes[0]).await?;
    let new: Vec<_> = stores
        .iter()
        .filter(|s| !before.iter().any(|old| s["item_hash"] == **old))
        .filter(|s| s["content"]["address"] == account && s["sender"] == to)
        .collect();
    assert_eq!(new.len(), 2, "one a content, in the account's name: {stores:?}");

    let revoked = world.everhold.json(delegate(&["--revoke"])).await?;
    assert_eq!((&revoked["authorized"], items(&revoked["nodes"]).len()), (&json!(false), 2));
    refused(&world, &["delegate", "--to", account, "--private-key-file", &world.key], &["itself"])
        .await
}

/// What is told to a sink of the account that pays, and of what can't be repaired, each once.
#[tokio::test]
async fn people_are_told_before_credits_run_out_and_where_all_was_in_vain() -> Result<()> {
    let receiver = AlertReceiver::start("shared").await?;
    let alert = Some(Alerting { url: receiver.url(), secret: "shared".to_owned() });
    let repairer = accounts::REPAIRER.address;
    // Two STOREs cost 8.985 an hour: these last 111 hours.
    let arguments = vec!["--credit".to_owned(), format!("{repairer}=1000")];
    let mut world = World::healthy(Setup { alert, arguments, ..two() }).await?;
    let events = |kind: &str| {
        let alerts = receiver.alerts().into_iter().filter(|alert| alert.body["kind"] == *kind);
        alerts.map(|alert| (alert.event, alert.body)).collect::<Vec<_>>()
    };
    without_stores(&world).await?;
    world.once(&[]).await?.gives(0)?;
    let told = events("credits");
    assert_eq!(told.len(), 1, "{told:?}");
    let (event, body) = &told[0];
    assert_eq!((event.as_str(), &body["severity"]), ("incident.opened", &json!("warning")));
    assert_eq!((&body["credits"], &body["credits_per_hour"]), (&json!(1000), &json!(8.985)));
    assert_eq!((text(&body["account"]), &body["hours_left"]), (repairer, &json!(111)));
    for words in ["meaning", "done", "todo"] {
        assert!(!text(&body[words]).is_empty(), "{words}: {body}");
    }
    world.once(&[]).await?.gives(0)?;
    assert_eq!(events("credits").len(), 1, "told once");
    // It need not last so long.
    let soon = [("EVERHOLD_REPAIR_CREDITS_LAST", "48h")];
    world.everhold.run_with(["watch", "--once"], &soon).await?.gives(0)?;
    let told = events("credits");
    assert_eq!((told.len(), told[1].0.as_str()), (2, "incident.recovered"));
    // What is enough and is not, again and again, is told so once.
    for _ in 0..3 {
        world.once(&[]).await?.gives(0)?;
        world.everhold.run_with(["watch", "--once"], &soon).await?.gives(0)?;
    }
    let told: Vec<_> = events("credits").into_iter().map(|(event, _)| event).collect();
    let (opened, recovered) = ("incident.opened", "incident.recovered");
    assert_eq!(told, [opened, recovered, opened, recovered, "incident.flapping"]);
    let enough = [soon[0], ("EVERHOLD_INCIDENTS_WINDOW", "1s")];
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    world.everhold.run_with(["watch", "--once"], &enough).await?.gives(0)?;
    assert_eq!(events("credits").pop().context("none")?.0, recovered);

    // And what nobody but a person can mend.
    let (node, id) = (&world.nodes[0], world.id(1, "image").await?);
    fs::remove_file(node.path(&id)).unwrap();
    let path = "/api/v0/storage/add_file";
    for _ in 0..2 {
        node.fault(json!({"hash": null, "kind": "status", "status": 402, "path": path})).await?;
        world.everhold.run_with(["watch", "--once"], &soon).await?.gives(3)?;
    }
    let told = events("content");
    let stuck: Vec<_> = told.iter().filter(|(event, _)| event == "incident.stuck").collect();
    assert_eq!(stuck.len(), 1, "{told:?}");
    let body = &stuck[0].1;
    assert_eq!(text(&body["content"]["id"]), id);
    assert!(text(&body["todo"]).contains("too few credits"), "{body}");
    assert!(text(&body["done"]).contains("upload at"), "{body}");
    world.settings.more.clear();
    node.fault(json!({"hash": null, "kind": "none"})).await?;
    world.everhold.run_with(["watch", "--once"], &soon).await?.gives(0)?;
    Ok(())
}

/// However often it is looked.
#[tokio::test]
async fn a_budget_that_is_used_up_is_said_once_and_asks_nobody() -> Result<()> {
    let mut world = World::healthy(two()).await?;
    let id = world.id(1, "image").await?;
    fs::remove_file(world.nodes[0].path(&id)).unwrap();
    world.settings.more = "[repair.budget]\nactions = 0\n".to_owned();
    world.settings.recheck = "1s".to_owned();
    world.configure()?;
    world.forget_requests().await?;
    let mut watcher = world.everhold.watch(&[])?;
    let log = watcher.log();
    everhold_e2e::eventually(
        "it is said",
        std::time::Duration::from_secs(30),
        std::time::Duration::from_millis(100),
        async || Ok(fs::read_to_string(&log).unwrap().contains("is used up").then_some(())),
    )
    .await?;
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    watcher.terminate().await?;
    let said = fs::read_to_string(&log).unwrap();
    assert_eq!(said.matches("is used up").count(), 1, "{said}");
    let requests = world.nodes[0].requests().await?;
    let lists = requests["counts"]["GET /api/v0/messages.json"].as_u64().unwrap_or(0);
    assert!(lists <= 2, "{}", requests["counts"]);
    Ok(())
}
