//! From where nodes served of late: by that they are told apart. Of each node it is one set, whatever
//! content the bytes were of: a machine that shows another address each time has them all.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    Millis, ProbeRecord, Result, RowId, Tx,
    bulk::{fetch_in, insert_rows},
    execute, fetch,
};
use crate::health::{Address, ReplicaState};

/// Addresses of a node that are kept.
pub const MOST_ADDRESSES: usize = 32;
/// Beside the last ones, the address of nodes that show more than are kept: one of them may be where
/// another is, and nobody knows any more.
pub const SEVERAL: &str = "several addresses";
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

/// What follows for a node at addresses that are known from bytes that came from these, at `at`.
fn news(
    known: &BTreeMap<String, Sighting>,
    seen: &BTreeSet<&str>,
    at: Millis,
    max_age: Millis,
) -> News {
    let ends = at.saturating_add(SPAN - at.rem_euclid(SPAN));
    let mut news = News::default();
    let mut all = known.clone();
    for address in seen.iter().copied() {
        see(&mut all, address, at, ends);
    }
    // What was written by a clock that was ahead would count for too long.
    for (_, last) in all.values_mut() {
        *last = (*last).min(ends);
    }
    let counts = |last: Millis| at.saturating_sub(last) <= max_age;
    let mut kept: Vec<_> = all.iter().filter(|(name, _)| *name != SEVERAL).collect();
    kept.sort_by_key(|(name, (_, last))| (std::cmp::Reverse(*last), *name));
    let gone = kept.iter().skip(MOST_ADDRESSES);
    let is_crowded = gone.clone().any(|(_, (_, last))| counts(*last));
    let gone: Vec<String> = gone.map(|(name, _)| (*name).clone()).collect();
    if is_crowded {
        see(&mut all, SEVERAL, at, ends);
    }
    all.retain(|name, _| !gone.contains(name));
    news.forget = gone.into_iter().filter(|name| known.contains_key(name)).collect();
    let is_fresh = |name: &&String| known.get(*name).is_none_or(|(_, last)| !counts(*last));
    let now = all.iter().filter(|(_, (_, last))| counts(*last)).map(|(name, _)| name);
    news.fresh = now.filter(is_fresh).cloned().collect();
    news.write = all.into_iter().filter(|(name, one)| known.get(name) != Some(one)).collect();
    news
}

fn see(all: &mut BTreeMap<String, Sighting>, address: &str, at: Millis, ends: Millis) {
    let (_, last) = all.entry(address.to_owned()).or_insert((at, ends));
    *last = ends;
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
        let mut seen: BTreeMap<RowId, (Millis, BTreeSet<&str>)> = BTreeMap::new();
        for one in records.iter().filter(|one| one.seen == ReplicaState::Verified) {
            if one.addresses.is_empty() {
                continue;
            }
            let (at, addresses) = seen.entry(one.node).or_insert((one.at, BTreeSet::new()));
            *at = one.at.max(*at);
            addresses.extend(one.addresses.iter().map(String::as_str));
        }
        let mut known: HashMap<RowId, BTreeMap<String, Sighting>> = HashMap::new();
        let nodes = self.in_use_among(seen.keys().copied().collect()).await?;
        for (node, address, first, last) in self.sightings(&nodes).await? {
            known.entry(node).or_default().insert(address, (first, last));
        }
        let here = seen.iter().filter(|(node, _)| nodes.contains(node));
        let all = here.map(|(node, (at, addresses))| {
            (*node, news(&known.remove(node).unwrap_or_default(), addresses, *at, max_age))
        });
        let all: Vec<(RowId, News)> = all.filter(|(_, news)| *news != News::default()).collect();
        self.lock_addresses(all.iter().map(|(node, _)| *node).collect()).await?;
        let (mut write, mut fresh) = (Vec::new(), Vec::new());
        for (node, news) in all {
            self.forget_addresses(node, &news.forget).await?;
            write.extend(news.write.into_iter().map(|(address, when)| (node, address, when)));
            fresh.push((node, news.fresh));
        }
        insert_rows!(
            self,
            "INSERT INTO node_addresses (node_id, address, first_at, seen_at) ",
            write,
            |one| (one.0, one.1.as_str(), one.2.0, one.2.1),
            " ON CONFLICT (node_id, address) DO UPDATE SET seen_at = excluded.seen_at"
        );
        let mut contents = BTreeSet::new();
        for (node, addresses) in fresh {
            if !addresses.is_empty() && self.is_shared(node, &addresses).await? {
                contents.extend(self.verified_at(node).await?);
            }
        }
        Ok(contents)
    }

    /// A row may be another's by now: of who left, nothing is written down.
    async fn in_use_among(&mut self, nodes: Vec<RowId>) -> Result<BTreeSet<RowId>> {
        let found = fetch_in!(self, (i64,), {} "SELECT id FROM nodes WHERE active = 1 AND id IN",
            nodes, "");
        Ok(found.into_iter().map(|(node,)| node).collect())
    }

    /// In one order everywhere, so that two workers never wait for each other.
    async fn lock_addresses(&mut self, nodes: Vec<RowId>) -> Result<()> {
        if let (Self::Postgres(c), false) = (self, nodes.is_empty()) {
            let lock = "SELECT node_id FROM node_addresses WHERE node_id = ANY ($1)
                 ORDER BY node_id, address FOR UPDATE";
            sqlx::query(lock).bind(nodes).fetch_all(&mut **c).await?;
        }
        Ok(())
    }

    /// The row of a node becomes another's.
    pub(super) async fn forget_all_addresses(&mut self, node: RowId) -> Result<()> {
        execute!(self, "DELETE FROM node_addresses WHERE node_id = $1", node)?;
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

    /// Whether another node is, or by its name may be, at one of these addresses.
    async fn is_shared(&mut self, node: RowId, addresses: &[String]) -> Result<bool> {
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
        Ok(!seen.is_empty() || !named.is_empty())
    }

    /// Contents that are verified at a node and probed there.
    async fn verified_at(&mut self, node: RowId) -> Result<BTreeSet<RowId>> {
        let rows = fetch!(
            fetch_all,
            self,
            (i64,),
            "SELECT content_id FROM replicas WHERE node_id = $1 AND priority IN (0, 1, 2)
               AND due_at IS NOT NULL AND state = 'verified'",
            node,
        )?;
        Ok(rows.into_iter().map(|(content,)| content).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: Millis = 24 * 60 * 60 * 1000;

    fn learn(known: &mut BTreeMap<String, Sighting>, seen: &[&str], at: Millis) -> News {
        let news = news(known, &seen.iter().copied().collect(), at, 2 * DAY);
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
        assert_eq!(known["a"].0, 90_000);
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
