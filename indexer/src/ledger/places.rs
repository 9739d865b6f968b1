//! Which of those whom a router names for a content are asked: a pure function.

use std::collections::{HashMap, HashSet};

use super::{
    RowId,
    claims::{Contender, Held, OF_A_NEIGHBOURHOOD, Settled, settle},
};
use crate::hosts::place_of;

/// Providers of one content that are asked because one router named them.
pub const MOST_OF_A_CONTENT: usize = 8;

/// Who has the places now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    /// Those that stay and were named again.
    pub(super) again: Vec<RowId>,
    /// Those that gave their places to others.
    pub(super) gone: Vec<RowId>,
    /// Those that have a place now.
    pub(super) new: Vec<String>,
}

/// Gives places to those who were named, `candidates`, in the order of a draw: first the free ones, then
/// those of such as were asked and failed. Whoever serves keeps its place, and whoever was not asked
/// yet is asked first. So a flood of names takes no place from those who serve, and who serves
/// comes to a place by chance, in time: with each answer others are drawn.
///
/// Names cost little, and so do addresses beside one another. So a host has one place, however it is
/// spelled and whatever its ports and paths; so have those whose bytes came from one address, and
/// [`OF_A_NEIGHBOURHOOD`] those in one neighbourhood; together with those that serve the content and that
/// other routers named, `elsewhere`. Whose a place is says [`settle`]; the others have failed, but for
/// those that only share an address: they stay without a place.
pub(super) fn choose(held: &[Held], elsewhere: &[Held], candidates: &[String]) -> Choice {
    let named: HashSet<&str> = candidates.iter().map(String::as_str).collect();
    let urls: HashSet<&str> = held.iter().map(|one| one.url.as_str()).collect();
    let Kept { mut taken, mut failed, places } = keep(held, elsewhere);
    // Whoever serves goes last, and before, who is named no more goes first.
    let serves = |one: &Held| one.serves == Some(true);
    failed.sort_by_key(|one| (serves(one), named.contains(one.url.as_str()), one.node));
    let mut free = MOST_OF_A_CONTENT.saturating_sub(places);
    // Some stayed without a place, and have one since others failed.
    let surplus = places.saturating_sub(MOST_OF_A_CONTENT).min(failed.len());
    let gone = failed.drain(..surplus).map(|one| one.node).collect();
    let mut choice = Choice { gone, ..Choice::default() };
    for url in candidates.iter().filter(|url| !urls.contains(url.as_str())) {
        let place = Place::of_url(url);
        let has_one = elsewhere.iter().any(|one| one.url == *url);
        if !has_one && !taken.has_room(&place) {
            continue;
        }
        // One that failed there is followed by its neighbour.
        let neighbour = failed.iter().position(|one| taken.is_crowded_by(&place, &failed, one));
        let leaves = neighbour.or((free == 0 && !failed.is_empty()).then_some(0));
        match leaves {
            Some(index) => choice.gone.push(failed.remove(index).node),
            None if free > 0 => free -= 1,
            None => break,
        }
        if !has_one {
            taken.take(place);
        }
        choice.new.push(url.clone());
    }
    let again = held.iter().filter(|one| named.contains(one.url.as_str()));
    choice.again = again.map(|one| one.node).filter(|node| !choice.gone.contains(node)).collect();
    choice
}

/// What stays of those who are there.
struct Kept<'a> {
    taken: Taken,
    /// Those who have failed, or are too many of their kind.
    failed: Vec<&'a Held>,
    /// How many places they have all together.
    places: usize,
}

fn keep<'a>(held: &'a [Held], elsewhere: &'a [Held]) -> Kept<'a> {
    let (failed, well): (Vec<&Held>, Vec<&Held>) =
        held.iter().partition(|one| one.serves == Some(false));
    let own = well.into_iter().map(|one| Contender::new(one, true));
    let others = elsewhere.iter().map(|one| Contender::new(one, false));
    let Settled { placed, beside, surplus } = settle(own.chain(others).collect());
    let mut kept = Kept { taken: Taken::default(), failed, places: held.len() };
    kept.failed.extend(surplus.iter().filter(|one| one.is_own).map(|one| one.held));
    kept.places -= beside.iter().filter(|one| one.is_own).count();
    kept.taken.hosts.extend(beside.into_iter().map(|one| one.host));
    for one in placed {
        // Who is in many neighbourhoods keeps nobody out of any.
        let neighbourhoods =
            if one.is_wide() { HashSet::new() } else { one.neighbourhoods.into_iter().collect() };
        kept.taken.take(Place { host: one.host, neighbourhoods });
    }
    kept
}

/// Where somebody is.
struct Place {
    host: String,
    neighbourhoods: HashSet<String>,
}

impl Place {
    /// As far as a name tells.
    fn of_url(url: &str) -> Self {
        let (host, neighbourhood) = place_of(url);
        Self { host, neighbourhoods: neighbourhood.into_iter().collect() }
    }

    fn of(held: &Held) -> Self {
        let Contender { host, neighbourhoods, .. } = Contender::new(held, true);
        Self { host, neighbourhoods: neighbourhoods.into_iter().collect() }
    }

    fn is_near(&self, other: &Self) -> bool {
        self.host == other.host || !self.neighbourhoods.is_disjoint(&other.neighbourhoods)
    }
}

/// Where those are who have places.
#[derive(Default)]
struct Taken {
    hosts: HashSet<String>,
    neighbourhoods: HashMap<String, usize>,
}

impl Taken {
    fn has_room(&self, place: &Place) -> bool {
        let of = |range: &String| self.neighbourhoods.get(range).copied().unwrap_or(0);
        !self.hosts.contains(&place.host)
            && place.neighbourhoods.iter().all(|range| of(range) < OF_A_NEIGHBOURHOOD)
    }

    fn take(&mut self, place: Place) {
        self.hosts.insert(place.host);
        for range in place.neighbourhoods {
            *self.neighbourhoods.entry(range).or_default() += 1;
        }
    }

    /// Whether one that failed has to leave for another near it to come.
    fn is_crowded_by(&self, new: &Place, failed: &[&Held], one: &Held) -> bool {
        let place = Place::of(one);
        if one.serves == Some(true) {
            return false;
        }
        if place.host == new.host {
            return true;
        }
        let near = failed.iter().filter(|other| Place::of(other).is_near(new)).count();
        let well = new.neighbourhoods.iter().filter_map(|range| self.neighbourhoods.get(range));
        place.is_near(new) && near + well.max().copied().unwrap_or(0) >= OF_A_NEIGHBOURHOOD
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::{
        super::{Millis, claims::MOST_BESIDE},
        *,
    };
    use crate::health::{Address, Holder, independent};

    fn held(node: RowId, has_failed: bool) -> Held {
        let serves = has_failed.then_some(false);
        Held { node, url: url(node), serves, addresses: BTreeMap::new() }
    }

    fn url(number: i64) -> String {
        format!("http://1.{number}.3.4:80")
    }

    #[test]
    fn those_who_failed_give_way_and_no_others() {
        let all: Vec<_> = (1..=8).map(|node| held(node, node > 6)).collect();
        let choice = choose(&all, &[], &[url(8), url(20), url(21), url(22), url(1)]);
        assert_eq!(choice.new, [url(20), url(21)]);
        assert_eq!(choice.gone, [7, 8], "the one that is named no more first");
        assert_eq!(choice.again, [1]);
        let choice = choose(&all, &[], &[url(8), url(20)]);
        assert_eq!((choice.new, choice.gone, choice.again), (vec![url(20)], vec![7], vec![8]));
    }

    #[test]
    fn a_host_has_one_place() {
        let ports: Vec<_> = (1..60).map(|port| format!("http://1.2.3.4:{port}/x")).collect();
        assert_eq!(choose(&[], &[], &ports).new, ports[..1]);
        let known = |failed| Held { url: "http://1.2.3.4:9999".to_owned(), ..held(1, failed) };
        assert_eq!(choose(&[known(false)], &[], &ports), Choice::default());
        assert_eq!(
            choose(&[known(true)], &[], &ports).new,
            ports[..1],
            "a wrong port keeps out no other"
        );
    }

    /// By a name that is no address, and from each of these since then.
    fn served(node: RowId, since: Millis, addresses: &[&str]) -> Held {
        at(node, &addresses.iter().map(|address| (*address, since)).collect::<Vec<_>>())
    }

    fn at(node: RowId, addresses: &[(&str, Millis)]) -> Held {
        let addresses = addresses.iter().map(|(at, since)| ((*at).to_owned(), *since)).collect();
        Held { node, url: format!("http://name-{node}.example"), serves: Some(true), addresses }
    }

    #[test]
    fn an_address_has_one_place_and_nobody_who_serves_leaves_for_it() {
        let mut all: Vec<_> = (1..=5).map(|node| served(node, node, &["5.6.7.8"])).collect();
        all.extend([served(6, 6, &["5.6.7.9"]), held(7, false), held(8, false)]);
        let many: Vec<_> = (20..40).map(url).collect();
        let choice = choose(&all, &[], &many);
        assert!(choice.gone.is_empty(), "{choice:?}");
        assert_eq!(choice.new, many[..4], "but one of them has a place");
        // Whoever failed goes, and holds no place of another's that it had before.
        all[0].serves = Some(false);
        let choice = choose(&all, &[], &many);
        assert_eq!((choice.gone, choice.new.len()), (vec![1], 4));
        // One in common is enough. So many keep their rows, those that served first from there.
        let mut all: Vec<_> = (1..=11).map(|node| served(node, 100 - node, &["5.6.7.8"])).collect();
        all[0].addresses.insert("2a01::/64".to_owned(), 1);
        let choice = choose(&all, &[], &many);
        assert_eq!((choice.gone, choice.new.len()), (vec![1, 2], 7), "two too many, the last ones");
        let full: Vec<_> = (20..=27).map(url).collect();
        let more: Vec<_> =
            (12..=18).map(|node| served(node, 1, &[&format!("6.{node}.1.1")])).collect();
        let choice = choose(&[&all[..], &more[..]].concat(), &[], &full);
        assert_eq!((choice.gone, choice.new), (vec![1, 2], vec![]), "eight have places");
        assert_eq!(MOST_BESIDE, 8);
    }

    /// One that has served from anywhere before, and whose name leads to another's machine now.
    #[test]
    fn an_alias_takes_no_place_from_the_machine() {
        let honest = at(9, &[("8.8.8.8", 50)]);
        let aliases = [
            at(1, &[("6.6.6.6", 1), ("8.8.8.8", 60)]),
            at(2, &[("2a01:6::/48", 1), ("2a01:6::/64", 1), ("8.8.8.8", 60)]),
            at(3, &[("6.6.6.6", 1), ("8.8.8.8", 40)]),
        ];
        let others: Vec<_> =
            (10..=16).map(|node| served(node, 1, &[&format!("9.{node}.1.1")])).collect();
        let new: Vec<_> = (20..40).map(url).collect();
        for alias in aliases {
            let all = [&[alias.clone(), honest.clone()], &others[..]].concat();
            let Kept { places, failed, .. } = keep(&all, &[]);
            assert_eq!((places, failed.len()), (8, 0), "{alias:?}");
            assert!(choose(&all, &[], &new).gone.is_empty());
            let Settled { placed, .. } =
                settle(all.iter().map(|one| Contender::new(one, true)).collect());
            assert!(placed.iter().any(|one| one.held.node == 9), "{alias:?}");
        }
        // One that was there before has the place, and the machine its row; by its address both.
        let early = at(1, &[("8.8.8.8", 40)]);
        assert!(
            choose(&[&[early.clone(), honest.clone()], &others[..]].concat(), &[], &new)
                .gone
                .is_empty()
        );
        let literal = Held { url: "http://8.8.8.8:80".to_owned(), ..honest };
        let all = [early, literal];
        let Settled { placed, .. } =
            settle(all.iter().map(|one| Contender::new(one, true)).collect());
        assert_eq!(placed.iter().map(|one| one.held.node).collect::<Vec<_>>(), [9]);
    }

    #[test]
    fn whoever_is_everywhere_keeps_nobody_out() {
        let everywhere: Vec<_> = (0..32).map(|range| format!("7.{range}.7.1")).collect();
        let everywhere: Vec<_> = everywhere.iter().map(|at| (at.as_str(), 1)).collect();
        let beside: Vec<_> = (0..32).map(|range| format!("7.{range}.7.2")).collect();
        let beside: Vec<_> = beside.iter().map(|at| (at.as_str(), 1)).collect();
        let elders = [at(1, &everywhere), at(2, &beside)];
        let new: Vec<_> = (0..6).map(|range| format!("http://7.{range}.7.9:80")).collect();
        assert_eq!(choose(&elders, &[], &new).new, new);
        let honest = (3..=8).map(|node| served(node, 100, &[&format!("7.{node}.7.9")]));
        let all: Vec<_> = elders.into_iter().chain(honest).collect();
        let choice = choose(&all, &[], &(20..40).map(url).collect::<Vec<_>>());
        assert_eq!(choice.gone, [2], "one of them, rather than who is in one place");
        // Nor is it kept out by who was only named.
        let named = (1..=3)
            .map(|last| Held { url: format!("http://7.0.7.{}", 100 + last), ..held(last, false) });
        let all: Vec<_> = named.chain([at(9, &everywhere)]).collect();
        let kept = keep(&all, &[]);
        assert_eq!(kept.failed.iter().map(|one| one.node).collect::<Vec<_>>(), [2, 3]);
        // But of their like two are enough.
        let third = [served(3, 1, &["7.0.7.3"]), served(4, 1, &["7.0.7.4"])];
        let all = [&third[..], &all[..1]].concat();
        assert_eq!(keep(&all, &[]).failed.len(), 1);
    }

    #[test]
    fn those_of_other_routers_count() {
        let elsewhere: Vec<_> =
            (1..=2).map(|node| served(node, 1, &[&format!("7.7.7.{node}")])).collect();
        let near = ["http://7.7.7.9:80".to_owned(), url(20)];
        assert_eq!(choose(&[], &elsewhere, &near).new, near[1..]);
        assert_eq!(choose(&[], &elsewhere[..1], &near).new, near);
        let late = [served(3, 9, &["7.7.7.3"])];
        assert_eq!(keep(&late, &elsewhere).failed, [&late[0]]);
        assert_eq!(keep(&late, &elsewhere[..1]).failed, [&late[0]; 0]);
        assert_eq!(keep(&elsewhere, &late).failed, [&late[0]; 0]);
        // Whom both name has the place that it has.
        let both = [elsewhere[0].url.clone()];
        assert_eq!(choose(&[], &elsewhere, &both).new, both);
    }

    #[test]
    fn a_neighbourhood_keeps_two_places() {
        let many: Vec<_> = (0..200).map(|last| format!("http://7.7.7.{last}:80")).collect();
        assert_eq!(choose(&[], &[], &many).new, many[..2]);
        let v6: Vec<_> = (1..200).map(|at| format!("http://[2a01:4f8:1:{at:x}::1]")).collect();
        assert_eq!(choose(&[], &[], &[&many[..], &v6[..]].concat()).new.len(), 4);
        // Whatever their names: where bytes came from counts.
        let all: Vec<_> = (1..=8)
            .map(|node| {
                served(node, 100 - node, &[&format!("7.7.7.{node}"), &format!("host-{node}:80")])
            })
            .collect();
        let choice = choose(&all, &[], &(20..40).map(url).collect::<Vec<_>>());
        assert_eq!(choice.gone, [1, 2, 3, 4, 5, 6], "those who served first from there stay");
        // Names in a neighbourhood that failed follow each other.
        let failed: Vec<_> =
            (1..=2).map(|at| Held { url: many[at].clone(), ..held(1, true) }).collect();
        let choice = choose(&failed, &[], &many[10..]);
        assert_eq!((choice.new.len(), choice.gone.len()), (2, 2));
        let private: Vec<_> = (1..9).map(|port| format!("http://127.0.0.1:{port}")).collect();
        assert_eq!(choose(&[], &[], &private).new, private);
    }

    proptest! {
        #[test]
        fn never_more_than_there_are_places(
            before in prop::collection::btree_map(0i64..60, any::<bool>(), 0..=MOST_OF_A_CONTENT),
            named in prop::collection::vec(0i64..60, 0..40),
        ) {
            let before: Vec<_> = before.into_iter().map(|(node, failed)| held(node, failed)).collect();
            let named: Vec<_> = named.into_iter().map(url).collect();
            let choice = choose(&before, &[], &named);
            prop_assert!(before.len() + choice.new.len() - choice.gone.len() <= MOST_OF_A_CONTENT);
            for one in before.iter().filter(|one| one.serves.is_none()) {
                prop_assert!(!choice.gone.contains(&one.node), "whoever was not asked stays");
                prop_assert_eq!(choice.again.contains(&one.node), named.contains(&one.url));
            }
            prop_assert!(choice.gone.is_empty() || choice.new.len() >= choice.gone.len());
        }

        /// Whatever addresses they show: those that serve are as many as have places, and some beside
        /// them, who add nothing.
        #[test]
        fn who_serves_beside_others_adds_nothing(
            all in prop::collection::vec(
                prop::collection::btree_map((0u8..6, 0u8..3), 0i64..9, 1..4), 1..14
            ),
            own in 0usize..14,
        ) {
            let all: Vec<_> = all.into_iter().zip(1..).map(|(addresses, node)| {
                let name = |((range, last), since)| (format!("7.7.{range}.{last}"), since);
                let addresses = addresses.into_iter().map(name).collect();
                Held { addresses, ..served(node, 0, &[]) }
            }).collect();
            let (own, elsewhere) = all.split_at(own.min(all.len()));
            let Kept { failed, places, .. } = keep(own, elsewhere);
            prop_assert!(own.len() - places <= MOST_BESIDE);
            let contenders = all.iter().map(|one| Contender::new(one, true)).collect();
            let Settled { placed, beside, surplus } = settle(contenders);
            prop_assert_eq!(placed.len() + beside.len() + surplus.len(), all.len());
            prop_assert!(failed.len() <= own.len());
            let holder = |one: &Contender<'_>| Holder {
                operator: None,
                is_stranger: true,
                addresses: one.held.addresses.keys()
                    .map(|name| Address { name: name.clone(), seen_at: Some(1) }).collect(),
            };
            let with: Vec<_> = placed.iter().chain(&beside).map(holder).collect();
            prop_assert!(independent(with.iter(), 0) as usize <= placed.len());
            let mut ranges: Vec<_> = placed.iter().filter(|one| !one.is_wide())
                .flat_map(|one| &one.neighbourhoods).collect();
            ranges.sort();
            let distinct: BTreeSet<_> = ranges.iter().collect();
            prop_assert!(ranges.len() <= OF_A_NEIGHBOURHOOD * distinct.len());
        }
    }
}
