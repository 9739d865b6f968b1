//! What a ledger must hold of the chain in memory, worked out the plain way.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

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
    /// Where it is not; what differs is told, or some of it.
    pub(super) fn must_be(&self, other: &Self) {
        let tokens = differ(&self.tokens, &other.tokens);
        let uris = differ(&self.uris, &other.uris);
        assert!(tokens.is_empty() && uris.is_empty(), "not the model:{tokens}{uris}");
    }

    /// The same of what a ledger holds.
    pub(super) fn seen(seen: &Seen) -> Self {
        let uris = seen.uris.iter();
        let uris = uris.map(|(key, uri)| (*key, (uri.text.clone(), uri.contents.clone())));
        Self { tokens: seen.snapshot.tokens.clone(), uris: uris.collect() }
    }
}

/// The first of what is not the same, as it is and as it should be.
fn differ<T: PartialEq + Debug>(found: &BTreeMap<Key, T>, expected: &BTreeMap<Key, T>) -> String {
    let keys: BTreeSet<_> = found.keys().chain(expected.keys()).collect();
    let pairs = keys.into_iter().map(|key| (key, found.get(key), expected.get(key)));
    let differ: Vec<_> = pairs.filter(|(_, found, expected)| found != expected).collect();
    let of = differ.len();
    let one = |(key, found, expected)| {
        format!("\n{key:?} (one of {of})\n  is        {found:?}\n  should be {expected:?}")
    };
    differ.into_iter().take(3).map(one).collect()
}
