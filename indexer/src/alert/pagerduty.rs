//! PagerDuty: the Events API v2 (PagerDuty developer documentation, "Send an Alert Event").
//!
//! An incident's id is the `dedup_key`: all that is told of it is about one alert, which `resolve` ends.
//! A summary has at most 1,024 characters, an event 512 KB.

use std::fmt;

use serde_json::{Value, json};
use url::Url;

use super::{Notice, Outgoing, Post, answer::Advice, text::cut};
use crate::{
    config::{ConfigError, PagerDutyConfig, secret},
    incident::Severity,
};

pub(super) const ADVICE: Advice = Advice {
    unknown: "look whether pagerduty's url is that of your service region, and routing_key_file holds the \
              key of an Events API v2 integration of a service that is there still",
    disliked: "look whether routing_key_file holds the integration key (32 characters) of an Events API \
               v2 integration, not a key of the REST API",
};

const SUMMARY: usize = 1_024;
/// Of each detail, in characters; there are six, and what is sent besides is short.
const DETAIL: usize = 8_000;
/// An event, in bytes.
const EVENT: usize = 512 * 1024;

/// An integration of a service.
pub(super) struct PagerDuty {
    routing_key: String,
    url: Url,
}

impl fmt::Debug for PagerDuty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PagerDuty").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

impl PagerDuty {
    /// # Errors
    /// Where the key can't be read.
    pub(super) fn new(config: &PagerDutyConfig) -> Result<Self, ConfigError> {
        let routing_key = secret("pagerduty routing_key_file", &config.routing_key_file)?;
        let mut url = config.url.clone();
        let path = format!("{}/v2/enqueue", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(Self { routing_key, url })
    }

    pub(super) fn routing_key(&self) -> &str {
        &self.routing_key
    }

    pub(super) fn request(&self, alert: Outgoing<'_>, notice: &Notice) -> Post {
        let action = match notice.event.as_str() {
            "incident.recovered" => "resolve",
            "incident.acknowledged" => "acknowledge",
            _ => "trigger",
        };
        let mut event = json!({
            "routing_key": self.routing_key,
            "event_action": action,
            "dedup_key": notice.incident,
        });
        if action == "trigger" {
            event["client"] = "Everhold".into();
            event["payload"] = payload(notice);
            let all: Value = serde_json::from_str(alert.payload).unwrap_or_default();
            event["payload"]["custom_details"] = details(notice, &all, EVENT / 2);
            if let Some(link) = notice.link() {
                event["links"] = json!([{ "href": link, "text": "Evidence" }]);
            }
        }
        let headers = vec![("Content-Type", "application/json".to_owned())];
        Post { url: self.url.clone(), headers, body: event.to_string() }
    }
}

fn payload(notice: &Notice) -> Value {
    let severity = match notice.severity() {
        Severity::Critical => "critical",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    json!({
        "summary": cut(&notice.summary, SUMMARY),
        "source": format!("{} on chain {}", notice.collection, notice.chain_id),
        "severity": severity,
        "timestamp": notice.at,
        "group": notice.collection,
        "class": notice.kind,
    })
}

/// What there is to say in words, and the tokens, counts and replicas of the body, as many as `room`
/// (in bytes) lets them be.
fn details(notice: &Notice, all: &Value, room: usize) -> Value {
    let mut details = json!({});
    for (heading, text) in notice.paragraphs() {
        details[heading] = cut(text, DETAIL).into();
    }
    let mut used = 0;
    for name in ["tokens", "token_count", "required", "independent", "held", "replicas", "stores"] {
        let Some(value) = all.get(name) else { continue };
        used += value.to_string().len();
        if used < room {
            details[name] = value.clone();
        }
    }
    details
}
