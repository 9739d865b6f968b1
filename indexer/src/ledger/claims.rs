//! Whose the place is where providers share an address, a host or a neighbourhood: pure functions.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    net::IpAddr,
};

use url::Url;

use super::{Millis, RowId};
use crate::hosts::{OF_A_STRANGER, is_named_by, neighbourhood, place_of};

/// Those of one content in one range of addresses that one customer may have.
pub(super) const OF_A_NEIGHBOURHOOD: usize = 2;
/// Those beside them that serve from where one with a place does, too, of one router: they have no
/// places, and keep their rows.
pub(super) const MOST_BESIDE: usize = 8;

/// One that a router named, and that has a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) node: RowId,
    pub(super) url: String,
    /// Whether it serves the content; `None` where it was not asked yet.
    pub(super) serves: Option<bool>,
    /// From where its bytes came of late, of whatever content, and since when.
    pub(super) addresses: BTreeMap<String, Millis>,
}

/// One that has not failed.
#[derive(Debug)]
pub(super) struct Contender<'a> {
    pub(super) held: &'a Held,
    /// Whether the router in question named it, and not another alone.
    pub(super) is_own: bool,
    pub(super) host: String,
    pub(super) neighbourhoods: BTreeSet<String>,
    url: Option<Url>,
}

/// Who has which place.
#[derive(Debug, Default)]
pub(super) struct Settled<'a> {
    /// Those with places.
    pub(super) placed: Vec<Contender<'a>>,
    /// Those that serve from where these do.
    pub(super) beside: Vec<Contender<'a>>,
    /// Those that are too many.
    pub(super) surplus: Vec<Contender<'a>>,
}

/// The less, the better. Whoever serves the content comes before who only may. A name that is the address
/// itself is no alias of another's machine, and whoever is in many places may be a guest in this one. Then
/// it goes by who served first from what they share, and not from anywhere.
type Claim = (bool, bool, bool, bool, Option<Millis>, RowId);

impl<'a> Contender<'a> {
    /// From where its bytes came counts, and before, where its name leads if that is an address.
    pub(super) fn new(held: &'a Held, is_own: bool) -> Self {
        let url = Url::parse(&held.url).ok();
        let (host, named) = place_of(&held.url);
        let neighbourhoods = match held.addresses.is_empty() {
            true => named.into_iter().collect(),
            false => held.addresses.keys().filter_map(|at| range_around(at)).collect(),
        };
        Self { held, is_own, host, neighbourhoods, url }
    }

    /// Whether it shows more than a machine with an address of each kind does.
    pub(super) fn is_wide(&self) -> bool {
        let of_v6 = self.neighbourhoods.iter().filter(|range| range.contains(':')).count();
        of_v6 > 1 || self.neighbourhoods.len() - of_v6 > 1
    }

    fn claim(&self, shared: impl Fn(&str) -> bool) -> Claim {
        let shared = || self.held.addresses.iter().filter(|(address, _)| shared(address));
        let is_named = shared().any(|(address, _)| self.is_at(address));
        let since = shared().map(|(_, since)| *since).min();
        let is_idle = self.held.serves != Some(true);
        (is_idle, !is_named, self.is_wide(), since.is_none(), since, self.held.node)
    }

    /// Whether its name is this address.
    fn is_at(&self, address: &str) -> bool {
        self.url.as_ref().is_some_and(|url| is_named_by(address, url))
    }

    fn meets(&self, other: &Self) -> bool {
        self.host == other.host
            || self.held.addresses.keys().any(|at| other.held.addresses.contains_key(at))
    }

    /// Whether what both have is its own.
    fn beats(&self, other: &Self) -> bool {
        let claim = |one: &Self, beside: &Self| match one.host == beside.host {
            true => one.claim(|_| true),
            false => one.claim(|at| beside.held.addresses.contains_key(at)),
        };
        self.meets(other) && claim(self, other) < claim(other, self)
    }

    fn claim_in(&self, range: &str) -> Claim {
        self.claim(|address| range_around(address).as_deref() == Some(range))
    }

    /// Of each kind the address by which others are known to be beside it: the widest, and of these the
    /// one by which it is named, or from which it has served longest.
    fn pivots(&self) -> impl Iterator<Item = &'a str> {
        let mut best = BTreeMap::new();
        for (address, since) in &self.held.addresses {
            let is_narrow = !address.ends_with(&format!("/{OF_A_STRANGER}"));
            let rank = (is_narrow, !self.is_at(address), *since);
            let kind = ip(address).map(|ip| ip.is_ipv4());
            let known = best.entry(kind).or_insert((rank, address.as_str()));
            *known = (*known).min((rank, address));
        }
        best.into_values().map(|(_, address)| address)
    }
}

/// Gives each host, each address and each neighbourhood's few places to those with the best claims.
///
/// Whoever serves and only shares an address keeps its row beside the one with the place: it may be the
/// machine of which that one is another name. Such a one is at one of the few addresses that are known
/// places ([`Contender::pivots`]), so that no more are independent than have places there.
pub(super) fn settle(contenders: Vec<Contender<'_>>) -> Settled<'_> {
    let (placed, rivals) = by_address(contenders);
    let (mut surplus, placed): (Vec<_>, Vec<_>) = {
        let is_crowded: HashSet<RowId> = placed
            .iter()
            .filter(|one| is_crowded_out(one, &placed))
            .map(|one| one.held.node)
            .collect();
        placed.into_iter().partition(|one| is_crowded.contains(&one.held.node))
    };
    let pivots: HashSet<&str> = placed.iter().flat_map(Contender::pivots).collect();
    let (mut beside, lost): (Vec<_>, Vec<_>) = rivals.into_iter().partition(|one| {
        one.held.serves == Some(true)
            && one.held.addresses.keys().any(|at| pivots.contains(at.as_str()))
    });
    beside.sort_by_cached_key(|one| (!one.is_own, one.claim(|at| pivots.contains(at))));
    let own = beside.iter().filter(|one| one.is_own).count();
    surplus.extend(beside.drain(own.min(MOST_BESIDE)..own));
    surplus.extend(lost);
    Settled { placed, beside, surplus }
}

/// Those of whom no two share a host or an address, and the others.
fn by_address(mut left: Vec<Contender<'_>>) -> (Vec<Contender<'_>>, Vec<Contender<'_>>) {
    let (mut placed, mut rivals) = (Vec::new(), Vec::new());
    while !left.is_empty() {
        // Where each is beaten by another, as in a ring, it is any.
        let is_beaten = |one: &Contender<'_>| left.iter().any(|other| other.beats(one));
        let best = left.iter().position(|one| !is_beaten(one)).unwrap_or(0);
        let one = left.remove(best);
        let (met, apart): (Vec<_>, Vec<_>) = left.into_iter().partition(|other| one.meets(other));
        rivals.extend(met);
        left = apart;
        placed.push(one);
    }
    (placed, rivals)
}

/// Whether all places of a neighbourhood are others'.
fn is_crowded_out(one: &Contender<'_>, all: &[Contender<'_>]) -> bool {
    one.neighbourhoods.iter().any(|range| {
        let own = one.claim_in(range);
        let others = all.iter().filter(|other| other.neighbourhoods.contains(range));
        others.filter(|other| other.claim_in(range) < own).count() >= OF_A_NEIGHBOURHOOD
    })
}

fn ip(address: &str) -> Option<IpAddr> {
    address.split('/').next()?.parse().ok()
}

fn range_around(address: &str) -> Option<String> {
    neighbourhood(ip(address)?)
}
