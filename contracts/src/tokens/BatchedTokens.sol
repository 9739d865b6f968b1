// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {IEverholdCollection} from "../interfaces/IEverholdCollection.sol";
import {DigestPack} from "./DigestPack.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title BatchedTokens
/// @notice Who owns which token: OpenZeppelin's ERC-721 with ids in a row, and batches whose tokens take no
/// storage until they are moved.
/// @dev A token minted in a batch has an empty slot among ERC-721's owners. It belongs to the owner that its
/// batch's pack names, until a transfer fills the slot. Whoever overrides `_isBurned` says which empty slots are
/// those of tokens that are gone.
abstract contract BatchedTokens is IEverholdCollection, ERC721, Ownable {
    uint256 private constant MAX_BATCH = 500;

    /// @dev Stands for the digest of a burned token. Nothing can be minted with it or updated to it, and no content
    /// with this hash can be found.
    bytes32 internal constant BURNED = bytes32(uint256(1));

    //////////////////////////////////////////////////////////////////////////
    //                                STORAGE
    //////////////////////////////////////////////////////////////////////////

    // These share the slot of Ownable's owner, which a mint has to read anyway.

    uint32 private _nextTokenId;
    uint24 private _batchCount;
    uint8 private _firstTokenId;

    /// @inheritdoc IEverholdCollection
    uint8 public codec;

    /// @inheritdoc IEverholdCollection
    bool public editable;

    /// @dev Whether any token was burned. Until then an empty owner slot needs no second look.
    bool private _anyBurned;

    /// @dev The first id of each batch, eight to a slot. As many batches as `_batchCount` can count.
    uint32[1 << 24] private _batchStarts;

    uint256 private _burnedCount;

    //////////////////////////////////////////////////////////////////////////
    //                                MINTING
    //////////////////////////////////////////////////////////////////////////

    /// @dev Fixes the first id. To be called once, before any mint.
    function _startAt(uint8 firstTokenId_) internal {
        if (firstTokenId_ > 1) revert InvalidFirstTokenId(firstTokenId_);
        _firstTokenId = firstTokenId_;
        _nextTokenId = firstTokenId_;
    }

    /// @dev Reverts for the two values that are no digest.
    function _requireDigest(bytes32 digest) internal pure {
        if (digest == 0) revert ZeroDigest();
        if (digest == BURNED) revert ReservedDigest();
    }

    /// @dev Mints the next token. Not by `_safeMint`: asking a receiving contract would run foreign code in a mint.
    function _mintNext(address to) internal returns (uint256 tokenId) {
        uint32 next = _nextTokenId;
        // While the id is not counted, `_ownerOf` knows without a search that nobody owns it.
        _mint(to, next);
        _nextTokenId = next + 1;
        return next;
    }

    /// @dev Mints a token for each digest, the next ids in a row, and keeps the digests in a pack.
    function _mintPack(address to, uint256 firstId, bytes32[] calldata digests) internal {
        uint256 size = digests.length;
        if (size == 0) revert EmptyBatch();
        if (size > MAX_BATCH) revert BatchTooLarge(size, MAX_BATCH);
        if (to == address(0)) revert ERC721InvalidReceiver(address(0));

        uint32 next = _nextTokenId;
        if (firstId != next) revert NotNextTokenId(next, firstId);
        uint24 batch = _batchCount;
        _nextTokenId = SafeCast.toUint32(firstId + size);
        _batchCount = batch + 1;
        _batchStarts[batch] = next;
        // forge-lint: disable-next-line(unsafe-typecast): at most `MAX_BATCH`.
        _increaseBalance(to, uint128(size));
        if (DigestPack.write(to, digests) != _packAt(batch)) revert PackMisplaced();

        uint256 tokenId = firstId;
        for (uint256 i = 0; i < size; ++i) {
            _requireDigest(digests[i]);
            emit Transfer(address(0), to, tokenId);
            unchecked {
                ++tokenId; // The last id was found above to fit 32 bits.
            }
        }
    }

    //////////////////////////////////////////////////////////////////////////
    //                               OWNERSHIP
    //////////////////////////////////////////////////////////////////////////

    /// @dev ERC-721's answer, and where it has none that of the token's batch.
    function _ownerOf(uint256 tokenId) internal view override returns (address) {
        address owner = super._ownerOf(tokenId);
        if (owner != address(0) || tokenId >= _nextTokenId) return owner;
        if (_anyBurned && _isBurned(tokenId)) return address(0);
        (address pack,) = _packOf(tokenId);
        return pack == address(0) ? address(0) : DigestPack.ownerOf(pack);
    }

    /// @dev Destroys a token that exists.
    function _burnCounted(uint256 tokenId) internal {
        ++_burnedCount;
        if (!_anyBurned) _anyBurned = true;
        _burn(tokenId);
    }

    /// @dev Whether the token existed and was burned.
    function _isBurned(uint256 tokenId) internal view virtual returns (bool);

    //////////////////////////////////////////////////////////////////////////
    //                                BATCHES
    //////////////////////////////////////////////////////////////////////////

    /// @dev The digest that a token was minted with in a batch; zero where it was not.
    function _batchDigest(uint256 tokenId) internal view returns (bytes32) {
        (address pack, uint256 index) = _packOf(tokenId);
        return pack == address(0) ? bytes32(0) : DigestPack.digestAt(pack, index);
    }

    /// @dev The pack of the batch that the token was minted in, and its place there; zero where there is none.
    function _packOf(uint256 tokenId) private view returns (address, uint256) {
        if (_batchCount == 0 || tokenId >= _nextTokenId) return (address(0), 0);
        uint256 batch = _lastBatchTo(tokenId);
        uint256 start = _batchStarts[batch];
        // A collection may begin with tokens minted singly.
        if (start > tokenId) return (address(0), 0);

        address pack = _packAt(batch);
        uint256 index = tokenId - start;
        // Tokens minted singly lie behind the last one of the batch before them.
        return index < DigestPack.size(pack) ? (pack, index) : (address(0), 0);
    }

    /// @dev The last batch that starts at the token or before it; the first batch where all start behind it.
    /// There must be a batch, and the token must be minted.
    ///
    /// The search begins where the token likely is, widens in doubled steps until the token's batch is enclosed, and
    /// halves what it then has. In an even collection that reads one slot or two, however many batches there are, and
    /// in no collection more than about twice what halving alone would.
    function _lastBatchTo(uint256 tokenId) private view returns (uint256 low) {
        uint256 count = _batchCount;
        low = _likelyBatchOf(tokenId, count);
        uint256 high = low + 1;
        uint256 step = 1;
        while (low > 0 && _batchStarts[low] > tokenId) {
            high = low;
            low -= Math.min(step, low);
            step *= 2;
        }
        while (high < count && _batchStarts[high] <= tokenId) {
            low = high;
            high = Math.min(high + step, count);
            step *= 2;
        }
        while (high - low > 1) {
            uint256 middle = Math.average(low, high);
            if (_batchStarts[middle] > tokenId) high = middle;
            else low = middle;
        }
    }

    /// @dev The batch of `count` that a minted token would be in if all were alike. Virtual for the symbolic proofs, by
    /// which the search finds the same from wherever it begins.
    function _likelyBatchOf(uint256 tokenId, uint256 count) internal view virtual returns (uint256) {
        return tokenId * count / _nextTokenId;
    }

    /// @dev Where the pack of a batch is. Virtual for the symbolic proofs, whose machine gives new contracts
    /// addresses of its own. `_mintPack` refuses to mint where this is wrong.
    function _packAt(uint256 batch) internal view virtual returns (address) {
        return DigestPack.addressOf(batch);
    }

    //////////////////////////////////////////////////////////////////////////
    //                                 VIEWS
    //////////////////////////////////////////////////////////////////////////

    /// @inheritdoc IEverholdCollection
    function firstTokenId() external view returns (uint256) {
        return _firstTokenId;
    }

    /// @inheritdoc IEverholdCollection
    function nextTokenId() external view returns (uint256) {
        return _nextTokenId;
    }

    /// @inheritdoc IEverholdCollection
    function totalSupply() external view returns (uint256) {
        return _nextTokenId - _firstTokenId - _burnedCount;
    }
}
