// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

/// @notice What the peers that keep a digest for each token have in common.
interface IDigests {
    event ContentSet(uint256 indexed tokenId, bytes32 digest);
    event ContentBatchSet(uint256 indexed firstTokenId, bytes32[] digests);

    error NotTokenOwner();

    function mint(address to, bytes32 digest) external;
    function mintBatch(address to, bytes32[] calldata digests) external;
    function updateContent(uint256 tokenId, bytes32 digest) external;
    function burn(uint256 tokenId) external;
    function contentDigest(uint256 tokenId) external view returns (bytes32);
}
