//! What commands print, and how they end.

use std::{
    fmt,
    io::{ErrorKind, IsTerminal, Write},
    process::ExitCode,
};

use comfy_table::{LineStyle, Table, TableStyle};
use serde::Serialize;

use crate::{
    archive::{ExportError, RestoreError},
    chain::{CollectionError, DeployError, KeyError, RpcError},
    config::ConfigError,
    content::is_visible,
    deny::DenyError,
    hash::HashError,
    ledger::LedgerError,
    nodes::FetchError,
    publish::{DelegateError, FolderError, StoreError, UpdateError},
    vault::KeepError,
    watch::{CareError, DenyingError, ReindexError, WatchError},
};

/// An integrity check fell short.
pub(super) const SHORT: u8 = 3;

/// How a command fails: with a line for people and an exit status.
#[derive(Debug)]
pub(super) struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    /// Something did not work.
    pub(super) fn failed(text: impl Into<String>) -> Self {
        Self { code: 1, text: text.into() }
    }

    /// Wrong usage or configuration.
    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self { code: 2, text: text.into() }
    }

    /// By Ctrl-C. Everything a command does is safe to be cut off anywhere; some `go_on` from there.
    pub(super) fn interrupted(go_on: bool) -> Self {
        let more = if go_on { "; the same command goes on from here" } else { "" };
        Self { code: 130, text: format!("interrupted{more}") }
    }

    pub(super) fn report(self) -> ExitCode {
        let mut stderr = std::io::stderr();
        // There may be half a line that shows how far something has come.
        let clear = if stderr.is_terminal() { "\r\x1b[K" } else { "" };
        let _ = writeln!(stderr, "{clear}everhold: {}", one_line(&self.text));
        ExitCode::from(self.code)
    }
}

/// Errors are one line, and fit for a terminal, whatever a node or a library put into them.
fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    plain(&lines.collect::<Vec<_>>().join(" "))
}

macro_rules! fails_with {
    ($($error:ty => $code:expr),+ $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                let code: fn(&$error) -> u8 = $code;
                Self { code: code(&error), text: error.to_string() }
            }
        })+
    };
}

fails_with! {
    ConfigError => |_| 2,
    KeyError => |_| 2,
    RpcError => rpc_code,
    LedgerError => ledger_code,
    CollectionError => collection_code,
    DeployError => deploy_code,
    FolderError => |_| 1,
    HashError => |_| 1,
    StoreError => store_code,
    UpdateError => |error| match error {
        UpdateError::Collection(inner) => collection_code(inner),
        UpdateError::Store(inner) => store_code(inner),
        _ => 1,
    },
    WatchError => |error| match error {
        WatchError::Config(_) | WatchError::Key(_) => 2,
        WatchError::Deny(inner) => deny_code(inner),
        WatchError::Rpc(inner) => rpc_code(inner),
        WatchError::Ledger(inner) => ledger_code(inner),
        WatchError::Collection(inner) => collection_code(inner),
        WatchError::Factory(inner) => deploy_code(inner),
        _ => 1,
    },
    ReindexError => |error| match error {
        ReindexError::Unknown(_) => 1,
        ReindexError::Several(_) | ReindexError::Config(_) => 2,
        ReindexError::Ledger(inner) => ledger_code(inner),
    },
    DelegateError => |error| match error {
        DelegateError::NoNodes | DelegateError::Itself(_) => 2,
        _ => 1,
    },
    ExportError => |error| match error {
        ExportError::Ledger(inner) => ledger_code(inner),
        ExportError::Exists(_) => 2,
        _ => 1,
    },
    RestoreError => |error| match error {
        RestoreError::Ledger(inner) | RestoreError::Keep(KeepError::Ledger(inner)) => ledger_code(inner),
        _ => 1,
    },
    CareError => |error| match error {
        CareError::Config(_) => 2,
        CareError::Ledger(inner) => ledger_code(inner),
        _ => 1,
    },
    DenyError => deny_code,
    DenyingError => |error| match error {
        DenyingError::NoDigest(..) | DenyingError::Config(_) => 2,
        DenyingError::ByFile(..) => 1,
        DenyingError::List(inner) => deny_code(inner),
        DenyingError::Ledger(inner) => ledger_code(inner),
    },
    std::io::Error => |_| 1,
    FetchError => |_| 1,
}

fn rpc_code(error: &RpcError) -> u8 {
    if error.is_passing() { 1 } else { 2 }
}

fn deny_code(error: &DenyError) -> u8 {
    match error {
        DenyError::Ledger(inner) => ledger_code(inner),
        _ => 2,
    }
}

fn ledger_code(error: &LedgerError) -> u8 {
    use LedgerError as E;
    match error {
        E::UnknownEngine(_) | E::OtherChain { .. } | E::OtherGenesis(_) => 2,
        _ => 1,
    }
}

fn collection_code(error: &CollectionError) -> u8 {
    use CollectionError as E;
    match error {
        E::NoCode { .. } | E::NotErc721(_) | E::NotEverhold(_) => 2,
        E::Rpc(inner) => rpc_code(inner),
        _ => 1,
    }
}

fn deploy_code(error: &DeployError) -> u8 {
    match error {
        DeployError::Collection(inner) => collection_code(inner),
        DeployError::NotAFactory(..)
        | DeployError::NoDeployer(_)
        | DeployError::DeployerRefused(_) => 2,
        _ => 1,
    }
}

fn store_code(error: &StoreError) -> u8 {
    if matches!(error, StoreError::NoNodes) { 2 } else { 1 }
}

/// Prints for people or for programs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    json: bool,
    yes: bool,
}

impl Output {
    pub(super) fn new(json: bool, yes: bool) -> Self {
        Self { json, yes }
    }

    /// The result: one JSON document, or what `people` writes.
    pub(super) fn result<T: fmt::Display>(
        &self,
        value: &impl Serialize,
        people: impl FnOnce() -> T,
    ) -> Result<(), Failure> {
        let unwritten = |error| Failure::failed(format!("the result can't be printed: {error}"));
        let text = match self.json {
            true => serde_json::to_string(value).map_err(|error| unwritten(error.into()))?,
            false => people().to_string(),
        };
        let mut stdout = std::io::stdout();
        let printed = writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush());
        match printed {
            // A reader that went away (`| head`) is no error.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(unwritten(error)),
            _ => Ok(()),
        }
    }

    /// Asks at a terminal; elsewhere, and with `--yes`, the answer is yes.
    pub(super) fn confirm(&self, question: &str) -> Result<(), Failure> {
        if self.yes || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return Ok(());
        }
        let _ = write!(std::io::stderr(), "{question} [y/N] ");
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Failure::failed("nothing was done")),
        }
    }
}

/// One line under the header, none between rows: a row is a line to grep.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::new('─', '─', '─', '─'));

/// A table in the house's style.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(header.to_vec());
    table
}

/// Text from outside, fit for a terminal: characters that nobody sees, or that turn the order of
/// others, are shown as their numbers.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .flat_map(|c| if is_visible(c) { vec![c] } else { c.escape_unicode().collect() })
        .collect()
}

/// Bytes as people read them.
pub(super) fn bytes_text(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut size = bytes as f64;
    let mut unit = "B";
    for next in UNITS {
        if size < 1000.0 {
            break;
        }
        size /= 1000.0;
        unit = next;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{size:.1} {unit}") }
}
