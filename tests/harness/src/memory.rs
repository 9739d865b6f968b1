//! The most memory a process ever had, as the kernel counts it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::task::AbortHandle;

/// Between looks. The kernel keeps the peak (`VmHWM`), so only what is reached after the last
/// look can be missed.
const LOOK: Duration = Duration::from_millis(10);

/// Follows the peak of one process until dropped.
#[derive(Debug)]
pub(crate) struct PeakMemory {
    process: u32,
    peak: Arc<AtomicU64>,
    task: AbortHandle,
}

impl PeakMemory {
    pub(crate) fn follow(process: u32) -> Self {
        let peak = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&peak);
        let task = tokio::spawn(async move {
            while let Some(bytes) = resident_peak(process) {
                seen.fetch_max(bytes, Ordering::Relaxed);
                tokio::time::sleep(LOOK).await;
            }
        });
        Self { process, peak, task: task.abort_handle() }
    }

    /// Bytes.
    pub(crate) fn bytes(&self) -> u64 {
        if !self.task.is_finished()
            && let Some(bytes) = resident_peak(self.process)
        {
            self.peak.fetch_max(bytes, Ordering::Relaxed);
        }
        self.peak.load(Ordering::Relaxed)
    }

    /// The process has ended, and its number may be another's soon.
    pub(crate) fn end(&self) {
        self.task.abort();
    }
}

impl Drop for PeakMemory {
    fn drop(&mut self) {
        self.end();
    }
}

/// `VmHWM`; `None` once the process has ended.
fn resident_peak(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}
