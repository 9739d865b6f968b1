//! New metadata for a token, by its owner.

use alloy::{
    primitives::{Address, B256, U256},
    signers::local::PrivateKeySigner,
};

use super::{Plan, StoreError, StoreReport, Storer};
use crate::{
    chain::{CollectionError, Contract, EDITS_ARE_OFF},
    content::{ContentId, Digest},
};

/// Why a token was not updated.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The contract or the chain.
    #[error(transparent)]
    Collection(#[from] CollectionError),
    /// The nodes.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Only the owner may.
    #[error(
        "token {token} belongs to {owner}; the key given is {key}'s, and only the owner may change it"
    )]
    NotOwner {
        /// Which token.
        token: U256,
        /// Its owner.
        owner: Address,
        /// Whose key it was tried with.
        key: Address,
    },
    /// Nobody may any more.
    #[error("token {0} is frozen: its content can't change any more")]
    Frozen(U256),
    /// Nobody ever could.
    #[error("token {0} can't be changed: {EDITS_ARE_OFF}")]
    EditsOff(U256),
}

/// What an update did.
#[derive(Clone, Debug)]
pub struct Updated {
    /// The new content.
    pub content: ContentId,
    /// The digest before.
    pub before: Digest,
    /// The transaction, unless the token had this content already.
    pub transaction: Option<B256>,
    /// What was stored.
    pub stored: StoreReport,
}

/// Stores the plan's contents, paid by the storer's key, then points the token at its metadata
/// with the owner's key. Whatever would make the transaction fail is looked at first, so that
/// nothing is stored in vain.
pub async fn update(
    contract: &Contract,
    owner: &PrivateKeySigner,
    token: U256,
    content: ContentId,
    plan: &Plan,
    storer: &Storer,
) -> Result<Updated, UpdateError> {
    let before = contract.digest(token).await?;
    check_owner(contract, owner, token).await?;
    if contract.is_frozen(token).await? {
        let off = !contract.editable().await?;
        return Err(if off { UpdateError::EditsOff(token) } else { UpdateError::Frozen(token) });
    }
    let mut survey = storer.survey(&plan.items).await?;
    let stored = storer.store(&plan.items, &mut survey).await?;
    if before == content.digest {
        return Ok(Updated { content, before, transaction: None, stored });
    }
    let receipt = contract.update(owner, token, before, content.digest).await?;
    let transaction = Some(receipt.transaction_hash);
    Ok(Updated { content, before, transaction, stored })
}

/// Whether the key is the token's owner's.
pub async fn check_owner(
    contract: &Contract,
    key: &PrivateKeySigner,
    token: U256,
) -> Result<(), UpdateError> {
    let owner = contract.owner_of(token).await?;
    if owner == key.address() {
        return Ok(());
    }
    Err(UpdateError::NotOwner { token, owner, key: key.address() })
}
