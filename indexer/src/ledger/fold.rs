//! What events make of a token: pure, and the same whether one event came or a thousand.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, B256, U256};

use super::RowId;
use crate::{
    chain::{TokenEvent, TokenEventKind},
    content::ContentId,
};

/// A token of a collection: its collection's row and its id, most significant byte first.
pub(super) type TokenKey = (RowId, [u8; 32]);

/// A token as its events have left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Nobody's address, where there is a supply instead.
    pub(super) owner: Address,
    /// Of ERC-1155: how many there are.
    pub(super) supply: Option<U256>,
    pub(super) content: Option<ContentId>,
    pub(super) revision: u64,
    pub(super) frozen: bool,
    pub(super) minted: (u64, B256),
    pub(super) content_set: Option<(u64, B256)>,
    /// When that was, or else when it was minted, seconds since 1970.
    pub(super) content_time: Option<u64>,
}

/// A content that a token had.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Former {
    pub(super) token: TokenKey,
    pub(super) superseded_block: u64,
    pub(super) revision: u64,
    pub(super) content: ContentId,
}

/// The end of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) token: TokenKey,
    pub(super) block: (u64, B256),
    pub(super) transaction: B256,
}

/// Tokens while events are folded into them.
#[derive(Debug, Default)]
pub(super) struct Fold {
    /// Every token that is touched: as it is, or `None` where it is not.
    pub(super) tokens: BTreeMap<TokenKey, Option<State>>,
    pub(super) former: BTreeSet<Former>,
    pub(super) ended: Vec<Ended>,
    /// Collections whose tokens have URIs in place of digests.
    pub(super) foreign: BTreeSet<RowId>,
    /// Tokens of those that came to be, whether they still are or not.
    pub(super) begun: BTreeSet<TokenKey>,
    /// Each touched token as it was before the first event of a block, by block.
    pub(super) before: BTreeMap<(u64, TokenKey), Option<State>>,
}

impl Fold {
    /// Takes the next event of a token; `content` is what it sets. From the block
    /// `undo_from` on, what was before is kept, so that it can be brought back.
    pub(super) fn apply(
        &mut self,
        key: TokenKey,
        event: &TokenEvent,
        content: Option<ContentId>,
        undo_from: u64,
    ) {
        let block = event.block_number;
        let token = self.tokens.entry(key).or_default();
        if block >= undo_from {
            self.before.entry((block, key)).or_insert_with(|| token.clone());
        }
        let was = token.is_some();
        match event.kind {
            TokenEventKind::Transfer { to } if to.is_zero() => {
                self.former.extend(former(key, token.as_ref(), block));
                *token = None;
                self.ended.push(Ended::new(key, event));
            }
            TokenEventKind::Transfer { to } => begin(token, event).owner = to,
            TokenEventKind::Content { revision, .. } => {
                self.former.extend(former(key, token.as_ref(), block));
                let token = begin(token, event);
                token.content = content;
                token.revision = revision;
                token.content_set = Some((block, event.block_hash));
                token.content_time = event.block_time;
            }
            TokenEventKind::Frozen => begin(token, event).frozen = true,
            TokenEventKind::Minted { amount } => add(token, event, amount),
            // Who moves it has it: some contracts tell nobody of the mint.
            TokenEventKind::Moved { amount } if token.is_none() => add(token, event, amount),
            TokenEventKind::Burned { amount } => {
                let left = supply(token.as_ref()).saturating_sub(amount);
                if left.is_zero() && was {
                    self.former.extend(former(key, token.as_ref(), block));
                    *token = None;
                    self.ended.push(Ended::new(key, event));
                } else if let Some(token) = token {
                    token.supply = Some(left);
                }
            }
            TokenEventKind::Moved { .. }
            | TokenEventKind::Created(_)
            | TokenEventKind::TransferRange { .. }
            | TokenEventKind::MetadataChanged { .. }
            | TokenEventKind::OwnMetadataChanged
            | TokenEventKind::Odd(_) => {}
        }
        if !was && token.is_some() && self.foreign.contains(&key.0) {
            self.begun.insert(key);
        }
    }
}

impl Ended {
    fn new(token: TokenKey, event: &TokenEvent) -> Self {
        let block = (event.block_number, event.block_hash);
        Self { token, block, transaction: event.transaction_hash }
    }
}

/// The token, which begins with this event if it was not there.
fn begin<'a>(token: &'a mut Option<State>, event: &TokenEvent) -> &'a mut State {
    token.get_or_insert_with(|| State {
        owner: Address::ZERO,
        supply: None,
        content: None,
        revision: 0,
        frozen: false,
        minted: (event.block_number, event.block_hash),
        content_set: None,
        content_time: event.block_time,
    })
}

/// So many more of a token. A token that there are none of is none, and there are never more than
/// 2^256-1: contracts that count further count wrongly.
fn add(token: &mut Option<State>, event: &TokenEvent, amount: U256) {
    let sum = supply(token.as_ref()).saturating_add(amount);
    if !sum.is_zero() {
        begin(token, event).supply = Some(sum);
    }
}

fn supply(token: Option<&State>) -> U256 {
    token.and_then(|token| token.supply).unwrap_or_default()
}

/// The content that a token has until a block.
fn former(token: TokenKey, state: Option<&State>, superseded_block: u64) -> Option<Former> {
    let state = state?;
    let content = state.content?;
    Some(Former { token, superseded_block, revision: state.revision, content })
}
