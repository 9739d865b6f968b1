// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {IERC2477} from "../interfaces/IERC2477.sol";
import {IERC5646} from "../interfaces/IERC5646.sol";
import {IEverholdCollection} from "../interfaces/IEverholdCollection.sol";
import {BatchedTokens} from "../tokens/BatchedTokens.sol";
import {Codec} from "./Codec.sol";
import {ContentURI} from "./ContentURI.sol";
import {UnixFS} from "./UnixFS.sol";
import {IERC4906} from "@openzeppelin/contracts/interfaces/IERC4906.sol";
import {SlotDerivation} from "@openzeppelin/contracts/utils/SlotDerivation.sol";
import {TransientSlot} from "@openzeppelin/contracts/utils/TransientSlot.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title TokenContent
/// @notice What the content of each token is, and who may change it: the token's owner.
/// @dev Everything that decides over content is in this file. It writes `_digests` in three places: a mint, an
/// update, and a burn.
abstract contract TokenContent is BatchedTokens, EIP712, IERC2477, IERC4906, IERC5646 {
    using SlotDerivation for bytes32;
    using TransientSlot for bytes32;
    using TransientSlot for TransientSlot.BooleanSlot;

    /// @dev What is kept of a token whose owner updated or froze it, or cancelled signatures, in one slot.
    struct Edits {
        uint64 updates;
        uint64 cancellations;
        bool frozen;
    }

    /// @dev The transient mapping (EIP-1153) of tokens that changed hands in this transaction.
    bytes32 private constant MOVED = keccak256("everhold.TokenContent.moved");

    /// @dev What comes before a digest in a binary CIDv1: version, codec, and a sha-256 of 32 bytes.
    bytes4 private constant DAG_PB_CID_PREFIX = 0x01701220;

    /// @dev The EIP-712 type of a signed update. `owner` is the token's at the time of use, so that what one
    /// wallet signed is worth nothing to another one with the same signer.
    bytes32 private constant CONTENT_UPDATE_TYPE = keccak256(
        "ContentUpdate(address owner,uint256 tokenId,bytes32 currentDigest,bytes32 newDigest,uint256 nonce,uint256 deadline)"
    );

    /// @dev Digests of tokens minted singly, and of updated ones. Zero: the digest is in the batch's pack.
    mapping(uint256 tokenId => bytes32) private _digests;

    mapping(uint256 tokenId => Edits) private _edits;

    //////////////////////////////////////////////////////////////////////////
    //                                CHANGES
    //////////////////////////////////////////////////////////////////////////

    /// @dev Mints the next token with its content.
    function _mintWith(address to, bytes32 digest) internal returns (uint256 tokenId) {
        _requireDigest(digest);
        tokenId = _mintNext(to);
        _digests[tokenId] = digest;
        emit ContentSet(tokenId, digest, 1);
    }

    /// @inheritdoc IEverholdCollection
    function updateContent(uint256 tokenId, bytes32 currentDigest, bytes32 newDigest) external {
        _requireTokenOwner(tokenId);
        _setContent(tokenId, currentDigest, newDigest);
    }

    /// @inheritdoc IEverholdCollection
    function updateContentBySignature(
        uint256 tokenId,
        bytes32 currentDigest,
        bytes32 newDigest,
        uint256 nonce,
        uint256 deadline,
        bytes calldata signature
    ) external {
        address owner = _requireOwned(tokenId);
        uint256 expected = _nonceOf(tokenId);
        if (nonce != expected) revert InvalidNonce(tokenId, expected, nonce);
        bytes32 message = keccak256(
            abi.encode(CONTENT_UPDATE_TYPE, owner, tokenId, currentDigest, newDigest, nonce, deadline)
        );
        _requireSignature(owner, message, deadline, signature);
        _setContent(tokenId, currentDigest, newDigest);
    }

    /// @inheritdoc IEverholdCollection
    function cancelSignatures(uint256 tokenId) external {
        _requireTokenOwner(tokenId);
        ++_edits[tokenId].cancellations;
        emit SignaturesCancelled(tokenId);
    }

    /// @inheritdoc IEverholdCollection
    function freeze(uint256 tokenId) external {
        _requireTokenOwner(tokenId);
        _editsOf(tokenId).frozen = true;
        emit ContentFrozen(tokenId);
    }

    /// @inheritdoc IEverholdCollection
    function burn(uint256 tokenId) external {
        _requireTokenOwner(tokenId);
        _burnCounted(tokenId);
        _digests[tokenId] = BURNED;
    }

    /// @dev Gives a token new content. The caller has made sure that its owner wants it.
    function _setContent(uint256 tokenId, bytes32 currentDigest, bytes32 newDigest) private {
        Edits storage edits = _editsOf(tokenId);
        bytes32 digest = _digestOf(tokenId);
        if (currentDigest != digest) revert StaleDigest(digest, currentDigest);
        if (newDigest == digest) revert SameDigest();
        _requireDigest(newDigest);

        uint64 updates = edits.updates + 1;
        edits.updates = updates;
        _digests[tokenId] = newDigest;
        emit ContentSet(tokenId, newDigest, updates + 1);
        emit MetadataUpdate(tokenId);
    }

    //////////////////////////////////////////////////////////////////////////
    //                                 RIGHTS
    //////////////////////////////////////////////////////////////////////////

    /// @dev The one right over content: to own the token. Approved accounts and the creator don't have it.
    function _requireTokenOwner(uint256 tokenId) private view {
        if (_requireOwned(tokenId) != _msgSender()) revert NotTokenOwner(tokenId, _msgSender());
    }

    /// @dev What is kept of a token whose content may change now.
    function _editsOf(uint256 tokenId) private view returns (Edits storage edits) {
        if (!editable) revert EditsAreOff();
        if (MOVED.deriveMapping(tokenId).asBoolean().tload()) revert MovedInThisTransaction(tokenId);
        edits = _edits[tokenId];
        if (edits.frozen) revert ContentIsFrozen(tokenId);
    }

    /// @dev Notes that the token changed hands, until the transaction ends. Somebody who has a token for the length
    /// of a transaction (a flash loan, an operator who gives it back) could otherwise leave it with other content,
    /// frozen.
    function _update(address to, uint256 tokenId, address auth) internal override returns (address from) {
        from = super._update(to, tokenId, auth);
        if (from != address(0)) MOVED.deriveMapping(tokenId).asBoolean().tstore(true);
    }

    /// @dev The number that the next signed update must have. Every change of the content moves it by one, and a
    /// cancellation beyond all that could have been signed before.
    function _nonceOf(uint256 tokenId) private view returns (uint256) {
        Edits storage edits = _edits[tokenId];
        return uint256(edits.cancellations) << 64 | edits.updates;
    }

    /// @dev Reverts unless the signer signed the message (EIP-712; a contract says so itself, ERC-1271) and the
    /// deadline has not passed.
    function _requireSignature(address signer, bytes32 message, uint256 deadline, bytes calldata signature)
        internal
        view
    {
        // forge-lint: disable-next-line(block-timestamp): a deadline is not meant to the second.
        if (block.timestamp > deadline) revert SignatureExpired(deadline);
        if (!SignatureChecker.isValidSignatureNowCalldata(signer, _hashTypedDataV4(message), signature)) {
            revert InvalidSignature(signer);
        }
    }

    //////////////////////////////////////////////////////////////////////////
    //                                 VIEWS
    //////////////////////////////////////////////////////////////////////////

    /// @inheritdoc IEverholdCollection
    function contentDigest(uint256 tokenId) public view returns (bytes32 digest) {
        digest = _digestOf(tokenId);
        if (digest == 0) revert ERC721NonexistentToken(tokenId);
    }

    /// @inheritdoc IEverholdCollection
    function revision(uint256 tokenId) public view returns (uint64) {
        _requireOwned(tokenId);
        return _edits[tokenId].updates + 1;
    }

    /// @inheritdoc IEverholdCollection
    function isFrozen(uint256 tokenId) public view returns (bool) {
        _requireOwned(tokenId);
        return !editable || _edits[tokenId].frozen;
    }

    /// @inheritdoc IEverholdCollection
    function signatureNonce(uint256 tokenId) external view returns (uint256) {
        _requireOwned(tokenId);
        return _nonceOf(tokenId);
    }

    /// @notice The URI of a token's content, computed from its digest. Reverts for a token that does not exist.
    /// @param tokenId The token.
    function tokenURI(uint256 tokenId) public view override returns (string memory) {
        return ContentURI.encode(codec, contentDigest(tokenId));
    }

    /// @inheritdoc IERC2477
    function tokenURIIntegrity(uint256 tokenId) external view returns (bytes memory, string memory) {
        bytes32 digest = contentDigest(tokenId);
        if (codec == Codec.RAW) return (abi.encodePacked(digest), "sha256");
        // The digest is not that of the document, so the algorithm must not be called sha256.
        return (abi.encodePacked(DAG_PB_CID_PREFIX, digest), "cid");
    }

    /// @inheritdoc IERC2477
    function tokenURISchemaIntegrity(uint256 tokenId) external view returns (bytes memory, string memory) {
        _requireOwned(tokenId);
        return ("", "");
    }

    /// @inheritdoc IERC5646
    function getStateFingerprint(uint256 tokenId) external view returns (bytes32) {
        return keccak256(abi.encode(contentDigest(tokenId), revision(tokenId), isFrozen(tokenId)));
    }

    /// @inheritdoc IEverholdCollection
    function verifyContent(uint256 tokenId, bytes calldata document) external view returns (bool) {
        bytes32 digest = contentDigest(tokenId);
        if (codec == Codec.RAW) return sha256(document) == digest;
        if (document.length > UnixFS.MAX_BLOCK_FILE) {
            revert DocumentTooLarge(document.length, UnixFS.MAX_BLOCK_FILE);
        }
        return UnixFS.blockDigest(document) == digest;
    }

    /// @inheritdoc IEverholdCollection
    function verifyBlock(uint256 tokenId, bytes calldata rootBlock) external view returns (bool) {
        return sha256(rootBlock) == contentDigest(tokenId);
    }

    /// @dev The digest of a token's content; zero for a token that does not exist.
    function _digestOf(uint256 tokenId) private view returns (bytes32) {
        bytes32 digest = _digests[tokenId];
        if (digest == 0) return _batchDigest(tokenId);
        return digest == BURNED ? bytes32(0) : digest;
    }

    /// @inheritdoc BatchedTokens
    function _isBurned(uint256 tokenId) internal view override returns (bool) {
        return _digests[tokenId] == BURNED;
    }
}
