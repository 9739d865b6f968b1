//! The collection contract as the indexer and the publisher see it.
//!
//! The full interface with its documentation is `contracts/src/IEverholdCollection.sol`; a test
//! compares what is written here with the compiled contract.

#![allow(missing_docs, unreachable_pub, clippy::too_many_arguments)]

use alloy::sol;

sol! {
    #[sol(rpc)]
    #[derive(Debug)]
    interface IEverhold {
        event Transfer(address indexed from, address indexed to, uint256 indexed tokenId);
        event ContentSet(uint256 indexed tokenId, bytes32 digest, uint64 revision);
        event ContentBatchSet(uint256 indexed firstTokenId, bytes32[] digests);
        event ContentFrozen(uint256 indexed tokenId);

        error InvalidCodec(uint8 codec);
        error InvalidFirstTokenId(uint256 tokenId);
        error NotNextTokenId(uint256 expected, uint256 given);
        error EmptyBatch();
        error BatchTooLarge(uint256 size, uint256 max);
        error ZeroDigest();
        error StaleDigest(bytes32 current, bytes32 given);
        error SameDigest();
        error NotTokenOwner(uint256 tokenId, address caller);
        error ContentIsFrozen(uint256 tokenId);
        error ERC721NonexistentToken(uint256 tokenId);
        error ERC721InvalidReceiver(address receiver);
        error OwnableUnauthorizedAccount(address account);

        function name() external view returns (string);
        function owner() external view returns (address);
        function supportsInterface(bytes4 interfaceId) external view returns (bool);
        function ownerOf(uint256 tokenId) external view returns (address);
        function tokenURI(uint256 tokenId) external view returns (string);

        function codec() external view returns (uint8);
        function firstTokenId() external view returns (uint256);
        function nextTokenId() external view returns (uint256);
        function contentDigest(uint256 tokenId) external view returns (bytes32);
        function revision(uint256 tokenId) external view returns (uint64);
        function isFrozen(uint256 tokenId) external view returns (bool);

        function mintBatch(address to, uint256 firstId, bytes32[] calldata digests) external;
        function updateContent(uint256 tokenId, bytes32 currentDigest, bytes32 newDigest) external;
        function freeze(uint256 tokenId) external;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use alloy::json_abi::JsonAbi;

    use super::IEverhold::{IEverholdCalls, IEverholdErrors, IEverholdEvents};

    /// A name or type that differs gives another selector.
    #[test]
    fn agrees_with_the_compiled_contract() {
        let artifact = include_str!("../../../contracts/artifacts/EverholdCollection.json");
        let artifact: serde_json::Value = serde_json::from_str(artifact).unwrap();
        let abi: JsonAbi = serde_json::from_value(artifact["abi"].clone()).unwrap();
        let functions: BTreeSet<_> = abi.functions().map(|f| f.selector().0).collect();
        let errors: BTreeSet<_> = abi.errors().map(|e| e.selector().0).collect();
        let events: BTreeSet<_> = abi.events().map(|e| e.selector().0).collect();
        let missing = |known: &BTreeSet<[u8; 4]>, ours: &[[u8; 4]]| {
            ours.iter().filter(|selector| !known.contains(*selector)).count()
        };
        assert_eq!(missing(&functions, IEverholdCalls::SELECTORS), 0);
        assert_eq!(missing(&errors, IEverholdErrors::SELECTORS), 0);
        assert!(IEverholdEvents::SELECTORS.iter().all(|topic| events.contains(topic)));
    }
}
