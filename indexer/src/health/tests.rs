use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const DAY: i64 = 86_400_000;

fn policy(min: u32) -> Policy {
    Policy { min, min_held: 0, grace: 600_000, recheck: DAY }
}

fn holder(operator: Option<u8>, address: u8) -> Holder {
    Holder::at(operator.map(|o| o.to_string()), name(address))
}

/// The fifth is that of those with more than are known.
fn name(address: u8) -> String {
    if address == 5 { SEVERAL.to_owned() } else { format!("10.0.0.{address}") }
}

/// At several addresses, from which bytes came at these times.
fn wide(operator: Option<u8>, addresses: &[(u8, i64)]) -> Holder {
    let address = |(address, at): &(u8, i64)| Address { name: name(*address), seen_at: Some(*at) };
    Holder { addresses: addresses.iter().map(address).collect(), ..holder(operator, 0) }
}

/// As [`wide`], of nobody who is known.
fn stranger(addresses: &[u8]) -> Holder {
    let addresses: Vec<_> = addresses.iter().map(|address| (*address, DAY)).collect();
    Holder { is_stranger: true, ..wide(None, &addresses) }
}

/// Strangers, and those who are configured.
fn split(all: Vec<Holder>) -> (Vec<Holder>, Vec<Holder>) {
    all.into_iter().partition(|one| one.is_stranger)
}

fn holders() -> impl Strategy<Value = Holder> {
    let several = prop::collection::btree_map(0u8..6, 0..4 * DAY, 1..4);
    let several = several.prop_map(|all| all.into_iter().collect::<Vec<_>>());
    let one = prop_oneof![
        (prop::option::of(0u8..4), 0u8..6).prop_map(|(operator, at)| holder(operator, at)),
        (prop::option::of(0u8..4), several).prop_map(|(operator, all)| wide(operator, &all)),
    ];
    (one, any::<bool>()).prop_map(|(one, is_stranger)| {
        let operator = one.operator.clone().filter(|_| !is_stranger);
        Holder { operator, is_stranger, ..one }
    })
}

fn replica(state: ReplicaState, node: u8, verified_at: Option<i64>) -> ReplicaView {
    ReplicaView {
        state: Some(state),
        verified_at,
        held: true,
        gives_bytes: true,
        in_use_since: None,
        holder: holder(None, node),
    }
}

fn states() -> impl Strategy<Value = ReplicaState> {
    prop::sample::select(ReplicaState::ALL)
}

fn replicas() -> impl Strategy<Value = Vec<ReplicaView>> {
    let time = || prop::option::of(0..4 * DAY);
    let one = (prop::option::of(states()), time(), time(), any::<bool>(), holders());
    let one = one.prop_map(|(state, verified_at, in_use_since, held, holder)| ReplicaView {
        state,
        verified_at,
        held,
        gives_bytes: true,
        in_use_since,
        holder,
    });
    prop::collection::vec(one, 0..9)
}

/// The addresses that count: those that are young enough, and the last.
fn addresses(holder: &Holder, since: i64) -> Vec<&str> {
    let last = holder.addresses.iter().map(|one| one.seen_at).max().unwrap();
    let all = holder.addresses.iter();
    let counts = all.filter(|one| one.seen_at == last || one.seen_at.is_some_and(|at| at >= since));
    counts.map(|one| one.name.as_str()).collect()
}

/// The largest set without a shared operator or address, and the most held ones in one that is large
/// enough, by trying all sets.
fn independent_by_force(holders: &[(Holder, bool)], since: i64, wanted: u32) -> Independent {
    let is_crowded = |one: &Holder| addresses(one, since).contains(&SEVERAL);
    let meet = |a: &Holder, b: &Holder| {
        if a.is_stranger && b.is_stranger && (is_crowded(a) || is_crowded(b)) {
            return true;
        }
        let (at, others) = (addresses(a, since), addresses(b, since));
        at.iter().any(|address| others.contains(address))
    };
    // Whose it is: by name, by number where nobody said, and of a stranger that of all whom it meets.
    let operators = |index: usize| {
        let one = &holders[index].0;
        let configured =
            holders.iter().enumerate().filter(|(other, (holder, _))| match one.is_stranger {
                true => !holder.is_stranger && meet(one, holder),
                false => *other == index,
            });
        let name = |(index, (holder, _)): (usize, &(Holder, bool))| {
            holder.operator.clone().unwrap_or_else(|| format!("number {index}"))
        };
        configured.map(name).collect::<BTreeSet<_>>()
    };
    let clash = |a: usize, b: usize| {
        meet(&holders[a].0, &holders[b].0) || !operators(a).is_disjoint(&operators(b))
    };
    let sets = (0u32..1 << holders.len()).filter_map(|set| {
        let chosen: Vec<_> = (0..holders.len()).filter(|i| set >> i & 1 == 1).collect();
        let is_apart = chosen.iter().all(|&i| chosen.iter().all(|&j| i >= j || !clash(i, j)));
        let held = chosen.iter().filter(|&&i| holders[i].1).count() as u32;
        is_apart.then_some((chosen.len() as u32, held))
    });
    let sets: Vec<(u32, u32)> = sets.collect();
    let all = sets.iter().map(|(size, _)| *size).max().unwrap_or(0);
    let least = if wanted <= all { wanted } else { 0 };
    let held = sets.iter().filter(|(size, _)| *size >= least).map(|(_, held)| *held).max();
    Independent { all, held: held.unwrap_or(0) }
}

#[test]
fn held_ones_count_among_those_that_are_independent() {
    let replica = |operator, address, held| ReplicaView {
        held,
        holder: holder(Some(operator), address),
        ..replica(ReplicaState::Verified, 0, Some(DAY))
    };
    let replicas = [replica(1, 1, false), replica(2, 1, true), replica(2, 2, false)];
    let past = Past { wanted_since: Some(0), was_healthy: true, ..Past::default() };
    let assess = |min| {
        let policy = Policy { min_held: 1, ..policy(min) };
        let seen = assess(&replicas, &policy, past, DAY);
        (seen.health, seen.independent, seen.held)
    };
    assert_eq!(assess(1), (Health::Healthy, 2, 1));
    assert_eq!(assess(2), (Health::Degraded, 2, 0), "the only two have no copy of their own");
    assert_eq!(assess(3), (Health::Degraded, 2, 1));
}

/// More of them than all sets are tried of: what is found is a set, and no smaller than without them.
#[test]
fn many_that_share_addresses_are_never_counted_too_often() {
    let mut random = 1_u32;
    let mut draw = |below: u32| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 16) % below
    };
    for _ in 0..20 {
        let mut all: Vec<_> = (0..13)
            .map(|_| {
                let at: BTreeSet<u8> = (0..3).map(|_| draw(16) as u8).collect();
                let at: Vec<_> = at.into_iter().map(|address| (address, DAY)).collect();
                (wide(None, &at), draw(2) == 0)
            })
            .collect();
        all.extend((0..4).map(|address| (holder(Some(address), address * 3), false)));
        let found = independent_and_held(all.iter().map(|(h, held)| (h, *held)), 0, 3);
        let most = independent_by_force(&all, 0, 3);
        assert!(found.all <= most.all && found.held <= most.held, "{found:?} {most:?}");
        assert!(found.all >= 4, "those with one address are all apart");
    }
    // A ring: two in three stand in the ways of two others.
    let ring: Vec<_> = (0..60).map(|at| wide(None, &[(at, DAY), ((at + 1) % 60, DAY)])).collect();
    assert!((20..=30).contains(&independent(ring.iter(), 0)));
}

#[test]
fn one_that_shows_addresses_of_others_harms_itself_alone() {
    let honest: Vec<_> = (0..4).map(|address| holder(None, address)).collect();
    let all: Vec<_> = (0..100).map(|address| (address, DAY)).collect();
    let hostile = [wide(None, &all), wide(None, &all[..3]), wide(Some(9), &all[1..4])];
    assert_eq!(independent(honest.iter().chain(&hostile), 0), 4);
    assert_eq!(independent(hostile.iter(), 0), 1);
}

/// Whoever names each address of a configured machine makes no more of it, and no less.
#[test]
fn other_names_of_a_configured_machine_add_nothing() {
    let of = |configured: &[Holder], strangers: &[Holder]| {
        let configured = configured.iter().map(|one| (one, false));
        independent_and_held(configured.chain(strangers.iter().map(|one| (one, true))), 0, 1)
    };
    let found = |all, held| Independent { all, held };
    for operator in [None, Some(1)] {
        let machine = [wide(operator, &[(4, DAY), (6, DAY)])];
        let names = [stranger(&[4]), stranger(&[6])];
        assert_eq!(of(&machine, &names), found(1, 1), "{operator:?}");
        assert_eq!(of(&[], &names), found(2, 2), "nobody says that they are one");
        assert_eq!(of(&machine, &[&names[..], &[stranger(&[7])]].concat()), found(2, 2));
    }
    // Nor of the other machines of its operator.
    let two = [holder(Some(1), 1), holder(Some(1), 2), holder(Some(2), 3)];
    let names = [stranger(&[1, 8]), stranger(&[2]), stranger(&[3])];
    assert_eq!(of(&two, &names), found(2, 2));
    assert_eq!(of(&two, &[stranger(&[1, 2, 3]), stranger(&[3, 4])]), found(2, 1));
}

/// Where else it may be nobody knows: another stranger's address is that of its machine, perhaps.
#[test]
fn a_stranger_with_more_addresses_than_are_known_is_apart_from_none() {
    let crowded = stranger(&[1, 2, 5]);
    let all = [crowded.clone(), stranger(&[3]), stranger(&[4])];
    assert_eq!(independent(all.iter(), 0), 2);
    assert_eq!(independent(all[..2].iter(), 0), 1);
    assert_eq!(independent([crowded.clone(), holder(None, 3)].iter(), 0), 2, "it is configured");
    // Until that is too old to count.
    let at = |addresses| Holder { is_stranger: true, ..wide(None, addresses) };
    let of = |holder| ReplicaView { holder, ..replica(ReplicaState::Verified, 0, Some(3 * DAY)) };
    let replicas = [of(at(&[(1, 3 * DAY), (5, DAY)])), of(at(&[(3, 3 * DAY)]))];
    let past = Past { wanted_since: Some(0), was_healthy: true, asked_since: Some(0) };
    let count = |now| assess(&replicas, &policy(2), past, now).independent;
    assert_eq!((count(3 * DAY), count(3 * DAY + 1)), (1, 2));
    assert_eq!(next_assessment(&replicas, &policy(2), past, 3 * DAY - 1), Some(3 * DAY + 1));
}

#[test]
fn an_address_counts_as_long_as_what_came_from_it() {
    let of = |address| replica(ReplicaState::Verified, address, Some(3 * DAY));
    let mut replicas = [of(1), of(2)];
    replicas[0].holder = wide(None, &[(1, 3 * DAY), (3, DAY)]);
    replicas[1].holder = wide(None, &[(3, 3 * DAY), (2, DAY)]);
    let past = Past { wanted_since: Some(0), was_healthy: true, ..Past::default() };
    let count = |now| assess(&replicas, &policy(2), past, now).independent;
    assert_eq!((count(3 * DAY), count(3 * DAY + 1)), (1, 2));
    let next = |now| next_assessment(&replicas, &policy(2), past, now);
    assert_eq!(next(3 * DAY - 1), Some(3 * DAY + 1));
}

#[test]
fn an_operator_is_the_same_however_it_is_spelled() {
    let at = |operator: &str, address: &str| Holder::at(Some(operator.to_owned()), address);
    let holders = [at("0xAb", "a"), at(" 0xaB", "b"), at("0xac", "c")];
    assert_eq!(independent(holders.iter(), 0), 2);
}

#[test]
fn says_what_the_words_mean() {
    let three: Vec<_> = (0..3).map(|n| replica(ReplicaState::Verified, n, Some(DAY))).collect();
    let past = Past { wanted_since: Some(0), was_healthy: true, ..Past::default() };
    let health = |replicas: &[ReplicaView], past| assess(replicas, &policy(3), past, DAY).health;
    assert_eq!(health(&three, past), Health::Healthy);
    assert_eq!(health(&three[..2], past), Health::Degraded);
    assert_eq!(health(&[], past), Health::Lost);
    let young = Past { wanted_since: Some(DAY - 1), was_healthy: false, ..Past::default() };
    assert_eq!(health(&[], young), Health::Pending);
    assert_eq!(health(&three, young), Health::Healthy);
    assert_eq!(health(&[], Past { was_healthy: true, ..young }), Health::Lost);
    // Without grace nothing is ever pending.
    let strict = Policy { grace: 0, ..policy(3) };
    assert_eq!(assess(&[], &strict, young, DAY).health, Health::Lost);
}

#[test]
fn nothing_is_called_lost_before_it_was_looked_for() {
    let past = Past { wanted_since: Some(0), was_healthy: true, ..Past::default() };
    let unasked = |node| ReplicaView { state: None, ..replica(ReplicaState::Missing, node, None) };
    let missing = |node| replica(ReplicaState::Missing, node, None);
    let health = |replicas: &[ReplicaView]| assess(replicas, &policy(2), past, DAY).health;
    assert_eq!(health(&[unasked(1), unasked(2), missing(3)]), Health::Pending);
    assert_eq!(health(&[unasked(1), missing(2), missing(3)]), Health::Lost);
    let verified = replica(ReplicaState::Verified, 4, Some(DAY));
    assert_eq!(health(&[unasked(1), missing(2), verified.clone()]), Health::Pending);
    assert_eq!(health(&[missing(1), missing(2), verified]), Health::Degraded);
}

/// A node that says little, or nothing, would keep what others lost from being told to anybody.
#[test]
fn who_can_not_be_asked_is_waited_for_as_long_as_a_proof_counts() {
    let unasked = |node, in_use_since| ReplicaView {
        state: None,
        in_use_since,
        ..replica(ReplicaState::Missing, node, None)
    };
    let missing = replica(ReplicaState::Missing, 3, None);
    let health = |replicas: &[ReplicaView], asked_since, now| {
        let past = Past { wanted_since: Some(0), was_healthy: true, asked_since };
        let next = next_assessment(replicas, &policy(1), past, now);
        (assess(replicas, &policy(1), past, now).health, next)
    };
    let old = [unasked(1, Some(0)), unasked(2, None), missing.clone()];
    assert_eq!(health(&old, Some(DAY), 3 * DAY - 1), (Health::Pending, Some(3 * DAY)));
    assert_eq!(health(&old, Some(DAY), 3 * DAY), (Health::Lost, None));
    let of_us = health(&old, None, 9 * DAY);
    assert_eq!(of_us, (Health::Pending, None), "nobody was asked: it waits in our own queue");
    let new = [unasked(1, Some(2 * DAY)), missing];
    assert_eq!(health(&new, Some(DAY), 4 * DAY - 1), (Health::Pending, Some(4 * DAY)));
    assert_eq!(health(&new, Some(DAY), 4 * DAY), (Health::Lost, None), "it came later");
    let ahead = health(&old, Some(4 * DAY), 3 * DAY);
    assert_eq!(ahead, (Health::Lost, Some(4 * DAY - AHEAD)), "a clock was wrong");
}

proptest! {
    #[test]
    fn nobody_is_waited_for_for_ever(
        replicas in replicas(),
        min in 0u32..4,
        asked in 0..4 * DAY,
        now in 0..8 * DAY,
    ) {
        let past = Past { wanted_since: Some(0), was_healthy: true, asked_since: Some(asked) };
        let seen = assess(&replicas, &policy(min), past, now);
        let since = replicas.iter().filter_map(|one| one.in_use_since).chain([asked]);
        let last = since.filter(|at| at - now <= AHEAD).max();
        let is_over = last.is_none_or(|last| now - last >= policy(min).max_age());
        prop_assert!(!is_over || seen.health != Health::Pending);
        // And while it lasts, nothing is said of what nobody has looked for: at whatever time.
        let unasked = Past { asked_since: None, ..past };
        let seen = assess(&replicas, &policy(min), unasked, now);
        let hoped = replicas.iter().filter(|one| one.state.is_none()).map(|one| &one.holder);
        let could = independent(hoped, now - policy(min).max_age()) >= min.max(1);
        let is_open = could && replicas.iter().any(|one| one.state.is_none());
        prop_assert!(!is_open || !seen.health.is_problem());
    }
}

#[test]
fn old_verdicts_stop_counting() {
    let replicas = [replica(ReplicaState::Verified, 1, Some(0))];
    let past = Past { wanted_since: Some(0), was_healthy: true, ..Past::default() };
    assert_eq!(assess(&replicas, &policy(1), past, 2 * DAY).health, Health::Healthy);
    assert_eq!(assess(&replicas, &policy(1), past, 2 * DAY + 1).health, Health::Lost);
}

#[test]
fn what_is_far_ahead_of_our_clock_is_not_believed() {
    let replicas = [replica(ReplicaState::Verified, 1, Some(DAY))];
    let minted = |since| Past { wanted_since: Some(since), was_healthy: false, ..Past::default() };
    let health = |past, now| assess(&replicas, &policy(1), past, now).health;
    assert_eq!(health(minted(0), DAY - AHEAD), Health::Healthy, "clocks differ a little");
    assert_eq!(health(minted(0), DAY - AHEAD - 1), Health::Lost);
    let none = |since| assess(&[], &policy(1), minted(since), DAY).health;
    assert_eq!(none(DAY + AHEAD), Health::Pending);
    assert_eq!(none(DAY + AHEAD + 1), Health::Lost, "or the grace had no end");
    assert_eq!(unresolved(9, Some(DAY + AHEAD + 1), &policy(1), DAY), Health::Lost);
    let next = next_assessment(&replicas, &policy(1), minted(0), 3_600_000);
    assert_eq!(next, Some(DAY - AHEAD));
}

proptest! {
    /// Whatever was written down by a wrong clock: nothing counts for longer than it would if it had
    /// been seen, or minted, as late as is believed.
    #[test]
    fn nothing_counts_for_ever(
        replicas in replicas(), since in 0..4 * DAY, now in 0..4 * DAY, was_healthy in any::<bool>()
    ) {
        let policy = policy(1);
        let replicas: Vec<_> = replicas.into_iter().filter(|one| one.state.is_some()).collect();
        let past = Past { wanted_since: Some(since), was_healthy, ..Past::default() };
        let seen = assess(&replicas, &policy, past, now);
        for one in &replicas {
            let alone = assess(std::slice::from_ref(one), &policy, past, now);
            let age = one.verified_at.map(|at| now - at);
            prop_assert!(alone.verified == 0
                || age.is_some_and(|age| (-AHEAD..=policy.max_age()).contains(&age)));
        }
        prop_assert!(seen.health != Health::Pending
            || (-AHEAD..policy.grace).contains(&(now - since)));
    }
}

#[test]
fn only_three_failures_in_a_row_make_unreachable() {
    let verified = Verdict::default().after(ReplicaState::Verified);
    let once = verified.after(ReplicaState::Unreachable);
    let twice = once.after(ReplicaState::Unreachable);
    assert_eq!(twice.state, Some(ReplicaState::Verified));
    assert!(once.is_in_doubt() && twice.is_in_doubt());
    let thrice = twice.after(ReplicaState::Unreachable);
    assert_eq!(thrice.state, Some(ReplicaState::Unreachable));
    assert!(!thrice.is_in_doubt());
    assert_eq!(twice.after(ReplicaState::Missing).state, Some(ReplicaState::Missing));
}

proptest! {
    #[test]
    fn independence_is_the_largest_set_without_a_clash(
        holders in prop::collection::vec((holders(), any::<bool>()), 0..10),
        since in 0..4 * DAY,
        wanted in 0u32..6,
    ) {
        let of = || holders.iter().map(|(holder, held)| (holder, *held));
        let found = independent_and_held(of(), since, wanted);
        prop_assert_eq!(found, independent_by_force(&holders, since, wanted));
        prop_assert_eq!(independent(of().map(|(holder, _)| holder), since), found.all);
        let backwards = holders.iter().rev().map(|(holder, held)| (holder, *held));
        prop_assert_eq!(independent_and_held(backwards, since, wanted), found);
    }

    /// Whoever comes, and whatever addresses it shows, takes nothing from others; but strangers at addresses
    /// of a configured one are its operator's.
    #[test]
    fn nobody_takes_the_independence_of_others(
        before in prop::collection::vec(holders(), 0..8),
        others in prop::collection::vec(holders(), 0..3),
        since in 0..4 * DAY,
    ) {
        let is_less = |before: &[Holder], others: &[Holder]| {
            independent(before.iter().chain(others), since) < independent(before.iter(), since)
        };
        let (strangers, _) = split(others.clone());
        prop_assert!(!is_less(&before, &strangers));
        let (_, configured) = split(before);
        prop_assert!(!is_less(&configured, &others));
    }

    #[test]
    fn only_verified_replicas_help(
        replicas in replicas(), now in 0..4 * DAY, min in 1u32..5, state in states()
    ) {
        let past = Past { wanted_since: Some(0), was_healthy: true, ..Past::default() };
        let before = assess(&replicas, &policy(min), past, now);
        let mut more = replicas.clone();
        more.push(ReplicaView {
            state: Some(state), verified_at: Some(now), held: true, gives_bytes: true,
            in_use_since: None,
            holder: holder(Some(9), 99),
        });
        let after = assess(&more, &policy(min), past, now);
        if state == ReplicaState::Verified {
            prop_assert_eq!(after.independent, before.independent + 1);
            prop_assert!(after.health <= before.health);
        } else {
            prop_assert_eq!(after, before);
        }
    }

    #[test]
    fn counts_are_ordered_and_health_follows_them(
        replicas in replicas(), now in 0..4 * DAY, min in 1u32..5
    ) {
        let past = Past { wanted_since: Some(0), was_healthy: true, ..Past::default() };
        let seen = assess(&replicas, &policy(min), past, now);
        prop_assert!(seen.held <= seen.independent && seen.independent <= seen.verified);
        prop_assert_eq!(seen.health == Health::Healthy, seen.independent >= min);
        let unasked = replicas.iter().any(|replica| replica.state.is_none());
        prop_assert!(unasked || (seen.health == Health::Lost) == (seen.verified == 0));
        prop_assert!(unasked || seen.health != Health::Pending);
        let mut reversed = replicas;
        reversed.reverse();
        prop_assert_eq!(assess(&reversed, &policy(min), past, now), seen);
    }

    #[test]
    fn a_verdict_needs_bytes_or_three_failures(probes in prop::collection::vec(states(), 1..20)) {
        let verdict = probes.iter().fold(Verdict::default(), |v, seen| v.after(*seen));
        let trailing = probes.iter().rev()
            .take_while(|seen| **seen == ReplicaState::Unreachable).count();
        let said = probes.iter().rev().find(|seen| **seen != ReplicaState::Unreachable);
        let expected = if trailing >= 3 { Some(ReplicaState::Unreachable) } else { said.copied() };
        prop_assert_eq!(verdict.state, expected);
    }
}

#[test]
fn a_path_that_leads_nowhere_is_lost_when_it_was_tried_often_enough() {
    let policy = Policy { min: 1, min_held: 0, grace: 1000, recheck: 0 };
    let often = FAILURES_THAT_COUNT;
    for (failures, since, health) in [
        (0, Some(0), Health::Pending),
        (often - 1, Some(0), Health::Pending),
        (often, Some(0), Health::Lost),
        (often, None, Health::Lost),
        (often, Some(9_500), Health::Pending),
        (u32::MAX, Some(9_000), Health::Lost),
    ] {
        assert_eq!(unresolved(failures, since, &policy, 10_000), health, "{failures} {since:?}");
    }
}

proptest! {
    /// Nothing changes before it is said to.
    #[test]
    fn time_alone_changes_nothing_before_the_next_assessment(
        replicas in replicas(),
        min in 0u32..4,
        since in prop::option::of(0..2 * DAY),
        asked_since in prop::option::of(0..4 * DAY),
        was_healthy in any::<bool>(),
        now in 0..4 * DAY,
        later in 0..4 * DAY,
    ) {
        let past = Past { wanted_since: since, was_healthy, asked_since };
        let policy = policy(min);
        let next = next_assessment(&replicas, &policy, past, now);
        let before = assess(&replicas, &policy, past, now);
        let end = next.unwrap_or(i64::MAX) - 1;
        prop_assert!(next.is_none_or(|next| next > now));
        for then in [now.saturating_add(later).min(end), end] {
            prop_assert_eq!(assess(&replicas, &policy, past, then), before);
        }
    }
}

#[test]
fn who_only_says_who_has_it_makes_up_for_nothing() {
    let router = ReplicaView { state: None, ..replica(ReplicaState::Claimed, 9, None) };
    let past = Past { wanted_since: Some(0), was_healthy: true, ..Past::default() };
    let health = |replicas: &[ReplicaView]| assess(replicas, &policy(1), past, DAY).health;
    assert_eq!(health(std::slice::from_ref(&router)), Health::Pending, "it may have it");
    let router = ReplicaView { gives_bytes: false, ..router };
    assert_eq!(health(&[router]), Health::Lost);
}

/// Whatever those who only announced say, they are claims until right bytes come, nobody waits for
/// them, and they are asked less and less often.
#[test]
fn who_only_announced_stays_a_claim() {
    use ReplicaState::{Claimed, Corrupt, Missing, Unreachable, Verified};
    let claim = Verdict { state: Some(Claimed), failures: 0 };
    let schedule = Schedule { recheck: DAY, retry: 1000, jitter: 0, spot: 0 };
    let wait = |verdict| schedule.next_probe(verdict, 0, 0);
    let mut verdict = claim;
    let mut waits = Vec::new();
    for state in [Missing, Corrupt, Unreachable, Claimed].into_iter().cycle().take(40) {
        verdict = verdict.of_a_claim_after(state);
        assert_eq!(verdict.state, Some(Claimed), "{state}");
        assert!(!verdict.is_in_doubt(), "{state}");
        assert_eq!(verdict.priority(), Priority::Routine);
        waits.push(wait(verdict));
    }
    assert_eq!(waits[..3], [4000, 8000, 16_000]);
    assert!(waits.is_sorted());
    assert_eq!(waits.last(), Some(&DAY));
    let served = verdict.of_a_claim_after(Verified);
    assert_eq!(served, Verdict { state: Some(Verified), failures: 0 });
    let doubtful = served.of_a_claim_after(Unreachable);
    assert_eq!((doubtful.state, doubtful.is_in_doubt()), (Some(Verified), true));
    assert_eq!(served.of_a_claim_after(Missing).state, Some(Claimed), "at once");
    // What a router says is asked again as what is well is.
    assert_eq!(wait(claim), DAY);
    assert_eq!(claim.priority(), Priority::Routine);
}

proptest! {
    /// A spot check comes after what went before it, not much sooner than it should, and only if no
    /// full probe comes first.
    #[test]
    fn spot_checks_are_due_between_full_probes(
        spot in -1i64..4 * DAY,
        at in 0i64..1 << 45,
        until in 0i64..4 * DAY,
        salt: u64,
    ) {
        let schedule = Schedule { recheck: DAY, retry: 1000, jitter: 0, spot };
        match schedule.next_spot(at, at + until, salt) {
            Some(next) => {
                prop_assert!(spot > 0 && next > at && next < at + until);
                prop_assert!((spot - spot / 10..=spot).contains(&(next - at)));
            }
            None => prop_assert!(spot <= 0 || until <= spot),
        }
    }

    /// What is well is probed again after `recheck`, or sooner by the jitter at most; neighbours that
    /// were probed about the same time are so again.
    #[test]
    fn jitter_keeps_neighbours_together(
        jitter in 0i64..DAY,
        at in 0i64..1 << 45,
        later in 0i64..10_000,
        salt: u64,
    ) {
        let schedule = Schedule { recheck: DAY, retry: 1000, jitter, spot: 0 };
        let well = Verdict { state: Some(ReplicaState::Verified), failures: 0 };
        let next = schedule.next_probe(well, at, salt);
        prop_assert!((DAY - jitter..=DAY).contains(&(next - at)));
        let of_neighbour = schedule.next_probe(well, at + later, salt);
        if jitter > 0 && at / jitter == (at + later) / jitter {
            prop_assert_eq!(of_neighbour - next, later);
        }
    }
}

/// Replicas that were written down together do not stay together: an hour's share of a jitter of a day
/// is an hour's share of the probes, about.
#[test]
fn jitter_spreads_what_came_together() {
    let schedule = Schedule { recheck: 2 * DAY, retry: 1000, jitter: DAY, spot: 0 };
    let well = Verdict { state: Some(ReplicaState::Verified), failures: 0 };
    let mut hours = [0; 24];
    for salt in 0..24_000 {
        let next = schedule.next_probe(well, 5, salt) - DAY - 5;
        hours[usize::try_from(next / (DAY / 24)).unwrap().min(23)] += 1;
    }
    assert!(hours.iter().all(|count| (850..1150).contains(count)), "{hours:?}");
}
