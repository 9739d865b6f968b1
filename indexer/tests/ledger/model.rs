//! What a ledger must hold, worked out the plain way: a whole state for every block.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::U256;
use everhold::{
    chain::BlockRef,
    content::{Codec, ContentId, Link, Metadata, Reference},
};

use crate::{
    story::{Said, burn, contract, digest, freeze, give, mint, person, raw, update},
    support::snapshot::{Snapshot, TokenShape},
};

/// The codecs of the two collections.
pub(crate) const CODECS: [Codec; 2] = [Codec::Raw, Codec::DagPb];

/// What somebody tries to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Mint,
    Give,
    Update,
    Freeze,
    Burn,
}

/// Something somebody tries to do to a token; a contract refuses what makes no sense.
#[derive(Clone, Debug)]
pub(crate) struct Action {
    pub(crate) kind: Kind,
    pub(crate) collection: usize,
    pub(crate) token: u64,
    pub(crate) person: u8,
    pub(crate) content: u8,
}

/// A content that an event named, and the block in which something replaced it.
#[derive(Clone, Debug)]
struct Named {
    collection: usize,
    token: u64,
    content: ContentId,
    superseded: Option<u64>,
}

/// The state after a block.
#[derive(Clone, Debug, Default)]
struct State {
    tokens: BTreeMap<(usize, u64), TokenShape>,
    named: Vec<Named>,
}

/// The states after each block of the chain as it stands.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    states: Vec<State>,
    pub(crate) finalized: Option<u64>,
    pub(crate) keep_history: bool,
    /// Metadata that was read: which, by codec and content.
    pub(crate) read: BTreeSet<(usize, u8)>,
}

impl State {
    fn supersede(&mut self, collection: usize, token: u64, block: u64) {
        let all = self.named.iter_mut().rev();
        let mut of_token = all.filter(|one| one.collection == collection && one.token == token);
        if let Some(last) = of_token.next() {
            last.superseded.get_or_insert(block);
        }
    }

    fn set(&mut self, action: &Action, block: BlockRef, shape: TokenShape) {
        let (collection, token) = (action.collection, action.token);
        self.supersede(collection, token, block.number);
        self.named.push(Named {
            collection,
            token,
            content: named(collection, action.content),
            superseded: None,
        });
        self.tokens.insert((collection, token), shape);
    }

    /// What the contract logs of an action; nothing if it refuses.
    fn apply(&mut self, action: &Action, block: BlockRef) -> Vec<Said> {
        let Action { collection: c, token: id, person: who, content, .. } = *action;
        let here = (block.number, block.hash);
        let old = self.tokens.get(&(c, id)).cloned();
        match (action.kind, old) {
            (Kind::Mint, None) => {
                let shape = TokenShape {
                    owner: person(who),
                    supply: None,
                    content: Some(named(c, content)),
                    revision: 1,
                    frozen: false,
                    minted: here,
                    content_set: Some(here),
                };
                self.set(action, block, shape);
                mint(c, id, who, content)
            }
            (Kind::Give, Some(mut shape)) => {
                shape.owner = person(who);
                self.tokens.insert((c, id), shape);
                give(c, id, who)
            }
            (Kind::Update, Some(mut shape)) if !shape.frozen => {
                shape.content = Some(named(c, content));
                shape.revision += 1;
                shape.content_set = Some(here);
                let revision = shape.revision;
                self.set(action, block, shape);
                update(c, id, content, revision)
            }
            (Kind::Freeze, Some(mut shape)) if !shape.frozen => {
                shape.frozen = true;
                self.tokens.insert((c, id), shape);
                freeze(c, id)
            }
            (Kind::Burn, Some(_)) => {
                self.tokens.remove(&(c, id));
                self.supersede(c, id, block.number);
                burn(c, id)
            }
            _ => Vec::new(),
        }
    }
}

impl Model {
    pub(crate) fn new(keep_history: bool) -> Self {
        Self {
            states: vec![State::default()],
            finalized: None,
            keep_history,
            read: BTreeSet::new(),
        }
    }

    /// A new block; gives what its logs say.
    pub(crate) fn block(&mut self, actions: &[Action], block: BlockRef) -> Vec<Said> {
        let mut state = self.states.last().cloned().unwrap_or_default();
        let said = actions.iter().flat_map(|action| state.apply(action, block)).collect();
        self.states.push(state);
        said
    }

    pub(crate) fn finalize(&mut self, block: Option<u64>) {
        self.finalized = self.finalized.max(block);
    }

    pub(crate) fn revert(&mut self, ancestor: u64) {
        self.states.truncate(usize::try_from(ancestor).unwrap() + 1);
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let state = self.states.last().unwrap();
        let tokens = state.tokens.iter();
        let tokens =
            tokens.map(|((c, id), shape)| ((contract(*c), U256::from(*id)), shape.clone()));
        Snapshot { tokens: tokens.collect(), wanted: self.wanted(state) }
    }

    fn wanted(&self, state: &State) -> BTreeSet<ContentId> {
        let lives = |one: &&Named| state.tokens.contains_key(&(one.collection, one.token));
        let wanted = |one: &&Named| match one.superseded {
            None => true,
            Some(block) => Some(block) > self.finalized || (self.keep_history && lives(one)),
        };
        let mut all: BTreeSet<_> =
            state.named.iter().filter(wanted).map(|one| one.content).collect();
        let documents = self.read.iter();
        let documents = documents.filter(|(c, content)| all.contains(&named(*c, *content)));
        let children: Vec<_> =
            documents.flat_map(|(_, content)| media(*content)).map(raw).collect();
        all.extend(children);
        all
    }
}

pub(crate) fn named(collection: usize, content: u8) -> ContentId {
    ContentId::new(CODECS[collection], digest(content))
}

/// What the metadata `content` refers to: some of it shared with its neighbour, some with all.
fn media(content: u8) -> [u8; 2] {
    [100 + content / 2, 200]
}

pub(crate) fn document(content: u8) -> Metadata {
    let link = |(position, child): (usize, u8)| {
        Link::new(format!("properties.files[{position}]"), Reference::parse(&raw(child).uri()))
    };
    Metadata {
        links: media(content).into_iter().enumerate().map(link).collect(),
        ..Metadata::default()
    }
}
