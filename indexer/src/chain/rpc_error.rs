//! What can go wrong between us and the chain.

use std::time::Duration;

use alloy::primitives::Address;

use super::events::BadLog;

/// What can go wrong between us and the chain.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// No endpoint is configured.
    #[error("no RPC is configured: set `[chain] rpc`, or give --rpc URL")]
    None,
    /// An endpoint does not answer, or not well.
    #[error("RPC {url} can't be used: {reason}")]
    Unreachable {
        /// Which, without what may be secret in it.
        url: String,
        /// Why.
        reason: String,
        /// Whether it may answer if it is asked for less.
        too_much: bool,
        /// How long it wants to be left alone, where it was asked too often.
        pause: Option<Duration>,
    },
    /// Fewer endpoints can be asked than must agree.
    #[error("{have} of {configured} RPC endpoints can be used, and {need} must agree: {why}")]
    TooFew {
        /// Endpoints that answer.
        have: usize,
        /// Endpoints that must agree.
        need: usize,
        /// Endpoints that are configured.
        configured: usize,
        /// What is wrong with each of the others.
        why: String,
        /// In how long enough of them may answer, where they were only asked too often.
        pause: Option<Duration>,
    },
    /// Endpoints of different chains.
    #[error("RPC {a} serves chain {a_id}, but {b} serves chain {b_id}; they must be of one chain")]
    ChainsDiffer {
        /// One endpoint.
        a: String,
        /// Its chain id.
        a_id: u64,
        /// The other.
        b: String,
        /// Its chain id.
        b_id: u64,
    },
    /// Endpoints of another chain than the configuration says.
    #[error(
        "the RPC serves chain {found}, but chain {expected} is what it should be (by a `chain_id` of \
         the settings, or --chain-id)"
    )]
    OtherChain {
        /// The chain id that was asked for.
        expected: u64,
        /// The one that the endpoints have.
        found: u64,
    },
    /// No majority for any block.
    #[error("the RPC endpoints disagree about block {number}; waiting until a majority agrees")]
    Disagree {
        /// Which block.
        number: u64,
    },
    /// No majority for what a contract answers.
    #[error(
        "the RPC endpoints disagree about the contract {contract}, some seconds long: one of them is \
         behind, or not honest; ask an explorer what is there, and leave that one out"
    )]
    Differ {
        /// Which.
        contract: Address,
    },
    /// One endpoint alone tells of another fork.
    #[error(
        "RPC {url} is on another fork than the ledger, and nobody confirms it; nothing is taken \
         back before the other endpoint answers, or was silent for a minute"
    )]
    Unconfirmed {
        /// Which.
        url: String,
    },
    /// A block that could not be proved.
    #[error("block {number} can't be proved: {reason}")]
    Unproved {
        /// Which.
        number: u64,
        /// What is missing, and what to do.
        reason: String,
    },
    /// Logs of another fork than the view's.
    #[error("the chain changed while it was read; it will be read again")]
    Changed,
    /// A log that can't be used.
    #[error(transparent)]
    BadLog(#[from] BadLog),
}

pub(super) type Result<T, E = RpcError> = std::result::Result<T, E>;

impl RpcError {
    /// Whether the same request may work a moment later.
    pub fn is_passing(&self) -> bool {
        !matches!(self, Self::None | Self::ChainsDiffer { .. } | Self::OtherChain { .. })
    }

    /// Whether an endpoint may answer if it is asked for less.
    pub fn may_be_too_much(&self) -> bool {
        matches!(self, Self::Unreachable { too_much: true, .. })
    }

    /// In how long it may work, where endpoints were only asked too often.
    pub fn pause(&self) -> Option<Duration> {
        match self {
            Self::Unreachable { pause, .. } | Self::TooFew { pause, .. } => *pause,
            _ => None,
        }
    }

    /// What is wrong, without naming the endpoint.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Unreachable { reason, .. } => reason.clone(),
            other => other.to_string(),
        }
    }
}
