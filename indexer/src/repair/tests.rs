//! Laws of what is done about replicas: whatever is known, it is the cheapest that was not tried, budgets
//! hold, and what does not help comes to an end.

use alloy::primitives::{Address, U256};
use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_800_000_000_000;

fn any_aleph() -> impl Strategy<Value = AlephCase> {
    let sizes = (0_u64..200, 0_u64..200, 0_u64..200);
    (sizes, any::<[bool; 6]>()).prop_map(|((bytes, signed, unsigned), flags)| AlephCase {
        bytes,
        signed,
        unsigned,
        store_here: flags[0],
        store_elsewhere: flags[1],
        stores_known: flags[2],
        was_refused: flags[3],
        in_need: flags[4],
        can_sign: flags[5],
    })
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    use Outcome::*;
    prop::sample::select(vec![Planned, Sent, Done, Refused, Disproved])
}

fn attempt(action: Option<Action>, outcome: Outcome, at: i64) -> Attempt {
    let detail = Some(format!("at {at}"));
    let finished_at = Some(at);
    Attempt {
        row: at,
        action,
        outcome,
        started_at: at,
        finished_at,
        detail,
        message: None,
        times: 1,
    }
}

fn any_before() -> impl Strategy<Value = Vec<Attempt>> {
    let action = prop::option::weighted(0.8, prop::sample::select(Action::ALL.to_vec()));
    let one = (action, any_outcome(), 0_i64..100_000_000);
    prop::collection::vec(one, 0..12).prop_map(|mut all| {
        all.sort_by_key(|(.., ago)| std::cmp::Reverse(*ago));
        all.into_iter().map(|(action, outcome, ago)| attempt(action, outcome, NOW - ago)).collect()
    })
}

proptest! {
    #[test]
    fn a_new_bill_is_run_up_only_in_need_and_where_nothing_else_helps(case in any_aleph()) {
        let found = options(&Case::Aleph(case));
        if let Ok(found) = &found {
            prop_assert!(!found.is_empty() && found.is_sorted(), "cheapest first: {found:?}");
            prop_assert!(!found.contains(&Action::Upload) || case.store_here);
            let lives = case.store_here || case.store_elsewhere;
            prop_assert_eq!(
                found.contains(&Action::UploadWithStore), lives && case.bytes <= case.signed
            );
        }
        let billed = found.is_ok_and(|found| found.contains(&Action::NewStore));
        let lives = case.store_here || case.store_elsewhere;
        let may_be = case.in_need && case.can_sign && case.stores_known
            && (!lives || case.was_refused) && case.bytes <= case.signed;
        prop_assert_eq!(billed, may_be);
    }

    /// However a replica resists, each way is tried once, then a person is told.
    #[test]
    fn what_never_helps_is_tried_once_each_and_then_told(
        found in prop::sample::subsequence(Action::ALL.to_vec(), 0..=7),
        before in any_before(),
        refused in any::<bool>(),
        once in any::<bool>(),
    ) {
        let outcome = if refused { Outcome::Refused } else { Outcome::Disproved };
        let patience = if once { Patience::Since(NOW) } else { Patience::Patient };
        // What was still open is settled.
        let settled = |one: Attempt| match one.outcome {
            Outcome::Planned | Outcome::Sent => Attempt { outcome, ..one },
            _ => one,
        };
        let mut before: Vec<_> = before.into_iter().map(settled).collect();
        let known = before.len();
        let now = NOW + 30 * 24 * 60 * 60 * 1000;
        for round in 0..=found.len() {
            match decide(&found, false, &before, patience, now) {
                Decision::Act { action, again: None } => {
                    prop_assert!(found.contains(&action));
                    prop_assert!(before[known..].iter().all(|one| one.action != Some(action)));
                    before.push(attempt(Some(action), outcome, NOW + round as i64));
                }
                Decision::Exhausted => {
                    before.push(attempt(None, Outcome::Refused, NOW + round as i64));
                    break;
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
        prop_assert_eq!(before.last().map(|one| one.action), Some(None));
        // And then there is a pause: for this round for good, else for a while.
        let at = before.last().map_or(0, |one| one.started_at);
        match decide(&found, false, &before, patience, at) {
            Decision::Later(until) => prop_assert!(until >= at + 30_000),
            other => prop_assert!(false, "{other:?}"),
        }
    }

    /// Whatever was tried, the next is the cheapest that was not tried in this pass.
    #[test]
    fn nothing_dearer_comes_before_what_is_cheaper(
        found in prop::sample::subsequence(Action::ALL.to_vec(), 1..=7), before in any_before()
    ) {
        if let Decision::Act { action, again: None } =
            decide(&found, false, &before, Patience::Patient, NOW)
        {
            let cheaper = found.iter().take_while(|one| **one != action);
            for one in cheaper {
                prop_assert!(before.iter().any(|attempt| attempt.action == Some(*one)));
            }
        }
    }

    /// No two things at once: what was sent is waited for, what was planned is taken up again.
    #[test]
    fn one_thing_at_a_time(before in any_before()) {
        let decision = decide(&Action::ALL, false, &before, Patience::Patient, NOW);
        match before.last() {
            Some(Attempt { outcome: Outcome::Sent, .. }) => {
                prop_assert_eq!(decision, Decision::AwaitProof);
            }
            Some(Attempt { outcome: Outcome::Planned, action: Some(action), row, .. }) => {
                prop_assert_eq!(decision, Decision::Act { action: *action, again: Some(*row) });
            }
            _ => {
                let is_again = matches!(decision, Decision::Act { again: Some(_), .. });
                prop_assert!(!is_again);
            }
        }
    }

    /// Pauses grow and have an end, and a clock that was ahead stops nothing for ever.
    #[test]
    fn no_pause_is_longer_than_six_hours(before in any_before()) {
        if let Decision::Later(until) = decide(&[Action::Upload], false, &before, Patience::Patient, NOW) {
            prop_assert!(until > NOW && until <= NOW + 6 * 60 * 60 * 1000 + crate::health::AHEAD);
        }
    }

    /// Whatever is asked for, no cap is exceeded: of everything, of a collection, a token or an owner.
    #[test]
    fn no_budget_is_exceeded(
        caps in prop::array::uniform4(any_caps()),
        asked in prop::collection::vec((0_u64..50, 0_u64..3, prop::collection::vec(any_payer(), 0..3)), 0..60),
    ) {
        let [all, collection, token, owner] = caps;
        let mut budget = Budget::new(all, collection, token, owner);
        let mut taken: Vec<(Cost, Option<Payer>)> = Vec::new();
        for (bytes, credits, payers) in asked {
            let cost = Cost { bytes, credits: Credits(credits) };
            if let Ok(payer) = budget.take(cost, &payers) {
                prop_assert_eq!(payer.is_some(), !payers.is_empty());
                taken.push((cost, payer));
            }
        }
        within(&taken, &all, |_| Some(()));
        within(&taken, &collection, |payer| Some(payer?.collection));
        within(&taken, &token, |payer| payer.map(|one| (one.collection, one.token)));
        within(&taken, &owner, |payer| payer?.owner);
        prop_assert_eq!(budget.spent().actions, taken.len() as u64);
    }

    #[test]
    fn a_store_costs_at_least_that_of_25_mib(bytes in 0_u64..(1 << 40), price in 1_u64..100_000) {
        let credits = Credits::of_store(bytes, Credits(price)).0;
        prop_assert!(credits >= 25 * price);
        prop_assert!(u128::from(credits) << 20 >= u128::from(bytes) * u128::from(price));
        prop_assert!(Credits::of_store(bytes + 1, Credits(price)).0 >= credits);
    }

    #[test]
    fn amounts_are_read_as_they_are_written(parts in 0_u64..1_000_000_000_000) {
        let credits = Credits(parts);
        prop_assert_eq!(credits.to_string().parse(), Ok(credits));
        prop_assert_eq!(Credits::from_number(credits.as_number()), Some(credits));
    }
}

/// Sums what was taken by some account, and sees that none is above its cap.
fn within<K: std::hash::Hash + Eq>(
    taken: &[(Cost, Option<Payer>)],
    caps: &Caps,
    key: impl Fn(Option<Payer>) -> Option<K>,
) {
    let mut sums: std::collections::HashMap<K, Spent> = std::collections::HashMap::new();
    for (cost, payer) in taken {
        if let Some(key) = key(*payer) {
            sums.entry(key).or_default().add(*cost);
        }
    }
    for spent in sums.values() {
        assert!(caps.actions.is_none_or(|cap| spent.actions <= cap), "{spent:?} {caps:?}");
        assert!(caps.bytes.is_none_or(|cap| spent.bytes <= cap), "{spent:?} {caps:?}");
        assert!(caps.credits.is_none_or(|cap| spent.credits <= cap), "{spent:?} {caps:?}");
        assert!(caps.recurring.is_none_or(|cap| spent.recurring <= cap), "{spent:?} {caps:?}");
    }
}

fn any_caps() -> impl Strategy<Value = Caps> {
    let cap = |most: u64| prop::option::of(0..most);
    (cap(20), cap(300), cap(20), cap(20)).prop_map(|(actions, bytes, credits, recurring)| Caps {
        actions,
        bytes,
        credits: credits.map(Credits),
        recurring: recurring.map(Credits),
    })
}

fn any_payer() -> impl Strategy<Value = Payer> {
    let token = prop::option::of((0_u64..4).prop_map(U256::from));
    let owner = prop::option::of((0_u8..3).prop_map(Address::repeat_byte));
    (0_i64..3, token, owner).prop_map(|(collection, token, owner)| Payer {
        collection,
        token,
        owner,
    })
}

#[test]
fn a_budget_of_zero_allows_nothing_and_says_which_it_is() {
    let zero = Caps { actions: Some(0), ..Caps::default() };
    let mut budget = Budget::new(zero, Caps::default(), Caps::default(), Caps::default());
    let refusal = budget.take(Cost::default(), &[]).unwrap_err();
    let said = "[repair.budget] actions = 0 is used up (in any hour)";
    assert_eq!(refusal.to_string(), said);
    // Without credits, what costs none is still done.
    let none = Caps { credits: Some(Credits(0)), recurring: Some(Credits(0)), ..Caps::default() };
    let mut budget = Budget::new(none, Caps::default(), none, Caps::default());
    assert_eq!(budget.take(Cost { bytes: 9, credits: Credits(0) }, &[]), Ok(None));
    let refusal = budget.take(Cost { bytes: 0, credits: Credits(44_925) }, &[]).unwrap_err();
    assert_eq!(refusal.what, "credits");
}

/// No hour will come that has room for it: somebody must be told.
#[test]
fn what_is_above_a_share_by_itself_will_never_fit() {
    let cap = Caps { bytes: Some(100), ..Caps::default() };
    let mut budget = Budget::new(cap, Caps::default(), cap, Caps::default());
    let payer = Payer { collection: 1, token: None, owner: None };
    let mut of_all = |bytes, payers: &[Payer]| {
        budget.take(Cost { bytes, credits: Credits(0) }, payers).unwrap_err()
    };
    assert!(!of_all(101, &[]).is_for_good, "the budget of all can be raised for it");
    let mut budget = Budget::new(Caps::default(), Caps::default(), cap, Caps::default());
    let mut taken = |bytes| budget.take(Cost { bytes, credits: Credits(0) }, &[payer]);
    let refusal = taken(101).unwrap_err();
    assert!(refusal.is_for_good && refusal.to_string().contains("less than this takes"));
    assert!(taken(100).is_ok());
    assert!(!taken(1).unwrap_err().is_for_good, "in an hour there is room again");
}

/// One owner points a token at gigabytes; others are repaired all the same.
#[test]
fn one_who_has_used_up_theirs_holds_nobody_back() {
    let cap = Caps { bytes: Some(100), ..Caps::default() };
    let mut budget = Budget::new(Caps::default(), Caps::default(), Caps::default(), cap);
    let of = |token: u64, owner| Payer {
        collection: 1,
        token: Some(U256::from(token)),
        owner: Some(Address::repeat_byte(owner)),
    };
    let cost = |bytes| Cost { bytes, credits: Credits(0) };
    assert!(budget.take(cost(90), &[of(1, 7)]).is_ok());
    let refusal = budget.take(cost(20), &[of(2, 7)]).unwrap_err();
    assert_eq!((refusal.whose, refusal.what, refusal.cap.as_str()), ("owner", "bytes", "100"));
    // It is somebody else's, too.
    assert_eq!(budget.take(cost(20), &[of(2, 7), of(3, 8)]), Ok(Some(of(3, 8))));
    assert!(budget.take(cost(80), &[of(3, 8)]).is_ok());
}

#[test]
fn an_own_kubo_node_that_lost_something_gets_it_back_and_others_only_in_need() {
    let case = |had_it, in_need, has_blocks| {
        options(&Case::Kubo(IpfsCase { has_blocks, had_it, in_need }))
    };
    assert_eq!(case(true, false, true), Ok(vec![Action::KuboReturn]));
    assert_eq!(case(false, false, true), Err(WhyNone::Enough));
    assert_eq!(case(false, true, true), Ok(vec![Action::KuboImport, Action::KuboPin]));
    assert_eq!(case(false, true, false), Ok(vec![Action::KuboPin]));
    let pinning =
        |in_need| options(&Case::Pinning(IpfsCase { has_blocks: false, had_it: false, in_need }));
    assert_eq!(
        (pinning(true), pinning(false)),
        (Ok(vec![Action::PinRequest]), Err(WhyNone::Enough))
    );
}

/// A node that takes everything and keeps nothing gets it after 30 s, 1 min, 2 min, …
#[test]
fn a_replica_that_does_not_last_is_left_longer_each_time() {
    let mut before = Vec::new();
    let mut at = NOW;
    let mut pauses = Vec::new();
    for _ in 0..12 {
        before.push(attempt(Some(Action::Upload), Outcome::Done, at));
        match decide(&[Action::Upload], false, &before, Patience::Patient, at) {
            Decision::Later(until) => {
                pauses.push((until - at) / 1000);
                at = until;
            }
            other => panic!("{other:?}"),
        }
        let act = Decision::Act { action: Action::Upload, again: None };
        assert_eq!(decide(&[Action::Upload], false, &before, Patience::Patient, at), act);
    }
    assert_eq!(pauses[..5], [30, 60, 120, 240, 480]);
    assert_eq!(pauses.last(), Some(&21_600));
}

/// A node that is not well, or refuses the bytes, is no reason to sign another STORE beside one that lives.
#[test]
fn only_a_refused_store_asks_for_another() {
    let refused = |action, outcome| {
        let before = [attempt(Some(action), outcome, NOW)];
        Attempt::refused_stores(&before, Patience::Patient).next().is_some()
    };
    assert!(refused(Action::UploadWithStore, Outcome::Refused));
    for outcome in [Outcome::Failed, Outcome::Disproved, Outcome::Planned, Outcome::Sent] {
        assert!(!refused(Action::UploadWithStore, outcome), "{outcome:?}");
    }
    assert!(!refused(Action::Upload, Outcome::Refused));
    let over = [
        attempt(Some(Action::UploadWithStore), Outcome::Refused, NOW),
        attempt(None, Outcome::Failed, NOW + 1),
    ];
    let stores = Attempt::refused_stores(&over, Patience::Patient).count();
    assert_eq!(stores, 0, "that was another pass");
}

/// Each STORE that lives is tried before another is signed.
#[test]
fn what_one_store_was_refused_for_another_may_not_be() {
    let (store, new) = (Action::UploadWithStore, Action::NewStore);
    let decision = |other, outcome| {
        let before = [attempt(Some(store), outcome, NOW)];
        decide(&[store, new], other, &before, Patience::Patient, NOW + 1)
    };
    let act = |action| Decision::Act { action, again: None };
    assert_eq!(decision(true, Outcome::Refused), act(store));
    assert_eq!(decision(false, Outcome::Refused), act(new));
    // One that was taken and did not help is no reason to send another.
    assert_eq!(decision(true, Outcome::Disproved), act(new));
}

/// What was in the way may be gone: it is looked after a minute, then less and less often, and what is
/// tried in vain then counts by itself.
#[test]
fn where_nothing_could_be_tried_it_is_looked_less_and_less_often() {
    let idle = |times| {
        let before = [Attempt { times, ..attempt(None, Outcome::Failed, NOW) }];
        match decide(&[Action::Upload], false, &before, Patience::Patient, NOW) {
            Decision::Later(until) => (until - NOW) / 60_000,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([1, 2, 3, 6, 7, 99].map(idle), [1, 2, 4, 32, 60, 60]);
    let mut before: Vec<_> =
        (0..9).map(|at| attempt(None, Outcome::Failed, NOW + at * 60_000)).collect();
    let last = NOW + 8 * 60_000;
    let decision =
        |before: &[Attempt], at| decide(&[Action::Upload], false, before, Patience::Patient, at);
    assert_eq!(decision(&before, last + 1), Decision::Later(last + 60_000));
    let act = Decision::Act { action: Action::Upload, again: None };
    assert_eq!(decision(&before, last + 60_000), act);
    // That which was tried in vain counts from there.
    before.push(attempt(Some(Action::Upload), Outcome::Failed, last + 60_000));
    before.push(attempt(None, Outcome::Failed, last + 60_001));
    assert_eq!(decision(&before, last + 60_002), Decision::Later(last + 90_001));
}
