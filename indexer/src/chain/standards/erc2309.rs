//! ERC-2309 (<https://eips.ethereum.org/EIPS/eip-2309>): a range of tokens in one log.

use alloy::{
    primitives::{B256, LogData, U256},
    sol,
};
use alloy_sol_types::SolEvent;

use super::{MAX_RANGE, Oddity, Said, undecodable};
use crate::chain::events::TokenEventKind;

sol! {
    event ConsecutiveTransfer(
        uint256 indexed fromTokenId, uint256 toTokenId, address indexed fromAddress, address indexed toAddress
    );
}

pub(super) const TOPIC: B256 = ConsecutiveTransfer::SIGNATURE_HASH;

/// One event for the whole range: it is spread out where it is written, a piece at a time.
pub(super) fn tokens_of(data: &LogData) -> Result<Said, Oddity> {
    let event = ConsecutiveTransfer::decode_log_data_validate(data).map_err(undecodable)?;
    let (first, last) = (event.fromTokenId, event.toTokenId);
    match last.checked_sub(first) {
        None => Err(Oddity::BackwardRange),
        Some(more) if more >= U256::from(MAX_RANGE) => Err(Oddity::HugeRange),
        Some(_) => Ok(vec![(first, TokenEventKind::TransferRange { last, to: event.toAddress })]),
    }
}
