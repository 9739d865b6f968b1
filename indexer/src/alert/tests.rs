//! What each service gets, field by field, and never more than it takes.

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::config::Config;

const SPAN: Span = Span { since: 1_000, now: 61_000, lasts: LASTS };

/// A sink of each kind that speaks HTTP, with its secrets in files.
fn every_sink() -> Vec<Sink> {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (key, token) = ("0123456789abcdef0123456789abcdef", "12345:token-of_the-bot");
    let text = format!(
        r#"
        [[alert]]
        webhook = "https://h.example/hook-of-ours"
        secret_file = "{}"
        [[alert]]
        slack = "https://hooks.slack.com/services/T0/B0/secretsecret"
        [[alert]]
        discord_file = "{}"
        [[alert]]
        telegram = {{ chat = "-100", token_file = "{}" }}
        [[alert]]
        pagerduty = {{ routing_key_file = "{}" }}
        [[alert]]
        alertmanager = "http://127.0.0.1:9093/prefix/"
        [[alert]]
        email = {{ to = ["Ann <a@example.org>", "b@example.org"], from = "Everhold <e@example.org>", smtp = "smtps://mail.example.org" }}
        "#,
        file("hook", "shared"),
        file("discord", "https://discord.com/api/webhooks/1/secretsecret\n"),
        file("token", token),
        file("key", key),
    );
    let config = Config::parse(Path::new("x"), &text).unwrap();
    sinks(&config).unwrap()
}

fn sink(kind: &str) -> Sink {
    every_sink().into_iter().find(|sink| sink.kind() == kind).unwrap()
}

fn payload(event: &str, name: &str, text: &str) -> String {
    json!({
        "event": event, "at": "2026-11-22T12:09:29.792Z", "incident": "1d78", "kind": "content",
        "chain_id": 31337, "collection": "0x5FbDB2315678afecb367f032d93F642f64180aa3",
        "content": { "id": "Qm1", "cid": "bafy1" }, "tokens": ["1"], "token_count": 1,
        "health": "lost", "severity": "critical",
        "summary": format!("{name}: content Qm1 is lost"), "message": format!("{name}: Qm1: {text}"),
        "meaning": "Nobody serves it.", "done": "One repair.", "todo": "Put it back.",
        "evidence": "https://e.example/api/v1/status?a=1&b=2", "id": "9f0c",
        "replicas": [{ "node": "http://n", "detail": text }],
    })
    .to_string()
}

fn sent(sink: &Sink, payload: &str) -> (Post, Value) {
    let notice = Notice::read(payload).unwrap();
    let alert = Outgoing { id: "9f0c", event: &notice.event, payload };
    let post = sink.request(alert, &notice, SPAN).unwrap();
    let body = serde_json::from_str(&post.body).unwrap();
    (post, body)
}

const OPENED: &str = "incident.opened";
const HOSTILE: &str =
    "<!channel> @everyone **x** <a href=\"http://evil\">y</a> [z](http://evil)\r\nBcc: v@evil";

#[test]
fn a_webhook_gets_the_body_as_it_is_kept_and_signed() {
    let body = payload(OPENED, "Art", "x");
    let (post, _) = sent(&sink("webhook"), &body);
    assert_eq!(post.body, body);
    let names: Vec<_> = post.headers.iter().map(|(name, _)| *name).collect();
    let expected = ["Content-Type", "X-Everhold-Event", "Idempotency-Key", "X-Everhold-Signature"];
    assert_eq!(names, expected);
    assert!(post.headers[3].1.starts_with("sha256=") && post.headers[3].1.len() == 71);
}

#[test]
fn slack_gets_plain_text_and_one_link() {
    let (post, body) = sent(&sink("slack"), &payload(OPENED, HOSTILE, HOSTILE));
    assert_eq!(post.url.path(), "/services/T0/B0/secretsecret");
    let blocks = body["blocks"].as_array().unwrap();
    assert_eq!(blocks[0]["text"]["text"], "CRITICAL opened");
    let is_mrkdwn = |block: &&Value| block["text"]["type"] == "mrkdwn";
    let links: Vec<_> =
        blocks.iter().filter(is_mrkdwn).map(|block| &block["text"]["text"]).collect();
    assert_eq!(links, ["<https://e.example/api/v1/status?a=1&amp;b=2|Evidence>"]);
    assert!(!body["text"].as_str().unwrap().contains(['<', '>']) && body["mrkdwn"] == false);
    for block in blocks.iter().filter(|block| !is_mrkdwn(block)) {
        assert!(!block.to_string().contains(['<', '>']), "{block}");
    }
    let texts: Vec<_> = blocks.iter().filter_map(|block| block["text"]["text"].as_str()).collect();
    for part in ["What it means: Nobody", "What Everhold did: One", "What to do: Put it back."] {
        assert!(texts.iter().any(|text| text.starts_with(part)), "{part}: {texts:?}");
    }
}

#[test]
fn discord_gets_an_embed_that_mentions_nobody() {
    let (post, body) = sent(&sink("discord"), &payload(OPENED, HOSTILE, HOSTILE));
    assert_eq!(post.url.path(), "/api/webhooks/1/secretsecret");
    assert_eq!(body["allowed_mentions"], json!({ "parse": [] }));
    let embed = &body["embeds"][0];
    assert_eq!(
        (&embed["title"], &embed["color"]),
        (&json!("CRITICAL opened"), &json!(0x00c6_2828))
    );
    let said = embed["description"].as_str().unwrap();
    assert!(said.starts_with("\\<\\!channel\\> \\@everyone \\*\\*x\\*\\*"), "{said}");
    assert!(!said.contains("http://"), "a link of a stranger's: {said}");
    let fields = embed["fields"].as_array().unwrap();
    assert_eq!(fields.last().unwrap()["value"], "<https://e.example/api/v1/status?a=1&b=2>");
    let (_, over) = sent(&sink("discord"), &payload("incident.recovered", "Art", "x"));
    assert_eq!(
        (&over["embeds"][0]["title"], &over["embeds"][0]["color"]),
        (&json!("recovered"), &json!(0x002e_7d32))
    );
}

#[test]
fn telegram_gets_html_in_which_strangers_are_code() {
    let (post, body) = sent(&sink("telegram"), &payload(OPENED, HOSTILE, HOSTILE));
    assert_eq!(post.url.as_str(), "https://api.telegram.org/bot12345:token-of_the-bot/sendMessage");
    assert_eq!((&body["chat_id"], &body["parse_mode"]), (&json!("-100"), &json!("HTML")));
    assert_eq!(body["link_preview_options"]["is_disabled"], true);
    let text = body["text"].as_str().unwrap();
    assert!(text.starts_with("<b>CRITICAL opened</b>\n<code>&lt;!channel&gt; @everyone"), "{text}");
    assert!(
        text.contains("<a href=\"https://e.example/api/v1/status?a=1&amp;b=2\">Evidence</a>"),
        "{text}"
    );
    assert_eq!(text.matches("<a ").count(), 1, "{text}");
}

#[test]
fn pagerduty_gets_one_alert_an_incident_from_trigger_to_resolve() {
    let sink = sink("pagerduty");
    let (post, body) = sent(&sink, &payload(OPENED, "Art", "x"));
    assert_eq!(post.url.as_str(), "https://events.pagerduty.com/v2/enqueue");
    assert_eq!((&body["event_action"], &body["dedup_key"]), (&json!("trigger"), &json!("1d78")));
    assert_eq!(body["routing_key"], "0123456789abcdef0123456789abcdef");
    let event = &body["payload"];
    assert_eq!((&event["severity"], &event["class"]), (&json!("critical"), &json!("content")));
    assert_eq!(
        (&event["summary"], &event["timestamp"]),
        (&json!("Art: content Qm1 is lost"), &json!("2026-11-22T12:09:29.792Z"))
    );
    assert_eq!(event["custom_details"]["What to do"], "Put it back.");
    assert_eq!(event["custom_details"]["replicas"][0]["node"], "http://n");
    assert_eq!(body["links"][0]["href"], "https://e.example/api/v1/status?a=1&b=2");
    for (event, action) in
        [("incident.acknowledged", "acknowledge"), ("incident.recovered", "resolve")]
    {
        let (_, body) = sent(&sink, &payload(event, "Art", "x"));
        assert_eq!((&body["event_action"], &body["dedup_key"]), (&json!(action), &json!("1d78")));
        assert_eq!(body["payload"], Value::Null);
    }
    let large = payload(OPENED, &"n".repeat(5_000), &"\u{1f5bc}".repeat(200_000));
    let (post, body) = sent(&sink, &large);
    assert!(post.body.len() < 512 * 1024, "{}", post.body.len());
    assert_eq!(body["payload"]["custom_details"]["replicas"], Value::Null);
    assert_eq!(body["payload"]["custom_details"]["token_count"], 1);
}

#[test]
fn alertmanager_gets_labels_that_stay_and_an_end() {
    let sink = sink("alertmanager");
    assert!(sink.forgets());
    let (post, body) = sent(&sink, &payload(OPENED, "Art", "x"));
    assert_eq!(post.url.as_str(), "http://127.0.0.1:9093/prefix/api/v2/alerts");
    let expected = json!({
        "alertname": "EverholdIncident", "incident": "1d78", "severity": "critical",
        "collection": "0x5FbDB2315678afecb367f032d93F642f64180aa3", "chain_id": "31337",
        "kind": "content", "content": "Qm1",
    });
    assert_eq!(body.as_array().unwrap().len(), 1);
    assert_eq!(body[0]["labels"], expected);
    assert_eq!(
        (&body[0]["startsAt"], &body[0]["endsAt"]),
        (&json!("1970-01-01T00:00:01Z"), &json!("1970-01-01T00:06:01Z"))
    );
    assert_eq!(body[0]["annotations"]["todo"], "Put it back.");
    assert_eq!(body[0]["generatorURL"], "https://e.example/api/v1/status?a=1&b=2");
    // What it was before, which is another alert there, is over.
    let (_, body) = sent(&sink, &payload("incident.worsened", "Art", "x"));
    let ends: Vec<_> = body
        .as_array()
        .unwrap()
        .iter()
        .map(|alert| {
            (alert["labels"]["severity"].as_str().unwrap(), alert["endsAt"].as_str().unwrap())
        })
        .collect();
    let (now, later) = ("1970-01-01T00:01:01Z", "1970-01-01T00:06:01Z");
    assert_eq!(ends, [("critical", later), ("info", now), ("warning", now)]);
    let (_, body) = sent(&sink, &payload("incident.recovered", "Art", "x"));
    assert!(body.as_array().unwrap().iter().all(|alert| alert["endsAt"] == now));
}

#[test]
fn an_alert_of_an_older_ledger_is_told_too() {
    let old = json!({ "event": OPENED, "incident": "i", "kind": "halted", "chain_id": 1,
        "collection": "0x5FbD", "content": null, "tokens": [], "health": "unverifiable",
        "message": "Art is halted: x", "id": "a" });
    let notice = Notice::read(&old.to_string()).unwrap();
    assert_eq!(
        (notice.summary.as_str(), notice.severity()),
        ("Art is halted: x", crate::incident::Severity::Warning)
    );
    assert_eq!(notice.paragraphs(), []);
    for sink in every_sink().iter().filter(|sink| sink.kind() != "email") {
        sent(sink, &old.to_string());
    }
}

#[test]
fn nothing_shown_of_a_sink_is_secret() {
    for sink in every_sink() {
        let shown = format!("{sink:?} {} {}", sink.name(), sink.key());
        for secret in ["secretsecret", "token-of", "0123456789abcdef", "hook-of-ours", "shared"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(sink.key().starts_with(&format!("{}:", sink.kind())));
    }
}

/// Else its first half would be left.
#[test]
fn a_secret_is_struck_out_before_what_a_service_says_is_cut() {
    let slack = sink("slack");
    for before in 260..310 {
        let said = format!("{} secretsecret {}", "x".repeat(before), "y".repeat(300));
        let gist = said.clone();
        let refused = Refused { said, gist, todo: None, retry: Retry::Soon, this_alone: false };
        let refused = slack.fit(refused);
        for text in [&refused.said, &refused.gist] {
            assert!(!text.contains("se") && text.chars().count() <= 300, "{text}");
        }
    }
}

fn keys(text: &str) -> Vec<(String, Vec<String>)> {
    let config = Config::parse(Path::new("x"), text).unwrap();
    let sinks = sinks(&config).unwrap();
    sinks.iter().map(|sink| (sink.key().to_owned(), sink.former_keys().to_vec())).collect()
}

#[test]
fn a_sink_is_the_same_whatever_secret_it_has_now() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("url");
    let (file, old) = (path.display(), "https://h/old");
    std::fs::write(&path, old).unwrap();
    let by_file = format!("[[alert]]\nwebhook_file = \"{file}\"\n");
    let named = format!("{by_file}name = \"n\"\n");
    let (before, before_named) = (keys(&by_file), keys(&named));
    // It is found by the names it had when it had no file, or no name.
    assert_eq!(before[0].1, [key_of_webhook(old)]);
    assert_eq!(before_named[0].1, [key_of_webhook(old), before[0].0.clone()]);
    std::fs::write(&path, "https://h/new").unwrap();
    assert_eq!(keys(&by_file)[0].0, before[0].0);
    assert_eq!(keys(&named)[0].0, before_named[0].0);
    assert_eq!(keys("[[alert]]\nwebhook = \"https://h/old\"")[0], (key_of_webhook(old), vec![]));
}

#[test]
fn one_sink_is_there_once_and_names_are_told_apart() {
    let of = |text: &str| sinks(&Config::parse(Path::new("x"), text).unwrap());
    let slack = |url: &str, more: &str| format!("[[alert]]\nslack = \"https://h/{url}\"\n{more}\n");
    let two = of(&(slack("a", "") + &slack("b", ""))).unwrap();
    assert_eq!((two[0].name(), two[1].name()), ("slack h", "slack h 2"));
    let twice = of(&(slack("a", "") + &slack("a", "name = \"x\""))).unwrap_err().to_string();
    assert!(twice.contains("`slack h` and `x` are one sink"), "{twice}");
    let named = of(&(slack("a", "name = \"x\"") + &slack("b", "name = \"x\""))).unwrap_err();
    assert!(named.to_string().contains("two [[alert]] have the name `x`"), "{named}");
}

proptest! {
    #[test]
    fn no_message_is_longer_than_its_service_takes(
        name in prop_oneof![".{0,60}", "[<&*`\\\\]{0,6000}", "\\PC{0,5000}"],
        text in prop_oneof![".{0,60}", "[<&>*_]{0,9000}", "\\PC{0,9000}"],
    ) {
        let mut all: Value = serde_json::from_str(&payload(OPENED, &name, &text)).unwrap();
        for field in ["meaning", "done", "todo"] {
            all[field] = text.as_str().into();
        }
        let all = all.to_string();
        let sinks = every_sink();
        let of = |kind: &str| sent(sinks.iter().find(|sink| sink.kind() == kind).unwrap(), &all).1;
        let length = |value: &Value| value.as_str().unwrap_or_default().chars().count();

        let slack = of("slack");
        let blocks = slack["blocks"].as_array().unwrap();
        let texts = || blocks.iter().flat_map(|block| [&block["text"]["text"], &block["elements"][0]["text"]]);
        prop_assert!(blocks.len() <= 50 && texts().all(|text| length(text) <= 3_000));
        prop_assert!(length(&blocks[0]["text"]["text"]) <= 150 && length(&slack["text"]) <= 40_000);
        prop_assert!(texts().map(length).sum::<usize>() < 12_500);

        let embed = &of("discord")["embeds"][0];
        let fields = embed["fields"].as_array().unwrap();
        prop_assert!(length(&embed["title"]) <= 256 && length(&embed["description"]) <= 4_096);
        prop_assert!(fields.iter().all(|field| length(&field["name"]) <= 256 && length(&field["value"]) <= 1_024));
        prop_assert!(fields.iter().all(|field| length(&field["value"]) > 0));
        let parts = fields.iter().map(|field| length(&field["name"]) + length(&field["value"]));
        let whole = length(&embed["title"]) + length(&embed["description"]) + length(&embed["footer"]["text"]);
        prop_assert!(parts.sum::<usize>() + whole <= 6_000);

        let telegram = of("telegram");
        let telegram = telegram["text"].as_str().unwrap();
        prop_assert!(telegram.encode_utf16().count() <= 4_096, "{}", telegram.len());
        prop_assert_eq!(telegram.matches("<code>").count(), telegram.matches("</code>").count());

        prop_assert!(length(&of("pagerduty")["payload"]["summary"]) <= 1_024);
    }
}
