//! What a command left.

use std::{os::unix::process::ExitStatusExt, process::ExitStatus, time::Duration};

use serde_json::Value;

use crate::{Context, Error, Result};

/// A command that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Exit status: 0 fine, 1 failed, 2 wrong usage or configuration, 3 an integrity check fell
    /// short; 128 and the signal's number where a signal ended it.
    pub status: i32,
    /// What it printed, if that is one JSON document.
    pub json: Option<Value>,
    /// What it printed.
    pub stdout: String,
    /// What it said beside.
    pub stderr: String,
    /// The most memory it had (resident, whole process), in bytes; 0 where it was too quick.
    pub peak_memory: u64,
    /// How long it took.
    pub took: Duration,
}

impl Finished {
    pub(super) fn new(
        status: ExitStatus,
        stdout: Vec<u8>,
        stderr: Vec<u8>,
        peak_memory: u64,
        took: Duration,
    ) -> Self {
        let signal = || 128 + status.signal().unwrap_or_default();
        Self {
            status: status.code().unwrap_or_else(signal),
            json: serde_json::from_slice(&stdout).ok(),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
            peak_memory,
            took,
        }
    }

    /// Its JSON, if it exited with 0.
    pub fn success(self) -> Result<Value> {
        if self.status != 0 {
            let (status, said) = (self.status, self.last_line());
            return Err(Error::new(format!("everhold exited with {status}: {said}")));
        }
        let printed = format!("everhold printed no JSON: {}", self.stdout.trim());
        self.json.context(printed)
    }

    /// The last line of stderr: where a command failed, the reason.
    pub fn last_line(&self) -> &str {
        self.stderr.trim().lines().next_back().unwrap_or_default()
    }
}
