//! Our factory, `contracts/src/interfaces/IEverholdFactory.sol`, or another that announces as it does.

use alloy::primitives::{B256, LogData, U256};
use alloy_sol_types::SolEvent;

use super::{Oddity, Said, undecodable};
use crate::{
    chain::{
        bindings::IEverholdFactory::CollectionCreated,
        events::{Creation, TokenEventKind},
    },
    content::{Codec, shown},
};

pub(super) const TOPICS: [B256; 1] = [CollectionCreated::SIGNATURE_HASH];

/// Characters of a name that are kept.
const LONGEST_NAME: usize = 100;

pub(super) fn tokens_of(data: &LogData) -> Result<Said, Oddity> {
    let event = CollectionCreated::decode_log_data_validate(data).map_err(undecodable)?;
    let codec = Codec::from_multicodec(event.codec).ok_or(Oddity::Undecodable)?;
    let name: String = event.name.trim().chars().take(LONGEST_NAME).collect();
    let name = match name.is_empty() {
        true => format!("everhold at {}", event.collection),
        false => shown(&name),
    };
    let creation = Creation {
        collection: event.collection,
        creator: event.creator,
        codec,
        editable: event.editable,
        name,
    };
    Ok(vec![(U256::ZERO, TokenEventKind::Created(Box::new(creation)))])
}
