// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {IEverholdCollection} from "../../../src/interfaces/IEverholdCollection.sol";
import {Logic} from "./Logic.sol";
import {SymbolicTest} from "./SymbolicTest.sol";

/// @notice A token as the storage has it. One that does not exist has neither owner nor digest.
struct Token {
    address owner;
    bytes32 digest;
    bool burned;
    address approved;
    uint64 updates;
    uint256 nonce;
    bool frozen;
}

/// @title AnyState
/// @notice A collection in any state: what holds for one call from here holds for any row of calls.
/// @dev Tokens 0 and 1 are a batch, 2 is single, 3 is a batch, and from 4 on come any number of single ones. All
/// mappings hold anything for any key, so each token may have been moved, updated, frozen or burned; creator,
/// next id, `editable`, time and the rest are any value, too.
///
/// Tokens are read from storage here, without a jump. The views would be walked anew for each path of each call.
/// `ViewProofs` shows that the views answer just what is read here, and so that these slots are the right ones.
abstract contract AnyState is SymbolicTest {
    using Logic for bool;

    uint256 private constant OWNERS_SLOT = 2;
    uint256 private constant APPROVALS_SLOT = 4;
    uint256 private constant OPERATORS_SLOT = 5;
    /// @dev The creator, and from bit 160 on: next id, number of batches, first id, codec, `editable`, `_anyBurned`.
    bytes32 private constant SETTINGS_SLOT = bytes32(uint256(6));
    uint256 private constant DIGESTS_SLOT = (1 << 21) + 10;
    uint256 private constant EDITS_SLOT = (1 << 21) + 11;

    uint256 private constant PENDING_CREATOR_SLOT = (1 << 21) + 13;
    uint256 private constant ROYALTY_SLOT = (1 << 21) + 14;
    uint256 private constant CONTRACT_DIGEST_SLOT = (1 << 21) + 18;

    /// @dev The first id that no batch reaches.
    uint256 internal constant SINGLES = 4;

    bytes32 private constant BURNED = bytes32(uint256(1));

    address private _firstHolder;
    address private _secondHolder;
    bytes32[3] private _packed;

    function _makeAny() internal {
        _make();
        bytes32[] memory digests;
        (_firstHolder, digests) = _mintBatch(2);
        (_packed[0], _packed[1]) = (digests[0], digests[1]);
        collection.mint(address(wallet), 2, keccak256("2"));
        (_secondHolder, digests) = _mintBatch(1);
        _packed[2] = digests[0];
        svm.enableSymbolicStorage(address(collection));
        // From where the search begins makes no difference: `SearchProofs`.
        _beginSearchAt(0);
        _setAny();
        vm.warp(svm.createUint(64, "time"));
    }

    function _setAny() private {
        address creator = svm.createAddress("creator");
        (bool editable, bool anyBurned) = (svm.createBool("editable"), svm.createBool("anyBurned"));
        uint256 next = svm.createUint(32, "next");
        vm.assume(next >= SINGLES);
        uint256 flags;
        assembly ("memory-safe") {
            flags := or(editable, shl(8, anyBurned))
        }
        uint256 settings = uint160(creator) | next << 160 | 2 << 192 | 0x55 << 224 | flags << 232;
        vm.store(address(collection), SETTINGS_SLOT, bytes32(settings));
        assert(collection.owner() == creator);
        assert(collection.nextTokenId() == next);
        assert(collection.editable() == editable);
    }

    //////////////////////////////////////////////////////////////////////////
    //                             READING STATE
    //////////////////////////////////////////////////////////////////////////

    function _token(uint256 id) internal view returns (Token memory token) {
        bytes32 digest = _load(id, DIGESTS_SLOT);
        bytes32 owner = _load(id, OWNERS_SLOT);
        uint256 edits = uint256(_load(id, EDITS_SLOT));
        address holder = address(uint160(uint256((digest == BURNED).pick(0, _holderOf(id)))));
        token.owner = address(uint160(uint256((owner == 0).pick(bytes32(uint256(uint160(holder))), owner))));
        token.digest = (digest == 0).pick(_packedOf(id), (digest == BURNED).pick(0, digest));
        token.burned = digest == BURNED;
        token.approved = address(uint160(uint256(_load(id, APPROVALS_SLOT))));
        // forge-lint: disable-next-line(unsafe-typecast): these are parts of a slot.
        (token.updates, token.nonce) = (uint64(edits), uint128(edits));
        token.frozen = (edits >> 128 & 0xff != 0).or(_editable().not());
    }

    /// @dev The first owner that a batch names for the token.
    function _holderOf(uint256 id) private view returns (bytes32) {
        bytes32 second = (id == 3).pick(bytes32(uint256(uint160(_secondHolder))), 0);
        return (id < 2).pick(bytes32(uint256(uint160(_firstHolder))), second);
    }

    /// @dev The digest that a batch has for the token.
    function _packedOf(uint256 id) private view returns (bytes32) {
        return (id == 0).pick(_packed[0], (id == 1).pick(_packed[1], (id == 3).pick(_packed[2], 0)));
    }

    function _isOperator(address owner, address operator) internal view returns (bool) {
        bytes32 slot = keccak256(abi.encode(operator, keccak256(abi.encode(owner, OPERATORS_SLOT))));
        return uint256(vm.load(address(collection), slot)) & 0xff != 0;
    }

    function _load(uint256 id, uint256 slot) private view returns (bytes32) {
        return vm.load(address(collection), keccak256(abi.encode(id, slot)));
    }

    function _creator() internal view returns (address) {
        return address(uint160(uint256(vm.load(address(collection), SETTINGS_SLOT))));
    }

    function _next() internal view returns (uint256) {
        return uint256(vm.load(address(collection), SETTINGS_SLOT)) >> 160 & 0xffffffff;
    }

    function _editable() internal view returns (bool) {
        return uint256(vm.load(address(collection), SETTINGS_SLOT)) >> 232 & 0xff != 0;
    }

    function _anyBurned() private view returns (bool) {
        return uint256(vm.load(address(collection), SETTINGS_SLOT)) >> 240 & 0xff != 0;
    }

    function _pendingCreator() internal view returns (address) {
        return address(uint160(uint256(vm.load(address(collection), bytes32(PENDING_CREATOR_SLOT)))));
    }

    /// @dev Who gets how many hundredths of a per cent, in one word.
    function _royalty() internal view returns (bytes32) {
        return vm.load(address(collection), bytes32(ROYALTY_SLOT));
    }

    function _contractDigest() internal view returns (bytes32) {
        return vm.load(address(collection), bytes32(CONTRACT_DIGEST_SLOT));
    }

    //////////////////////////////////////////////////////////////////////////
    //                              CONSTRAINTS
    //////////////////////////////////////////////////////////////////////////

    /// @dev What is true of each token of a new collection, and, as `RuleProofs` shows, remains so: it has an owner
    /// if and only if it has a digest, neither before it is minted, and nobody is approved for it without an owner; and
    /// the collection knows that a token was burned if this one was.
    function _isSound(uint256 id, Token memory token) internal view returns (bool) {
        bool exists = token.owner != address(0);
        bool whole = (exists.implies(token.digest != 0)).and(exists.or(token.digest == 0));
        return whole.and(exists.implies(id < _next())).and(exists.or(token.approved == address(0)))
            .and(token.burned.implies(_anyBurned()));
    }

    /// @dev Whether an account is none of the four contracts that are only there because the proof needs them: the
    /// implementation, the clone, and its two packs. Those refuse tokens, as `Wallet` may, too.
    function _isForeign(address account) internal view returns (bool) {
        uint160 first = uint160(address(collection)) - 1;
        return (uint160(account) < first).or(uint160(account) > first + 3);
    }

    /// @dev Splits the path over the ids of the tokens in batches. The machine can't read code at a place that it
    /// does not know, so it has to know which digest of a pack is wanted.
    function _settle(uint256 id) internal pure returns (uint256) {
        if (id == 0) return 0;
        if (id == 1) return 1;
        if (id == 3) return 3;
        return id;
    }

    /// @dev `_anyCall`, with the token settled for the functions that read its digest.
    function _anySettledCall() internal pure returns (bytes memory data) {
        data = _anyCall();
        bytes4 selector = _selectorOf(data);
        if (
            selector == IEverholdCollection.updateContent.selector
                || selector == IEverholdCollection.updateContentBySignature.selector
        ) _setWord(data, 0, bytes32(_settle(uint256(_word(data, 0)))));
    }

    /// @dev An argument of a call.
    function _word(bytes memory data, uint256 index) internal pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := mload(add(add(data, 36), shl(5, index)))
        }
    }

    function _setWord(bytes memory data, uint256 index, bytes32 word) private pure {
        assembly ("memory-safe") {
            mstore(add(add(data, 36), shl(5, index)), word)
        }
    }
}
