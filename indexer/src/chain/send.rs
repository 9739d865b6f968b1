//! Transactions: estimated, signed, sent, and waited for.

use std::time::Duration;

use alloy::{
    consensus::BlockHeader,
    eips::BlockNumberOrTag,
    network::{BlockResponse, Ethereum, EthereumWallet, TransactionBuilder},
    primitives::{Address, B256},
    providers::{
        PendingTransactionBuilder, PendingTransactionError, Provider, ProviderBuilder, RootProvider,
    },
    rpc::types::{TransactionReceipt, TransactionRequest},
    signers::local::PrivateKeySigner,
    transports::RpcError,
};

use super::error::{CollectionError, Result};

/// How long a transaction may take to be mined before the command gives up. It may still be
/// mined later; a second run finds out.
const MINED_WITHIN: Duration = Duration::from_secs(600);

/// Sends a transaction of the signer's and waits until it is in a block.
pub(super) async fn send(
    provider: &RootProvider<Ethereum>,
    signer: &PrivateKeySigner,
    request: TransactionRequest,
) -> Result<TransactionReceipt> {
    let request = request.with_from(signer.address());
    let gas = gas_for(provider, &request).await?;
    let wallet = EthereumWallet::from(signer.clone());
    let signing = ProviderBuilder::new().wallet(wallet).connect_provider(provider.clone());
    let pending = signing.send_transaction(request.with_gas_limit(gas)).await?;
    mined(pending).await
}

/// Waits until a transaction is in a block, and looks whether it worked.
pub(super) async fn mined(
    pending: PendingTransactionBuilder<Ethereum>,
) -> Result<TransactionReceipt> {
    let hash = *pending.tx_hash();
    let provider = pending.provider().clone();
    let receipt = match pending.with_timeout(Some(MINED_WITHIN)).get_receipt().await {
        // It is in a block, of which another machine of the endpoint does not know yet.
        Err(PendingTransactionError::TransportError(RpcError::NullResp)) => {
            receipt(&provider, hash).await?
        }
        other => other.map_err(|error| CollectionError::NotSent(format!("{hash}: {error}")))?,
    };
    if receipt.status() { Ok(receipt) } else { Err(CollectionError::Failed(hash)) }
}

/// The receipt of a transaction that is in a block.
async fn receipt(provider: &RootProvider<Ethereum>, hash: B256) -> Result<TransactionReceipt> {
    for _ in 0..LOOKS {
        if let Some(receipt) = provider.get_transaction_receipt(hash).await? {
            return Ok(receipt);
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(CollectionError::NotSent(format!("{hash}: it is in a block, but has no receipt there")))
}

/// The gas limit of a transaction: what the node estimates and a little more, since the state may
/// differ a little when it is mined. What is not used costs nothing.
async fn gas_for(provider: &RootProvider<Ethereum>, request: &TransactionRequest) -> Result<u64> {
    let estimate = provider.estimate_gas(request.clone()).await?;
    let latest = provider.get_block_by_number(BlockNumberOrTag::Latest).await?;
    // Some nodes estimate what fits into no block; it would wait for ever.
    let limit = latest.map_or(u64::MAX, |block| block.header().gas_limit());
    if estimate > limit {
        let text = format!("{estimate} are needed, and a block has {limit}");
        return Err(CollectionError::TooMuchGas(text));
    }
    Ok(estimate.saturating_add(estimate / 20).saturating_add(SLACK).min(limit))
}

/// Setting a slot that is empty by then, where the estimate found it filled.
const SLACK: u64 = 20_000;

/// Whether there is code at an address.
pub(super) async fn has_code(provider: &RootProvider<Ethereum>, address: Address) -> Result<bool> {
    Ok(!provider.get_code_at(address).await?.is_empty())
}

/// The same of code that was just put there: an endpoint of several machines may answer from one
/// that does not have the block yet.
pub(super) async fn appears(provider: &RootProvider<Ethereum>, address: Address) -> Result<bool> {
    for _ in 0..LOOKS {
        if has_code(provider, address).await? {
            return Ok(true);
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(false)
}

const LOOKS: u32 = 20;
const LOOK: Duration = Duration::from_millis(500);
