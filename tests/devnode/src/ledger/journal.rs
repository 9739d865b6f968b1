//! The two files that keep the ledger over a restart.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::record::{Line, Record};
use crate::log;

/// Appends what happens to `messages.jsonl` and `files.jsonl`.
#[derive(Debug)]
pub(super) struct Journal {
    messages: File,
    files: File,
}

/// A file known to the node, by its name on disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KnownFile {
    pub(super) hash: String,
    pub(super) size: u64,
    /// Pins without a message: of uploads that had none, or of what was forgotten last.
    pub(super) grace: usize,
    /// Collected as garbage: as though it had never been here.
    #[serde(default)]
    pub(super) gone: bool,
}

impl KnownFile {
    /// A file of which nothing is known yet.
    pub(super) fn new(hash: &str) -> Self {
        let hash = hash.to_owned();
        Self { hash, size: 0, grace: 0, gone: false }
    }
}

impl Journal {
    /// Opens the journal, returning what it holds.
    pub(super) fn open(folder: &Path) -> io::Result<(Self, Vec<Record>, Vec<KnownFile>)> {
        let (messages, lines) = open_lines::<Line>(&folder.join("messages.jsonl"))?;
        let (files, known) = open_lines::<KnownFile>(&folder.join("files.jsonl"))?;
        let records = lines.into_iter().filter_map(Line::into_record).collect();
        Ok((Self { messages, files }, records, known))
    }

    /// Keeps a record as it now stands.
    pub(super) fn keep(&mut self, record: &Record) {
        append(&mut self.messages, &record.to_line());
    }

    /// Keeps what is known of a file.
    pub(super) fn keep_file(&mut self, file: &KnownFile) {
        append(&mut self.files, file);
    }
}

fn append(file: &mut File, line: &impl Serialize) {
    let written = serde_json::to_string(line)
        .map_err(io::Error::from)
        .and_then(|line| writeln!(file, "{line}"));
    if let Err(error) = written {
        log::say(format_args!("the journal can't be written: {error}"));
    }
}

/// A line cut short by a kill is left out.
fn open_lines<T: for<'de> Deserialize<'de>>(path: &Path) -> io::Result<(File, Vec<T>)> {
    let file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    let mut lines = Vec::new();
    for line in BufReader::new(&file).lines() {
        if let Ok(line) = serde_json::from_str(&line?) {
            lines.push(line);
        }
    }
    Ok((file, lines))
}
