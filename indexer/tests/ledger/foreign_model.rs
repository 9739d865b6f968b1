//! What a ledger must hold of collections of others, worked out the plain way.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, U256};
use everhold::{
    chain::{BlockRef, TokenEventKind},
    config::Standard,
};

use crate::{
    story::{Said, contract, person, raw},
    support::snapshot::{Snapshot, TokenShape},
};

/// What the two collections are.
pub(crate) const STANDARDS: [Standard; 2] = [Standard::Erc721, Standard::Erc1155];

/// What a contract does: it logs what it likes.
#[derive(Clone, Debug)]
pub(crate) struct Action {
    pub(crate) collection: usize,
    pub(crate) token: u64,
    /// How many more tokens, or how many of it.
    pub(crate) amount: u64,
    /// 0 is nobody.
    pub(crate) person: u8,
    /// The URI that the token has from then on.
    pub(crate) content: u8,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A `Transfer`, or a `TransferSingle` from nobody.
    Give,
    /// A `ConsecutiveTransfer`, or a `TransferSingle` between two.
    Many,
    /// A `TransferSingle` to nobody; in the ERC-721 a `Transfer` to nobody.
    Burn,
    /// The URI changes, and the contract says so.
    Change,
}

/// The chain after a block.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    tokens: BTreeMap<(usize, u64), TokenShape>,
    uris: BTreeMap<(usize, u64), u8>,
}

impl State {
    /// What the contract answers for a token.
    pub(crate) fn uri(&self, collection: usize, token: U256) -> u8 {
        *self.uris.get(&(collection, token.to::<u64>())).unwrap_or(&0)
    }

    /// What the contract logs.
    fn apply(&mut self, action: &Action, block: BlockRef) -> Vec<Said> {
        let key = (action.collection, action.token);
        if action.kind == Kind::Change {
            self.uris.insert(key, action.content);
            let last = U256::from(action.token);
            return said(action, TokenEventKind::MetadataChanged { last });
        }
        match STANDARDS[action.collection] {
            Standard::Erc1155 => self.apply_1155(action, block),
            _ => self.apply_721(action, block),
        }
    }

    fn apply_721(&mut self, action: &Action, block: BlockRef) -> Vec<Said> {
        let to = match action.kind {
            Kind::Burn => Address::ZERO,
            _ => person(action.person),
        };
        let more = if action.kind == Kind::Many { action.amount } else { 0 };
        for token in action.token..=action.token + more {
            let key = (action.collection, token);
            match to.is_zero() {
                true => drop(self.tokens.remove(&key)),
                false => self.tokens.entry(key).or_insert_with(|| shape(block)).owner = to,
            }
        }
        match action.kind {
            Kind::Many => {
                let last = U256::from(action.token + more);
                said(action, TokenEventKind::TransferRange { last, to })
            }
            _ => said(action, TokenEventKind::Transfer { to }),
        }
    }

    fn apply_1155(&mut self, action: &Action, block: BlockRef) -> Vec<Said> {
        let key = (action.collection, action.token);
        let old = self.tokens.get(&key).and_then(|shape| shape.supply);
        let (now, amount) = (old.unwrap_or_default(), U256::from(action.amount));
        let (new, kind) = match action.kind {
            Kind::Give => (now + amount, TokenEventKind::Minted { amount }),
            Kind::Burn => (now.saturating_sub(amount), TokenEventKind::Burned { amount }),
            _ => (old.unwrap_or(amount), TokenEventKind::Moved { amount }),
        };
        match new.is_zero() {
            true => drop(self.tokens.remove(&key)),
            false => {
                let shape = self.tokens.entry(key).or_insert_with(|| shape(block));
                shape.supply = Some(new);
            }
        }
        said(action, kind)
    }

    /// What the ledger holds, with the contents of tokens once their URIs were read, or without.
    pub(crate) fn snapshot(&self, with_contents: bool) -> Snapshot {
        let mut wanted = BTreeSet::new();
        let mut tokens = BTreeMap::new();
        for ((collection, id), shape) in &self.tokens {
            let mut shape = shape.clone();
            if with_contents {
                let content = raw(self.uri(*collection, U256::from(*id)));
                shape.content = Some(content);
                wanted.insert(content);
            }
            tokens.insert((contract(*collection), U256::from(*id)), shape);
        }
        Snapshot { tokens, wanted }
    }
}

fn shape(block: BlockRef) -> TokenShape {
    TokenShape {
        owner: Address::ZERO,
        supply: None,
        content: None,
        revision: 0,
        frozen: false,
        minted: (block.number, block.hash),
        content_set: None,
    }
}

fn said(action: &Action, kind: TokenEventKind) -> Vec<Said> {
    let token = U256::from(action.token);
    vec![Said { collection: action.collection, token, kind, same_log: false }]
}

/// The states after each block of the chain as it stands.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    states: Vec<State>,
}

impl Model {
    pub(crate) fn new() -> Self {
        Self { states: vec![State::default()] }
    }

    pub(crate) fn now(&self) -> &State {
        self.states.last().unwrap()
    }

    pub(crate) fn block(&mut self, actions: &[Action], block: BlockRef) -> Vec<Said> {
        let mut state = self.now().clone();
        let said = actions.iter().flat_map(|action| state.apply(action, block)).collect();
        self.states.push(state);
        said
    }

    pub(crate) fn revert(&mut self, ancestor: u64) {
        self.states.truncate(usize::try_from(ancestor).unwrap() + 1);
    }
}
