//! Which of those whom a router names for a content are asked: a pure function.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
};

use url::Url;

use super::{Millis, RowId};
use crate::hosts::{identity, neighbourhood, neighbourhood_of};

/// Providers of one content that are asked because one router named them.
pub const MOST_OF_A_CONTENT: usize = 8;
/// Those of them in one range of addresses that one customer may have.
pub(super) const OF_A_NEIGHBOURHOOD: usize = 2;

/// One that has a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) node: RowId,
    pub(super) url: String,
    /// It was asked and did not serve the content.
    pub(super) has_failed: bool,
    /// From where its bytes came of late, of whatever content.
    pub(super) addresses: Vec<String>,
    /// Since when they did.
    pub(super) served_since: Option<Millis>,
}

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
/// [`OF_A_NEIGHBOURHOOD`] those in one neighbourhood. Who served first keeps it, and the others have failed.
pub(super) fn choose(held: &[Held], candidates: &[String]) -> Choice {
    let named: HashSet<&str> = candidates.iter().map(String::as_str).collect();
    let urls: HashSet<&str> = held.iter().map(|one| one.url.as_str()).collect();
    let (mut taken, mut failed) = keep(held);
    // Those who are named no more go first.
    failed.sort_by_key(|one| (named.contains(one.url.as_str()), one.node));
    let mut free = MOST_OF_A_CONTENT.saturating_sub(held.len());
    let mut choice = Choice::default();
    for url in candidates.iter().filter(|url| !urls.contains(url.as_str())) {
        let place = Place::of_url(url);
        if !taken.has_room(&place) {
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
        taken.take(place);
        choice.new.push(url.clone());
    }
    let again = held.iter().filter(|one| named.contains(one.url.as_str()));
    choice.again = again.map(|one| one.node).filter(|node| !choice.gone.contains(node)).collect();
    choice
}

/// Who keeps a place, and who has failed or is one too many of its kind.
fn keep(held: &[Held]) -> (Taken, Vec<&Held>) {
    let mut order: Vec<&Held> = held.iter().collect();
    order.sort_by_key(|one| (one.served_since.is_none(), one.served_since, one.node));
    let mut taken = Taken::default();
    let mut failed = Vec::new();
    for one in order {
        let place = Place::of(one);
        match !one.has_failed && taken.has_room(&place) {
            true => taken.take(place),
            false => failed.push(one),
        }
    }
    (taken, failed)
}

/// Where somebody with a place is.
struct Place {
    host: String,
    addresses: HashSet<String>,
    neighbourhoods: HashSet<String>,
}

impl Place {
    fn of_url(url: &str) -> Self {
        let parsed = Url::parse(url).ok();
        let host = parsed.as_ref().map_or_else(|| url.to_owned(), identity);
        let neighbourhoods = parsed.as_ref().and_then(neighbourhood_of).into_iter().collect();
        Self { host, addresses: HashSet::new(), neighbourhoods }
    }

    /// From where its bytes came counts, and before, where its name leads if that is an address.
    fn of(held: &Held) -> Self {
        let by_name = Self::of_url(&held.url);
        let ip = |address: &String| address.split('/').next()?.parse::<IpAddr>().ok();
        let at: HashSet<String> =
            held.addresses.iter().filter_map(ip).filter_map(neighbourhood).collect();
        let neighbourhoods = if held.addresses.is_empty() { by_name.neighbourhoods } else { at };
        Self { addresses: held.addresses.iter().cloned().collect(), neighbourhoods, ..by_name }
    }

    fn is_near(&self, other: &Self) -> bool {
        self.host == other.host || !self.neighbourhoods.is_disjoint(&other.neighbourhoods)
    }
}

/// Where those are who have places.
#[derive(Default)]
struct Taken {
    hosts: HashSet<String>,
    addresses: HashSet<String>,
    neighbourhoods: HashMap<String, usize>,
}

impl Taken {
    fn has_room(&self, place: &Place) -> bool {
        let of = |range: &String| self.neighbourhoods.get(range).copied().unwrap_or(0);
        !self.hosts.contains(&place.host)
            && self.addresses.is_disjoint(&place.addresses)
            && place.neighbourhoods.iter().all(|range| of(range) < OF_A_NEIGHBOURHOOD)
    }

    fn take(&mut self, place: Place) {
        self.hosts.insert(place.host);
        self.addresses.extend(place.addresses);
        for range in place.neighbourhoods {
            *self.neighbourhoods.entry(range).or_default() += 1;
        }
    }

    /// Whether one that failed has to leave for another near it to come.
    fn is_crowded_by(&self, new: &Place, failed: &[&Held], one: &Held) -> bool {
        let place = Place::of(one);
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
    use proptest::prelude::*;

    use super::*;

    fn held(node: RowId, has_failed: bool) -> Held {
        Held { node, url: url(node), has_failed, addresses: Vec::new(), served_since: None }
    }

    fn url(number: i64) -> String {
        format!("http://1.{number}.3.4:80")
    }

    #[test]
    fn those_who_failed_give_way_and_no_others() {
        let all: Vec<_> = (1..=8).map(|node| held(node, node > 6)).collect();
        let choice = choose(&all, &[url(8), url(20), url(21), url(22), url(1)]);
        assert_eq!(choice.new, [url(20), url(21)]);
        assert_eq!(choice.gone, [7, 8], "the one that is named no more first");
        assert_eq!(choice.again, [1]);
        let choice = choose(&all, &[url(8), url(20)]);
        assert_eq!((choice.new, choice.gone, choice.again), (vec![url(20)], vec![7], vec![8]));
    }

    #[test]
    fn a_host_has_one_place() {
        let ports: Vec<_> = (1..60).map(|port| format!("http://1.2.3.4:{port}/x")).collect();
        assert_eq!(choose(&[], &ports).new, ports[..1]);
        let known = |failed| Held { url: "http://1.2.3.4:9999".to_owned(), ..held(1, failed) };
        assert_eq!(choose(&[known(false)], &ports), Choice::default());
        assert_eq!(
            choose(&[known(true)], &ports).new,
            ports[..1],
            "a wrong port keeps out no other"
        );
    }

    fn served(node: RowId, since: Millis, addresses: &[&str]) -> Held {
        let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
        Held { addresses, served_since: Some(since), ..held(node, false) }
    }

    #[test]
    fn an_address_keeps_one_place() {
        let mut all: Vec<_> = (1..=5).map(|node| served(node, node, &["5.6.7.8"])).collect();
        all.extend([served(6, 6, &["5.6.7.9"]), held(7, false), held(8, false)]);
        let many: Vec<_> = (20..40).map(url).collect();
        let choice = choose(&all, &many);
        assert_eq!(choice.gone, [2, 3, 4, 5], "the first, another, and who was not asked yet stay");
        assert_eq!(choice.new, many[..4]);
        // It holds no place of another's that it had before.
        all[0].has_failed = true;
        assert_eq!(choose(&all, &many).gone, [1, 3, 4, 5]);
        all[0].has_failed = false;
        all[3].served_since = Some(0);
        assert_eq!(choose(&all, &many).gone, [1, 2, 3, 5], "who served first");
        all[3].addresses.insert(0, "9.9.9.9".to_owned());
        assert_eq!(choose(&all, &many).gone, [1, 2, 3, 5], "one address in common is enough");
    }

    #[test]
    fn a_neighbourhood_keeps_two_places() {
        let many: Vec<_> = (0..200).map(|last| format!("http://7.7.7.{last}:80")).collect();
        assert_eq!(choose(&[], &many).new, many[..2]);
        let v6: Vec<_> = (1..200).map(|at| format!("http://[2a01:4f8:1:{at:x}::1]")).collect();
        assert_eq!(choose(&[], &[&many[..], &v6[..]].concat()).new.len(), 4);
        // Whatever their names: where bytes came from counts.
        let all: Vec<_> = (1..=8)
            .map(|node| {
                served(node, 100 - node, &[&format!("7.7.7.{node}"), &format!("host-{node}:80")])
            })
            .collect();
        let choice = choose(&all, &(20..40).map(url).collect::<Vec<_>>());
        assert_eq!(choice.gone, [1, 2, 3, 4, 5, 6], "those who served first stay");
        // Names in a neighbourhood that failed follow each other.
        let failed: Vec<_> =
            (1..=2).map(|at| Held { url: many[at].clone(), ..held(1, true) }).collect();
        let choice = choose(&failed, &many[10..]);
        assert_eq!((choice.new.len(), choice.gone.len()), (2, 2));
        let private: Vec<_> = (1..9).map(|port| format!("http://127.0.0.1:{port}")).collect();
        assert_eq!(choose(&[], &private).new, private);
    }

    proptest! {
        #[test]
        fn never_more_than_there_are_places(
            before in prop::collection::btree_map(0i64..60, any::<bool>(), 0..=MOST_OF_A_CONTENT),
            named in prop::collection::vec(0i64..60, 0..40),
        ) {
            let before: Vec<_> = before.into_iter().map(|(node, failed)| held(node, failed)).collect();
            let named: Vec<_> = named.into_iter().map(url).collect();
            let choice = choose(&before, &named);
            prop_assert!(before.len() + choice.new.len() - choice.gone.len() <= MOST_OF_A_CONTENT);
            for one in before.iter().filter(|one| !one.has_failed) {
                prop_assert!(!choice.gone.contains(&one.node), "whoever serves, or was not asked, stays");
                prop_assert_eq!(choice.again.contains(&one.node), named.contains(&one.url));
            }
            prop_assert!(choice.gone.is_empty() || choice.new.len() >= choice.gone.len());
        }
    }
}
