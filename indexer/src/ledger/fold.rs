//! What events make of a token: pure, and the same whether one event came or a thousand.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, B256};

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
    pub(super) owner: Address,
    pub(super) content: Option<ContentId>,
    pub(super) revision: u64,
    pub(super) frozen: bool,
    pub(super) minted: (u64, B256),
    pub(super) content_set: Option<(u64, B256)>,
    /// When that was, seconds since 1970.
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
        let here = (block, event.block_hash);
        let token = self.tokens.entry(key).or_default();
        if block >= undo_from {
            self.before.entry((block, key)).or_insert_with(|| token.clone());
        }
        let begin = || State {
            owner: Address::ZERO,
            content: None,
            revision: 0,
            frozen: false,
            minted: here,
            content_set: None,
            content_time: None,
        };
        match event.kind {
            TokenEventKind::Transfer { to } if to.is_zero() => {
                self.former.extend(former(key, token.as_ref(), block));
                *token = None;
                let transaction = event.transaction_hash;
                self.ended.push(Ended { token: key, block: here, transaction });
            }
            TokenEventKind::Transfer { to } => token.get_or_insert_with(begin).owner = to,
            TokenEventKind::Content { revision, .. } => {
                self.former.extend(former(key, token.as_ref(), block));
                let token = token.get_or_insert_with(begin);
                token.content = content;
                token.revision = revision;
                token.content_set = Some(here);
                token.content_time = event.block_time;
            }
            TokenEventKind::Frozen => token.get_or_insert_with(begin).frozen = true,
        }
    }
}

/// The content that a token has until a block.
fn former(token: TokenKey, state: Option<&State>, superseded_block: u64) -> Option<Former> {
    let state = state?;
    let content = state.content?;
    Some(Former { token, superseded_block, revision: state.revision, content })
}
