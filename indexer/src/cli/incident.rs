//! `everhold incident`

use std::{fmt::Write, process::ExitCode};

use alloy::primitives::Address;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::{
    Context,
    output::{Failure, plain},
    status::{care_text, incident_text},
};
use crate::{
    config::Span,
    deny::digest_of,
    ledger::{self, Ledger, Scope, Silence},
    report::{IncidentStatus, Status},
    time_text,
    watch::{acknowledge, policy, silence, unsilence},
};

/// Incidents: what is wrong, who looks after it, and who is told.
#[derive(Debug, Args)]
pub(super) struct IncidentArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Show those that are open, and the silences in force
    List,
    /// Say that somebody looks after one: it is told of again when it is worse, or over
    Ack {
        /// The incident's id
        id: String,
        #[command(flatten)]
        why: Why,
    },
    /// Let nobody be told of some for a while; what is still wrong then is told then
    Silence {
        #[command(flatten)]
        which: Which,
        /// How long: "30m", "24h", "7d"
        #[arg(long = "for", value_name = "SPAN")]
        span: Span,
        #[command(flatten)]
        why: Why,
    },
    /// End a silence: what it held back is told now
    Unsilence {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        by: By,
    },
}

/// Who, and why: it is kept, and shown.
#[derive(Debug, Args)]
struct Why {
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    by: By,
}

/// Who.
#[derive(Debug, Args)]
struct By {
    /// Who says so [default: the user who runs this]
    #[arg(long, value_name = "NAME", hide_default_value = true, default_value_t = user(std::env::var("USER").ok()))]
    by: String,
}

/// The name of who runs this, as far as the environment tells.
fn user(variable: Option<String>) -> String {
    variable.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| "somebody".to_owned())
}

/// Which incidents.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The incident's id
    id: Option<String>,
    /// All of a collection
    #[arg(long, value_name = "ADDRESS")]
    collection: Option<Address>,
    /// All over a content: 64 hexadecimal digits, or a CID
    #[arg(long, value_name = "ID")]
    content: Option<String>,
}

/// What `incident list` prints.
#[derive(Serialize)]
struct Listed {
    incidents: Vec<IncidentStatus>,
    silences: Vec<Silenced>,
}

/// A silence.
#[derive(Serialize)]
struct Silenced {
    /// `incident`, `collection` or `content`.
    scope: &'static str,
    /// Its id or address.
    target: String,
    until: String,
    since: String,
    by: String,
    reason: String,
}

/// What the others print.
#[derive(Serialize)]
struct Done {
    /// What was done.
    done: String,
    /// The open incidents that this is about.
    incidents: Vec<String>,
}

impl IncidentArgs {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let config = context.read_config()?;
        let ledger = Ledger::open_existing(&config.database).await?;
        let done = match self.act {
            Act::List => {
                let now = ledger::now();
                let mut tx = ledger.read().await?;
                let status = Status::read(&mut tx, &policy(&config), now).await?;
                let silences = tx.silences(now).await?;
                drop(tx);
                let listed = Listed::new(status, silences);
                context.output.result(&listed, || listed.people())
            }
            Act::Ack { id, why } => {
                let incident =
                    acknowledge(&ledger, &config, &id, (&why.name()?, &why.text()?)).await?;
                let done = "somebody looks after it: it is told of again when it is worse, or over";
                Done::new(done, [incident.id]).print(context)
            }
            Act::Silence { which, span, why } => {
                if span.millis() <= 0 {
                    return Err(Failure::usage(
                        "--for 0s silences nothing: say how long, as \"24h\"",
                    ));
                }
                let until = ledger::now().saturating_add(span.millis());
                let said = (&*why.name()?, &*why.text()?);
                let (silence, open) = silence(&ledger, which.scope()?, until, said).await?;
                let done = format!("nobody is told until {}", time_text(silence.until));
                Done::new(&done, open.into_iter().map(|one| one.id)).print(context)
            }
            Act::Unsilence { which, by } => {
                let open = unsilence(&ledger, &which.scope()?, &by.name()?).await?;
                let done = "the silence is over: what it held back is told now";
                Done::new(done, open.into_iter().map(|one| one.id)).print(context)
            }
        };
        ledger.close().await;
        done.map(|()| ExitCode::SUCCESS)
    }
}

impl By {
    fn name(&self) -> Result<String, Failure> {
        words("--by", &self.by)
    }
}

impl Why {
    fn name(&self) -> Result<String, Failure> {
        self.by.name()
    }

    fn text(&self) -> Result<String, Failure> {
        words("--reason", &self.reason)
    }
}

/// A text for people, in one line.
fn words(option: &str, text: &str) -> Result<String, Failure> {
    match everhold_net::shown(text.as_bytes()) {
        text if text.is_empty() => {
            Err(Failure::usage(format!("{option} is empty: people are told it")))
        }
        text => Ok(text),
    }
}

impl Which {
    fn scope(self) -> Result<Scope, Failure> {
        Ok(match (self.id, self.collection, self.content) {
            (Some(id), ..) => Scope::Incident(id),
            (_, Some(address), _) => Scope::Collection(address),
            (.., content) => {
                let content = content.unwrap_or_default();
                let digest = digest_of(&content)
                    .map_err(|error| Failure::usage(format!("`{}`: {error}", plain(&content))))?;
                Scope::Content(digest)
            }
        })
    }
}

impl From<Silence> for Silenced {
    fn from(silence: Silence) -> Self {
        let (scope, target) = match silence.scope {
            Scope::Incident(id) => ("incident", id),
            Scope::Collection(address) => ("collection", address.to_checksum(None)),
            Scope::Content(digest) => ("content", digest.to_string()),
        };
        let (until, since) = (time_text(silence.until), time_text(silence.at));
        Self { scope, target, until, since, by: silence.by, reason: silence.reason }
    }
}

impl Listed {
    fn new(mut status: Status, silences: Vec<Silence>) -> Self {
        status.incidents.retain(|incident| incident.closed_at.is_none());
        let silences = silences.into_iter().map(Silenced::from).collect();
        Self { incidents: status.incidents, silences }
    }

    fn people(&self) -> String {
        let mut text = String::new();
        if self.incidents.is_empty() {
            text += "no open incidents\n";
        }
        for incident in &self.incidents {
            let _ = write!(text, "{} {}", incident.id, incident_text(incident));
            text += &care_text(incident);
        }
        for silence in &self.silences {
            let Silenced { scope, target, until, by, reason, .. } = silence;
            let (target, by, reason) = (plain(target), plain(by), plain(reason));
            let _ = writeln!(text, "silent until {until}: {scope} {target}, by {by}: {reason}");
        }
        text
    }
}

impl Done {
    fn new(done: &str, incidents: impl IntoIterator<Item = String>) -> Self {
        Self { done: done.to_owned(), incidents: incidents.into_iter().collect() }
    }

    fn print(&self, context: &Context) -> Result<(), Failure> {
        context.output.result(self, || {
            let open = match self.incidents.as_slice() {
                [] => "no open incident is about it now".to_owned(),
                some => format!("open now: {}", some.join(", ")),
            };
            format!("{}; {open}", self.done)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::user;

    #[test]
    fn who_has_no_name_is_somebody() {
        let names =
            [None, Some(""), Some(" "), Some("ann")].map(|name| user(name.map(str::to_owned)));
        assert_eq!(names, ["somebody", "somebody", "somebody", "ann"]);
    }
}
