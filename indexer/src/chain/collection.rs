//! A collection: what it says of itself, and what its owners may do.

use alloy::{
    network::Ethereum,
    primitives::{Address, B256, U256},
    providers::RootProvider,
    rpc::types::TransactionReceipt,
    signers::local::PrivateKeySigner,
};

use super::{
    IEverhold,
    error::{CollectionError, Result, answered},
    send::{has_code, send},
};
use crate::content::{Codec, Digest};

/// What a collection says of itself.
#[derive(Clone, Debug)]
pub struct CollectionInfo {
    /// ERC-721 `name()`.
    pub name: String,
    /// How its digests name content.
    pub codec: Codec,
    /// Whether owners may change their tokens' content.
    pub editable: bool,
    /// The first token's id, 0 or 1.
    pub first_token_id: U256,
    /// The id the next mint gets.
    pub next_token_id: U256,
    /// Who may mint.
    pub creator: Address,
}

/// Looks at what is at an address: a collection of ours, or an error that says what else.
pub async fn inspect(
    provider: &RootProvider<Ethereum>,
    chain_id: u64,
    address: Address,
) -> Result<CollectionInfo> {
    if !has_code(provider, address).await? {
        return Err(CollectionError::NoCode { address, chain_id });
    }
    let contract = IEverhold::new(address, provider);
    let erc721 = contract.supportsInterface([0x80, 0xac, 0x58, 0xcd].into()).call().await;
    if !answered(erc721)?.unwrap_or(false) {
        return Err(CollectionError::NotErc721(address));
    }
    let codec = answered(contract.codec().call().await)?.and_then(Codec::from_multicodec);
    let foreign = || CollectionError::NotEverhold(address);
    Ok(CollectionInfo {
        codec: codec.ok_or_else(foreign)?,
        name: answered(contract.name().call().await)?.ok_or_else(foreign)?,
        editable: answered(contract.editable().call().await)?.ok_or_else(foreign)?,
        first_token_id: answered(contract.firstTokenId().call().await)?.ok_or_else(foreign)?,
        next_token_id: answered(contract.nextTokenId().call().await)?.ok_or_else(foreign)?,
        creator: answered(contract.owner().call().await)?.ok_or_else(foreign)?,
    })
}

/// A collection, with a key that acts on it.
#[derive(Clone, Debug)]
pub struct Contract {
    provider: RootProvider<Ethereum>,
    address: Address,
}

impl Contract {
    /// The collection at `address`.
    pub fn new(provider: RootProvider<Ethereum>, address: Address) -> Self {
        Self { provider, address }
    }

    fn bound(&self) -> IEverhold::IEverholdInstance<&RootProvider<Ethereum>> {
        IEverhold::new(self.address, &self.provider)
    }

    /// The digest of a token's content.
    pub async fn digest(&self, token: U256) -> Result<Digest> {
        let digest = self.bound().contentDigest(token).call().await?;
        Ok(Digest(digest.0))
    }

    /// A token's revision: 1 as it was minted.
    pub async fn revision(&self, token: U256) -> Result<u64> {
        Ok(self.bound().revision(token).call().await?)
    }

    /// Who owns a token.
    pub async fn owner_of(&self, token: U256) -> Result<Address> {
        Ok(self.bound().ownerOf(token).call().await?)
    }

    /// Whether a token's content is fixed for ever.
    pub async fn is_frozen(&self, token: U256) -> Result<bool> {
        Ok(self.bound().isFrozen(token).call().await?)
    }

    /// Whether owners may change their tokens' content.
    pub async fn editable(&self) -> Result<bool> {
        Ok(self.bound().editable().call().await?)
    }

    /// Mints the next token to `to`.
    pub async fn mint(
        &self,
        signer: &PrivateKeySigner,
        to: Address,
        token: U256,
        digest: Digest,
    ) -> Result<TransactionReceipt> {
        let digest = B256::from(digest.0);
        let request = self.bound().mint(to, token, digest).into_transaction_request();
        send(&self.provider, signer, request).await
    }

    /// Mints consecutive tokens to `to`.
    pub async fn mint_batch(
        &self,
        signer: &PrivateKeySigner,
        to: Address,
        first: U256,
        digests: &[Digest],
    ) -> Result<TransactionReceipt> {
        let digests = digests.iter().map(|digest| B256::from(digest.0)).collect();
        let request = self.bound().mintBatch(to, first, digests).into_transaction_request();
        send(&self.provider, signer, request).await
    }

    /// Replaces a token's content. Only its owner may.
    pub async fn update(
        &self,
        signer: &PrivateKeySigner,
        token: U256,
        current: Digest,
        new: Digest,
    ) -> Result<TransactionReceipt> {
        let (current, new) = (B256::from(current.0), B256::from(new.0));
        let request = self.bound().updateContent(token, current, new).into_transaction_request();
        send(&self.provider, signer, request).await
    }

    /// Fixes a token's content for ever. Only its owner may.
    pub async fn freeze(
        &self,
        signer: &PrivateKeySigner,
        token: U256,
    ) -> Result<TransactionReceipt> {
        send(&self.provider, signer, self.bound().freeze(token).into_transaction_request()).await
    }
}
