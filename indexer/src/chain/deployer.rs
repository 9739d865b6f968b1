//! The deterministic deployer: a contract that puts code where nothing but the code decides.
//!
//! It is Arachnid's deterministic-deployment-proxy, at the same address on nearly every chain.
//! Where it is missing anybody can put it there: its transaction is signed with numbers that
//! nobody chose a key for (the method of ERC-2470's authors, after Nick Johnson), so all it takes
//! is to pay the account that those numbers turn out to be of, and to send it.

use alloy::{
    consensus::BlockHeader,
    eips::BlockNumberOrTag,
    network::{BlockResponse, Ethereum, TransactionBuilder},
    primitives::{Address, B256, Bytes, U256, address, hex, keccak256, utils::format_ether},
    providers::{PendingTransactionBuilder, Provider, RootProvider},
    rpc::types::{TransactionReceipt, TransactionRequest},
    signers::local::PrivateKeySigner,
};

use super::{
    error::CollectionError,
    factory::DeployError,
    send::{appears, mined, send},
};

/// Where it is.
pub const DEPLOYER: Address = address!("4e59b44847b379578588920cA78FbF26c0B4956C");

/// The account of its transaction; it has no key.
pub const DEPLOYER_ACCOUNT: Address = address!("3fAB184622Dc19b6109349B94811493BF2a45362");

/// Its transaction: 100,000 gas at 100 gwei, of no particular chain.
const TRANSACTION: &[u8] = &hex!(
    "f8a58085174876e800830186a08080b853604580600e600039806000f350fe7fffffffffffffffffffffffffffffff"
    "ffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050"
    "506014600cf31ba02222222222222222222222222222222222222222222222222222222222222222a0222222222222"
    "2222222222222222222222222222222222222222222222222222"
);

/// The code that it leaves.
const CODE: &[u8] = &hex!(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234"
    "f58015156039578182fd5b8082525050506014600cf3"
);

const GAS_PRICE: u64 = 100_000_000_000;
const GAS: u64 = 100_000;

/// What is lacking for it to be there: nothing, or so many wei for its account and then its
/// transaction. An error where it can't be put there.
pub(super) async fn lacking(
    provider: &RootProvider<Ethereum>,
) -> Result<Option<U256>, DeployError> {
    let Account { code, transactions, balance, fee } = look(provider).await?;
    if !code.is_empty() {
        let ours = code == Bytes::from_static(CODE);
        return if ours { Ok(None) } else { Err(impossible("there is other code at its address")) };
    }
    if transactions > 0 {
        return Err(impossible("its one transaction was used up and failed"));
    }
    if fee > GAS_PRICE {
        return Err(impossible("its transaction pays 100 gwei a gas, and the base fee is higher"));
    }
    Ok(Some((U256::from(GAS) * U256::from(GAS_PRICE)).saturating_sub(balance)))
}

/// What decides whether it can be put there.
struct Account {
    code: Bytes,
    transactions: u64,
    balance: U256,
    fee: u64,
}

async fn look(provider: &RootProvider<Ethereum>) -> Result<Account, CollectionError> {
    let latest = provider.get_block_by_number(BlockNumberOrTag::Latest).await?;
    Ok(Account {
        code: provider.get_code_at(DEPLOYER).await?,
        transactions: provider.get_transaction_count(DEPLOYER_ACCOUNT).await?,
        balance: provider.get_balance(DEPLOYER_ACCOUNT).await?,
        fee: latest.and_then(|block| block.header().base_fee_per_gas()).unwrap_or_default(),
    })
}

fn impossible(why: &'static str) -> DeployError {
    DeployError::NoDeployer(why)
}

/// Puts it there, with what [`lacking`] found.
pub(super) async fn put(
    provider: &RootProvider<Ethereum>,
    signer: &PrivateKeySigner,
    wei: U256,
) -> Result<TransactionReceipt, DeployError> {
    if !wei.is_zero() {
        ask_before_paying(provider).await?;
        let request = TransactionRequest::default().with_to(DEPLOYER_ACCOUNT).with_value(wei);
        send(provider, signer, request).await?;
    }
    let pending = match provider.send_raw_transaction(TRANSACTION).await {
        Ok(pending) => pending,
        // An earlier run, or somebody else, sent it.
        Err(_) if is_known(provider).await? => {
            PendingTransactionBuilder::new(provider.clone(), hash())
        }
        Err(error) => return Err(CollectionError::from(error).into()),
    };
    let receipt = mined(pending).await?;
    appears(provider, DEPLOYER).await?;
    Ok(receipt)
}

/// Sends the transaction that can't be paid for yet. What comes back says whether the node would
/// take it: many refuse transactions of no particular chain, and the ether would be gone.
async fn ask_before_paying(provider: &RootProvider<Ethereum>) -> Result<(), DeployError> {
    let Err(error) = provider.send_raw_transaction(TRANSACTION).await else { return Ok(()) };
    let said = error.as_error_resp().map(|payload| payload.message.to_string());
    match said.filter(|text| text.contains("155") || text.contains("replay")) {
        Some(text) => Err(DeployError::DeployerRefused(text)),
        None => Ok(()),
    }
}

/// An amount for people.
pub fn ether(wei: U256) -> String {
    let text = format_ether(wei);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn hash() -> B256 {
    keccak256(TRANSACTION)
}

async fn is_known(provider: &RootProvider<Ethereum>) -> Result<bool, CollectionError> {
    Ok(provider.get_transaction_by_hash(hash()).await?.is_some())
}

/// The transaction that has it put code where `salt` and the code decide.
pub(super) fn request(salt: B256, creation_code: &[u8]) -> TransactionRequest {
    let data = [salt.as_slice(), creation_code].concat();
    TransactionRequest::default().with_to(DEPLOYER).with_input(data)
}

#[cfg(test)]
mod tests {
    use alloy::{
        consensus::{Transaction, TxEnvelope},
        eips::Decodable2718,
    };

    use super::*;

    #[test]
    fn says_amounts_without_idle_zeros() {
        let said = [0, 1, 10_000_000_000_000_000, 3_000_000_000_000_000_000]
            .map(|wei: u64| ether(U256::from(wei)));
        assert_eq!(said, ["0", "0.000000000000000001", "0.01", "3"]);
    }

    /// All that is written down here follows from the transaction.
    #[test]
    fn is_what_its_transaction_makes() {
        let transaction = TxEnvelope::decode_2718(&mut &*TRANSACTION).unwrap();
        let (signature, signed) = (transaction.signature(), transaction.signature_hash());
        assert_eq!(signature.recover_address_from_prehash(&signed).unwrap(), DEPLOYER_ACCOUNT);
        assert_eq!(transaction.chain_id(), None);
        assert_eq!((transaction.nonce(), transaction.value()), (0, U256::ZERO));
        assert_eq!(transaction.gas_limit(), GAS);
        assert_eq!(transaction.gas_price(), Some(u128::from(GAS_PRICE)));
        assert_eq!(DEPLOYER_ACCOUNT.create(0), DEPLOYER);
        // The first 14 bytes of what it runs copy the others, which stay.
        assert_eq!(&transaction.input()[14..], CODE);
    }
}
