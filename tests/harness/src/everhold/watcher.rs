//! `everhold watch` in the background.

use std::{path::PathBuf, process::ExitStatus, time::Duration};

use crate::{Result, process::Process};

/// How long it may take to end when it is asked to.
const END: Duration = Duration::from_secs(10);

/// A running `everhold watch`; it is killed on drop.
#[derive(Debug)]
pub struct Watcher {
    process: Process,
    log: PathBuf,
}

impl Watcher {
    pub(super) fn new(process: Process, log: PathBuf) -> Self {
        Self { process, log }
    }

    /// The running program.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Ends it by SIGTERM, as a service manager does.
    pub async fn terminate(&mut self) -> Result<ExitStatus> {
        self.process.terminate(END).await
    }

    /// Ends it by SIGKILL, as a power cut does.
    pub async fn kill(&mut self) -> Result<ExitStatus> {
        self.process.kill().await
    }

    /// Where its log is.
    pub fn log(&self) -> PathBuf {
        self.log.clone()
    }

    /// The last lines of its log.
    pub fn log_tail(&self, lines: usize) -> Vec<String> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let all: Vec<_> = text.lines().map(str::to_owned).collect();
        all[all.len().saturating_sub(lines)..].to_vec()
    }
}
