//! How often in a row nodes asked to be left alone where one content was asked for.
//!
//! Such an answer counts for nothing, since it is about us and not about the content. A node that gives
//! no other for one content, though, has not shown it for as long as one that is down: else 429 would be
//! the answer by which a lost file is never found out.

use std::collections::HashMap;

use crate::{health::FAILURES_THAT_COUNT, ledger::RowId, nodes::Seen};

/// From so many in a row on they count as failures.
const MOST_IN_A_ROW: u32 = 8;
/// With so many a replica is `unreachable`, which stays until another answer comes: nothing need be
/// remembered of it.
const SAID_ENOUGH: u32 = MOST_IN_A_ROW + FAILURES_THAT_COUNT - 1;
/// Replicas that are remembered: what nodes answer takes no more memory than that.
const MOST_REPLICAS: usize = 100_000;

type Replica = (RowId, RowId);

/// Refusals in a row, by content and node. Lost when the process ends: then they are counted anew.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    in_a_row: HashMap<Replica, u32>,
}

impl Refusals {
    /// What a probe of a replica saw, as it counts: too many refusals are a failure.
    pub(super) fn judge(&mut self, replica: Replica, seen: &mut Seen) {
        if seen.left_alone.is_none() {
            self.in_a_row.remove(&replica);
        } else if seen.http_status == Some(429) {
            // Where we ourselves had no turn for it, nobody refused anything.
            let times = self.count(replica);
            if times >= MOST_IN_A_ROW {
                fail(seen, times);
            }
        }
    }

    fn count(&mut self, replica: Replica) -> u32 {
        let known = self.in_a_row.get(&replica).copied();
        if known.is_none() && self.in_a_row.len() >= MOST_REPLICAS {
            // Any: none can be kept out by others that are never asked again.
            let any = self.in_a_row.keys().next().copied();
            any.map(|any| self.in_a_row.remove(&any));
        }
        let times = known.unwrap_or(0) + 1;
        if times >= SAID_ENOUGH {
            self.in_a_row.remove(&replica);
        } else {
            self.in_a_row.insert(replica, times);
        }
        times
    }
}

/// It is `unreachable` by its state already, and is written down as such.
fn fail(seen: &mut Seen, times: u32) {
    let said = seen.detail.take().unwrap_or_default();
    seen.detail = Some(format!("{said}; it has asked to be left alone {times} times in a row"));
    seen.left_alone = None;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn refused() -> Seen {
        let rest = Some(Duration::from_secs(1));
        Seen { left_alone: rest, http_status: Some(429), ..Seen::unasked("HTTP 429") }
    }

    /// Whether it counts, for each of so many.
    fn ask(refusals: &mut Refusals, replica: Replica, times: usize) -> Vec<bool> {
        let mut once = || {
            let mut seen = refused();
            refusals.judge(replica, &mut seen);
            seen.left_alone.is_none()
        };
        (0..times).map(|_| once()).collect()
    }

    #[test]
    fn after_eight_in_a_row_they_count() {
        let mut refusals = Refusals::default();
        let counted = ask(&mut refusals, (1, 1), 12);
        assert_eq!(counted.iter().position(|counts| *counts), Some(7));
        assert_eq!(counted.iter().filter(|counts| **counts).count(), 3, "a verdict, then anew");
        assert_eq!(refusals.in_a_row, HashMap::from([((1, 1), 2)]));
        let mut seen = refused();
        refusals.in_a_row.insert((2, 2), 8);
        refusals.judge((2, 2), &mut seen);
        let said = "HTTP 429; it has asked to be left alone 9 times in a row";
        assert_eq!(seen.detail.as_deref(), Some(said));
    }

    #[test]
    fn any_other_answer_and_any_other_replica_is_apart() {
        let mut refusals = Refusals::default();
        ask(&mut refusals, (1, 1), 7);
        assert_eq!(ask(&mut refusals, (1, 2), 1), [false]);
        assert_eq!(ask(&mut refusals, (2, 1), 1), [false]);
        refusals.judge((1, 1), &mut Seen::unasked("timed out"));
        assert_eq!(ask(&mut refusals, (1, 1), 1), [false]);
        let mut busy = Seen { http_status: None, ..refused() };
        ask(&mut refusals, (1, 1), 6);
        refusals.judge((1, 1), &mut busy);
        assert!(busy.left_alone.is_some(), "we had no turn: the node said nothing");
    }

    #[test]
    fn no_more_are_remembered_than_fit() {
        let mut refusals = Refusals::default();
        for content in 0..MOST_REPLICAS as RowId + 10 {
            ask(&mut refusals, (content, 1), 1);
        }
        assert_eq!(refusals.in_a_row.len(), MOST_REPLICAS);
    }
}
