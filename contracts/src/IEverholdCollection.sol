// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

/// @title IEverholdCollection
/// @notice A collection of tokens that stores of each token's content only a 32-byte digest, which nobody but
/// the token's owner can change.
/// @dev Used together with ERC-721 and its metadata extension: `tokenURI` is the digest written as an
/// `ipfs://` URI.
interface IEverholdCollection {
    //////////////////////////////////////////////////////////////////////////
    //                                 EVENTS
    //////////////////////////////////////////////////////////////////////////

    /// @notice A token was minted by `mint`, or its owner changed its content.
    /// @param tokenId The token.
    /// @param digest The digest that its content has from now on.
    /// @param revision 1 for a mint, then one more with each change.
    event ContentSet(uint256 indexed tokenId, bytes32 digest, uint64 revision);

    /// @notice Tokens were minted by `mintBatch`, each at revision 1.
    /// @param firstTokenId The first token; the others follow without a gap.
    /// @param digests The tokens' digests, in the order of their ids.
    event ContentBatchSet(uint256 indexed firstTokenId, bytes32[] digests);

    /// @notice A token's content can never change again.
    /// @param tokenId The token.
    event ContentFrozen(uint256 indexed tokenId);

    //////////////////////////////////////////////////////////////////////////
    //                                 ERRORS
    //////////////////////////////////////////////////////////////////////////

    /// @notice The codec is neither `dag-pb` (0x70) nor `raw` (0x55).
    error InvalidCodec(uint8 codec);

    /// @notice A collection starts at token 0 or at token 1.
    error InvalidFirstTokenId(uint256 firstTokenId);

    /// @notice Tokens are minted in the order of their ids, and `given` is not the next one.
    error NotNextTokenId(uint256 expected, uint256 given);

    /// @notice A batch without a digest.
    error EmptyBatch();

    /// @notice More digests than one batch may hold.
    error BatchTooLarge(uint256 size, uint256 max);

    /// @notice Zero is no digest of any content.
    error ZeroDigest();

    /// @notice The update was made for content that the token no longer has.
    error StaleDigest(bytes32 current, bytes32 given);

    /// @notice The token has this very digest already.
    error SameDigest();

    /// @notice Only the token's owner may do this: no approved account, not the creator.
    error NotTokenOwner(uint256 tokenId, address caller);

    /// @notice The token's content was frozen by an owner.
    error ContentIsFrozen(uint256 tokenId);

    //////////////////////////////////////////////////////////////////////////
    //                               COLLECTION
    //////////////////////////////////////////////////////////////////////////

    /// @notice How every digest of this collection names content, as a multicodec code.
    /// @return 0x70 (`dag-pb`): sha-256 of the root block of a UnixFS DAG; 0x55 (`raw`): sha-256 of the content.
    function codec() external view returns (uint8);

    /// @notice The id of the first token: 0 or 1.
    function firstTokenId() external view returns (uint256);

    /// @notice The id that the next minted token will have.
    function nextTokenId() external view returns (uint256);

    /// @notice The number of tokens that exist.
    function totalSupply() external view returns (uint256);

    //////////////////////////////////////////////////////////////////////////
    //                                MINTING
    //////////////////////////////////////////////////////////////////////////

    /// @notice Mints the next token. Only the creator may.
    /// @dev `to` is not asked whether it can handle tokens (`onERC721Received`): no foreign code runs.
    /// @param to The token's first owner.
    /// @param tokenId Must be `nextTokenId()`, so that a mint sent twice can't mint two tokens.
    /// @param digest The digest of the token's content; not zero.
    function mint(address to, uint256 tokenId, bytes32 digest) external;

    /// @notice Mints up to 500 tokens with ids that follow one another. Only the creator may.
    /// @param to The first owner of all of them.
    /// @param firstId Must be `nextTokenId()`, so that a batch sent twice can't be minted twice.
    /// @param digests The digests of the tokens' content, in the order of their ids; none zero.
    function mintBatch(address to, uint256 firstId, bytes32[] calldata digests) external;

    //////////////////////////////////////////////////////////////////////////
    //                                CONTENT
    //////////////////////////////////////////////////////////////////////////

    /// @notice Gives a token other content. Only its owner may, and only while it is not frozen.
    /// @param tokenId The token.
    /// @param currentDigest The digest to be replaced, so that an update made for older content reverts.
    /// @param newDigest The new digest; neither zero nor `currentDigest`.
    function updateContent(uint256 tokenId, bytes32 currentDigest, bytes32 newDigest) external;

    /// @notice Makes a token's content unchangeable for ever, for later owners too. Only its owner may.
    /// @param tokenId The token.
    function freeze(uint256 tokenId) external;

    /// @notice The digest of a token's content. Reverts for a token that does not exist.
    /// @param tokenId The token.
    function contentDigest(uint256 tokenId) external view returns (bytes32);

    /// @notice How often a token's content has been set: 1 after the mint. Reverts for a token that does not exist.
    /// @param tokenId The token.
    function revision(uint256 tokenId) external view returns (uint64);

    /// @notice Whether a token's content is frozen. Reverts for a token that does not exist.
    /// @param tokenId The token.
    function isFrozen(uint256 tokenId) external view returns (bool);
}
