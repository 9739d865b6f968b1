//! Prometheus Alertmanager: `POST /api/v2/alerts` (its `api/v2/openapi.yaml`; Prometheus documentation,
//! "Sending alerts").
//!
//! Alertmanager tells alerts apart by their labels, and takes one for resolved at its `endsAt`: clients
//! send again and again what goes on ("on the order of 30 seconds to 3 minutes"). As the severity is a
//! label, one that changed ends, and another begins.

use std::time::Duration;

use serde_json::{Map, Value, json};
use url::Url;

use super::{Notice, Post, answer::Advice};
use crate::{incident::Severity, ledger::Millis, time_text};

pub(super) const ADVICE: Advice = Advice {
    unknown: "look whether the URL is that of an Alertmanager of version 0.16 or newer, without /api/v2",
    disliked: "Alertmanager does not take the alert: look into its log",
};

/// How often what goes on is sent again.
pub const REPEAT: Duration = Duration::from_secs(60);
/// What was last sent so long ago, in milliseconds, counts as resolved where it is sent again and again: a
/// few times as long as [`REPEAT`], so that a short outage resolves nothing.
pub const LASTS: Millis = 5 * 60 * 1000;

/// The time of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// When it began.
    pub since: Millis,
    /// Now.
    pub now: Millis,
    /// For how long, in milliseconds, it is to be believed to go on unless it is told again.
    pub lasts: Millis,
}

/// An Alertmanager.
pub(super) struct Alertmanager {
    url: Url,
}

impl Alertmanager {
    pub(super) fn new(base: &Url) -> Self {
        let mut url = base.clone();
        let path = format!("{}/api/v2/alerts", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Self { url }
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn request(&self, notice: &Notice, span: Span) -> Post {
        let ends = |over: bool| if over { span.now } else { span.now.saturating_add(span.lasts) };
        let mut alerts = vec![alert(notice, notice.severity(), span.since, ends(notice.is_over()))];
        if notice.event != "incident.opened" {
            let others = Severity::ALL.iter().filter(|other| **other != notice.severity());
            alerts.extend(others.map(|other| alert(notice, *other, span.since, span.now)));
        }
        self.post(alerts)
    }

    /// Sends what goes on again.
    pub(super) fn repeat(&self, going_on: &[(Notice, Span)]) -> Post {
        let alerts = going_on.iter().map(|(notice, span)| {
            alert(notice, notice.severity(), span.since, span.now.saturating_add(span.lasts))
        });
        self.post(alerts.collect())
    }

    fn post(&self, alerts: Vec<Value>) -> Post {
        let headers = vec![("Content-Type", "application/json".to_owned())];
        Post { url: self.url.clone(), headers, body: Value::from(alerts).to_string() }
    }
}

fn alert(notice: &Notice, severity: Severity, since: Millis, ends: Millis) -> Value {
    let name = if notice.test { "EverholdTest" } else { "EverholdIncident" };
    let chain_id = notice.chain_id.to_string();
    let content = notice.content.as_ref().map(|content| content.id.as_str());
    // An empty label is none.
    let labels: Map<_, _> = [
        ("alertname", name),
        ("incident", &notice.incident),
        ("severity", severity.as_str()),
        ("collection", &notice.collection),
        ("chain_id", &chain_id),
        ("kind", &notice.kind),
        ("content", content.unwrap_or_default()),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(label, value)| (label.to_owned(), Value::from(value)))
    .collect();
    let mut alert = json!({
        "labels": labels,
        "annotations": {
            "summary": notice.summary,
            "description": notice.message,
            "meaning": notice.meaning,
            "done": notice.done,
            "todo": notice.todo,
            "evidence": notice.evidence,
        },
        // What begins must not do so after its end.
        "startsAt": time_text(since.min(ends)),
        "endsAt": time_text(ends),
    });
    if let Some(link) = notice.link() {
        alert["generatorURL"] = link.into();
    }
    alert
}
