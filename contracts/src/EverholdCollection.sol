// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {ContentURI} from "./ContentURI.sol";
import {IEverholdCollection} from "./IEverholdCollection.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC165} from "@openzeppelin/contracts/interfaces/IERC165.sol";
import {IERC4906} from "@openzeppelin/contracts/interfaces/IERC4906.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";

/// @title EverholdCollection
/// @notice An ERC-721 collection whose tokens name their content by its hash. See {IEverholdCollection}.
/// @dev Two kinds of rights that never meet: the creator (`owner()`) mints, and a token's owner alone says what
/// the token's content is. No function calls foreign code but ERC-721's own `safeTransferFrom`.
contract EverholdCollection is IEverholdCollection, IERC4906, ERC721, Ownable2Step {
    /// @dev What is kept of a token that was updated or frozen. A mint leaves it untouched.
    struct History {
        uint64 updates;
        bool frozen;
    }

    uint256 private constant MAX_BATCH = 500;

    /// @dev ERC-4906 names its interface id; its interface, of events only, has none to compute.
    bytes4 private constant ERC4906_ID = 0x49064906;

    //////////////////////////////////////////////////////////////////////////
    //                                STORAGE
    //////////////////////////////////////////////////////////////////////////

    /// @inheritdoc IEverholdCollection
    uint8 public immutable codec;

    /// @inheritdoc IEverholdCollection
    uint256 public immutable firstTokenId;

    /// @inheritdoc IEverholdCollection
    uint256 public nextTokenId;

    mapping(uint256 tokenId => bytes32) private _digests;

    mapping(uint256 tokenId => History) private _histories;

    //////////////////////////////////////////////////////////////////////////
    //                              CONSTRUCTOR
    //////////////////////////////////////////////////////////////////////////

    /// @param name_ The collection's name.
    /// @param symbol_ The collection's symbol.
    /// @param codec_ How digests name content: 0x70 (`dag-pb`) or 0x55 (`raw`).
    /// @param firstTokenId_ The id of the first token: 0 or 1.
    /// @param creator_ The account that may mint.
    constructor(
        string memory name_,
        string memory symbol_,
        uint8 codec_,
        uint256 firstTokenId_,
        address creator_
    ) ERC721(name_, symbol_) Ownable(creator_) {
        if (!ContentURI.isSupported(codec_)) revert InvalidCodec(codec_);
        if (firstTokenId_ > 1) revert InvalidFirstTokenId(firstTokenId_);
        codec = codec_;
        firstTokenId = firstTokenId_;
        nextTokenId = firstTokenId_;
    }

    //////////////////////////////////////////////////////////////////////////
    //                                MINTING
    //////////////////////////////////////////////////////////////////////////

    /// @inheritdoc IEverholdCollection
    function mint(address to, uint256 tokenId, bytes32 digest) external onlyOwner {
        _takeTokenIds(tokenId, 1);
        _mintWith(to, tokenId, digest);
        emit ContentSet(tokenId, digest, 1);
    }

    /// @inheritdoc IEverholdCollection
    function mintBatch(address to, uint256 firstId, bytes32[] calldata digests) external onlyOwner {
        uint256 size = digests.length;
        if (size == 0) revert EmptyBatch();
        if (size > MAX_BATCH) revert BatchTooLarge(size, MAX_BATCH);
        _takeTokenIds(firstId, size);
        for (uint256 i = 0; i < size; ++i) {
            _mintWith(to, firstId + i, digests[i]);
        }
        emit ContentBatchSet(firstId, digests);
    }

    /// @dev Moves `nextTokenId` past `count` ids, of which the caller must have known the first.
    function _takeTokenIds(uint256 firstId, uint256 count) private {
        uint256 expected = nextTokenId;
        if (firstId != expected) revert NotNextTokenId(expected, firstId);
        nextTokenId = expected + count;
    }

    /// @dev Not `_safeMint`: asking a receiving contract would run foreign code within a mint.
    function _mintWith(address to, uint256 tokenId, bytes32 digest) private {
        if (digest == 0) revert ZeroDigest();
        _digests[tokenId] = digest;
        _mint(to, tokenId);
    }

    //////////////////////////////////////////////////////////////////////////
    //                                CONTENT
    //////////////////////////////////////////////////////////////////////////

    /// @inheritdoc IEverholdCollection
    function updateContent(uint256 tokenId, bytes32 currentDigest, bytes32 newDigest) external {
        History storage history = _editableBy(_msgSender(), tokenId);
        bytes32 digest = _digests[tokenId];
        if (currentDigest != digest) revert StaleDigest(digest, currentDigest);
        if (newDigest == 0) revert ZeroDigest();
        if (newDigest == digest) revert SameDigest();

        uint64 updates = history.updates + 1;
        history.updates = updates;
        _digests[tokenId] = newDigest;
        emit ContentSet(tokenId, newDigest, updates + 1);
        emit MetadataUpdate(tokenId);
    }

    /// @inheritdoc IEverholdCollection
    function freeze(uint256 tokenId) external {
        _editableBy(_msgSender(), tokenId).frozen = true;
        emit ContentFrozen(tokenId);
    }

    /// @dev The one place that decides who may touch a token's content: its owner, until it is frozen.
    function _editableBy(address caller, uint256 tokenId) private view returns (History storage history) {
        if (_requireOwned(tokenId) != caller) revert NotTokenOwner(tokenId, caller);
        history = _histories[tokenId];
        if (history.frozen) revert ContentIsFrozen(tokenId);
    }

    //////////////////////////////////////////////////////////////////////////
    //                                 VIEWS
    //////////////////////////////////////////////////////////////////////////

    /// @inheritdoc IEverholdCollection
    function totalSupply() external view returns (uint256) {
        return nextTokenId - firstTokenId;
    }

    /// @inheritdoc IEverholdCollection
    function contentDigest(uint256 tokenId) public view returns (bytes32) {
        _requireOwned(tokenId);
        return _digests[tokenId];
    }

    /// @inheritdoc IEverholdCollection
    function revision(uint256 tokenId) external view returns (uint64) {
        _requireOwned(tokenId);
        return _histories[tokenId].updates + 1;
    }

    /// @inheritdoc IEverholdCollection
    function isFrozen(uint256 tokenId) external view returns (bool) {
        _requireOwned(tokenId);
        return _histories[tokenId].frozen;
    }

    /// @notice The URI of a token's content, computed from its digest. Reverts for a token that does not exist.
    /// @param tokenId The token.
    function tokenURI(uint256 tokenId) public view override returns (string memory) {
        return ContentURI.encode(codec, contentDigest(tokenId));
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId) public view override(ERC721, IERC165) returns (bool) {
        return interfaceId == type(IEverholdCollection).interfaceId || interfaceId == ERC4906_ID
            || super.supportsInterface(interfaceId);
    }
}
