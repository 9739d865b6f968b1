//! Sinks of every kind: what they get, whom they are told of, and what is said of those that take
//! nothing.

use std::{fs, path::Path};

use everhold_e2e::{
    Context, Finished, MailServer, Posted, Result, Services, Setup, World,
    ended::Ended,
    report::{items, text},
};
use serde_json::{Value, json};

const TOKEN: &str = "12345:token-of-the-bot";
const ROUTING_KEY: &str = "0123456789abcdef0123456789abcdef";
const PASSWORD: &str = "mail-password";
const SECRETS: [&str; 4] = [TOKEN, ROUTING_KEY, PASSWORD, "slack-secret"];

/// Two nodes, one token, all healthy, and these sinks.
pub(crate) async fn world(sinks: &str) -> Result<World> {
    world_with(Setup { nodes: 2, tokens: 1, ..Setup::default() }, sinks).await
}

pub(crate) async fn world_with(setup: Setup, sinks: &str) -> Result<World> {
    let mut world = World::healthy(setup).await?;
    world.settings.more = sinks.to_owned();
    world.configure()?;
    let dir = world.everhold.dir();
    for (name, secret) in [("bot", TOKEN), ("routing", ROUTING_KEY), ("mail", PASSWORD)] {
        fs::write(dir.join(name), secret).unwrap();
    }
    Ok(world)
}

fn every(services: &Services, mail: &MailServer) -> String {
    format!(
        r#"
        [[alert]]
        slack = "{}"
        [[alert]]
        discord = "{}"
        [[alert]]
        telegram = {{ chat = "-100", token_file = "bot", url = "{}" }}
        [[alert]]
        pagerduty = {{ routing_key_file = "routing", url = "{}" }}
        [[alert]]
        alertmanager = "{}"
        [[alert]]
        email = {{ to = ["a@example.org"], from = "Everhold <e@example.org>", smtp = "{}", username = "me", password_file = "mail" }}
        [api]
        url = "https://everhold.example"
        "#,
        services.url("/services/slack-secret"),
        services.url("/api/webhooks/1/x"),
        services.url(""),
        services.url(""),
        services.url(""),
        mail.url(),
    )
}

/// Loses the picture on a node; gives its id.
async fn lose_picture(world: &World, node: usize) -> Result<String> {
    let id = world.id(1, "image").await?;
    fs::remove_file(world.nodes[node].path(&id)).unwrap();
    Ok(id)
}

/// A round in which the mail server's certificate is trusted.
async fn once(world: &World, mail: &MailServer, more: &[&str]) -> Result<Finished> {
    let authority = mail.authority().display().to_string();
    let trust = [("SSL_CERT_FILE", authority.as_str())];
    world.everhold.run_with(["watch", "--once"].iter().chain(more), &trust).await
}

fn bodies(posted: &[Posted]) -> Vec<&Value> {
    posted.iter().map(|one| &one.body).collect()
}

#[tokio::test]
async fn each_service_is_told_of_an_incident_from_its_beginning_to_its_end() -> Result<()> {
    let (services, mail) = (Services::start().await?, MailServer::start(true).await?);
    let world = world(&every(&services, &mail)).await?;
    let id = lose_picture(&world, 0).await?;
    let run = once(&world, &mail, &["--no-repair"]).await?;
    assert_eq!(run.clone().gives(3)?["round"]["alerts"], 6, "{}", run.stderr);
    let run = once(&world, &mail, &[]).await?;
    assert_eq!(run.clone().gives(0)?["round"]["alerts"], 6, "{}", run.stderr);

    let slack = services.posted("/services/slack-secret");
    let titles: Vec<_> =
        bodies(&slack).iter().map(|body| text(&body["blocks"][0]["text"]["text"])).collect();
    assert_eq!(titles, ["WARNING opened", "recovered"]);
    assert!(
        text(&slack[0].body["text"]).contains(&id) && slack[0].content_type == "application/json"
    );
    let said = slack[0].body.to_string();
    for part in ["What it means: ", "What Everhold did: ", "What to do: "] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let link = format!(
        "https://everhold.example/api/v1/collections/{}/tokens/1?chain_id=31337",
        world.collection
    );
    assert!(said.contains(&link), "{said}");
    let repaired = slack[1].body.to_string();
    assert!(repaired.contains("a later probe saw the right bytes"), "{repaired}");

    let discord = services.posted("/api/webhooks/1/x");
    assert_eq!(
        bodies(&discord).iter().map(|body| text(&body["embeds"][0]["title"])).collect::<Vec<_>>(),
        titles
    );
    assert_eq!(discord[0].body["allowed_mentions"], json!({ "parse": [] }));

    let telegram = services.posted(&format!("/bot{TOKEN}/sendMessage"));
    assert_eq!((telegram.len(), &telegram[0].body["chat_id"]), (2, &json!("-100")));
    assert!(
        text(&telegram[0].body["text"]).contains(&format!("content {id} of token 1 is degraded"))
    );

    let pagerduty = services.posted("/v2/enqueue");
    let actions: Vec<_> =
        bodies(&pagerduty).iter().map(|body| text(&body["event_action"])).collect();
    assert_eq!(actions, ["trigger", "resolve"]);
    assert_eq!(pagerduty[0].body["dedup_key"], pagerduty[1].body["dedup_key"]);
    assert_eq!(
        (&pagerduty[0].body["routing_key"], &pagerduty[0].body["payload"]["severity"]),
        (&json!(ROUTING_KEY), &json!("warning"))
    );

    let alertmanager = services.posted("/api/v2/alerts");
    assert_eq!(alertmanager.len(), 2);
    let (begun, over) = (&alertmanager[0].body[0], &alertmanager[1].body[0]);
    assert_eq!(begun["labels"], over["labels"]);
    assert_eq!(
        (&begun["labels"]["content"], &begun["labels"]["collection"]),
        (&json!(id), &json!(world.collection))
    );
    assert!(text(&begun["endsAt"]) > text(&over["endsAt"]), "{begun} {over}");

    let mails = mail.mails();
    assert_eq!(mails.len(), 2);
    assert!(mails.iter().all(|mail| mail.encrypted
        && mail.to == ["a@example.org"]
        && mail.from == "e@example.org"));
    // AUTH PLAIN: nothing, `me` and the password.
    assert_eq!(mails[0].auth.as_deref(), Some("AG1lAG1haWwtcGFzc3dvcmQ="));
    assert!(mails[0].text.contains("\nSubject: [Everhold] WARNING opened: "), "{}", mails[0].text);
    let outbox = world.everhold.json(["alert", "list"]).await?;
    assert!(
        items(&outbox["sinks"]).iter().all(|sink| sink["delivered"] == 2 && sink["waiting"] == 0),
        "{outbox}"
    );
    no_secret(&[&run.stderr, &outbox.to_string()], world.everhold.dir());
    Ok(())
}

/// Neither in what was said nor in the ledger.
fn no_secret(said: &[&str], dir: &Path) {
    let ledger = fs::read(dir.join("everhold.db")).unwrap();
    let ledger = String::from_utf8_lossy(&ledger);
    for secret in SECRETS {
        assert!(said.iter().all(|text| !text.contains(secret)), "{secret}: {said:?}");
        assert!(!ledger.contains(secret), "the ledger holds {secret}");
    }
}

#[tokio::test]
async fn a_sink_is_told_of_what_is_bad_enough_and_of_its_end() -> Result<()> {
    let services = Services::start().await?;
    let sink = |path: &str, more: &str| {
        format!("[[alert]]\nwebhook = \"{}\"\n{more}\n", services.url(path))
    };
    let sinks = [
        sink("/all", ""),
        sink("/critical", "severity = \"critical\""),
        sink("/other", "collections = [\"0x5FbDB2315678afecb367f032d93F642f64180aa3\"]"),
        sink("/halts", "kinds = [\"halted\"]"),
    ];
    let world = world(&sinks.concat()).await?;
    assert_ne!(world.collection, "0x5FbDB2315678afecb367f032d93F642f64180aa3");
    let events = |path: &str| {
        let posted = services.posted(path);
        posted.iter().map(|one| text(&one.body["event"]).to_owned()).collect::<Vec<_>>()
    };
    let id = lose_picture(&world, 0).await?;
    let copy = fs::read(world.nodes[1].path(&id)).unwrap();
    world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(events("/all"), ["incident.opened"]);
    assert!(events("/critical").is_empty());
    fs::remove_file(world.nodes[1].path(&id)).unwrap();
    world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(events("/all"), ["incident.opened", "incident.worsened"]);
    assert_eq!(events("/critical"), ["incident.opened"]);
    fs::write(world.nodes[1].path(&id), &copy).unwrap();
    world.once(&["--no-repair"]).await?.gives(3)?;
    fs::write(world.nodes[0].path(&id), &copy).unwrap();
    world.once(&["--no-repair"]).await?.gives(0)?;
    assert_eq!(events("/all")[2..], ["incident.improved", "incident.recovered"]);
    assert_eq!(events("/critical"), ["incident.opened", "incident.improved", "incident.recovered"]);
    let last = services.posted("/critical").pop().context("none")?;
    assert_eq!(
        (&last.body["severity"], &last.body["health"]),
        (&json!("critical"), &json!("healthy"))
    );
    assert!(events("/other").is_empty() && events("/halts").is_empty());
    Ok(())
}

#[tokio::test]
async fn a_test_alert_says_what_came_back() -> Result<()> {
    let (services, mail) = (Services::start().await?, MailServer::start(true).await?);
    let world = world(&every(&services, &mail)).await?;
    let authority = mail.authority().display().to_string();
    let trust = [("SSL_CERT_FILE", authority.as_str())];
    let tested = world.everhold.run_with(["alert", "test"], &trust).await?.gives(0)?;
    assert!(items(&tested["sinks"]).iter().all(|sink| sink["taken"] == true), "{tested}");
    assert_eq!(services.posted("/v2/enqueue").len(), 2, "its end is told, too");
    assert!(text(&services.posted("/services")[0].body["text"]).starts_with("TEST"));
    assert_eq!(mail.mails().len(), 1);

    services.answer("/services/slack-secret", 404, "no_service at /services/slack-secret");
    services.answer(
        &format!("/bot{TOKEN}/sendMessage"),
        401,
        r#"{"ok":false,"error_code":401,"description":"Unauthorized"}"#,
    );
    mail.refuse("550 no such person");
    let run = world.everhold.run_with(["alert", "test"], &trust).await?;
    let tested = run.clone().gives(1)?;
    for (kind, error, todo) in [
        ("slack", "HTTP 404: no_service", "make a new incoming webhook"),
        ("telegram", "HTTP 401", "@BotFather"),
        ("email", "SMTP 550", "whether the server takes mail"),
    ] {
        let sink = items(&tested["sinks"]).iter().find(|sink| sink["kind"] == kind);
        let sink = sink.context(kind)?;
        assert_eq!(sink["taken"], false);
        assert!(text(&sink["error"]).contains(error), "{sink}");
        assert!(text(&sink["todo"]).contains(todo), "{sink}");
    }
    no_secret(&[&run.stdout, &run.stderr], world.everhold.dir());
    let one =
        world.everhold.run(["alert", "test", "--name", "discord 127.0.0.1"]).await?.gives(0)?;
    assert_eq!(items(&one["sinks"]).len(), 1);
    let none = world.everhold.run(["alert", "test", "--name", "x", "-q"]).await?;
    assert_eq!(none.status, 2);
    none.refuses(&["no sink is `x`", "`discord 127.0.0.1`"])
}

#[tokio::test]
async fn what_a_dead_sink_is_told_waits_and_its_reason_is_shown() -> Result<()> {
    let services = Services::start().await?;
    let sinks = format!(
        "[[alert]]\nslack = \"{}\"\n[[alert]]\nwebhook = \"{}\"\n",
        services.url("/services/slack-secret"),
        services.url("/hook")
    );
    let world = world(&sinks).await?;
    services.answer("/services/slack-secret", 410, "channel_is_archived");
    lose_picture(&world, 0).await?;
    let run = world.once(&["--no-repair"]).await?;
    assert_eq!(run.stderr.matches("channel_is_archived").count(), 1, "{}", run.stderr);
    assert_eq!(run.gives(3)?["round"]["alerts"], 1, "the other sink is told");
    let outbox = world.everhold.json(["alert", "list"]).await?;
    let slack = &outbox["sinks"][0];
    assert_eq!((&slack["waiting"], &slack["name"]), (&json!(1), &json!("slack 127.0.0.1")));
    assert!(text(&slack["last_error"]).contains("make a new incoming webhook"), "{slack}");
    services.answer("/services/slack-secret", 200, "");
    world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(services.posted("/services").len(), 2, "it is sent again, and taken");
    world.once(&["--no-repair"]).await?.gives(3)?;
    assert_eq!(services.posted("/services").len(), 2);
    Ok(())
}
