//! From one probe to the next verdict on a replica.

use super::ReplicaState;

/// Probes in a row that must fail before `unreachable` replaces the last verdict.
pub const FAILURES_THAT_COUNT: u32 = 3;

/// The standing verdict on a replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The state that counts; `None` before the first probe that said anything.
    pub state: Option<ReplicaState>,
    /// Probes in a row that failed to say anything.
    pub failures: u32,
}

impl Verdict {
    /// The verdict after a probe that saw `seen`.
    ///
    /// `missing` and `corrupt` count at once; `unreachable` keeps the last verdict until
    /// [`FAILURES_THAT_COUNT`] probes in a row have failed.
    pub fn after(self, seen: ReplicaState) -> Self {
        if seen != ReplicaState::Unreachable {
            return Self { state: Some(seen), failures: 0 };
        }
        let failures = self.failures.saturating_add(1);
        let state = if failures >= FAILURES_THAT_COUNT {
            Some(ReplicaState::Unreachable)
        } else {
            self.state
        };
        Self { state, failures }
    }

    /// The verdict after a probe of somebody who only announced that content: whoever was not seen to
    /// have it goes on claiming it, whatever it answers. Nobody waits for such a claim, so that its
    /// first failure counts, and the next probes are further and further off.
    pub fn of_a_claim_after(self, seen: ReplicaState) -> Self {
        let after = self.after(seen);
        if after.state == Some(ReplicaState::Verified) {
            return after;
        }
        let failures = self.failures.saturating_add(1).max(FAILURES_THAT_COUNT);
        Self { state: Some(ReplicaState::Claimed), failures }
    }

    /// Whether the last probe failed and another should come before a verdict is made of it.
    pub fn is_in_doubt(self) -> bool {
        (1..FAILURES_THAT_COUNT).contains(&self.failures)
    }
}

/// Whether a replica is known to be the node's own copy, as it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// `Some(true)` where that was proved, and `None` where nothing is known of it.
    pub held: Option<bool>,
    /// Of a proved one: probes in a row since that did not tell.
    pub untold: u32,
}

impl Holding {
    /// After a probe that told.
    pub fn told(held: Option<bool>) -> Self {
        Self { held, untold: 0 }
    }

    /// After a probe that did not tell, for whatever reason: what was proved stands until
    /// [`FAILURES_THAT_COUNT`] in a row did not, and nothing comes to be proved by it. A proof alone begins
    /// the count anew: a node can't keep the word by silences of different kinds in turn.
    pub fn after_silence(self) -> Self {
        let untold = self.untold.saturating_add(1);
        if self.held == Some(true) && untold < FAILURES_THAT_COUNT {
            Self { untold, ..self }
        } else {
            Self::default()
        }
    }

    /// The verdict by which the next probe comes: soon where one is waited for to tell.
    pub fn pressing(self, verdict: Verdict) -> Verdict {
        Verdict { failures: verdict.failures.max(self.untold), ..verdict }
    }
}
