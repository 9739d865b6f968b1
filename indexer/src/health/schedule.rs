//! When a replica is probed again.

use super::{FAILURES_THAT_COUNT, ReplicaState, Verdict, is_fresh, max_age};

/// How often replicas are probed. Times are milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Between probes of a replica that is well; 0: every round.
    pub recheck: i64,
    /// After the first failure; doubled with each further one.
    pub retry: i64,
    /// How much sooner than after `recheck` a replica that is well may be probed, so that those that
    /// were written down together do not stay together for ever; 0: not at all.
    pub jitter: i64,
    /// Between spot checks of a replica that is well, and up to a tenth sooner; 0: never.
    pub spot: i64,
}

/// The classes in which probes that are due wait, in the order in which they are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// What is not well, or whose verdict waits for another probe.
    Urgent = 0,
    /// What was never probed.
    New = 1,
    /// The rest.
    Routine = 2,
}

impl Verdict {
    /// The class of the next probe.
    pub fn priority(self) -> Priority {
        match self.state {
            // Of a claim nothing hangs on the next probe.
            Some(ReplicaState::Claimed) => Priority::Routine,
            Some(ReplicaState::Verified) if self.failures == 0 => Priority::Routine,
            None if self.failures == 0 => Priority::New,
            _ => Priority::Urgent,
        }
    }
}

/// A replica that is not well is looked at at least this often, whatever `recheck` is.
const UNWELL: i64 = 10 * 60 * 1000;

/// A spot check may come sooner by one part in so many of the time between them.
const SPOT_JITTER: i64 = 10;

impl Schedule {
    /// Whether a proof of that time counts at `now`, as health has it.
    pub fn is_fresh(&self, proof: i64, now: i64) -> bool {
        is_fresh(proof, now, self.max_age())
    }

    /// For how long what a probe saw counts.
    pub fn max_age(&self) -> i64 {
        max_age(self.recheck)
    }

    /// When the next probe is due after one that ended at `at` and left `verdict`. Always after
    /// `at`, so that one round never probes a replica twice. Replicas of one `salt` that are probed
    /// together stay together; others do not.
    pub fn next_probe(&self, verdict: Verdict, at: i64, salt: u64) -> i64 {
        let failures = verdict.failures.min(20);
        let backoff = self.retry.saturating_mul(1 << failures.saturating_sub(1));
        let wait = match verdict.state {
            _ if verdict.is_in_doubt() => backoff,
            Some(ReplicaState::Claimed) if verdict.failures >= FAILURES_THAT_COUNT => {
                backoff.min(self.recheck)
            }
            _ if verdict.failures >= FAILURES_THAT_COUNT => backoff.min(UNWELL).min(self.recheck),
            Some(ReplicaState::Verified | ReplicaState::Claimed) => {
                self.recheck.saturating_sub(up_to(self.jitter, at, salt))
            }
            _ => self.recheck.min(UNWELL),
        };
        at.saturating_add(wait.max(1))
    }

    /// When the next spot check is due of a replica that is well, after a probe or a spot check at
    /// `at`; `None` where its next full probe comes first.
    pub fn next_spot(&self, at: i64, next_probe: i64, salt: u64) -> Option<i64> {
        if self.spot <= 0 {
            return None;
        }
        let wait = self.spot - up_to(self.spot / SPOT_JITTER, at, salt);
        Some(at.saturating_add(wait.max(1))).filter(|next| *next < next_probe)
    }
}

/// Anything from 0 to `most`, another one of another salt, and now and then another of the same: those
/// of one salt that come at about the same time keep what lies between them.
fn up_to(most: i64, at: i64, salt: u64) -> i64 {
    let about = at / most.max(1);
    let mixed = mix(salt ^ mix(about.unsigned_abs()));
    let span = u64::try_from(most).unwrap_or(0).saturating_add(1);
    i64::try_from(mixed % span).unwrap_or(0)
}

/// Spreads what differs in a few bits over all of them (the finalizer of `SplitMix64`).
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
