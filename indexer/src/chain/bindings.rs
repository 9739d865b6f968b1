//! The contracts as the indexer and the publisher see them.
//!
//! The full interfaces with their documentation are in `contracts/src/interfaces`; a test
//! compares what is written here with the compiled contracts.

#![allow(missing_docs, unreachable_pub, clippy::too_many_arguments)]

use alloy::sol;

sol! {
    #[derive(Debug, Default, PartialEq, Eq)]
    struct CollectionSettings {
        string name;
        string symbol;
        uint8 codec;
        uint8 firstTokenId;
        bool editable;
        address creator;
        address royaltyReceiver;
        uint96 royaltyBasisPoints;
        bytes32 contractDigest;
    }

    #[sol(rpc)]
    #[derive(Debug)]
    interface IEverhold {
        event Transfer(address indexed from, address indexed to, uint256 indexed tokenId);
        event ContentSet(uint256 indexed tokenId, bytes32 digest, uint64 revision);
        event ContentBatchSet(uint256 indexed firstTokenId, bytes32[] digests);
        event ContentFrozen(uint256 indexed tokenId);
        event ContractURIUpdated();

        error NotFactory(address caller);
        error AlreadyInitialized();
        error InvalidCodec(uint8 codec);
        error InvalidFirstTokenId(uint256 firstTokenId);
        error NotNextTokenId(uint256 expected, uint256 given);
        error EmptyBatch();
        error BatchTooLarge(uint256 size, uint256 max);
        error PackMisplaced();
        error ZeroDigest();
        error ReservedDigest();
        error StaleDigest(bytes32 current, bytes32 given);
        error SameDigest();
        error NotTokenOwner(uint256 tokenId, address caller);
        error ContentIsFrozen(uint256 tokenId);
        error EditsAreOff();
        error MovedInThisTransaction(uint256 tokenId);
        error InvalidNonce(uint256 tokenId, uint256 expected, uint256 given);
        error SignatureExpired(uint256 deadline);
        error InvalidSignature(address signer);
        error NotVoucherBuyer(address buyer, address caller);
        error WrongPayment(uint256 price, uint256 given);
        error VoucherSpent(uint256 id);
        error DocumentTooLarge(uint256 size, uint256 max);

        error ERC721InvalidOwner(address owner);
        error ERC721NonexistentToken(uint256 tokenId);
        error ERC721IncorrectOwner(address sender, uint256 tokenId, address owner);
        error ERC721InvalidSender(address sender);
        error ERC721InvalidReceiver(address receiver);
        error ERC721InsufficientApproval(address operator, uint256 tokenId);
        error ERC721InvalidApprover(address approver);
        error ERC721InvalidOperator(address operator);
        error ERC2981InvalidDefaultRoyalty(uint256 numerator, uint256 denominator);
        error ERC2981InvalidDefaultRoyaltyReceiver(address receiver);
        error ERC2981InvalidTokenRoyalty(uint256 tokenId, uint256 numerator, uint256 denominator);
        error ERC2981InvalidTokenRoyaltyReceiver(uint256 tokenId, address receiver);
        error OwnableUnauthorizedAccount(address account);
        error OwnableInvalidOwner(address owner);
        error FailedCall();
        error InsufficientBalance(uint256 balance, uint256 needed);
        error SafeCastOverflowedUintDowncast(uint8 bits, uint256 value);
        error InvalidShortString();
        error StringTooLong(string text);

        function name() external view returns (string);
        function owner() external view returns (address);
        function supportsInterface(bytes4 interfaceId) external view returns (bool);
        function ownerOf(uint256 tokenId) external view returns (address);
        function tokenURI(uint256 tokenId) external view returns (string);
        function contractURI() external view returns (string);

        function codec() external view returns (uint8);
        function editable() external view returns (bool);
        function firstTokenId() external view returns (uint256);
        function nextTokenId() external view returns (uint256);
        function contentDigest(uint256 tokenId) external view returns (bytes32);
        function revision(uint256 tokenId) external view returns (uint64);
        function isFrozen(uint256 tokenId) external view returns (bool);

        function mint(address to, uint256 tokenId, bytes32 digest) external;
        function mintBatch(address to, uint256 firstId, bytes32[] calldata digests) external;
        function updateContent(uint256 tokenId, bytes32 currentDigest, bytes32 newDigest) external;
        function freeze(uint256 tokenId) external;
    }

    #[sol(rpc)]
    #[derive(Debug)]
    interface IEverholdFactory {
        event CollectionCreated(
            address indexed collection,
            address indexed creator,
            address indexed sender,
            uint8 codec,
            uint8 firstTokenId,
            bool editable,
            string name,
            string symbol
        );

        error CollectionExists(address collection);
        error FailedDeployment();
        error InsufficientBalance(uint256 balance, uint256 needed);

        function implementation() external view returns (address);
        function createCollection(CollectionSettings calldata settings, bytes32 salt)
            external
            returns (address collection);
        function collectionAddress(
            address sender,
            CollectionSettings calldata settings,
            bytes32 salt
        ) external view returns (address);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use alloy::json_abi::JsonAbi;

    use super::{
        IEverhold::{IEverholdCalls, IEverholdErrors, IEverholdEvents},
        IEverholdFactory::{IEverholdFactoryCalls, IEverholdFactoryErrors, IEverholdFactoryEvents},
    };

    const COLLECTION: &str = include_str!("../../../contracts/artifacts/EverholdCollection.json");
    const FACTORY: &str = include_str!("../../../contracts/artifacts/EverholdFactory.json");

    fn abi(artifact: &str) -> JsonAbi {
        let artifact: serde_json::Value = serde_json::from_str(artifact).unwrap();
        serde_json::from_value(artifact["abi"].clone()).unwrap()
    }

    fn set<T: Ord + Copy>(selectors: &[T]) -> BTreeSet<T> {
        selectors.iter().copied().collect()
    }

    /// A name or type that differs gives another selector. Errors must all be there: one that is
    /// not could not be named in words.
    fn agrees(artifact: &str, functions: &[[u8; 4]], errors: &[[u8; 4]], events: &[[u8; 32]]) {
        let abi = abi(artifact);
        let compiled = abi.functions().map(|f| f.selector().0).collect();
        assert!(set(functions).is_subset(&compiled));
        assert_eq!(set(errors), abi.errors().map(|e| e.selector().0).collect());
        let compiled = abi.events().map(|e| e.selector().0).collect();
        assert!(set(events).is_subset(&compiled));
    }

    #[test]
    fn agrees_with_the_compiled_contracts() {
        agrees(
            COLLECTION,
            IEverholdCalls::SELECTORS,
            IEverholdErrors::SELECTORS,
            IEverholdEvents::SELECTORS,
        );
        agrees(
            FACTORY,
            IEverholdFactoryCalls::SELECTORS,
            IEverholdFactoryErrors::SELECTORS,
            IEverholdFactoryEvents::SELECTORS,
        );
    }
}
