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

/// Tokens in one transaction: as many as the contract takes, for about 4.7 million gas.
pub const BATCH: usize = 500;

/// How a folder's tokens stand on the chain.
#[derive(Clone, Debug, Default)]
pub struct MintState {
    /// Minted with the very content of the folder.
    pub minted: usize,
    /// Minted, and changed by their owners since.
    pub updated: Vec<u64>,
    /// Minted, and burned by their owners since.
    pub burned: Vec<u64>,
    /// Minted with other content than the folder's: this is not the folder they came from.
    pub differing: Vec<u64>,
    /// Still to be minted.
    pub missing: Vec<(u64, Digest)>,
}

/// Tokens that were minted by one transaction.
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
            Ok::<_, CollectionError>((*token, standing(contract, *token, content).await?))
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    for (token, standing) in standings {
        match standing {
            Standing::Same => state.minted += 1,
            Standing::Updated => state.updated.push(token),
            Standing::Burned => state.burned.push(token),
            Standing::Differs => state.differing.push(token),
        }
    }
    Ok(state)
}

/// A token that was minted, compared with its file.
enum Standing {
    Same,
    Updated,
    Burned,
    Differs,
}

async fn standing(
    contract: &Contract,
    token: u64,
    content: &ContentId,
) -> Result<Standing, CollectionError> {
    let id = U256::from(token);
    match contract.digest(id).await {
        Ok(digest) if digest == content.digest => Ok(Standing::Same),
        // Ids are given out in a row: what was given out and is not there was burned.
        Err(CollectionError::NoToken(_)) => Ok(Standing::Burned),
        Err(error) => Err(error),
        Ok(_) if contract.revision(id).await? > 1 => Ok(Standing::Updated),
        Ok(_) => Ok(Standing::Differs),
    }
}

/// Mints the missing tokens in batches; where the chain does not allow for so much gas, in
/// smaller ones. A run that is stopped between two goes on with the next: the contract takes
/// tokens only from the next id on, so none is minted twice.
pub async fn mint(
    contract: &Contract,
    signer: &PrivateKeySigner,
    to: Address,
    missing: &[(u64, Digest)],
) -> Result<Vec<Minted>, CollectionError> {
    let mut minted = Vec::new();
    let (mut rest, mut size) = (missing, BATCH);
    while !rest.is_empty() {
        let batch = &rest[..size.min(rest.len())];
        match mint_some(contract, signer, to, batch).await {
            Ok(done) => minted.push(done),
            Err(error) if batch.len() > 1 && error.is_about_gas() => {
                size = batch.len().div_ceil(2);
                info!("{} tokens at once: {error}; trying {size}", batch.len());
                continue;
            }
            Err(error) => return Err(error),
        }
        rest = &rest[batch.len()..];
    }
    Ok(minted)
}

/// Mints tokens by one transaction. One token takes 84,000 gas by `mint` and 89,000 as a batch; two
/// take 98,000 as a batch (`tests/follower/gas.rs`).
async fn mint_some(
    contract: &Contract,
    signer: &PrivateKeySigner,
    to: Address,
    tokens: &[(u64, Digest)],
) -> Result<Minted, CollectionError> {
    let first = tokens.first().map_or(0, |(token, _)| *token);
    let id = U256::from(first);
    let receipt = if let [(_, digest)] = tokens {
        contract.mint(signer, to, id, *digest).await?
    } else {
        let digests: Vec<_> = tokens.iter().map(|(_, digest)| *digest).collect();
        contract.mint_batch(signer, to, id, &digests).await?
    };
    let (count, gas) = (tokens.len(), receipt.gas_used);
    info!("minted tokens {first} to {} ({gas} gas)", first + count as u64 - 1);
    Ok(Minted { first, count, transaction: receipt.transaction_hash, gas })
}
