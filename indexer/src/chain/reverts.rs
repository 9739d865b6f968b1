//! The contracts' custom errors, in words.

use alloy_sol_types::{Panic, Revert, SolError, SolInterface};

use super::bindings::{
    IEverhold::{IEverholdErrors, IEverholdErrors as E},
    IEverholdFactory::{IEverholdFactoryErrors, IEverholdFactoryErrors as F},
};

/// What a contract said when it refused.
pub(super) fn in_words(data: &[u8]) -> String {
    if let Ok(error) = IEverholdErrors::abi_decode(data) {
        return of_collection(error);
    }
    if let Ok(error) = IEverholdFactoryErrors::abi_decode(data) {
        return of_factory(&error);
    }
    match (Revert::abi_decode(data), Panic::abi_decode(data)) {
        (Ok(revert), _) => revert.reason().to_owned(),
        (_, Ok(panic)) => panic.to_string(),
        _ => format!("it reverted with 0x{}", alloy::hex::encode(data)),
    }
}

fn of_collection(error: IEverholdErrors) -> String {
    match error {
        E::NotFactory(e) => format!("{} is not the factory, which alone makes it", e.caller),
        E::AlreadyInitialized(_) => "the collection was made already".to_owned(),
        E::InvalidCodec(e) => format!("codec {:#x} is not supported", e.codec),
        E::InvalidFirstTokenId(e) => format!("the first token can't be {}", e.firstTokenId),
        E::NotNextTokenId(e) => {
            format!("the next token is {}, not {}: somebody minted meanwhile", e.expected, e.given)
        }
        E::EmptyBatch(_) => "there is nothing to mint".to_owned(),
        E::BatchTooLarge(e) => format!("{} tokens at once; at most {}", e.size, e.max),
        E::PackMisplaced(_) => {
            "this chain does not number what a contract creates as Ethereum does: no batches can \
             be minted on it"
                .to_owned()
        }
        E::ZeroDigest(_) => "a digest of zeros names nothing".to_owned(),
        E::ReservedDigest(_) => "the digest 1 stands for that of a burned token".to_owned(),
        E::StaleDigest(e) => format!("its content is {} by now, not {}", e.current, e.given),
        E::SameDigest(_) => "that is its content already".to_owned(),
        E::NotTokenOwner(e) => format!("{} does not own token {}", e.caller, e.tokenId),
        E::ContentIsFrozen(e) => format!("token {} is frozen", e.tokenId),
        E::EditsAreOff(_) => EDITS_ARE_OFF.to_owned(),
        E::MovedInThisTransaction(e) => {
            format!("token {} changed hands in the same transaction", e.tokenId)
        }
        E::InvalidNonce(e) => format!(
            "the next signature of token {} must have nonce {}, not {}",
            e.tokenId, e.expected, e.given
        ),
        E::SignatureExpired(e) => format!("the signature expired at Unix time {}", e.deadline),
        E::InvalidSignature(e) => format!("the signature is not {}'s over this", e.signer),
        E::NotVoucherBuyer(e) => format!("the voucher is for {}, not {}", e.buyer, e.caller),
        E::WrongPayment(e) => format!("the price is {} wei; {} were paid", e.price, e.given),
        E::VoucherSpent(e) => format!("voucher {} was redeemed or cancelled", e.id),
        E::DocumentTooLarge(e) => format!("the document has {} bytes; at most {}", e.size, e.max),
        other => of_openzeppelin(other),
    }
}

/// What the libraries under the collection refuse.
fn of_openzeppelin(error: IEverholdErrors) -> String {
    match error {
        E::ERC721InvalidOwner(e) => format!("{} can't own tokens", e.owner),
        E::ERC721NonexistentToken(e) => format!("there is no token {}", e.tokenId),
        E::ERC721IncorrectOwner(e) => {
            format!("token {} belongs to {}, not {}", e.tokenId, e.owner, e.sender)
        }
        E::ERC721InvalidSender(e) => format!("{} can't send tokens", e.sender),
        E::ERC721InvalidReceiver(e) => format!("{} can't receive tokens", e.receiver),
        E::ERC721InsufficientApproval(e) => {
            format!("{} is not approved to move token {}", e.operator, e.tokenId)
        }
        E::ERC721InvalidApprover(e) => format!("{} can't approve this", e.approver),
        E::ERC721InvalidOperator(e) => format!("{} can't be an operator", e.operator),
        E::ERC2981InvalidDefaultRoyalty(e) => {
            format!("royalties of {}/{} are more than the price", e.numerator, e.denominator)
        }
        E::ERC2981InvalidDefaultRoyaltyReceiver(e) => {
            format!("{} can't receive royalties", e.receiver)
        }
        E::ERC2981InvalidTokenRoyalty(e) => format!(
            "royalties of {}/{} for token {} are more than the price",
            e.numerator, e.denominator, e.tokenId
        ),
        E::ERC2981InvalidTokenRoyaltyReceiver(e) => {
            format!("{} can't receive royalties of token {}", e.receiver, e.tokenId)
        }
        E::OwnableUnauthorizedAccount(e) => {
            format!("{} is not the creator of this collection: only the creator may", e.account)
        }
        E::OwnableInvalidOwner(e) => format!("{} can't be the creator", e.owner),
        E::FailedCall(_) => "the creator's account does not take the payment".to_owned(),
        E::InsufficientBalance(e) => balance(e.balance, e.needed),
        E::SafeCastOverflowedUintDowncast(e) => {
            format!("{} does not fit into {} bits: the ids are used up", e.value, e.bits)
        }
        E::InvalidShortString(_) => "a text is malformed".to_owned(),
        E::StringTooLong(e) => format!("the text \"{}\" is too long", e.text),
        named => format!("{named:?}"),
    }
}

fn of_factory(error: &IEverholdFactoryErrors) -> String {
    match error {
        F::CollectionExists(e) => {
            format!("the same account made it with the same salt before, at {}", e.collection)
        }
        F::FailedDeployment(_) => "the collection's code could not be put on the chain".to_owned(),
        F::InsufficientBalance(e) => balance(e.balance, e.needed),
    }
}

fn balance(has: alloy::primitives::U256, needs: alloy::primitives::U256) -> String {
    format!("{needs} wei are needed; there are {has}")
}

/// Why nothing in a collection can be updated or frozen.
pub(crate) const EDITS_ARE_OFF: &str = "edits are off in this collection: what a token was \
    minted with is its content for ever";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::bindings::{IEverhold, IEverholdFactory};
    use alloy::primitives::{Address, U256};

    /// What `Debug` writes, names of errors and fields, is for programs.
    #[test]
    fn names_every_error_for_people() {
        for selector in IEverholdErrors::SELECTORS.iter().chain(IEverholdFactoryErrors::SELECTORS) {
            // Numbers and addresses of zeros, and, for the one with a text, where it lies.
            let mut data = selector.to_vec();
            data.extend([0; 96]);
            if *selector == IEverhold::StringTooLong::SELECTOR {
                data[35] = 0x20;
            }
            let text = in_words(&data);
            assert!(text.contains(' ') && !text.contains(['{', '(']), "{text}");
            assert!(!text.contains("reverted"), "{text}");
        }
    }

    #[test]
    fn says_what_is_in_them() {
        let who = Address::repeat_byte(7);
        let error = IEverholdFactory::CollectionExists { collection: who };
        assert!(in_words(&error.abi_encode()).contains(&who.to_string()));
        let error = IEverhold::WrongPayment { price: U256::from(5), given: U256::from(3) };
        assert_eq!(in_words(&error.abi_encode()), "the price is 5 wei; 3 were paid");
        assert_eq!(in_words(&Revert::from("no").abi_encode()), "no");
        assert_eq!(in_words(&[1, 2, 3, 4]), "it reverted with 0x01020304");
    }
}
