//! What a collection's logs say, taken apart.

use alloy::{
    primitives::{Address, B256, U256},
    rpc::types::Log,
};

use super::standards::{Oddity, tokens_of};
use crate::{
    config::Standard,
    content::{Codec, Digest},
};

/// A block as far as following a chain goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRef {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// The hash of the block below.
    pub parent_hash: B256,
    /// Its time, seconds since 1970, as the chain says, where it is known.
    pub time: Option<u64>,
}

/// Something that happened to one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenEvent {
    /// The contract that logged it.
    pub collection: Address,
    /// The token.
    pub token_id: U256,
    /// Block number.
    pub block_number: u64,
    /// Block hash.
    pub block_hash: B256,
    /// Block time, seconds since 1970, where the RPC gives it with logs.
    pub block_time: Option<u64>,
    /// Position of the log in the block.
    pub log_index: u64,
    /// Position in the log, for logs about several tokens.
    pub sub_index: u64,
    /// Transaction hash.
    pub transaction_hash: B256,
    /// What happened.
    pub kind: TokenEventKind,
}

/// A collection that a factory announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creation {
    /// Where it is.
    pub collection: Address,
    /// Who may mint.
    pub creator: Address,
    /// How its digests name content.
    pub codec: Codec,
    /// Whether owners may change their tokens' content.
    pub editable: bool,
    /// Its name, fit to be shown; the beginning of a long one.
    pub name: String,
}

/// What happened to a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenEventKind {
    /// ERC-721 `Transfer`: minted, moved, or (to the zero address) burned.
    Transfer {
        /// The new owner.
        to: Address,
    },
    /// Its content was set.
    Content {
        /// The digest.
        digest: Digest,
        /// 1 at the mint, one more each update.
        revision: u64,
    },
    /// Its content can't change any more.
    Frozen,
    /// ERC-2309: the same as a [`Transfer`](Self::Transfer) of each token from this one to `last`.
    TransferRange {
        /// The last of them.
        last: U256,
        /// Their new owner.
        to: Address,
    },
    /// ERC-1155: so many of it came to be.
    Minted {
        /// How many.
        amount: U256,
    },
    /// ERC-1155: so many of it moved from one owner to another.
    Moved {
        /// How many.
        amount: U256,
    },
    /// ERC-1155: so many of it were destroyed.
    Burned {
        /// How many.
        amount: U256,
    },
    /// ERC-4906, or ERC-1155's `URI`: metadata may be other than before, of the tokens from this one
    /// to `last`.
    MetadataChanged {
        /// The last of them; 2^256-1 for all.
        last: U256,
    },
    /// ERC-7572: the collection's own metadata may be other than before. It is about no token.
    OwnMetadataChanged,
    /// A factory made a collection. It is about no token.
    Created(Box<Creation>),
    /// A log of a contract that is not ours, to be passed over. It is about no token.
    Odd(Oddity),
}

/// A log that can't be used: the RPC left out what every mined log has, or it does not decode.
#[derive(Debug, thiserror::Error)]
#[error("log {index:?} of block {block:?} at {address}: {reason}")]
pub struct BadLog {
    address: Address,
    block: Option<u64>,
    index: Option<u64>,
    reason: String,
}

/// Takes a log apart; one log may speak of many tokens. Of a contract that is not ours, a log that
/// does not decode is [`TokenEventKind::Odd`].
///
/// # Errors
/// [`BadLog`].
pub fn decode(log: &Log, standard: Standard) -> Result<Vec<TokenEvent>, BadLog> {
    let bad = |reason: String| BadLog {
        address: log.address(),
        block: log.block_number,
        index: log.log_index,
        reason,
    };
    let missing = || bad("the RPC gave no block or position for it".to_owned());
    let base = TokenEvent {
        collection: log.address(),
        token_id: U256::ZERO,
        block_number: log.block_number.ok_or_else(missing)?,
        block_hash: log.block_hash.ok_or_else(missing)?,
        block_time: log.block_timestamp,
        log_index: log.log_index.ok_or_else(missing)?,
        sub_index: 0,
        transaction_hash: log.transaction_hash.ok_or_else(missing)?,
        kind: TokenEventKind::Frozen,
    };
    let tokens = tokens_of(standard, &log.inner.data).map_err(|error| bad(error.to_string()))?;
    let event = |(sub_index, (token_id, kind)): (usize, (U256, TokenEventKind))| TokenEvent {
        token_id,
        kind,
        sub_index: sub_index as u64,
        ..base.clone()
    };
    Ok(tokens.into_iter().enumerate().map(event).collect())
}
