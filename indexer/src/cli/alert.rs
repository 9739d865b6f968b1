//! `everhold alert`

use std::{collections::HashMap, fmt::Write, process::ExitCode};

use clap::{Args, Subcommand};
use futures::future::join_all;
use serde::Serialize;

use super::{
    Context,
    output::{Failure, plain, table},
};
use crate::{
    alert::{Refused, Sink, sinks},
    config::Config,
    ledger::{Ledger, SinkState},
    time_text,
    watch::send_test,
};

/// Those who are told of incidents: `[[alert]]`.
#[derive(Debug, Args)]
pub(super) struct AlertArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Send each sink a test alert, and say what comes back; 1 if one does not take it
    Test {
        /// Only this sink
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// Show the outbox: what waits for each sink, and why
    List,
}

/// What `alert test` prints.
#[derive(Serialize)]
struct Tested {
    sinks: Vec<Test>,
}

/// How a sink took its test.
#[derive(Serialize)]
struct Test {
    name: String,
    kind: &'static str,
    taken: bool,
    /// What came back, where it was not taken.
    error: Option<String>,
    /// What to do about that.
    todo: Option<String>,
}

/// What `alert list` prints.
#[derive(Serialize)]
struct Listed {
    sinks: Vec<Outbox>,
}

/// What the outbox holds for a sink.
#[derive(Serialize)]
struct Outbox {
    /// Null where it is not configured any more.
    name: Option<String>,
    kind: String,
    /// Alerts that wait.
    waiting: i64,
    /// Since when the oldest of them does.
    oldest: Option<String>,
    /// When the next is tried.
    next: Option<String>,
    /// Alerts that it took.
    delivered: i64,
    /// When it took the last.
    last_delivered: Option<String>,
    /// Why those that wait were not taken.
    last_error: Option<String>,
}

impl AlertArgs {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let config = context.read_config()?;
        let sinks = sinks(&config)?;
        match self.act {
            Act::Test { name } => test(context, &config, chosen(sinks, name.as_deref())?).await,
            Act::List => list(context, &config, &sinks).await,
        }
    }
}

/// The sink with a name, or all.
fn chosen(sinks: Vec<Sink>, name: Option<&str>) -> Result<Vec<Sink>, Failure> {
    if sinks.is_empty() {
        return Err(Failure::usage("no [[alert]] is configured: nobody is told of anything"));
    }
    let Some(name) = name else { return Ok(sinks) };
    let known: Vec<_> = sinks.iter().map(|sink| format!("`{}`", sink.name())).collect();
    let found: Vec<_> = sinks.into_iter().filter(|sink| sink.name() == name).collect();
    match found.is_empty() {
        true => Err(Failure::usage(format!("no sink is `{name}`: there are {}", known.join(", ")))),
        false => Ok(found),
    }
}

async fn test(context: &Context, config: &Config, sinks: Vec<Sink>) -> Result<ExitCode, Failure> {
    let fetcher = config.fetcher()?;
    let sent = join_all(sinks.iter().map(|sink| send_test(sink, config, &fetcher))).await;
    let tests = sinks.iter().zip(sent).map(|(sink, sent)| Test::new(sink, sent));
    let tested = Tested { sinks: tests.collect() };
    context.output.result(&tested, || tested.people())?;
    match tested.sinks.iter().all(|test| test.taken) {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::FAILURE),
    }
}

async fn list(context: &Context, config: &Config, sinks: &[Sink]) -> Result<ExitCode, Failure> {
    let ledger = Ledger::open_existing(&config.database).await?;
    let states = ledger.read().await?.outbox().await?;
    let listed = Listed::new(sinks, states);
    let printed = context.output.result(&listed, || listed.people());
    ledger.close().await;
    printed.map(|()| ExitCode::SUCCESS)
}

impl Test {
    fn new(sink: &Sink, sent: Result<(), Refused>) -> Self {
        let refused = sent.err();
        Self {
            name: sink.name().to_owned(),
            kind: sink.kind(),
            taken: refused.is_none(),
            error: refused.as_ref().map(|refused| refused.said.clone()),
            todo: refused.and_then(|refused| refused.todo),
        }
    }
}

impl Tested {
    fn people(&self) -> String {
        let mut text = String::new();
        for test in &self.sinks {
            let name = plain(&test.name);
            let _ = match (&test.error, &test.todo) {
                (None, _) => writeln!(text, "{name}: taken"),
                (Some(error), None) => writeln!(text, "{name}: not taken: {}", plain(error)),
                (Some(error), Some(todo)) => {
                    writeln!(text, "{name}: not taken: {}\n    {todo}", plain(error))
                }
            };
        }
        text
    }
}

impl Listed {
    fn new(sinks: &[Sink], states: Vec<SinkState>) -> Self {
        let mut states: HashMap<_, _> =
            states.into_iter().map(|state| (state.sink.clone(), state)).collect();
        let mut all: Vec<_> = sinks
            .iter()
            .map(|sink| {
                let keys = sink.former_keys().iter().map(String::as_str).chain([sink.key()]);
                let state = keys.rev().find_map(|key| states.remove(key));
                Outbox::new(Some(sink.name()), sink.kind(), state)
            })
            .collect();
        let mut gone: Vec<_> = states.into_values().filter(|state| state.waiting > 0).collect();
        gone.sort_by(|one, other| one.sink.cmp(&other.sink));
        all.extend(gone.into_iter().map(|state| {
            // Of what older ledgers hold, a URL, nothing is shown.
            let sink = state.sink.clone();
            let kind = if sink.contains("://") { "webhook" } else { &sink };
            Outbox::new(None, kind.split(':').next().unwrap_or_default(), Some(state))
        }));
        Self { sinks: all }
    }

    fn people(&self) -> String {
        if self.sinks.is_empty() {
            return "no [[alert]] is configured: nobody is told of anything".to_owned();
        }
        let mut table = table(&["sink", "waiting", "since", "next", "taken", "last", "error"]);
        for sink in &self.sinks {
            let name = sink.name.as_deref().map(plain);
            let when = |time: &Option<String>| time.clone().unwrap_or_else(|| "–".to_owned());
            table.add_row([
                name.unwrap_or_else(|| format!("a {} that is not configured any more", sink.kind)),
                sink.waiting.to_string(),
                when(&sink.oldest),
                when(&sink.next),
                sink.delivered.to_string(),
                when(&sink.last_delivered),
                sink.last_error.as_deref().map(plain).unwrap_or_default(),
            ]);
        }
        table.trim_fmt()
    }
}

impl Outbox {
    fn new(name: Option<&str>, kind: &str, state: Option<SinkState>) -> Self {
        let time = |of: fn(&SinkState) -> Option<i64>| state.as_ref().and_then(of).map(time_text);
        Self {
            name: name.map(str::to_owned),
            kind: kind.to_owned(),
            waiting: state.as_ref().map_or(0, |state| state.waiting),
            oldest: time(|state| state.oldest),
            next: time(|state| state.next),
            delivered: state.as_ref().map_or(0, |state| state.delivered),
            last_delivered: time(|state| state.last_delivered),
            last_error: state.and_then(|state| state.last_error),
        }
    }
}
