//! ERC-721 (<https://eips.ethereum.org/EIPS/eip-721>), and what was there before it.

use alloy::{
    primitives::{Address, B256, LogData, U256},
    sol,
};
use alloy_sol_types::SolEvent;

use super::{Oddity, Said, erc2309, erc4906, erc7572, undecodable};
use crate::chain::events::TokenEventKind;

sol! {
    event Transfer(address indexed from, address indexed to, uint256 indexed tokenId);
}

pub(super) const TOPICS: [B256; 5] = [
    Transfer::SIGNATURE_HASH,
    erc2309::TOPIC,
    erc4906::TOPIC,
    erc4906::RANGE_TOPIC,
    erc7572::TOPIC,
];

pub(super) fn tokens_of(topic: B256, data: &LogData) -> Result<Said, Oddity> {
    match topic {
        Transfer::SIGNATURE_HASH => transfer(data).map(|said| vec![said]),
        erc2309::TOPIC => erc2309::tokens_of(data),
        _ => erc4906::tokens_of(topic, data),
    }
}

fn transfer(data: &LogData) -> Result<(U256, TokenEventKind), Oddity> {
    match data.topics().len() {
        4 => {
            let event = Transfer::decode_log_data_validate(data).map_err(undecodable)?;
            Ok((event.tokenId, TokenEventKind::Transfer { to: event.to }))
        }
        // The same signature, and an amount.
        3 => Err(Oddity::Erc20Transfer),
        // The first contracts indexed nothing: from, to, token.
        1 => unindexed(&data.data),
        _ => Err(Oddity::Undecodable),
    }
}

fn unindexed(words: &[u8]) -> Result<(U256, TokenEventKind), Oddity> {
    let word = |at: usize| {
        let bytes: Option<[u8; 32]> = words.get(32 * at..32 * at + 32)?.try_into().ok();
        bytes.map(B256::from)
    };
    match (words.len(), word(1), word(2)) {
        (96, Some(to), Some(token)) if to[..12].iter().all(|byte| *byte == 0) => {
            let to = Address::from_word(to);
            Ok((U256::from_be_bytes(token.0), TokenEventKind::Transfer { to }))
        }
        _ => Err(Oddity::Undecodable),
    }
}
