//! Settings of those who are told: `[[alert]]`.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use alloy::primitives::Address;
use serde::Deserialize;
use url::Url;

use super::ConfigError;
use crate::incident::{Filter, Kind, Severity};

/// `[[alert]]`: one sink.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "AlertText")]
pub struct AlertConfig {
    /// What commands and the log call it.
    pub name: Option<String>,
    /// Where alerts go.
    pub sink: SinkConfig,
    /// Which alerts.
    pub filter: Filter,
}

/// Where alerts go.
#[derive(Clone, Debug)]
pub enum SinkConfig {
    /// A webhook, with the body of `docs/alerts.md`.
    Webhook {
        /// Where they are posted.
        url: SecretUrl,
        /// File with the HMAC-SHA256 secret (surrounding white space is dropped).
        secret_file: Option<PathBuf>,
    },
    /// An incoming webhook of Slack.
    Slack(SecretUrl),
    /// A webhook of Discord.
    Discord(SecretUrl),
    /// A chat of Telegram.
    Telegram(TelegramConfig),
    /// A service of PagerDuty.
    PagerDuty(PagerDutyConfig),
    /// A Prometheus Alertmanager, by its base URL.
    Alertmanager(SecretUrl),
    /// E-mail.
    Email(EmailConfig),
}

/// A URL that may hold a secret: written down, or in a file of its own.
#[derive(Clone)]
pub enum SecretUrl {
    /// Written down.
    Here(Url),
    /// In a file (surrounding white space is dropped).
    File {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
    },
}

/// `telegram = { … }`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelegramConfig {
    /// The chat's id, or `@channel`.
    pub chat: String,
    /// File with the bot's token.
    pub token_file: PathBuf,
    /// Of the Bot API.
    #[serde(default = "telegram_api")]
    pub url: Url,
}

/// `pagerduty = { … }`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PagerDutyConfig {
    /// File with the integration key of an Events API v2 integration.
    pub routing_key_file: PathBuf,
    /// Of the Events API; that of the European service region is another.
    #[serde(default = "pagerduty_api")]
    pub url: Url,
}

/// `email = { … }`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// Who gets it.
    pub to: Vec<String>,
    /// Whom it is from.
    pub from: String,
    /// `smtps://HOST[:465]`, or `smtp://HOST[:587]` with STARTTLS.
    pub smtp: Url,
    /// For servers that ask for it.
    pub username: Option<String>,
    /// File with the password.
    pub password_file: Option<PathBuf>,
}

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlertText {
    name: Option<String>,
    #[serde(default)]
    severity: Option<Severity>,
    #[serde(default)]
    collections: Vec<Address>,
    #[serde(default)]
    kinds: Vec<Kind>,
    webhook: Option<Url>,
    webhook_file: Option<PathBuf>,
    secret_file: Option<PathBuf>,
    slack: Option<Url>,
    slack_file: Option<PathBuf>,
    discord: Option<Url>,
    discord_file: Option<PathBuf>,
    telegram: Option<TelegramConfig>,
    pagerduty: Option<PagerDutyConfig>,
    alertmanager: Option<Url>,
    alertmanager_file: Option<PathBuf>,
    email: Option<EmailConfig>,
}

const ONE: &str = "[[alert]] takes exactly one of webhook, slack, discord, alertmanager (or one of these \
                   with _file), telegram, pagerduty, email";

impl TryFrom<AlertText> for AlertConfig {
    type Error = String;

    fn try_from(text: AlertText) -> Result<Self, String> {
        let here = |url: Option<Url>| url.map(SecretUrl::Here);
        let file =
            |setting, path: Option<PathBuf>| path.map(|path| SecretUrl::File { setting, path });
        let secret_file = text.secret_file;
        let webhook = |url| SinkConfig::Webhook { url, secret_file: secret_file.clone() };
        let sinks = [
            here(text.webhook).map(webhook),
            file("webhook_file", text.webhook_file).map(webhook),
            here(text.slack).map(SinkConfig::Slack),
            file("slack_file", text.slack_file).map(SinkConfig::Slack),
            here(text.discord).map(SinkConfig::Discord),
            file("discord_file", text.discord_file).map(SinkConfig::Discord),
            text.telegram.map(SinkConfig::Telegram),
            text.pagerduty.map(SinkConfig::PagerDuty),
            here(text.alertmanager).map(SinkConfig::Alertmanager),
            file("alertmanager_file", text.alertmanager_file).map(SinkConfig::Alertmanager),
            text.email.map(SinkConfig::Email),
        ];
        let mut sinks = sinks.into_iter().flatten();
        let (Some(sink), None) = (sinks.next(), sinks.next()) else {
            return Err(ONE.to_owned());
        };
        if secret_file.is_some() && !matches!(sink, SinkConfig::Webhook { .. }) {
            return Err(
                "secret_file is only for a webhook: other services take no signature".into()
            );
        }
        let severity = text.severity.unwrap_or(Severity::Info);
        let filter = Filter { severity, collections: text.collections, kinds: text.kinds };
        sink.check()?;
        Ok(Self { name: text.name, sink, filter })
    }
}

impl AlertConfig {
    /// A webhook that is told of everything.
    pub fn webhook(url: Url, secret_file: Option<PathBuf>) -> Self {
        let sink = SinkConfig::Webhook { url: SecretUrl::Here(url), secret_file };
        Self { name: None, sink, filter: Filter::default() }
    }
}

impl SinkConfig {
    /// What can be said of it without its files.
    fn check(&self) -> Result<(), String> {
        let web = |setting: &str, url: &Url| match url.scheme() {
            "http" | "https" => Ok(()),
            other => Err(format!("{setting} must be an http or https URL, not {other}:")),
        };
        match self {
            Self::Webhook { url: SecretUrl::Here(url), .. } => web("webhook", url),
            Self::Slack(SecretUrl::Here(url)) => web("slack", url),
            Self::Discord(SecretUrl::Here(url)) => web("discord", url),
            Self::Alertmanager(SecretUrl::Here(url)) => web("alertmanager", url),
            Self::Telegram(telegram) => web("telegram url", &telegram.url),
            Self::PagerDuty(pagerduty) => web("pagerduty url", &pagerduty.url),
            Self::Email(email) => email.check(),
            _ => Ok(()),
        }
    }

    /// The URL that requests go to, if there is one and it can be read.
    pub(super) fn url(&self) -> Option<Url> {
        match self {
            Self::Webhook { url, .. }
            | Self::Slack(url)
            | Self::Discord(url)
            | Self::Alertmanager(url) => url.read().ok(),
            Self::Telegram(telegram) => Some(telegram.url.clone()),
            Self::PagerDuty(pagerduty) => Some(pagerduty.url.clone()),
            Self::Email(_) => None,
        }
    }
}

impl EmailConfig {
    fn check(&self) -> Result<(), String> {
        if !matches!(self.smtp.scheme(), "smtp" | "smtps") || self.smtp.host_str().is_none() {
            return Err("smtp must be smtps://HOST:465, or smtp://HOST:587 for STARTTLS".to_owned());
        }
        if !self.smtp.username().is_empty() || self.smtp.password().is_some() {
            return Err(
                "smtp holds a user name or password: write username and password_file".into()
            );
        }
        if self.to.is_empty() {
            return Err("email has nobody in `to`".to_owned());
        }
        match (&self.username, &self.password_file) {
            (Some(_), None) => Err("email has a username and no password_file".to_owned()),
            (None, Some(_)) => Err("email has a password_file and no username".to_owned()),
            _ => Ok(()),
        }
    }
}

impl SecretUrl {
    /// The URL.
    ///
    /// # Errors
    /// Where its file can't be read, or holds none.
    pub fn read(&self) -> Result<Url, ConfigError> {
        match self {
            Self::Here(url) => Ok(url.clone()),
            Self::File { setting, path } => {
                let said = |what: &str| ConfigError::Invalid(said(setting, path, what));
                let url: Url = secret(setting, path)?
                    .parse()
                    .map_err(|error: url::ParseError| said(&error.to_string()))?;
                match url.scheme() {
                    "http" | "https" => Ok(url),
                    _ => Err(said("it holds no http or https URL")),
                }
            }
        }
    }
}

impl SecretUrl {
    /// By what it is the same after a restart; what counts comes last: where it is in a file, that,
    /// whatever it holds then.
    pub(crate) fn identities(&self, url: &Url) -> Vec<String> {
        let mut all = vec![url.to_string()];
        if let Self::File { path, .. } = self {
            all.push(format!("file\n{}", path.display()));
        }
        all
    }
}

/// Without what may be secret.
impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here(url) => write!(f, "SecretUrl({})", url.host_str().unwrap_or("?")),
            Self::File { path, .. } => write!(f, "SecretUrl(in {})", path.display()),
        }
    }
}

/// A secret out of a file, without the white space around it.
///
/// # Errors
/// Where it can't be read, or is empty.
pub(crate) fn secret(setting: &str, path: &Path) -> Result<String, ConfigError> {
    let failed = |what: &str| ConfigError::Invalid(said(setting, path, what));
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error.to_string()))?;
    match text.trim() {
        "" => Err(failed("it is empty")),
        secret => Ok(secret.to_owned()),
    }
}

fn said(setting: &str, path: &Path, what: &str) -> String {
    format!("[[alert]] {setting} {}: {what}", path.display())
}

fn telegram_api() -> Url {
    fixed("https://api.telegram.org")
}

fn pagerduty_api() -> Url {
    fixed("https://events.pagerduty.com")
}

#[expect(clippy::expect_used, reason = "the texts are those above, and a test reads them")]
fn fixed(url: &'static str) -> Url {
    url.parse().expect("a URL")
}

#[cfg(test)]
mod tests {
    use super::{super::Config, *};

    fn parse(text: &str) -> Result<AlertConfig, String> {
        let text = format!("database = \"sqlite://x\"\n\n[[alert]]\n{text}\n");
        let config = Config::parse(Path::new("everhold.toml"), &text);
        config.map(|mut config| config.alert.remove(0)).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_each_kind_and_what_it_is_told() {
        let all = [
            "webhook = \"https://h/x\"\nsecret_file = \"s\"",
            "webhook_file = \"w\"\nsecret_file = \"s\"",
            "slack = \"https://hooks.slack.com/services/T/B/x\"",
            "discord_file = \"d\"",
            "telegram = { chat = \"-100\", token_file = \"t\" }",
            "pagerduty = { routing_key_file = \"k\", url = \"https://events.eu.pagerduty.com\" }",
            "alertmanager = \"http://127.0.0.1:9093\"",
            "email = { to = [\"a@b.c\"], from = \"e@b.c\", smtp = \"smtps://b.c\" }",
        ];
        for text in all {
            let alert = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(alert.filter, Filter::default(), "{text}");
        }
        let more = "name = \"night\"\nseverity = \"critical\"\nkinds = [\"halted\"]\n\
                    collections = [\"0x5FbDB2315678afecb367f032d93F642f64180aa3\"]";
        let alert = parse(&format!("{}\n{more}", all[4])).unwrap();
        assert_eq!(alert.name.as_deref(), Some("night"));
        assert_eq!(alert.filter.severity, Severity::Critical);
        assert_eq!((alert.filter.kinds.len(), alert.filter.collections.len()), (1, 1));
        let SinkConfig::Telegram(telegram) = alert.sink else { panic!() };
        assert_eq!(telegram.url, telegram_api());
        assert_eq!(pagerduty_api().as_str(), "https://events.pagerduty.com/");
    }

    #[test]
    fn names_the_line_of_what_can_not_be() {
        for (text, line, expected) in [
            ("name = \"x\"", 3, "exactly one of"),
            ("slack = \"https://a/x\"\ndiscord = \"https://b/x\"", 3, "exactly one of"),
            ("slack = \"https://a/x\"\nslack_file = \"f\"", 3, "exactly one of"),
            (
                "slack = \"https://a/x\"\nsecret_file = \"f\"",
                3,
                "secret_file is only for a webhook",
            ),
            ("slack = \"ftp://a/x\"", 3, "slack must be an http or https URL"),
            ("slack = \"https://a/x\"\nseverity = \"loud\"", 5, "info, warning, critical"),
            ("slack = \"https://a/x\"\nkinds = [\"loss\"]", 5, "content, path, removal, halted"),
            ("slack = \"https://a/x\"\ncollections = [\"0x12\"]", 5, "collections"),
            ("telegram = { chat = \"1\" }", 4, "token_file"),
            ("email = { to = [], from = \"a@b.c\", smtp = \"smtps://b.c\" }", 3, "nobody in `to`"),
            (
                "email = { to = [\"a@b.c\"], from = \"a@b.c\", smtp = \"https://b.c\" }",
                3,
                "smtps://HOST",
            ),
            (
                "email = { to = [\"a@b.c\"], from = \"a@b.c\", smtp = \"smtps://b.c\", username = \"u\" }",
                3,
                "no password_file",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(&format!("everhold.toml:{line}:")), "{text}: {error}");
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        for text in [
            "webhook = \"https://user:hush@h/hush?k=hush\"",
            "slack = \"https://hooks.slack.com/services/hush\"",
            "email = { to = [\"a@b.c\"], from = \"a@b.c\", smtp = \"smtps://u:hush@b.c\" }",
            "slack = \"hush\"",
            "slack = \"https://h/hush\"\ndiscord = \"https://h/hush\"",
        ] {
            match parse(text) {
                Ok(alert) => assert!(!format!("{alert:?}").contains("hush"), "{alert:?}"),
                Err(error) => assert!(!error.contains("hush"), "{error}"),
            }
        }
    }

    #[test]
    fn a_file_must_hold_a_url() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("url");
        let url = SecretUrl::File { setting: "slack_file", path: path.clone() };
        assert!(url.read().unwrap_err().to_string().contains("slack_file"));
        for (text, expected) in
            [(" \n", "empty"), ("hush", "relative URL"), ("ftp://h/hush", "http")]
        {
            std::fs::write(&path, text).unwrap();
            let error = url.read().unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("hush"), "{error}");
        }
        std::fs::write(&path, " https://h/x\n").unwrap();
        assert_eq!(url.read().unwrap().as_str(), "https://h/x");
    }
}
