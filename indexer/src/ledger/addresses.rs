//! From where nodes served of late: by that they are told apart. Of each node it is one set, whatever
//! content the bytes were of: a machine that shows another address each time has them all.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    Millis, ProbeRecord, Result, RowId, Tx,
    bulk::{fetch_in, insert_rows},
    execute,
};
pub use crate::health::SEVERAL;
use crate::{
    health::{Address, ReplicaState, is_believed},
    hosts::OF_A_STRANGER,
};

/// Addresses of a node that are kept.
pub const MOST_ADDRESSES: usize = 32;
/// Of what PostgreSQL's advisory locks are: nodes whose addresses are written down, and addresses.
const NODES: i32 = i32::from_be_bytes(*b"node");
const ADDRESSES: i32 = i32::from_be_bytes(*b"addr");
/// So many of each kind there are, each for many: the server has room for some thousands.
const LOCKS: i32 = 256;
/// That a node still serves from an address is written down so often, in milliseconds, and ahead: no
/// proof is younger than what is written of where it came from.
const SPAN: Millis = 60 * 1000;

/// An address as it is kept: when bytes first came from there, and when last.
type Sighting = (Millis, Millis);

/// What is to be written of a node's addresses.
#[derive(Debug, Default, PartialEq, Eq)]
struct News {
    write: BTreeMap<String, Sighting>,
    forget: Vec<String>,
    /// Those that did not count before.
    fresh: Vec<String>,
}

/// What follows for a node at addresses that are known from bytes that came from these, at `at`. Others
/// are, or were, at the `shared` ones.
///
/// Where there are more than are kept, those stay by which it is known to be one with others: or showing
/// more would part them again.
fn news(
    known: &BTreeMap<String, Sighting>,
    seen: &BTreeSet<&str>,
    shared: &BTreeSet<String>,
    at: Millis,
    max_age: Millis,
) -> News {
    let ends = at.saturating_add(SPAN - at.rem_euclid(SPAN));
    let mut news = News::default();
    let counts = |last: Millis| at.saturating_sub(last) <= max_age;
    let mut all = known.clone();
    // What was written by a clock that was ahead would count for too long.
    for (_, last) in all.values_mut().filter(|(_, last)| !is_believed(*last, ends)) {
        *last = ends;
    }
    for address in seen.iter().copied() {
        see(&mut all, address, at, ends, max_age);
    }
    let mut kept: Vec<_> = all.iter().filter(|(name, _)| *name != SEVERAL).collect();
    kept.sort_by_key(|(name, (_, last))| {
        let is_alone = !shared.contains(*name);
        (!counts(*last), !is_of_a_stranger(name), is_alone, std::cmp::Reverse(*last), *name)
    });
    let gone = kept.iter().skip(MOST_ADDRESSES);
    let is_crowded = gone.clone().any(|(_, (_, last))| counts(*last));
    let gone: Vec<String> = gone.map(|(name, _)| (*name).clone()).collect();
    if is_crowded {
        see(&mut all, SEVERAL, at, ends, max_age);
    }
    all.retain(|name, _| !gone.contains(name));
    news.forget = gone.into_iter().filter(|name| known.contains_key(name)).collect();
    let is_fresh = |name: &&String| known.get(*name).is_none_or(|(_, last)| !counts(*last));
    let now = all.iter().filter(|(_, (_, last))| counts(*last)).map(|(name, _)| name);
    news.fresh = now.filter(is_fresh).cloned().collect();
    news.write = all.into_iter().filter(|(name, one)| known.get(name) != Some(one)).collect();
    news
}

/// What came from there before, and too long ago to count, is over. One that is late takes nothing back.
fn see(
    all: &mut BTreeMap<String, Sighting>,
    address: &str,
    at: Millis,
    ends: Millis,
    max_age: Millis,
) {
    let (first, last) = all.entry(address.to_owned()).or_insert((at, ends));
    if at.saturating_sub(*last) > max_age {
        *first = at;
    }
    *last = ends.max(*last);
}

/// The range of which a stranger has all: it is one with every other there.
fn is_of_a_stranger(address: &str) -> bool {
    address.split_once('/').is_some_and(|(_, bits)| bits == OF_A_STRANGER.to_string())
}

/// When right bytes came from a node, and from where.
type Seen<'a> = BTreeMap<RowId, (Millis, BTreeSet<&'a str>)>;

fn seen_in(records: &[ProbeRecord]) -> Seen<'_> {
    let mut seen = Seen::new();
    let proofs = records.iter().filter(|one| one.seen == ReplicaState::Verified);
    for one in proofs.filter(|one| !one.addresses.is_empty()) {
        let (at, addresses) = seen.entry(one.node).or_insert((one.at, BTreeSet::new()));
        *at = one.at.max(*at);
        addresses.extend(one.addresses.iter().map(String::as_str));
    }
    seen
}

impl Tx {
    /// The addresses of nodes, of those from which bytes came.
    pub(super) async fn addresses_of(
        &mut self,
        nodes: &BTreeSet<RowId>,
    ) -> Result<HashMap<RowId, Arc<[Address]>>> {
        let mut all: HashMap<RowId, Vec<Address>> = HashMap::new();
        for (node, name, _, seen_at) in self.sightings(nodes).await? {
            all.entry(node).or_default().push(Address { name, seen_at: Some(seen_at) });
        }
        Ok(all.into_iter().map(|(node, addresses)| (node, addresses.into())).collect())
    }

    /// Nodes, their addresses, since when, and when last.
    pub(super) async fn sightings(
        &mut self,
        nodes: &BTreeSet<RowId>,
    ) -> Result<Vec<(RowId, String, Millis, Millis)>> {
        let nodes: Vec<RowId> = nodes.iter().copied().collect();
        Ok(fetch_in!(
            self,
            (i64, String, i64, i64),
            {}
            "SELECT node_id, address, first_at, seen_at FROM node_addresses WHERE node_id IN",
            nodes,
            "ORDER BY node_id, address"
        ))
    }

    /// Writes down from where right bytes came; gives the contents to be judged anew, since nodes
    /// that counted beside each other may share an address now.
    pub(super) async fn note_addresses(
        &mut self,
        records: &[ProbeRecord],
        max_age: Millis,
    ) -> Result<BTreeSet<RowId>> {
        let mut seen = seen_in(records);
        let mut news = self.news_of(&seen, max_age).await?;
        seen.retain(|node, _| news.contains_key(node));
        if seen.is_empty() {
            return Ok(BTreeSet::new());
        }
        if self.lock_addresses(news.keys().copied().collect()).await? {
            // What another wrote meanwhile is known now.
            news = self.news_of(&seen, max_age).await?;
        }
        let (mut write, mut fresh) = (Vec::new(), Vec::new());
        for (node, news) in news {
            self.forget_addresses(node, &news.forget).await?;
            write.extend(news.write.into_iter().map(|(address, when)| (node, address, when)));
            fresh.push((node, news.fresh));
        }
        insert_rows!(
            self,
            "INSERT INTO node_addresses (node_id, address, first_at, seen_at) ",
            write,
            |one| (one.0, one.1.as_str(), one.2.0, one.2.1),
            " ON CONFLICT (node_id, address) DO UPDATE SET first_at = excluded.first_at,
                seen_at = excluded.seen_at"
        );
        self.wait_for_others_at(fresh.iter().flat_map(|(_, addresses)| addresses)).await?;
        let mut contents = BTreeSet::new();
        for (node, addresses) in fresh {
            let Some((at, _)) = seen.get(&node) else { continue };
            if !self.shared_of(node, &addresses).await?.is_empty() {
                let of_node = records.iter().filter(|one| one.node == node);
                contents.extend(of_node.map(|one| one.content));
                contents.extend(self.judged_by_move(node, *at).await?);
            }
        }
        Ok(contents)
    }

    /// What is to be written of nodes, where anything is.
    async fn news_of(&mut self, seen: &Seen<'_>, max_age: Millis) -> Result<BTreeMap<RowId, News>> {
        let nodes = self.in_use_among(seen.keys().copied().collect()).await?;
        let mut known: HashMap<RowId, BTreeMap<String, Sighting>> = HashMap::new();
        for (node, address, first, last) in self.sightings(&nodes).await? {
            known.entry(node).or_default().insert(address, (first, last));
        }
        let mut all = BTreeMap::new();
        for (node, (at, addresses)) in seen.iter().filter(|(node, _)| nodes.contains(node)) {
            let known = known.remove(node).unwrap_or_default();
            let names = known.keys().map(String::as_str).chain(addresses.iter().copied());
            let names: BTreeSet<&str> = names.filter(|name| *name != SEVERAL).collect();
            let mut shared = BTreeSet::new();
            if names.len() > MOST_ADDRESSES {
                let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
                shared = self.shared_of(*node, &names).await?;
            }
            let news = news(&known, addresses, &shared, *at, max_age);
            if news != News::default() {
                all.insert(*node, news);
            }
        }
        Ok(all)
    }

    /// A row may be another's by now: of who left, nothing is written down.
    async fn in_use_among(&mut self, nodes: Vec<RowId>) -> Result<BTreeSet<RowId>> {
        let found = fetch_in!(self, (i64,), {} "SELECT id FROM nodes WHERE active = 1 AND id IN",
            nodes, "");
        Ok(found.into_iter().map(|(node,)| node).collect())
    }

    /// Waits until nobody else writes of these nodes' addresses, where others may; gives whether they may.
    async fn lock_addresses(&mut self, nodes: Vec<RowId>) -> Result<bool> {
        let Self::Postgres(c) = self else { return Ok(false) };
        // In one order everywhere, so that two workers never wait for each other.
        let lock = "SELECT pg_advisory_xact_lock($1, key) FROM (SELECT DISTINCT
                hashint8(node) & $3 AS key FROM UNNEST($2) AS one (node) ORDER BY key) AS keys";
        sqlx::query(lock).bind(NODES).bind(nodes).bind(LOCKS - 1).execute(&mut **c).await?;
        Ok(true)
    }

    /// Waits for those who come to the same addresses at the same time: of two, neither would see
    /// what the other did not end yet, and the later one sees both.
    async fn wait_for_others_at(&mut self, fresh: impl Iterator<Item = &String>) -> Result<()> {
        let Self::Postgres(c) = self else { return Ok(()) };
        let addresses: Vec<&str> = fresh.map(String::as_str).collect();
        if !addresses.is_empty() {
            let lock = "SELECT pg_advisory_xact_lock($1, key) FROM (SELECT DISTINCT
                    hashtext(address) & $3 AS key FROM UNNEST($2) AS one (address) ORDER BY key) AS keys";
            sqlx::query(lock)
                .bind(ADDRESSES)
                .bind(addresses)
                .bind(LOCKS - 1)
                .execute(&mut **c)
                .await?;
        }
        Ok(())
    }

    /// The row of a node becomes another's.
    pub(super) async fn forget_all_addresses(&mut self, node: RowId) -> Result<()> {
        execute!(self, "DELETE FROM node_addresses WHERE node_id = $1", node)?;
        execute!(self, "DELETE FROM moves WHERE node_id = $1", node)?;
        Ok(())
    }

    async fn forget_addresses(&mut self, node: RowId, addresses: &[String]) -> Result<()> {
        fetch_in!(
            self,
            (String,),
            {"DELETE FROM node_addresses WHERE node_id = " => node}
            " AND address IN",
            addresses,
            "RETURNING address"
        );
        Ok(())
    }

    /// At which of these addresses another node is, or by its name may be.
    async fn shared_of(&mut self, node: RowId, addresses: &[String]) -> Result<BTreeSet<String>> {
        let seen = fetch_in!(
            self,
            (String,),
            {"SELECT DISTINCT address FROM node_addresses WHERE node_id <> " => node}
            " AND address IN",
            addresses,
            ""
        );
        let named = fetch_in!(
            self,
            (String,),
            {"SELECT DISTINCT address FROM nodes WHERE active = 1 AND id <> " => node}
            " AND address IN",
            addresses,
            ""
        );
        Ok(seen.into_iter().chain(named).map(|(address,)| address).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: Millis = 24 * 60 * 60 * 1000;

    fn learn(known: &mut BTreeMap<String, Sighting>, seen: &[&str], at: Millis) -> News {
        learn_beside(known, seen, &BTreeSet::new(), at)
    }

    fn learn_beside(
        known: &mut BTreeMap<String, Sighting>,
        seen: &[&str],
        shared: &BTreeSet<String>,
        at: Millis,
    ) -> News {
        let news = news(known, &seen.iter().copied().collect(), shared, at, 2 * DAY);
        known.extend(news.write.clone());
        known.retain(|address, _| !news.forget.contains(address));
        news
    }

    #[test]
    fn an_address_is_written_down_once_a_minute_and_is_fresh_once() {
        let mut known = BTreeMap::new();
        let first = learn(&mut known, &["a"], 90_000);
        assert_eq!(first.write, BTreeMap::from([("a".to_owned(), (90_000, 120_000))]));
        assert_eq!(first.fresh, ["a"]);
        assert_eq!(learn(&mut known, &["a"], 119_999), News::default());
        let later = learn(&mut known, &["a", "b"], 120_000);
        assert_eq!((later.write.len(), later.fresh), (2, vec!["b".to_owned()]));
        assert_eq!(known["a"], (90_000, 180_000));
        let back = learn(&mut known, &["a"], 180_001 + 2 * DAY);
        assert_eq!(back.fresh, ["a"], "it did not count any more");
        assert_eq!(known["a"].0, 180_001 + 2 * DAY, "what was before is over");
        let late = learn(&mut known, &["a"], 120_000 + 2 * DAY);
        assert_eq!(late, News::default(), "it takes nothing back");
    }

    #[test]
    fn who_shows_more_than_are_kept_shares_one_with_all_such() {
        let mut known = BTreeMap::new();
        let name = |number: usize| format!("1.2.3.{number}");
        for number in 0..100 {
            let at = i64::try_from(number).unwrap() * SPAN;
            let news = learn(&mut known, &[&name(number)], at);
            let crowded = number >= MOST_ADDRESSES;
            assert_eq!(known.contains_key(SEVERAL), crowded, "{number}");
            assert_eq!(news.fresh.contains(&SEVERAL.to_owned()), number == MOST_ADDRESSES);
            assert!(known.contains_key(&name(number)), "the last is known");
        }
        assert_eq!(known.len(), MOST_ADDRESSES + 1);
        // Those that are too old to count make room, and nobody is crowded.
        let mut old: BTreeMap<_, _> = (0..MOST_ADDRESSES).map(|n| (name(n), (0, SPAN))).collect();
        learn(&mut old, &["9.9.9.9"], 3 * DAY);
        assert_eq!((old.len(), old.contains_key(SEVERAL)), (MOST_ADDRESSES, false));
    }

    #[test]
    fn what_is_shared_stays_whatever_is_shown_beside_it() {
        let shared = BTreeSet::from(["9.9.9.9".to_owned()]);
        let mut known = BTreeMap::new();
        learn_beside(&mut known, &["9.9.9.9", "9.9.9.8"], &shared, 0);
        let many: Vec<_> = (0..64).map(|number| format!("1.2.3.{number}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        learn_beside(&mut known, &many, &shared, 2 * SPAN);
        assert!(known.contains_key("9.9.9.9") && !known.contains_key("9.9.9.8"));
        assert_eq!(known.len(), MOST_ADDRESSES + 1);
        // As long as it counts.
        learn_beside(&mut known, &many, &shared, 3 * DAY);
        assert!(!known.contains_key("9.9.9.9"));
        // In one minute, too, the range of a stranger.
        let networks: Vec<_> = (1..=40).map(|at| format!("2a01:4f8:1:{at:x}::/64")).collect();
        let mut seen: Vec<_> = networks.iter().map(String::as_str).collect();
        seen.push("2a01:4f8:1::/48");
        let mut known = BTreeMap::new();
        learn(&mut known, &seen, 0);
        assert!(known.contains_key("2a01:4f8:1::/48") && known.contains_key(SEVERAL));
    }

    #[test]
    fn what_a_clock_wrote_that_was_ahead_is_brought_back() {
        let mut known = BTreeMap::from([("a".to_owned(), (0, 400 * DAY))]);
        learn(&mut known, &["b"], DAY);
        assert!(known.values().all(|(_, last)| *last <= DAY + SPAN));
    }

    proptest! {
        /// However many are shown at once or in turn.
        #[test]
        fn few_are_kept_and_no_proof_is_younger(
            steps in prop::collection::vec((prop::collection::btree_set(0u8..120, 0..60), 0..DAY), 1..20)
        ) {
            let (mut known, mut at) = (BTreeMap::new(), 0);
            for (seen, later) in steps {
                at += later;
                let names: Vec<_> = seen.iter().map(|number| format!("{number:03}")).collect();
                learn(&mut known, &names.iter().map(String::as_str).collect::<Vec<_>>(), at);
                prop_assert!(known.len() <= MOST_ADDRESSES + 1);
                let kept = names.iter().filter_map(|name| known.get(name));
                prop_assert!(kept.clone().all(|(_, last)| *last >= at));
                prop_assert!(kept.count() == names.len() || known.contains_key(SEVERAL));
            }
        }
    }
}
