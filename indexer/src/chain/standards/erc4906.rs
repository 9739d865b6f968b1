//! ERC-4906 (<https://eips.ethereum.org/EIPS/eip-4906>): metadata changed, of one token or a range.

use alloy::{
    primitives::{B256, LogData},
    sol,
};
use alloy_sol_types::SolEvent;

use super::{Oddity, Said, undecodable};
use crate::chain::events::TokenEventKind;

sol! {
    event MetadataUpdate(uint256 _tokenId);
    event BatchMetadataUpdate(uint256 _fromTokenId, uint256 _toTokenId);
}

pub(super) const TOPIC: B256 = MetadataUpdate::SIGNATURE_HASH;
pub(super) const RANGE_TOPIC: B256 = BatchMetadataUpdate::SIGNATURE_HASH;

/// However long a range is (contracts name all tokens by 0 and 2^256-1), it is one event.
pub(super) fn tokens_of(topic: B256, data: &LogData) -> Result<Said, Oddity> {
    let (first, last) = match topic {
        TOPIC => {
            let event = MetadataUpdate::decode_log_data_validate(data).map_err(undecodable)?;
            (event._tokenId, event._tokenId)
        }
        RANGE_TOPIC => {
            let event = BatchMetadataUpdate::decode_log_data_validate(data).map_err(undecodable)?;
            (event._fromTokenId, event._toTokenId)
        }
        _ => return Ok(Vec::new()),
    };
    if last < first {
        return Err(Oddity::BackwardRange);
    }
    Ok(vec![(first, TokenEventKind::MetadataChanged { last })])
}
