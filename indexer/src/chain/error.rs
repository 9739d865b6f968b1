//! Why a contract call or transaction did not work.

use alloy::primitives::{Address, B256, U256};
use alloy_sol_types::SolError;

use super::{IEverhold, RpcError, refusal::Refusal, reverts};

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
    /// It says of itself that it is two things.
    #[error(
        "{0} says that it is both an ERC-721 and an ERC-1155: say which is meant, by \
         standard = \"erc721\" or \"erc1155\" in its [[collection]]"
    )]
    Both(Address),
    /// It is none of those that hold tokens, as far as it can be told.
    #[error(
        "{0} is neither an Everhold collection nor an ERC-721 or ERC-1155, as far as its answers \
         tell: if it is one of these nevertheless, say so by standard = \"erc721\" or \"erc1155\" in its [[collection]]"
    )]
    NotRecognised(Address),
    /// The token does not exist.
    #[error("there is no token {0}: it was never minted, or it was burned")]
    NoToken(U256),
    /// The contract refused.
    #[error("the contract refused: {0}")]
    Refused(String),
    /// The contract gave no reason. Collections are clones (ERC-1167), and all that a clone says
    /// when it runs out of gas is nothing; they do so for no other reason.
    #[error("the contract gave no reason to refuse: it does so when it runs out of gas")]
    OutOfGas,
    /// The transaction was mined and failed.
    #[error("transaction {0} was mined and failed")]
    Failed(B256),
    /// It would take more gas than the chain, or the node, allows for one transaction.
    #[error("the transaction takes too much gas: {0}")]
    TooMuchGas(String),
    /// The account can't pay for gas, or the node would not take the transaction.
    #[error("the RPC did not take the request: {0}")]
    NotSent(String),
    /// The chain could not be asked.
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

/// Shorthand.
pub(super) type Result<T, E = CollectionError> = std::result::Result<T, E>;

impl From<alloy::transports::TransportError> for CollectionError {
    fn from(error: alloy::transports::TransportError) -> Self {
        let Some(payload) = error.as_error_resp() else {
            return Self::NotSent(everhold_net::root_cause(&error));
        };
        if let Some(data) = payload.as_revert_data() {
            return Self::reverted(&data);
        }
        let message = payload.message.to_string();
        if names_gas(&message) { Self::TooMuchGas(message) } else { Self::NotSent(message) }
    }
}

impl From<alloy::contract::Error> for CollectionError {
    fn from(error: alloy::contract::Error) -> Self {
        match error {
            alloy::contract::Error::TransportError(inner) => inner.into(),
            other => Self::Refused(other.to_string()),
        }
    }
}

impl CollectionError {
    /// Whether it is about what is at the address, and not about asking for it.
    pub fn is_about_contract(&self) -> bool {
        matches!(
            self,
            Self::NoCode { .. }
                | Self::NotErc721(_)
                | Self::NotEverhold(_)
                | Self::Both(_)
                | Self::NotRecognised(_)
        )
    }

    /// Whether the same in smaller parts may work.
    pub fn is_about_gas(&self) -> bool {
        matches!(self, Self::TooMuchGas(_) | Self::OutOfGas)
    }

    fn reverted(data: &[u8]) -> Self {
        if data.is_empty() || data == DEPLOYMENT_FAILED {
            return Self::OutOfGas;
        }
        match IEverhold::ERC721NonexistentToken::abi_decode(data) {
            Ok(error) => Self::NoToken(error.tokenId),
            Err(_) => Self::Refused(reverts::in_words(data)),
        }
    }
}

/// `DeploymentFailed()` of Solady's SSTORE2, which is in no ABI: the gas did not suffice to put a
/// batch's digests on the chain.
const DEPLOYMENT_FAILED: [u8; 4] = [0x30, 0x11, 0x64, 0x25];

/// Whether a node refuses for the amount of gas, not for its price or for the lack of money.
/// There is no code for it; nodes word it as "gas required exceeds allowance", "exceeds block gas
/// limit", "transaction gas limit too high", "out of gas".
fn names_gas(message: &str) -> bool {
    let message = message.to_lowercase();
    let money = ["fund", "price", "fee", "balance", "afford"];
    message.contains("gas") && !money.iter().any(|word| message.contains(word))
}

/// Whether a call failed in the contract, as far as it can be told. One that was made too often never
/// got there.
pub(super) fn is_of_the_contract(error: &alloy::transports::TransportError) -> bool {
    let Some(payload) = error.as_error_resp() else { return false };
    // A contract may speak of rates where it reverts.
    payload.as_revert_data().is_some()
        || payload.message.to_lowercase().contains("revert")
        || !matches!(Refusal::of(error), Refusal::Busy(_))
}

/// What a contract answered, `None` where it reverted or answered something else; an error
/// where the endpoint did not answer at all.
pub(super) fn answered<T>(called: Result<T, alloy::contract::Error>) -> Result<Option<T>> {
    match called {
        Ok(answer) => Ok(Some(answer)),
        Err(alloy::contract::Error::TransportError(error)) if !is_of_the_contract(&error) => {
            Err(CollectionError::NotSent(everhold_net::root_cause(&error)))
        }
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use alloy::transports::TransportError;

    use super::{is_of_the_contract, names_gas};

    #[test]
    fn a_call_that_was_one_too_many_says_nothing_of_the_contract() {
        let of_the_contract = |error: &str| {
            let payload = serde_json::from_str(error).unwrap();
            is_of_the_contract(&TransportError::ErrorResp(payload))
        };
        for (error, expected) in [
            (
                r#"{"code":-32005,"message":"daily request count exceeded, request rate limited"}"#,
                false,
            ),
            (r#"{"code":429,"message":"slow down"}"#, false),
            (r#"{"code":3,"message":"execution reverted: over quota","data":"0x08c379a0"}"#, true),
            (r#"{"code":-32000,"message":"execution reverted: over quota"}"#, true),
            (r#"{"code":-32000,"message":"out of gas"}"#, true),
        ] {
            assert_eq!(of_the_contract(error), expected, "{error}");
        }
    }

    #[test]
    fn tells_the_amount_of_gas_from_its_price() {
        for text in [
            "gas required exceeds allowance (3000000)",
            "Out of gas: gas required exceeds allowance: 3000000",
            "exceeds block gas limit",
            "transaction gas limit too high (cap: 16777216, tx: 20000000)",
        ] {
            assert!(names_gas(text), "{text}");
        }
        for text in [
            "insufficient funds for gas * price + value: have 0 want 1",
            "max fee per gas less than block base fee",
            "transaction underpriced: gas tip cap 0",
            "nonce too low",
        ] {
            assert!(!names_gas(text), "{text}");
        }
    }
}
