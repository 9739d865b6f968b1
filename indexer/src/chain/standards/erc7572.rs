//! ERC-7572 (<https://eips.ethereum.org/EIPS/eip-7572>): the collection's own metadata changed.

use alloy::{
    primitives::{B256, U256},
    sol,
};
use alloy_sol_types::SolEvent;

use super::Said;
use crate::chain::events::TokenEventKind;

sol! {
    event ContractURIUpdated();
}

pub(super) const TOPIC: B256 = ContractURIUpdated::SIGNATURE_HASH;

/// Whatever else stands in the log says nothing.
pub(super) fn changed() -> Said {
    vec![(U256::ZERO, TokenEventKind::OwnMetadataChanged)]
}
