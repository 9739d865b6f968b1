//! What the logs of each kind of contract say, a file a standard.
//!
//! Ours ([`everhold`]) is known, and a log of it that does not decode is an error. Others are
//! anybody's: what does not decode there, or says what no contract should, becomes an
//! [`Oddity`], which is counted and passed over.

mod erc1155;
mod erc2309;
mod erc4906;
mod erc721;
mod erc7572;
mod everhold;
mod factory;

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt};

use alloy::primitives::{Address, B256, LogData, U256};

use super::events::TokenEventKind;
use crate::config::Standard;

/// A contract that is followed, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Where it is.
    pub address: Address,
    /// What it is.
    pub standard: Standard,
}

/// What is odd about a log of a contract that is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Oddity {
    /// It bears the topic of an event, and is not made as that event is.
    Undecodable,
    /// An ERC-20's `Transfer`: an amount where the token should be.
    Erc20Transfer,
    /// A range whose end is before its start.
    BackwardRange,
    /// A range of more than [`MAX_RANGE`] tokens, which are not taken in.
    HugeRange,
    /// Ids and amounts of different numbers.
    UnevenBatch,
}

/// Tokens that one ERC-2309 log may mint. Contracts in use mint up to some ten thousand at once; a
/// log can name 2^256 of them for the same gas.
pub const MAX_RANGE: u64 = 1_000_000;

impl Oddity {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Undecodable,
        Self::Erc20Transfer,
        Self::BackwardRange,
        Self::HugeRange,
        Self::UnevenBatch,
    ];

    /// The word for it, in the ledger and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Erc20Transfer => "erc20-transfer",
            Self::BackwardRange => "backward-range",
            Self::HugeRange => "huge-range",
            Self::UnevenBatch => "uneven-batch",
        }
    }

    /// For a person: what the contract logged, and what follows.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Undecodable => {
                "logs that bear an event's name and are not made so are passed over"
            }
            Self::Erc20Transfer => "Transfers made as ERC-20's are passed over: they name no token",
            Self::BackwardRange => "ranges of tokens that end before they begin are passed over",
            Self::HugeRange => {
                "mints of more than 1,000,000 tokens by one log are passed over: those tokens are \
                 known only once they move"
            }
            Self::UnevenBatch => "batches with more ids than amounts, or fewer, are passed over",
        }
    }
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a log says of tokens, each with its id.
type Said = Vec<(U256, TokenEventKind)>;

/// The topics by which contracts of these standards are followed.
pub(super) fn topics(watched: &[Watched]) -> Vec<B256> {
    let standards: BTreeSet<_> = watched.iter().map(|one| one.standard).collect();
    let topics: BTreeSet<_> = standards.into_iter().flat_map(topics_of).copied().collect();
    topics.into_iter().collect()
}

/// The topics by which a contract of this standard is followed.
pub(super) fn topics_of(standard: Standard) -> &'static [B256] {
    match standard {
        Standard::Everhold => &everhold::TOPICS,
        Standard::Erc721 => &erc721::TOPICS,
        Standard::Erc1155 => &erc1155::TOPICS,
        Standard::Factory => &factory::TOPICS,
    }
}

/// What a log of a contract of this standard says; of one that says nothing of tokens, nothing.
pub(super) fn tokens_of(
    standard: Standard,
    data: &LogData,
) -> Result<Said, alloy_sol_types::Error> {
    let Some(topic) = data.topics().first().filter(|topic| topics_of(standard).contains(topic))
    else {
        return Ok(Vec::new());
    };
    if *topic == erc7572::TOPIC {
        return Ok(erc7572::changed());
    }
    let said = match standard {
        Standard::Everhold => return everhold::tokens_of(*topic, data),
        Standard::Erc721 => erc721::tokens_of(*topic, data),
        Standard::Erc1155 => erc1155::tokens_of(*topic, data),
        Standard::Factory => factory::tokens_of(data),
    };
    Ok(said.unwrap_or_else(|oddity| vec![(U256::ZERO, TokenEventKind::Odd(oddity))]))
}

/// What [`Oddity`] says of a log that does not decode.
fn undecodable(_: alloy_sol_types::Error) -> Oddity {
    Oddity::Undecodable
}
