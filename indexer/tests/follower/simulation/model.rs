//! What a ledger must hold of the chain in memory, worked out the plain way.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, U256};
use everhold::content::ContentId;

use super::{
    chain::{COLLECTION, Chain},
    foreign::id_of,
};
use crate::{setting::Seen, support::snapshot::TokenShape};

type Key = (Address, U256);

/// The tokens of our collection and of those of others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Model {
    tokens: BTreeMap<Key, TokenShape>,
    /// Of each token of somebody else's collection: its URI, and the contents it hangs on.
    uris: BTreeMap<Key, (Option<String>, Vec<ContentId>)>,
}

impl Model {
    /// What is so after a chain's last block.
    pub(super) fn of(chain: &Chain) -> Self {
        let head = chain.head();
        let ours = head.tokens.iter();
        let mut tokens: BTreeMap<_, _> =
            ours.map(|(id, shape)| ((COLLECTION, U256::from(*id)), shape.clone())).collect();
        let mut uris = BTreeMap::new();
        for ((contract, number), shape) in &head.foreign.tokens {
            let key = (*contract, id_of(*number));
            let says = head.foreign.says(key.0, key.1);
            tokens.insert(key, TokenShape { content: says.content(), ..shape.clone() });
            uris.insert(key, (says.kept(), says.contents()));
        }
        Self { tokens, uris }
    }

    /// # Panics
    /// Where it is not; only what differs is told.
    pub(super) fn must_be(&self, other: &Self) {
        let differ = (differ(&self.tokens, &other.tokens), differ(&self.uris, &other.uris));
        assert!(differ.0.is_empty() && differ.1.is_empty(), "not the model: {differ:#?}");
    }

    /// The same of what a ledger holds.
    pub(super) fn seen(seen: &Seen) -> Self {
        let uris = seen.uris.iter();
        let uris = uris.map(|(key, uri)| (*key, (uri.text.clone(), uri.contents.clone())));
        Self { tokens: seen.snapshot.tokens.clone(), uris: uris.collect() }
    }
}

/// What is not the same, as it is and as it should be.
fn differ<'a, T: PartialEq>(
    found: &'a BTreeMap<Key, T>,
    expected: &'a BTreeMap<Key, T>,
) -> Vec<(&'a Key, Option<&'a T>, Option<&'a T>)> {
    let keys: BTreeSet<_> = found.keys().chain(expected.keys()).collect();
    let pairs = keys.into_iter().map(|key| (key, found.get(key), expected.get(key)));
    pairs.filter(|(_, found, expected)| found != expected).collect()
}
