//! Those who are told: a file a kind of sink, behind one [`Sink`].
//!
//! The outbox keeps what is told in one form ([`Notice`] is how it is read); each sink makes of it what
//! its service takes when it is sent, which is a pure function ([`Sink::request`]) but for e-mail's
//! date. Whatever is in it may come from strangers (names of collections, answers of nodes): each
//! service gets it so that it mentions nobody, links nowhere and formats nothing, and no longer than
//! the service takes.

mod alertmanager;
mod answer;
mod discord;
mod email;
mod notice;
mod pagerduty;
mod send;
mod slack;
mod telegram;
mod text;
mod webhook;

#[cfg(test)]
mod tests;

use std::fmt;

use sha2::{Digest, Sha256};
use url::Url;

pub use alertmanager::{LASTS, REPEAT, Span};
pub use answer::{Refused, Retry};
pub use notice::Notice;

use crate::{
    config::{AlertConfig, Config, ConfigError, SecretUrl, SinkConfig},
    incident::Filter,
};

/// Somebody who is told.
pub struct Sink {
    name: String,
    key: String,
    former_keys: Vec<String>,
    filter: Filter,
    target: Target,
}

/// Where, and how.
enum Target {
    Webhook(webhook::Webhook),
    Slack(slack::Slack),
    Discord(discord::Discord),
    Telegram(telegram::Telegram),
    PagerDuty(pagerduty::PagerDuty),
    Alertmanager(alertmanager::Alertmanager),
    Email(Box<email::Email>),
}

/// A request, before it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// Where to.
    pub url: Url,
    /// Its headers.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: String,
}

/// An alert as it comes out of the outbox.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Its id, the same however often it is sent.
    pub id: &'a str,
    /// `incident.opened` and so on.
    pub event: &'a str,
    /// The body.
    pub payload: &'a str,
}

impl fmt::Debug for Sink {
    /// Without what is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink").field("name", &self.name).field("key", &self.key).finish()
    }
}

impl Sink {
    /// What people call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the outbox calls it: the same after a restart, and no secret.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What the outbox calls it where it had no name, or its URL no file, yet.
    pub fn former_keys(&self) -> &[String] {
        &self.former_keys
    }

    /// `webhook`, `slack` and so on.
    pub fn kind(&self) -> &'static str {
        match self.target {
            Target::Webhook(_) => "webhook",
            Target::Slack(_) => "slack",
            Target::Discord(_) => "discord",
            Target::Telegram(_) => "telegram",
            Target::PagerDuty(_) => "pagerduty",
            Target::Alertmanager(_) => "alertmanager",
            Target::Email(_) => "email",
        }
    }

    /// Which incidents it is told of.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Whether it forgets what it is not told again and again.
    pub fn forgets(&self) -> bool {
        matches!(self.target, Target::Alertmanager(_))
    }

    /// The request that tells of an alert; none where it goes another way, by e-mail.
    pub fn request(&self, alert: Outgoing<'_>, notice: &Notice, span: Span) -> Option<Post> {
        Some(match &self.target {
            Target::Webhook(webhook) => webhook.request(alert),
            Target::Slack(slack) => slack.request(notice),
            Target::Discord(discord) => discord.request(notice),
            Target::Telegram(telegram) => telegram.request(notice),
            Target::PagerDuty(pagerduty) => pagerduty.request(alert, notice),
            Target::Alertmanager(alertmanager) => alertmanager.request(notice, span),
            Target::Email(_) => return None,
        })
    }

    /// What must be in no message of an error, whatever a server says.
    fn secrets(&self) -> Vec<String> {
        match &self.target {
            Target::Webhook(webhook) => text::secrets_of(webhook.url()),
            Target::Slack(slack) => text::secrets_of(slack.url()),
            Target::Discord(discord) => text::secrets_of(discord.url()),
            Target::Alertmanager(alertmanager) => text::secrets_of(alertmanager.url()),
            Target::Telegram(telegram) => {
                let mut secrets = text::secrets_of(telegram.url());
                secrets.push(telegram.token().to_owned());
                secrets
            }
            Target::PagerDuty(pagerduty) => vec![pagerduty.routing_key().to_owned()],
            Target::Email(email) => email.password().map(str::to_owned).into_iter().collect(),
        }
    }

    fn new(config: &AlertConfig) -> Result<Self, ConfigError> {
        let (target, host, identities) = target(&config.sink)?;
        let mut sink = Self {
            name: String::new(),
            key: String::new(),
            former_keys: Vec::new(),
            filter: config.filter.clone(),
            target,
        };
        let kind = sink.kind();
        let named = config.name.iter().map(|name| format!("name\n{name}"));
        let mut keys: Vec<_> =
            identities.into_iter().chain(named).map(|identity| key(kind, &identity)).collect();
        sink.key = keys.pop().unwrap_or_default();
        sink.former_keys = keys;
        sink.name = config.name.clone().unwrap_or_else(|| format!("{kind} {host}"));
        Ok(sink)
    }

    /// By what nobody else leads to the same place.
    fn place(&self) -> &str {
        self.former_keys.first().unwrap_or(&self.key)
    }
}

/// What is told there, its host, and by what it is the same sink after a restart; what counts comes last.
fn target(config: &SinkConfig) -> Result<(Target, String, Vec<String>), ConfigError> {
    let host = |url: &Url| url.host_str().unwrap_or_default().to_owned();
    let by_url =
        |target, url: &Url, config: &SecretUrl| (target, host(url), config.identities(url));
    Ok(match config {
        SinkConfig::Webhook { url: config, secret_file } => {
            let url = config.read()?;
            let secret = secret_file.as_deref();
            let secret =
                secret.map(|path| crate::config::secret("secret_file", path)).transpose()?;
            by_url(Target::Webhook(webhook::Webhook::new(url.clone(), secret)), &url, config)
        }
        SinkConfig::Slack(config) => {
            let url = config.read()?;
            by_url(Target::Slack(slack::Slack::new(url.clone())), &url, config)
        }
        SinkConfig::Discord(config) => {
            let url = config.read()?;
            by_url(Target::Discord(discord::Discord::new(url.clone())), &url, config)
        }
        SinkConfig::Alertmanager(config) => {
            let url = config.read()?;
            by_url(Target::Alertmanager(alertmanager::Alertmanager::new(&url)), &url, config)
        }
        SinkConfig::Telegram(telegram) => {
            let (host, chat) = (host(&telegram.url), &telegram.chat);
            // Not the token, of which there may be a new one.
            let identity = format!("{}\n{chat}", telegram.url);
            (Target::Telegram(telegram::Telegram::new(telegram)?), host, vec![identity])
        }
        SinkConfig::PagerDuty(pagerduty) => {
            let host = host(&pagerduty.url);
            let sink = pagerduty::PagerDuty::new(pagerduty)?;
            let identity = format!("{}\n{}", pagerduty.url, pagerduty.routing_key_file.display());
            (Target::PagerDuty(sink), host, vec![identity])
        }
        SinkConfig::Email(email) => {
            let sink = email::Email::new(email)?;
            let (host, identity) = (host(&email.smtp), sink.identity());
            (Target::Email(Box::new(sink)), host, vec![identity])
        }
    })
}

/// What the outbox calls a sink: its kind, and a hash of what it is told apart by: its name; else the file
/// with its secret, so that a new secret finds what waits; else its URL. A URL with a secret has far too
/// many values for anybody to find it by its hash.
fn key(kind: &str, identity: &str) -> String {
    format!("{kind}:{}", alloy::hex::encode(&Sha256::digest(identity)[..16]))
}

/// The key of a webhook whose URL the outbox holds: ledgers of before were so.
pub fn key_of_webhook(url: &str) -> String {
    key("webhook", url)
}

/// The sinks of a configuration.
///
/// # Errors
/// Where a file can't be read, or one is there twice.
pub fn sinks(config: &Config) -> Result<Vec<Sink>, ConfigError> {
    let mut sinks: Vec<Sink> = Vec::new();
    for alert in &config.alert {
        let mut sink = Sink::new(alert)?;
        if let Some(same) = sinks.iter().find(|known| known.place() == sink.place()) {
            return Err(ConfigError::Invalid(format!(
                "[[alert]] `{}` and `{}` are one sink: leave one out, and let `severity`, `collections` \
                 and `kinds` of the other say all that it is told of",
                same.name, sink.name
            )));
        }
        if sinks.iter().any(|known| known.name == sink.name) {
            if alert.name.is_some() {
                let name = &sink.name;
                return Err(ConfigError::Invalid(format!("two [[alert]] have the name `{name}`")));
            }
            // By default, what is at one host is counted.
            let alike = |known: &&Sink| known.name.starts_with(&sink.name);
            sink.name += &format!(" {}", sinks.iter().filter(alike).count() + 1);
        }
        sinks.push(sink);
    }
    Ok(sinks)
}
