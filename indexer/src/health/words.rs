//! Why a content has the health that it has, in words.

use std::time::Duration;

use super::{Health, Past, Policy, ReplicaState, ReplicaView, assess, end_of_patience};
use crate::config::Span;

/// The verdict on a content at the time `now` in sentences: what counts, what does not and why, and
/// what is waited for. Nodes are not named: their states stand beside it.
pub fn explain(replicas: &[ReplicaView], policy: &Policy, past: Past, now: i64) -> Vec<String> {
    let assessment = assess(replicas, policy, past, now);
    let needed = policy.min.max(1);
    let mut said = vec![format!(
        "{} of {needed} required independent replicas: {} whose full bytes came, with the right hash, \
         at most {} ago.",
        assessment.independent,
        nodes(assessment.verified),
        span(policy.max_age()),
    )];
    let twice = assessment.verified.saturating_sub(assessment.independent);
    if twice > 0 {
        said.push(format!(
            "{} not count, since another of the same operator, or at the same address, does.",
            subject(twice, "does", "do")
        ));
    }
    said.push(match policy.min_held {
        0 => format!(
            "{} of those that count {} proved to be the node's own copy; none is required.",
            assessment.held,
            if assessment.held == 1 { "is" } else { "are" }
        ),
        needed => {
            format!(
                "{} of {needed} required are proved to be the node's own copy.",
                assessment.held
            )
        }
    });
    said.extend(uncounted(replicas, policy, now));
    said.extend(patience(assessment.health, replicas, policy, past, now));
    said
}

/// What does not count, by kind.
fn uncounted(replicas: &[ReplicaView], policy: &Policy, now: i64) -> Vec<String> {
    let old = |one: &ReplicaView| {
        one.state == Some(ReplicaState::Verified)
            && one.verified_at.is_none_or(|at| now.saturating_sub(at) > policy.max_age())
    };
    let count = |is: &dyn Fn(&ReplicaView) -> bool| {
        u32::try_from(replicas.iter().filter(|one| is(one)).count()).unwrap_or(u32::MAX)
    };
    let in_state = |state| count(&|one: &ReplicaView| one.state == Some(state));
    let kinds = [
        (count(&old), "was right too long ago to count", "were right too long ago to count"),
        (
            in_state(ReplicaState::Missing),
            "says that it does not have it",
            "say that they do not have it",
        ),
        (in_state(ReplicaState::Corrupt), "serves other bytes", "serve other bytes"),
        (
            in_state(ReplicaState::Unreachable),
            "gave no answer that says anything, three times or more in a row",
            "gave no answer that says anything, three times or more in a row",
        ),
        (
            in_state(ReplicaState::Claimed),
            "says that it has it, which proves nothing",
            "say that they have it, which proves nothing",
        ),
        (
            count(&|one: &ReplicaView| one.gives_bytes && one.state.is_none()),
            "was not asked yet, or not often enough to tell",
            "were not asked yet, or not often enough to tell",
        ),
    ];
    let kinds = kinds.into_iter().filter(|(number, ..)| *number > 0);
    kinds.map(|(number, one, many)| format!("{}.", subject(number, one, many))).collect()
}

/// Why there is no alarm yet, or none any more.
fn patience(
    health: Health,
    replicas: &[ReplicaView],
    policy: &Policy,
    past: Past,
    now: i64,
) -> Option<String> {
    match health {
        Health::Pending => Some(match past.wanted_since {
            Some(since) if now.saturating_sub(since) < policy.grace && !past.was_healthy => {
                let left = since.saturating_add(policy.grace).saturating_sub(now);
                format!(
                    "It is young, and may be on its way: the grace after a mint ends in {}.",
                    span(left)
                )
            }
            _ if replicas.is_empty() => "No node was asked yet.".to_owned(),
            _ => {
                let could = "Nodes that were not asked yet could make up for what is missing";
                match end_of_patience(replicas, policy, past, now) {
                    Some(end) => format!("{could}: they have {} more.", span(end - now)),
                    None => format!("{could}."),
                }
            }
        }),
        Health::Degraded if past.was_healthy => {
            Some("It was healthy before: there is no grace for what is lost.".to_owned())
        }
        Health::Lost => Some("Nobody is known who serves the right bytes.".to_owned()),
        _ => None,
    }
}

fn nodes(number: u32) -> String {
    if number == 1 { "1 node".to_owned() } else { format!("{number} nodes") }
}

fn subject(number: u32, one: &str, many: &str) -> String {
    format!("{} {}", nodes(number), if number == 1 { one } else { many })
}

/// A duration in whole seconds, or as exactly as it is configured where it is short.
fn span(millis: i64) -> Span {
    let millis = u64::try_from(millis).unwrap_or(0);
    let rounded = if millis > 10_000 { millis / 1000 * 1000 } else { millis };
    Span(Duration::from_millis(rounded))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Holder;

    const HOUR: i64 = 3_600_000;

    fn policy() -> Policy {
        Policy { min: 3, min_held: 1, grace: 600_000, recheck: 24 * HOUR }
    }

    fn replica(state: Option<ReplicaState>, address: &str, verified_at: i64) -> ReplicaView {
        let holder = Holder::at(None, address);
        ReplicaView {
            state,
            verified_at: Some(verified_at),
            held: address == "a",
            gives_bytes: true,
            in_use_since: None,
            holder,
        }
    }

    #[test]
    fn says_what_counts_and_what_does_not() {
        let now = 100 * HOUR;
        let verified = Some(ReplicaState::Verified);
        let replicas = [
            replica(verified, "a", now),
            replica(verified, "a", now),
            replica(verified, "b", now - 49 * HOUR),
            replica(Some(ReplicaState::Missing), "c", 0),
            replica(Some(ReplicaState::Missing), "d", 0),
            replica(Some(ReplicaState::Claimed), "e", 0),
        ];
        let past = Past { wanted_since: Some(0), was_healthy: true, ..Past::default() };
        let said = explain(&replicas, &policy(), past, now);
        assert_eq!(
            said,
            [
                "1 of 3 required independent replicas: 2 nodes whose full bytes came, with the right \
                 hash, at most 2d ago.",
                "1 node does not count, since another of the same operator, or at the same address, \
                 does.",
                "1 of 1 required are proved to be the node's own copy.",
                "1 node was right too long ago to count.",
                "2 nodes say that they do not have it.",
                "1 node says that it has it, which proves nothing.",
                "It was healthy before: there is no grace for what is lost.",
            ]
        );
    }

    #[test]
    fn says_how_many_are_held_whether_or_not_any_must_be() {
        let replicas = ["a", "b"].map(|at| replica(Some(ReplicaState::Verified), at, HOUR));
        let past = Past { wanted_since: Some(0), was_healthy: true, ..Past::default() };
        let said = |min_held| {
            let policy = Policy { min: 2, min_held, ..policy() };
            explain(&replicas, &policy, past, HOUR)[1].clone()
        };
        let none = "1 of those that count is proved to be the node's own copy; none is required.";
        assert_eq!(said(0), none);
        assert_eq!(said(2), "1 of 2 required are proved to be the node's own copy.");
    }

    #[test]
    fn says_what_is_waited_for() {
        let past = Past { wanted_since: Some(0), was_healthy: false, ..Past::default() };
        let last = |replicas: &[ReplicaView], now| {
            explain(replicas, &policy(), past, now).last().unwrap().clone()
        };
        assert!(last(&[], 60_000).ends_with("the grace after a mint ends in 9m."));
        assert!(last(&[], HOUR).contains("Nobody is known"));
        let unasked = ["a", "b", "c"].map(|address| replica(None, address, 0));
        assert!(last(&unasked, HOUR).ends_with("could make up for what is missing."));
        let past = Past { asked_since: Some(HOUR), ..past };
        let said = explain(&unasked, &policy(), past, 25 * HOUR);
        assert!(
            said.last().unwrap().ends_with("could make up for what is missing: they have 1d more."),
            "{said:?}"
        );
    }
}
