//! How many replicas are independent: no two of one operator, no two that share an address.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::matching::{Pair, most_held};

/// Beside the last ones, the address of nodes that show more than are kept: one of them may be where
/// another is, and nobody knows any more.
pub const SEVERAL: &str = "several addresses";

/// Whose node a replica is on, and where.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    /// Who runs the node, where known; nodes without an operator are told apart by address.
    pub operator: Option<String>,
    /// Whether nobody configured it: others named it.
    pub is_stranger: bool,
    /// From where its bytes came of late, whatever they were of; else where its name leads.
    pub addresses: Arc<[Address]>,
}

/// An address of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// The public IP address, or host and port on private and loopback addresses.
    pub name: String,
    /// When bytes last came from there; `None` where none ever came from the node.
    pub seen_at: Option<i64>,
}

impl Holder {
    /// Of a configured node at one address, from which nothing came yet.
    pub fn at(operator: Option<String>, address: impl Into<String>) -> Self {
        let address = Address { name: address.into(), seen_at: None };
        Self { operator, is_stranger: false, addresses: Arc::new([address]) }
    }

    /// The addresses from which bytes came since then, and the last one in any case.
    fn addresses_since(&self, since: i64) -> impl Iterator<Item = &str> {
        let last = self.addresses.iter().map(|address| address.seen_at).max();
        let counts = move |one: &&Address| {
            Some(one.seen_at) == last || one.seen_at.is_some_and(|at| at >= since)
        };
        self.addresses.iter().filter(counts).map(|address| address.name.as_str())
    }
}

/// How many replicas are independent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Independent {
    /// The largest number of holders of whom no two share an operator or an address.
    pub all: u32,
    /// The most of them that are held, among such sets of at least the wanted number; among all such
    /// sets, where none is so large.
    pub held: u32,
}

/// The largest number of holders of whom no two share an operator, or an address from which bytes came
/// since `since`. A stranger has the operators of all configured ones at whose addresses it is, too;
/// one at [`SEVERAL`] is apart from no other stranger.
pub fn independent<'a>(holders: impl Iterator<Item = &'a Holder>, since: i64) -> u32 {
    independent_and_held(holders.map(|holder| (holder, false)), since, 0).all
}

/// The same, and how many of at least `wanted` may be held.
///
/// Never more than there are: what is counted is a set that was found. The largest is found as long as
/// each group of holders that hang together has at most nine of which each shares addresses with
/// several others; beyond that a smaller one may be, but no smaller than without those.
pub fn independent_and_held<'a>(
    holders: impl Iterator<Item = (&'a Holder, bool)>,
    since: i64,
    wanted: u32,
) -> Independent {
    let held = groups(simplified(candidates(holders, since)))
        .into_iter()
        .map(Group::most_held)
        .fold(vec![0], |all, of_group| together(&all, &of_group));
    let all = held.len() - 1;
    let least = usize::try_from(wanted).ok().filter(|wanted| *wanted <= all).unwrap_or(0);
    let most = held[least..].iter().copied().max().unwrap_or(0);
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Independent { all: count(all), held: u32::try_from(most).unwrap_or(0) }
}

/// A holder, with numbers for names.
#[derive(Clone, Debug)]
struct Candidate {
    operators: BTreeSet<usize>,
    addresses: BTreeSet<usize>,
    is_stranger: bool,
    /// A stranger with more addresses than are known.
    is_crowded: bool,
    is_held: bool,
}

impl Candidate {
    fn is_apart_from(&self, other: &Self) -> bool {
        let is_known =
            !(self.is_crowded && other.is_stranger || other.is_crowded && self.is_stranger);
        is_known
            && self.operators.is_disjoint(&other.operators)
            && self.addresses.is_disjoint(&other.addresses)
    }

    /// Whether it stands in the way of several in ways of their own, so that no matching knows it.
    fn is_wide(&self) -> bool {
        self.is_crowded || self.addresses.len() > 1 || self.operators.len() > 1
    }
}

/// In an order that does not hang on that of the holders.
fn candidates<'a>(holders: impl Iterator<Item = (&'a Holder, bool)>, since: i64) -> Vec<Candidate> {
    let of = |(holder, is_held): (&'a Holder, bool)| {
        // However it is spelled: accounts have two spellings, and people more.
        let operator = holder.operator.as_ref().map(|name| name.trim().to_lowercase());
        let addresses: BTreeSet<&str> = holder.addresses_since(since).collect();
        (operator, addresses, holder.is_stranger, is_held)
    };
    let mut named: Vec<_> = holders.map(of).collect();
    named.sort();
    let (mut operators, mut addresses) = (BTreeMap::new(), BTreeMap::new());
    let all = named.into_iter().enumerate().map(|(index, (operator, at, is_stranger, is_held))| {
        // A node without a known operator is its own.
        let operator = operator.ok_or(index);
        let number = operators.len();
        let operators = BTreeSet::from([*operators.entry(operator).or_insert(number)]);
        let mut number = |name| {
            let next = addresses.len();
            *addresses.entry(name).or_insert(next)
        };
        let is_crowded = is_stranger && at.contains(SEVERAL);
        let addresses = at.into_iter().map(&mut number).collect();
        Candidate { operators, addresses, is_stranger, is_crowded, is_held }
    });
    let mut all = all.collect::<Vec<_>>();
    adopt(&mut all);
    all
}

/// Gives strangers the operators of the configured ones at whose addresses they are. Names cost nothing:
/// else those for each address of one machine, together, would count in the place of the one that was
/// configured. These lose nothing by it: none of them is in the way of more than it was.
fn adopt(all: &mut [Candidate]) {
    let configured: Vec<_> = all.iter().filter(|one| !one.is_stranger).cloned().collect();
    for stranger in all.iter_mut().filter(|one| one.is_stranger) {
        let at = configured.iter().filter(|one| !one.addresses.is_disjoint(&stranger.addresses));
        stranger.operators.extend(at.flat_map(|one| &one.operators));
    }
}

/// With as few candidates that are wide as can be, and sets of each size and number of held ones as
/// before: an address or operator that one alone has is of no account, and neither is a wide one in whose place
/// another may always stand. So one that shows others' addresses beside its own takes nothing away.
fn simplified(mut all: Vec<Candidate>) -> Vec<Candidate> {
    loop {
        narrow(&mut all);
        let replaced = (0..all.len()).find(|wide| {
            all[*wide].is_wide() && (0..all.len()).any(|one| may_stand_for(&all, one, *wide))
        });
        match replaced {
            Some(wide) => drop(all.remove(wide)),
            None => return all,
        }
    }
}

/// Whether `one` may take the place of `wide` in every set: who is not apart from it is not apart from
/// `wide` either, and these two are not apart.
fn may_stand_for(all: &[Candidate], one: usize, wide: usize) -> bool {
    let (stand, wide_one) = (&all[one], &all[wide]);
    one != wide
        && stand.is_held >= wide_one.is_held
        && !stand.is_apart_from(wide_one)
        && all.iter().enumerate().all(|(third, other)| {
            third == one || other.is_apart_from(stand) || !other.is_apart_from(wide_one)
        })
}

/// Leaves of each candidate's addresses and operators those that others have, too; else one.
fn narrow(all: &mut [Candidate]) {
    keep_shared(all, |one| &mut one.addresses);
    keep_shared(all, |one| &mut one.operators);
}

fn keep_shared(all: &mut [Candidate], of: impl Fn(&mut Candidate) -> &mut BTreeSet<usize>) {
    let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
    for number in all.iter_mut().flat_map(|one| of(one).iter()) {
        *shared.entry(*number).or_default() += 1;
    }
    for own in all.iter_mut().map(of) {
        let first = own.first().copied();
        own.retain(|number| shared[number] > 1);
        if own.is_empty() {
            own.extend(first);
        }
    }
}

/// Candidates that hang together: each shares something with another.
struct Group(Vec<Candidate>);

fn groups(all: Vec<Candidate>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for one in all {
        let (mut joined, mut apart) = (vec![one], Vec::new());
        for group in groups {
            match group.0.iter().all(|other| other.is_apart_from(&joined[0])) {
                true => apart.push(group),
                false => joined.extend(group.0),
            }
        }
        apart.push(Group(joined));
        groups = apart;
    }
    groups
}

/// Sets of wide candidates that are tried in a group: all of nine.
const TRIES: usize = 512;

impl Group {
    /// The most held ones among so many that are apart, of none, of one, and so on.
    ///
    /// That is a matching where each has one address ([`most_held`]), and else hard (set packing). So
    /// each set of the wide ones that are apart is tried, and those of the others that are apart from
    /// it are matched; of more than [`TRIES`] sets only so many, the one of none first.
    fn most_held(self) -> Vec<i32> {
        let (mut wide, narrow): (Vec<_>, Vec<_>) =
            self.0.iter().partition(|candidate| candidate.is_wide());
        let in_its_way =
            |one: &&Candidate| self.0.iter().filter(|other| !other.is_apart_from(one)).count();
        wide.sort_by_key(in_its_way);
        let mut search = Search { wide, narrow, best: vec![0], tries: TRIES };
        search.match_beside(&[]);
        search.try_from(0, &mut Vec::new());
        search.best
    }
}

struct Search<'a> {
    wide: Vec<&'a Candidate>,
    narrow: Vec<&'a Candidate>,
    /// The most held ones in a set of each size.
    best: Vec<i32>,
    tries: usize,
}

impl<'a> Search<'a> {
    /// Tries all sets of wide ones that begin with these and go on after so many: with each before
    /// without it, so that the first is a large one.
    fn try_from(&mut self, next: usize, chosen: &mut Vec<&'a Candidate>) {
        if self.tries == 0 {
            return;
        }
        let Some(one) = self.wide.get(next).copied() else {
            self.tries -= 1;
            return self.match_beside(chosen);
        };
        if chosen.iter().all(|other| other.is_apart_from(one)) {
            chosen.push(one);
            self.try_from(next + 1, chosen);
            chosen.pop();
        }
        self.try_from(next + 1, chosen);
    }

    fn match_beside(&mut self, chosen: &[&Candidate]) {
        let free = self.narrow.iter().filter(|one| chosen.iter().all(|c| c.is_apart_from(one)));
        let pairs = free.filter_map(|one| {
            let (operator, address) = (*one.operators.first()?, *one.addresses.first()?);
            Some(Pair { operator, address, is_held: one.is_held })
        });
        let matched = most_held(pairs);
        let mut held = most_held_of(chosen);
        let of_chosen = held.pop().unwrap_or_default();
        held.extend(matched.iter().map(|more| of_chosen + more));
        self.best.resize(self.best.len().max(held.len()), i32::MIN);
        for (best, held) in self.best.iter_mut().zip(held) {
            *best = held.max(*best);
        }
    }
}

/// The most held ones among so many of these, who are all apart.
fn most_held_of(apart: &[&Candidate]) -> Vec<i32> {
    let held = apart.iter().filter(|one| one.is_held).count();
    (0..=apart.len()).map(|size| i32::try_from(size.min(held)).unwrap_or(i32::MAX)).collect()
}

/// Of two groups that have nothing to do with each other.
fn together(one: &[i32], other: &[i32]) -> Vec<i32> {
    let mut held = vec![0; one.len() + other.len() - 1];
    for (size, here) in one.iter().enumerate() {
        for (more, there) in other.iter().enumerate() {
            held[size + more] = held[size + more].max(here + there);
        }
    }
    held
}
