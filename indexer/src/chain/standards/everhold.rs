//! Our own contract, `contracts/src/interfaces/IEverholdCollection.sol`.

use alloy::primitives::{B256, LogData, U256};
use alloy_sol_types::SolEvent;

use super::{Said, erc7572};
use crate::{
    chain::{bindings::IEverhold, events::TokenEventKind},
    content::Digest,
};

pub(super) const TOPICS: [B256; 5] = [
    IEverhold::Transfer::SIGNATURE_HASH,
    IEverhold::ContentSet::SIGNATURE_HASH,
    IEverhold::ContentBatchSet::SIGNATURE_HASH,
    IEverhold::ContentFrozen::SIGNATURE_HASH,
    erc7572::TOPIC,
];

pub(super) fn tokens_of(topic: B256, data: &LogData) -> Result<Said, alloy_sol_types::Error> {
    Ok(match topic {
        IEverhold::Transfer::SIGNATURE_HASH => {
            let event = IEverhold::Transfer::decode_log_data_validate(data)?;
            vec![(event.tokenId, TokenEventKind::Transfer { to: event.to })]
        }
        IEverhold::ContentSet::SIGNATURE_HASH => {
            let event = IEverhold::ContentSet::decode_log_data_validate(data)?;
            vec![(event.tokenId, content(event.digest, event.revision))]
        }
        IEverhold::ContentBatchSet::SIGNATURE_HASH => {
            let event = IEverhold::ContentBatchSet::decode_log_data_validate(data)?;
            let first = event.firstTokenId;
            let token = |(i, digest): (usize, &B256)| {
                (first.wrapping_add(U256::from(i)), content(*digest, 1))
            };
            event.digests.iter().enumerate().map(token).collect()
        }
        IEverhold::ContentFrozen::SIGNATURE_HASH => {
            let event = IEverhold::ContentFrozen::decode_log_data_validate(data)?;
            vec![(event.tokenId, TokenEventKind::Frozen)]
        }
        _ => Vec::new(),
    })
}

fn content(digest: B256, revision: u64) -> TokenEventKind {
    TokenEventKind::Content { digest: Digest(digest.0), revision }
}
