//! When a replica is probed again.

use super::{FAILURES_THAT_COUNT, ReplicaState, Verdict};

/// How often replicas are probed. Times are milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Between probes of a replica that is well; 0: every round.
    pub recheck: i64,
    /// After the first failure; doubled with each further one.
    pub retry: i64,
}

/// A replica that is not well is looked at at least this often, whatever `recheck` is.
const UNWELL: i64 = 10 * 60 * 1000;

impl Schedule {
    /// When the next probe is due after one that ended at `at` and left `verdict`. Always after
    /// `at`, so that one round never probes a replica twice.
    pub fn next_probe(&self, verdict: Verdict, at: i64) -> i64 {
        let failures = verdict.failures.min(20);
        let backoff = self.retry.saturating_mul(1 << failures.saturating_sub(1));
        let wait = match verdict.state {
            _ if verdict.is_in_doubt() => backoff,
            _ if verdict.failures >= FAILURES_THAT_COUNT => backoff.min(UNWELL).min(self.recheck),
            Some(ReplicaState::Verified) => self.recheck,
            _ => self.recheck.min(UNWELL),
        };
        at.saturating_add(wait.max(1))
    }
}
