//! ERC-1155 (<https://eips.ethereum.org/EIPS/eip-1155>): many owners a token.

use alloy::{
    primitives::{Address, B256, LogData, U256},
    sol,
};
use alloy_sol_types::SolEvent;

use super::{Oddity, Said, erc4906, erc7572, undecodable};
use crate::chain::events::TokenEventKind;

sol! {
    event TransferSingle(
        address indexed operator, address indexed from, address indexed to, uint256 id, uint256 value
    );
    event TransferBatch(
        address indexed operator, address indexed from, address indexed to, uint256[] ids, uint256[] values
    );
    event URI(string value, uint256 indexed id);
}

pub(super) const TOPICS: [B256; 6] = [
    TransferSingle::SIGNATURE_HASH,
    TransferBatch::SIGNATURE_HASH,
    URI::SIGNATURE_HASH,
    erc4906::TOPIC,
    erc4906::RANGE_TOPIC,
    erc7572::TOPIC,
];

pub(super) fn tokens_of(topic: B256, data: &LogData) -> Result<Said, Oddity> {
    match topic {
        TransferSingle::SIGNATURE_HASH => {
            let event = TransferSingle::decode_log_data_validate(data).map_err(undecodable)?;
            Ok(vec![(event.id, moved(event.from, event.to, event.value))])
        }
        TransferBatch::SIGNATURE_HASH => {
            let event = TransferBatch::decode_log_data_validate(data).map_err(undecodable)?;
            if event.ids.len() != event.values.len() {
                return Err(Oddity::UnevenBatch);
            }
            let pairs = event.ids.into_iter().zip(event.values);
            Ok(pairs.map(|(id, value)| (id, moved(event.from, event.to, value))).collect())
        }
        URI::SIGNATURE_HASH => match data.topics() {
            // What it says is read from the contract: it must be the same.
            [_, id] => {
                let id = U256::from_be_bytes(id.0);
                Ok(vec![(id, TokenEventKind::MetadataChanged { last: id })])
            }
            _ => Err(Oddity::Undecodable),
        },
        _ => erc4906::tokens_of(topic, data),
    }
}

fn moved(from: Address, to: Address, amount: U256) -> TokenEventKind {
    match (from.is_zero(), to.is_zero()) {
        (true, false) => TokenEventKind::Minted { amount },
        (false, true) => TokenEventKind::Burned { amount },
        // From nobody to nobody: contracts announce tokens so, before any is minted.
        (true, true) => TokenEventKind::Moved { amount: U256::ZERO },
        (false, false) => TokenEventKind::Moved { amount },
    }
}
