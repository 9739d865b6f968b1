//! The collection contract: deploying it, reading it, and what its owners may do.

use alloy::{
    network::{Ethereum, EthereumWallet, TransactionBuilder},
    primitives::{Address, B256, Bytes, U256},
    providers::{Provider, ProviderBuilder, RootProvider},
    rpc::types::{TransactionReceipt, TransactionRequest},
    signers::local::PrivateKeySigner,
};
use alloy_sol_types::{SolInterface, SolValue};

use super::{IEverhold, RpcError};
use crate::content::{Codec, Digest};

/// The compiled contract, as `npm run artifacts` writes it.
const ARTIFACT: &str = include_str!("../../../contracts/artifacts/EverholdCollection.json");

/// Why a contract call or transaction did not work.
#[derive(Debug, thiserror::Error)]
pub enum CollectionError {
    /// There is nothing at the address.
    #[error("{address} has no code on chain {chain_id}: it is no contract there")]
    NoCode {
        /// The address.
        address: Address,
        /// The chain.
        chain_id: u64,
    },
    /// There is something else at the address.
    #[error("{0} is not an ERC-721 contract (it does not answer ERC-165 for 0x80ac58cd)")]
    NotErc721(Address),
    /// It is an ERC-721, but not one of ours.
    #[error("{0} is an ERC-721, but no Everhold collection: it has no codec() that we know")]
    NotEverhold(Address),
    /// The contract refused.
    #[error("the contract refused: {0}")]
    Refused(String),
    /// The transaction was mined and failed.
    #[error("transaction {0} was mined and failed")]
    Failed(B256),
    /// The account can't pay for gas, or the node would not take the transaction.
    #[error("the RPC did not take the request: {0}")]
    NotSent(String),
    /// The chain could not be asked.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The artifact in the binary can't be used.
    #[error("the contract in this binary can't be read: {0}")]
    Artifact(String),
}

type Result<T, E = CollectionError> = std::result::Result<T, E>;

/// What a collection says of itself.
#[derive(Clone, Debug)]
pub struct CollectionInfo {
    /// ERC-721 `name()`.
    pub name: String,
    /// How its digests name content.
    pub codec: Codec,
    /// The first token's id, 0 or 1.
    pub first_token_id: U256,
    /// The id the next mint gets.
    pub next_token_id: U256,
    /// Who may mint.
    pub creator: Address,
}

/// A deployed collection.
#[derive(Clone, Debug)]
pub struct Deployed {
    /// Its address.
    pub address: Address,
    /// The transaction that made it.
    pub transaction: B256,
    /// The block that transaction is in.
    pub block: u64,
}

/// Turns a failed call into words, naming the contract's custom errors.
fn refused(error: alloy::contract::Error) -> CollectionError {
    if let alloy::contract::Error::TransportError(inner) = &error {
        if let Some(payload) = inner.as_error_resp() {
            let named = payload.as_revert_data().map(|data| name_revert(&data));
            return match named {
                Some(named) => CollectionError::Refused(named),
                None => CollectionError::NotSent(payload.message.to_string()),
            };
        }
        return CollectionError::NotSent(crate::cause::root_cause(inner));
    }
    CollectionError::Refused(error.to_string())
}

fn name_revert(data: &Bytes) -> String {
    use IEverhold::IEverholdErrors as E;
    match IEverhold::IEverholdErrors::abi_decode(data) {
        Ok(E::NotTokenOwner(e)) => format!("{} does not own token {}", e.caller, e.tokenId),
        Ok(E::ContentIsFrozen(e)) => format!("token {} is frozen", e.tokenId),
        Ok(E::StaleDigest(e)) => {
            format!("its content is {} by now, not {}", e.current, e.given)
        }
        Ok(E::NotNextTokenId(e)) => {
            format!("the next token is {}, not {}: somebody minted meanwhile", e.expected, e.given)
        }
        Ok(E::ERC721NonexistentToken(e)) => format!("there is no token {}", e.tokenId),
        Ok(E::OwnableUnauthorizedAccount(e)) => {
            format!("{} is not the creator of this collection: only the creator mints", e.account)
        }
        Ok(E::ERC721InvalidReceiver(e)) => format!("{} can't receive tokens", e.receiver),
        Ok(E::ZeroDigest(_)) => "a digest of zeros names nothing".to_owned(),
        Ok(E::SameDigest(_)) => "that is its content already".to_owned(),
        Ok(E::EmptyBatch(_)) => "there is nothing to mint".to_owned(),
        Ok(E::BatchTooLarge(e)) => format!("{} tokens at once; at most {}", e.size, e.max),
        Ok(E::InvalidCodec(e)) => format!("codec {:#x} is not supported", e.codec),
        Ok(E::InvalidFirstTokenId(e)) => format!("the first token can't be {}", e.tokenId),
        Err(_) => format!("it reverted with {data}"),
    }
}

/// What a contract answered, `None` where it reverted or answered something else; an error
/// where the endpoint did not answer at all.
fn answered<T>(called: Result<T, alloy::contract::Error>) -> Result<Option<T>> {
    match called {
        Ok(answer) => Ok(Some(answer)),
        Err(alloy::contract::Error::TransportError(error)) if error.as_error_resp().is_none() => {
            Err(CollectionError::NotSent(crate::cause::root_cause(&error)))
        }
        Err(_) => Ok(None),
    }
}

/// Looks at what is at an address: a collection of ours, or an error that says what else.
pub async fn inspect(
    provider: &RootProvider<Ethereum>,
    chain_id: u64,
    address: Address,
) -> Result<CollectionInfo> {
    let unreachable = |error: alloy::transports::TransportError| {
        CollectionError::NotSent(crate::cause::root_cause(&error))
    };
    if provider.get_code_at(address).await.map_err(unreachable)?.is_empty() {
        return Err(CollectionError::NoCode { address, chain_id });
    }
    let contract = IEverhold::new(address, provider);
    let erc721 = contract.supportsInterface([0x80, 0xac, 0x58, 0xcd].into()).call().await;
    if !answered(erc721)?.unwrap_or(false) {
        return Err(CollectionError::NotErc721(address));
    }
    let codec = answered(contract.codec().call().await)?.and_then(Codec::from_multicodec);
    let codec = codec.ok_or(CollectionError::NotEverhold(address))?;
    Ok(CollectionInfo {
        name: contract.name().call().await.map_err(refused)?,
        codec,
        first_token_id: contract.firstTokenId().call().await.map_err(refused)?,
        next_token_id: contract.nextTokenId().call().await.map_err(refused)?,
        creator: contract.owner().call().await.map_err(refused)?,
    })
}

/// Deploys a collection whose creator is the signer.
pub async fn deploy(
    provider: &RootProvider<Ethereum>,
    signer: &PrivateKeySigner,
    name: &str,
    symbol: &str,
    codec: Codec,
    first_token_id: u8,
) -> Result<Deployed> {
    let mut code = bytecode()?;
    let arguments = (
        name.to_owned(),
        symbol.to_owned(),
        U256::from(codec.multicodec()),
        U256::from(first_token_id),
        signer.address(),
    );
    code.extend(arguments.abi_encode_params());
    let request = TransactionRequest::default().with_deploy_code(code);
    let receipt = send(provider, signer, request).await?;
    let address = receipt.contract_address;
    Ok(Deployed {
        address: address.ok_or(CollectionError::Failed(receipt.transaction_hash))?,
        transaction: receipt.transaction_hash,
        block: receipt.block_number.unwrap_or_default(),
    })
}

fn bytecode() -> Result<Vec<u8>> {
    let artifact: serde_json::Value = serde_json::from_str(ARTIFACT)
        .map_err(|error| CollectionError::Artifact(error.to_string()))?;
    let code = artifact.get("bytecode").and_then(serde_json::Value::as_str).unwrap_or_default();
    alloy::hex::decode(code).map_err(|error| CollectionError::Artifact(error.to_string()))
}

/// How long a transaction may take to be mined before the command gives up. It may still be
/// mined later; a second run finds out.
const MINED_WITHIN: std::time::Duration = std::time::Duration::from_secs(600);

async fn send(
    provider: &RootProvider<Ethereum>,
    signer: &PrivateKeySigner,
    request: TransactionRequest,
) -> Result<TransactionReceipt> {
    let wallet = EthereumWallet::from(signer.clone());
    let provider = ProviderBuilder::new().wallet(wallet).connect_provider(provider.clone());
    let request = request.with_from(signer.address());
    let failed = |error: alloy::transports::TransportError| refused(error.into());
    let pending = provider.send_transaction(request).await.map_err(failed)?;
    let hash = *pending.tx_hash();
    let receipt = pending
        .with_timeout(Some(MINED_WITHIN))
        .get_receipt()
        .await
        .map_err(|error| CollectionError::NotSent(format!("{hash}: {error}")))?;
    if receipt.status() { Ok(receipt) } else { Err(CollectionError::Failed(hash)) }
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
        let digest = self.bound().contentDigest(token).call().await.map_err(refused)?;
        Ok(Digest(digest.0))
    }

    /// A token's revision: 1 as it was minted.
    pub async fn revision(&self, token: U256) -> Result<u64> {
        self.bound().revision(token).call().await.map_err(refused)
    }

    /// Who owns a token.
    pub async fn owner_of(&self, token: U256) -> Result<Address> {
        self.bound().ownerOf(token).call().await.map_err(refused)
    }

    /// Whether a token's content is fixed for ever.
    pub async fn is_frozen(&self, token: U256) -> Result<bool> {
        self.bound().isFrozen(token).call().await.map_err(refused)
    }

    /// Mints consecutive tokens to `to`.
    pub async fn mint(
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
