//! Mints what is not minted yet.

use std::collections::BTreeMap;

use alloy::{
    primitives::{Address, B256, U256},
    signers::local::PrivateKeySigner,
};
use futures::{StreamExt, TryStreamExt, stream};
use tracing::info;

use crate::{
    chain::{CollectionError, CollectionInfo, Contract},
    content::{ContentId, Digest},
};

/// Tokens in one transaction: about 7.5 million gas, a fraction of any chain's block.
pub const BATCH: usize = 100;

/// How a folder's tokens stand on the chain.
#[derive(Clone, Debug, Default)]
pub struct MintState {
    /// Minted with the very content of the folder.
    pub minted: usize,
    /// Minted, and changed by their owners since.
    pub updated: Vec<u64>,
    /// Minted with other content than the folder's: this is not the folder they came from.
    pub differing: Vec<u64>,
    /// Still to be minted.
    pub missing: Vec<(u64, Digest)>,
}

/// A batch that was minted.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Minted {
    /// First token.
    pub first: u64,
    /// How many.
    pub count: usize,
    /// The transaction.
    pub transaction: B256,
    /// Gas it used.
    pub gas: u64,
}

/// Calls under way at once.
const AT_ONCE: usize = 16;

/// Compares the folder with the chain.
pub async fn mint_state(
    contract: &Contract,
    info: &CollectionInfo,
    tokens: &BTreeMap<u64, ContentId>,
) -> Result<MintState, CollectionError> {
    let mut state = MintState::default();
    let is_minted = |token: &u64| U256::from(*token) < info.next_token_id;
    let (minted, missing): (Vec<_>, Vec<_>) =
        tokens.iter().partition(|(token, _)| is_minted(token));
    state.missing = missing.into_iter().map(|(token, content)| (*token, content.digest)).collect();
    let standings: Vec<_> = stream::iter(minted)
        .map(|(token, content)| async move {
            let id = U256::from(*token);
            let same = contract.digest(id).await? == content.digest;
            let updated = !same && contract.revision(id).await? > 1;
            Ok::<_, CollectionError>((*token, same, updated))
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    for (token, same, updated) in standings {
        match (same, updated) {
            (true, _) => state.minted += 1,
            (false, true) => state.updated.push(token),
            (false, false) => state.differing.push(token),
        }
    }
    Ok(state)
}

/// Mints the missing tokens in batches. A run that is stopped between two goes on with the next:
/// the contract takes a batch only if it starts at the next id, so none is minted twice.
pub async fn mint(
    contract: &Contract,
    signer: &PrivateKeySigner,
    to: Address,
    missing: &[(u64, Digest)],
) -> Result<Vec<Minted>, CollectionError> {
    let mut batches = Vec::new();
    for batch in missing.chunks(BATCH) {
        let Some((first, _)) = batch.first() else {
            continue;
        };
        let digests: Vec<_> = batch.iter().map(|(_, digest)| *digest).collect();
        let receipt = contract.mint(signer, to, U256::from(*first), &digests).await?;
        info!(
            "minted tokens {first} to {} ({} gas)",
            first + batch.len() as u64 - 1,
            receipt.gas_used
        );
        batches.push(Minted {
            first: *first,
            count: batch.len(),
            transaction: receipt.transaction_hash,
            gas: receipt.gas_used,
        });
    }
    Ok(batches)
}
