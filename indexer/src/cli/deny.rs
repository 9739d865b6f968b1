//! `everhold deny`

use std::{fmt::Write, process::ExitCode};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{
    Context,
    output::{Failure, plain, table},
};
use crate::{
    content::{Codec, ContentId},
    ledger::{Denial, DenialSource, Ledger},
    time_text,
    watch::{Denied, allow, deny},
};

/// The deny list: what is on it is never fetched, stored, repaired or shown, whoever names it.
#[derive(Debug, Args)]
pub(super) struct DenyArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Put a content on the list; in force at once
    Add {
        /// 64 hexadecimal digits, or a CID
        id: String,
        /// Why; it is shown wherever the content would be
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Take a content off the list; what a token names is looked after again
    Remove {
        /// 64 hexadecimal digits, or a CID
        id: String,
    },
    /// Show the list
    List,
}

/// What `deny add` and `deny remove` print.
#[derive(Serialize)]
struct Changed {
    /// `0x` and 64 hex digits.
    digest: String,
    /// Whether the list is another now.
    changed: bool,
    /// Why it is denied; null where it is not any more.
    reason: Option<String>,
    /// The contents of the ledger that this is about.
    contents: Vec<String>,
}

/// What `deny list` prints.
#[derive(Serialize)]
struct Listed {
    denied: Vec<Entry>,
}

/// An entry of the list.
#[derive(Serialize)]
struct Entry {
    /// `0x` and 64 hex digits.
    digest: String,
    /// The DAG that it may be the root of.
    cid: String,
    /// Why.
    reason: String,
    /// `command` or `file`.
    source: DenialSource,
    /// Since when.
    since: String,
}

impl DenyArgs {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let config = context.read_config()?;
        let ledger = Ledger::open(&config.database).await?;
        let done = match &self.act {
            Act::Add { id, reason } => {
                let reason = everhold_net::shown(reason.as_bytes());
                if reason.is_empty() {
                    return Err(Failure::usage("--reason is empty: people are told it"));
                }
                changed(context, id, &deny(&ledger, &config, id, &reason).await?)
            }
            Act::Remove { id } => changed(context, id, &allow(&ledger, &config, id).await?),
            Act::List => {
                let denials = ledger.read().await?.denials().await?;
                let listed = Listed { denied: denials.into_iter().map(Entry::from).collect() };
                context.output.result(&listed, || listed.people())
            }
        };
        ledger.close().await;
        done.map(|()| ExitCode::SUCCESS)
    }
}

fn changed(context: &Context, id: &str, denied: &Denied) -> Result<(), Failure> {
    let value = Changed {
        digest: denied.digest.to_string(),
        changed: denied.changed,
        reason: denied.reason.clone(),
        contents: denied.contents.iter().map(ContentId::to_string).collect(),
    };
    context.output.result(&value, || people(id, denied))
}

fn people(id: &str, denied: &Denied) -> String {
    let id = plain(id);
    let mut text = match (&denied.reason, denied.changed) {
        (Some(reason), _) => format!("{id} is denied: {}\n", plain(reason)),
        (None, true) => format!("{id} is no longer denied\n"),
        (None, false) => format!("{id} was not denied\n"),
    };
    for content in &denied.contents {
        let then = match denied.reason {
            Some(_) => "is not looked after any more",
            None => "is looked after again, where a token names it",
        };
        let _ = writeln!(text, "{content} {then}");
    }
    text
}

impl From<Denial> for Entry {
    fn from(denial: Denial) -> Self {
        Self {
            digest: denial.digest.to_string(),
            cid: ContentId::new(Codec::DagPb, denial.digest).to_string(),
            reason: denial.reason,
            source: denial.source,
            since: time_text(denial.added_at),
        }
    }
}

impl Listed {
    fn people(&self) -> String {
        if self.denied.is_empty() {
            return "nothing is denied".to_owned();
        }
        let mut table = table(&["digest", "as dag-pb", "by", "since", "reason"]);
        for entry in &self.denied {
            let by = match entry.source {
                DenialSource::Command => "everhold deny",
                DenialSource::File => "[deny] files",
            };
            let reason = plain(&entry.reason);
            table.add_row([&entry.digest, &entry.cid, by, &entry.since, &reason]);
        }
        table.trim_fmt()
    }
}
