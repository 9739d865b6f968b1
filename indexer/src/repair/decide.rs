//! What is next at a replica, by what was tried there before.

use super::Action;
use crate::health::is_believed;

/// After a pass through all actions that did not help, the next begins after this (milliseconds);
/// doubled each time.
const BACKOFF: i64 = 30_000;
/// Where nothing could be tried, it is looked again after this, for what was in the way may be gone; doubled
/// each time that it is not, up to the longest.
const LOOK_AGAIN: i64 = 60_000;
const LONGEST_LOOK: i64 = 60 * 60 * 1000;
const LONGEST_BACKOFF: i64 = 6 * 60 * 60 * 1000;
/// A replica that was brought back and lost again within this time is one that does not last: each time
/// counts as a pass that did not help.
const FLAPPING: i64 = 24 * 60 * 60 * 1000;

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was decided, and is not known to have reached the node.
    Planned,
    /// The node answered that it took it, and no probe has proved it.
    Sent,
    /// A probe proved it.
    Done,
    /// The node refused the message that went with it.
    Refused,
    /// It was not done: the node refused the bytes, or could not be asked, or something else was in the way.
    Failed,
    /// The node took it, and probes saw nothing right.
    Disproved,
}

/// Something that was tried at a replica before.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Its row.
    pub row: i64,
    /// What; `None`: all was tried, or nothing could be, and a person was told.
    pub action: Option<Action>,
    /// What became of it.
    pub outcome: Outcome,
    /// When it was decided, in milliseconds since 1970.
    pub started_at: i64,
    /// When it was settled.
    pub finished_at: Option<i64>,
    /// What the node said, or why it failed.
    pub detail: Option<String>,
    /// The message that went with it.
    pub message: Option<String>,
    /// How often in a row the same was found, where nothing could be tried.
    pub times: u32,
}

/// What is next at a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// This is done now. `again`: it was decided before, by a process that ended, and its row stands.
    Act {
        /// What.
        action: Action,
        /// The row of the attempt that is taken up again.
        again: Option<i64>,
    },
    /// What was sent last is still to be proved.
    AwaitProof,
    /// Nothing before this time.
    Later(i64),
    /// All was tried.
    Exhausted,
}

/// How patient one is.
#[derive(Clone, Copy, Debug)]
pub enum Patience {
    /// As one who goes on for ever: after what did not help comes a pause.
    Patient,
    /// As one who has this round: what was tried before it began is of no account.
    Since(i64),
}

/// What is next, with these actions to be had (cheapest first), after all that was tried at the
/// replica (oldest first), at the time `now`. `other`: a STORE lives that the node has not refused in this
/// pass.
pub fn decide(
    options: &[Action],
    other: bool,
    before: &[Attempt],
    patience: Patience,
    now: i64,
) -> Decision {
    if let Some(last) = before.last() {
        match last.outcome {
            Outcome::Sent => return Decision::AwaitProof,
            Outcome::Planned => {
                if let Some(action) = last.action.filter(|action| options.contains(action)) {
                    return Decision::Act { action, again: Some(last.row) };
                }
            }
            Outcome::Done | Outcome::Refused | Outcome::Failed | Outcome::Disproved => {}
        }
    }
    let pass = this_pass(before, patience);
    let pause = match patience {
        Patience::Patient => pause_ends(before, now).filter(|_| pass.is_empty()),
        // This round has done what it could.
        Patience::Since(begun) => {
            let mut ends = before.iter().filter(|one| one.is_end() && one.started_at >= begun);
            ends.next().map(|_| i64::MAX)
        }
    };
    if let Some(until) = pause.filter(|until| now < *until) {
        return Decision::Later(until);
    }
    // What one STORE was refused for, another may not be.
    let can_be_tried_again = |attempt: &Attempt| {
        other
            && attempt.action == Some(Action::UploadWithStore)
            && attempt.outcome == Outcome::Refused
    };
    let was_tried = |action: &Action| {
        let tried = pass.iter().filter(|attempt| attempt.action == Some(*action));
        tried.clone().count() > 0 && !tried.clone().all(can_be_tried_again)
    };
    match options.iter().find(|action| !was_tried(action)) {
        Some(action) => Decision::Act { action: *action, again: None },
        None => Decision::Exhausted,
    }
}

/// What was tried since a replica was last brought back, or a person told.
fn this_pass(before: &[Attempt], patience: Patience) -> &[Attempt] {
    let is_end = |attempt: &Attempt| match patience {
        Patience::Since(begun) if attempt.started_at < begun => true,
        _ => attempt.is_end(),
    };
    let begin = before.iter().rposition(is_end).map_or(0, |end| end + 1);
    &before[begin..]
}

impl Attempt {
    /// Whether what was tried until then is at its end: in vain, or not.
    fn is_end(&self) -> bool {
        self.action.is_none() || self.outcome == Outcome::Done
    }

    /// What was tried last in the pass that these attempts end with.
    pub fn last_of_pass(before: &[Self], patience: Patience) -> Option<&Self> {
        this_pass(before, patience).last()
    }

    /// The STOREs that live and that the node refused, in the pass that these attempts end with: it may, for
    /// reasons of whoever signed them.
    pub fn refused_stores(before: &[Self], patience: Patience) -> impl Iterator<Item = &Self> {
        this_pass(before, patience).iter().filter(|one| {
            one.action == Some(Action::UploadWithStore) && one.outcome == Outcome::Refused
        })
    }

    /// Whether nothing could be tried, which nothing came before that could.
    pub fn is_idle(before: &[Self]) -> bool {
        let after_attempts = before.windows(2).next_back().is_some_and(is_told_of_attempts);
        before.last().is_some_and(|last| last.action.is_none()) && !after_attempts
    }
}

/// Whether the second of two says that all was in vain of which the first is a part.
fn is_told_of_attempts(pair: &[Attempt]) -> bool {
    !pair[0].is_end() && pair[1].action.is_none()
}

/// When the pause ends that follows passes that did not help; `None` where there were none.
fn pause_ends(before: &[Attempt], now: i64) -> Option<i64> {
    let times = before.iter().filter(|one| is_believed(one.started_at, now));
    let last = times.clone().next_back()?;
    let of_last = last.finished_at.filter(|at| is_believed(*at, now)).unwrap_or(last.started_at);
    // Those that were told to a person since it was last brought back, and each time it was, of late.
    let done = before.iter().rposition(|one| one.outcome == Outcome::Done).map_or(0, |at| at + 1);
    let since = &before[done..];
    let in_vain = since.windows(2).filter(|pair| is_told_of_attempts(pair)).count();
    let recent = |one: &&Attempt| now.saturating_sub(one.finished_at.unwrap_or(0)) < FLAPPING;
    let fleeting = times.filter(|one| one.outcome == Outcome::Done).filter(recent).count();
    let passes = u32::try_from(in_vain + fleeting).unwrap_or(u32::MAX);
    let doubled = |pause: i64, doublings: u32| pause.saturating_mul(1 << doublings.min(20));
    let look = doubled(LOOK_AGAIN, last.times.saturating_sub(1)).min(LONGEST_LOOK);
    let pause = match passes.checked_sub(1) {
        _ if Attempt::is_idle(since) => look,
        None => return None,
        Some(doublings) => doubled(BACKOFF, doublings).min(LONGEST_BACKOFF),
    };
    Some(of_last.saturating_add(pause))
}
