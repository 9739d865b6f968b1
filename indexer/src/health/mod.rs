//! Verdicts and health: pure functions of what probes saw, the policy and the time.
//!
//! Nothing here reads a clock, a network or a database, so a changed policy changes health
//! without a new probe, and every law can be tested as a property.

mod independence;
mod matching;
mod schedule;
mod verdict;
mod words;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::words::words;

pub use independence::{Address, Holder, Independent, SEVERAL, independent, independent_and_held};
pub use schedule::{Priority, Schedule};
pub use verdict::{FAILURES_THAT_COUNT, Holding, Verdict};
pub use words::explain;

/// What a probe or a record says about one content at one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplicaState {
    /// Full bytes came and hash to the name.
    Verified,
    /// The node says that it has it; the bytes were not seen.
    Claimed,
    /// Bytes came and do not hash to the name.
    Corrupt,
    /// The node says that it has it not.
    Missing,
    /// No answer that says anything, three times in a row.
    Unreachable,
}

/// The health of a content or, as the worst of its contents, of a token. The order is from best
/// to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Enough independent verified replicas.
    Healthy,
    /// On the deny list: nobody looks after it.
    Denied,
    /// Too few yet, but the grace after the mint is not over, or not every node has been asked.
    Pending,
    /// A reference of the token has no hash: nobody can tell whether it is intact.
    Unverifiable,
    /// Fewer independent verified replicas than the policy asks for, but at least one.
    Degraded,
    /// No verified replica.
    Lost,
}

words!(ReplicaState {
    Verified = "verified",
    Claimed = "claimed",
    Corrupt = "corrupt",
    Missing = "missing",
    Unreachable = "unreachable",
});
words!(Health {
    Healthy = "healthy",
    Denied = "denied",
    Pending = "pending",
    Unverifiable = "unverifiable",
    Degraded = "degraded",
    Lost = "lost",
});

impl Health {
    /// Whether someone or something must act.
    pub fn is_problem(self) -> bool {
        matches!(self, Self::Degraded | Self::Lost)
    }
}

/// What a content needs. Times are milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Independent verified replicas.
    pub min: u32,
    /// How many of them must be held by the node itself.
    pub min_held: u32,
    /// How long after a mint content may still be on its way.
    pub grace: i64,
    /// How often replicas are probed; 0 means every round.
    pub recheck: i64,
}

/// The age at which a `verified` stops counting where `recheck` is "every round".
const MAX_AGE_OF_EVERY_ROUND: i64 = 2 * 24 * 60 * 60 * 1000;

/// For how long what a probe saw counts, where replicas are probed every `recheck`: twice that; two
/// days where every round rechecks, since rounds may be far apart.
fn max_age(recheck: i64) -> i64 {
    if recheck == 0 { MAX_AGE_OF_EVERY_ROUND } else { recheck.saturating_mul(2) }
}

impl Policy {
    /// A `verified` older than this no longer counts, and neither does an address.
    pub fn max_age(&self) -> i64 {
        max_age(self.recheck)
    }
}

/// One replica as far as health goes.
#[derive(Clone, Debug)]
pub struct ReplicaView {
    /// The last verdict; `None` before the first.
    pub state: Option<ReplicaState>,
    /// When the bytes were last seen right.
    pub verified_at: Option<i64>,
    /// Whether the node is proved to hold its own copy.
    pub held: bool,
    /// Whether the node gives content at all, and does not only say who has it.
    pub gives_bytes: bool,
    /// Since when its node is one of those that are asked, where that is known.
    pub in_use_since: Option<i64>,
    /// Whose node it is and where.
    pub holder: Holder,
}

/// What is known of a content besides its replicas.
#[derive(Clone, Copy, Debug, Default)]
pub struct Past {
    /// When a token first named it.
    pub wanted_since: Option<i64>,
    /// Whether it was healthy before: grace is for content on its way, not for content lost.
    pub was_healthy: bool,
    /// When the first node that gives bytes was asked for it, after it was named; `None` while it waits
    /// in our own queue.
    pub asked_since: Option<i64>,
}

/// A content's health and what it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// The verdict.
    pub health: Health,
    /// Verified replicas that are fresh enough.
    pub verified: u32,
    /// How many of them are independent of each other: what `min` counts.
    pub independent: u32,
    /// How many of at least `min` independent ones may be held by their nodes, or of as many as there
    /// are: what `min_held` counts.
    pub held: u32,
}

impl Assessment {
    /// Of a content on the deny list.
    pub const DENIED: Self = Self { health: Health::Denied, verified: 0, independent: 0, held: 0 };
}

/// The health of what a path leads to, while it is not known what that is: nobody gave the folder's
/// blocks, or nothing lies there. `since` is when a token first named it, where that is known.
pub fn unresolved(failures: u32, since: Option<i64>, policy: &Policy, now: i64) -> Health {
    let young = since.is_some_and(|since| is_young(since, policy, now));
    if young || failures < FAILURES_THAT_COUNT { Health::Pending } else { Health::Lost }
}

/// A content's health at the time `now`.
pub fn assess(replicas: &[ReplicaView], policy: &Policy, past: Past, now: i64) -> Assessment {
    let counts = |replica: &&ReplicaView| {
        replica.state == Some(ReplicaState::Verified)
            && replica.verified_at.is_some_and(|at| is_fresh(at, now, policy.max_age()))
    };
    let verified: Vec<_> = replicas.iter().filter(counts).collect();
    let holders = verified.iter().map(|replica| (&replica.holder, replica.held));
    let since = now.saturating_sub(policy.max_age());
    let Independent { all, held } = independent_and_held(holders, since, policy.min.max(1));
    let young =
        !past.was_healthy && past.wanted_since.is_none_or(|since| is_young(since, policy, now));
    // While nodes that were not asked yet, or did not fail often enough, may have it, nobody
    // knows: no alarm is raised for what was not looked at.
    let awaited = |replica: &ReplicaView| is_awaited(replica, policy, past, now);
    let hopeful = |replica: &&ReplicaView| awaited(replica) || counts(replica);
    let hoped = replicas.iter().filter(hopeful).map(|replica| &replica.holder);
    let open = replicas.iter().any(awaited) && independent(hoped, since) >= policy.min.max(1);
    let health = if all >= policy.min.max(1) && held >= policy.min_held {
        Health::Healthy
    } else if young || open {
        Health::Pending
    } else if all > 0 {
        Health::Degraded
    } else {
        Health::Lost
    };
    Assessment {
        health,
        verified: u32::try_from(verified.len()).unwrap_or(u32::MAX),
        independent: all,
        held,
    }
}

/// Whether a node that has said nothing yet may still make up for what others lack. While nobody was
/// asked, it is our own queue that takes so long, and there is no end to that. Once somebody was, the
/// others have the time for which a proof counts: whoever can't be asked in it could not be kept fresh
/// either, and would hide a loss for as long as it likes.
fn is_awaited(replica: &ReplicaView, policy: &Policy, past: Past, now: i64) -> bool {
    if !is_unasked(replica) {
        return false;
    }
    let Some(asked) = past.asked_since else { return true };
    let is_recent =
        |since: i64| is_believed(since, now) && now.saturating_sub(since) < policy.max_age();
    is_recent(asked) || replica.in_use_since.is_some_and(is_recent)
}

/// Until when those are waited for that were not asked yet; `None` where there is no end, or nobody is.
fn end_of_patience(replicas: &[ReplicaView], policy: &Policy, past: Past, now: i64) -> Option<i64> {
    let ends = ends_of_patience(replicas, policy, past);
    let believed = ends.filter(|[from, end]| *from <= now && now < *end);
    believed.map(|[_, end]| end).max()
}

fn is_unasked(replica: &ReplicaView) -> bool {
    replica.gives_bytes && replica.state.is_none()
}

/// How far ahead of our clock a time may be that is believed: clocks differ a little, and so do those of
/// chains. One further ahead was written when our clock was wrong, and would count for ever.
pub const AHEAD: i64 = 5 * 60 * 1000;

/// Whether a proof of that time counts now.
fn is_fresh(at: i64, now: i64, max_age: i64) -> bool {
    is_believed(at, now) && now.saturating_sub(at) <= max_age
}

/// Whether it is not much later than now.
pub fn is_believed(at: i64, now: i64) -> bool {
    at.saturating_sub(now) <= AHEAD
}

/// Whether content may still be on its way that was named first at `since`. So no grace ends later than
/// [`AHEAD`] and the grace from now.
fn is_young(since: i64, policy: &Policy, now: i64) -> bool {
    is_believed(since, now) && now.saturating_sub(since) < policy.grace
}

/// When time alone may next make another assessment of the same replicas: the grace ends, or the patience
/// with those that were not asked yet, what was verified, or an address that nodes shared, is too old to
/// count, or a time comes to be believed. `None`: never.
pub fn next_assessment(
    replicas: &[ReplicaView],
    policy: &Policy,
    past: Past,
    now: i64,
) -> Option<i64> {
    let grace = past.wanted_since.filter(|_| !past.was_healthy);
    let believed = |at: i64| at.saturating_sub(AHEAD);
    let grace = grace.map(|since| [believed(since), since.saturating_add(policy.grace)]);
    let ages = replicas.iter().filter(|one| one.state == Some(ReplicaState::Verified));
    let ages = ages.filter_map(|one| one.verified_at);
    let ages = ages.map(|at| [believed(at), at.saturating_add(policy.max_age()).saturating_add(1)]);
    let moves = shared(replicas).filter_map(|address| address.seen_at);
    let moves = moves.map(|at| at.saturating_add(policy.max_age()).saturating_add(1));
    let times = grace.into_iter().chain(ages).chain(ends_of_patience(replicas, policy, past));
    times.flatten().chain(moves).filter(|at| *at > now).min()
}

/// When those that were not asked yet begin to be waited for, and when no more.
fn ends_of_patience(
    replicas: &[ReplicaView],
    policy: &Policy,
    past: Past,
) -> impl Iterator<Item = [i64; 2]> {
    let asked = past.asked_since.filter(|_| replicas.iter().any(is_unasked));
    let unasked = replicas.iter().filter(move |one| asked.is_some() && is_unasked(one));
    let since = asked.into_iter().chain(unasked.filter_map(|one| one.in_use_since));
    let (ahead, patience) = (AHEAD, policy.max_age());
    since.map(move |at| [at.saturating_sub(ahead), at.saturating_add(patience)])
}

/// Addresses of nodes with several that others have, too, or may have: in time, they may tell them apart.
fn shared(replicas: &[ReplicaView]) -> impl Iterator<Item = &Address> {
    let several = replicas.iter().enumerate().filter(|(_, one)| one.holder.addresses.len() > 1);
    several.flat_map(move |(index, one)| {
        let of_others = move |address: &&Address| {
            let others = replicas.iter().enumerate().filter(move |(other, _)| *other != index);
            others
                .flat_map(|(_, other)| other.holder.addresses.iter())
                .any(|a| a.name == address.name)
        };
        let is_unknown = |address: &&Address| one.holder.is_stranger && address.name == SEVERAL;
        one.holder.addresses.iter().filter(move |at| is_unknown(at) || of_others(at))
    })
}
