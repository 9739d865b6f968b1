// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {DigestPack} from "../../src/tokens/DigestPack.sol";
import {Logic} from "./utils/Logic.sol";
import {SymbolicTest} from "./utils/SymbolicTest.sol";

/// @title PackProofs
/// @notice Batches read back as they were written, among other batches and single tokens.
contract PackProofs is SymbolicTest {
    function setUp() public {
        _make();
    }

    function check_BatchOfOneReadsBack() public {
        _requireReadsBack(1);
    }

    function check_BatchOfTwoReadsBack() public {
        _requireReadsBack(2);
    }

    function check_BatchOfEightReadsBack() public {
        _requireReadsBack(8);
    }

    /// @dev Batches of 2, 1 and 3 with single tokens before, between and behind them.
    function check_BatchesReadBackAmongOthers() public {
        _mintSingle();
        (address first, bytes32[] memory two) = _mintBatch(2);
        _mintSingle();
        (address second, bytes32[] memory one) = _mintBatch(1);
        (address third, bytes32[] memory three) = _mintBatch(3);
        _mintSingle();
        uint256 which = svm.createUint256("which");
        if (which == 0) _requireTokens(1, first, two);
        else if (which == 1) _requireTokens(4, second, one);
        else _requireTokens(5, third, three);
    }

    function _requireReadsBack(uint256 size) private {
        (address holder, bytes32[] memory digests) = _mintBatch(size);
        _requireTokens(0, holder, digests);
    }

    function _mintSingle() private {
        bytes32 digest = svm.createBytes32("single");
        vm.assume(uint256(digest) > 1);
        uint256 id = collection.nextTokenId();
        bytes memory data = abi.encodeCall(collection.mint, (_anyHolder(), id, digest));
        assert(_call(address(this), 0, data));
    }

    /// @dev Looks at any one of the tokens, each on a path of its own.
    function _requireTokens(uint256 firstId, address holder, bytes32[] memory digests) private view {
        uint256 index = svm.createUint256("index");
        for (uint256 i = 0; i < digests.length; ++i) {
            if (i == index) _requireToken(firstId + i, holder, digests[i]);
        }
    }

    function _requireToken(uint256 id, address holder, bytes32 digest) private view {
        _requireShown(id, holder, digest);
        assert(abi.decode(_answer(abi.encodeCall(collection.revision, (id))), (uint64)) == 1);
    }
}

/// @title PackPlaceProofs
/// @notice In the largest batch, each of 500 digests is read from its own place, in bounds.
contract PackPlaceProofs is SymbolicTest {
    uint256 private constant SIZE = 500;

    function write(address owner, bytes32[] calldata digests) external returns (address) {
        return DigestPack.write(owner, digests);
    }

    function check_EachDigestHasItsPlace(uint256 index) public {
        address owner = svm.createAddress("owner");
        bytes32[] memory digests = new bytes32[](SIZE);
        for (uint256 i = 0; i < SIZE; ++i) {
            digests[i] = svm.createBytes32("digest");
        }
        address pack = this.write(owner, digests);
        assert(DigestPack.size(pack) == SIZE);
        assert(DigestPack.ownerOf(pack) == owner);
        for (uint256 i = 0; i < SIZE; ++i) {
            if (i != index) continue;
            assert(DigestPack.digestAt(pack, i) == digests[i]);
            return;
        }
    }
}

/// @title SearchProofs
/// @notice In a row of batches and single tokens, each id leads to its own batch and to its own place
/// there, and ids of no batch lead to none, from wherever the search begins.
contract SearchProofs is SymbolicTest {
    /// @dev More than a slot of starts holds, so that the search crosses slots.
    uint256 private constant BATCHES = 9;

    /// @dev One single token comes after every third batch.
    uint256 private constant TOKENS = 3 * (1 + 2 + 3) + 3;

    address[TOKENS] private _holders;
    bytes32[TOKENS] private _digests;

    function setUp() public {
        _make();
        uint256 id = 0;
        uint160 holder = 0x1000;
        for (uint256 batch = 0; batch < BATCHES; ++batch) {
            uint256 size = 1 + batch % 3;
            _mint(address(++holder), id, size);
            id += size;
            if (size < 3) continue;
            (_holders[id], _digests[id]) = (address(++holder), keccak256("single"));
            collection.mint(_holders[id], id, _digests[id]);
            ++id;
        }
        assert(id == TOKENS && collection.nextTokenId() == TOKENS);
        _beginSearchAt(svm.createUint256("begin"));
    }

    function check_EachIdLeadsToItsBatch(uint256 id) public view {
        for (uint256 i = 0; i < TOKENS; ++i) {
            if (i != id) continue;
            _requireShown(i, _holders[i], _digests[i]);
            return;
        }
        (bool owned,) = address(collection).staticcall(abi.encodeCall(collection.ownerOf, (id)));
        (bool digested,) = address(collection).staticcall(abi.encodeCall(collection.contentDigest, (id)));
        assert(!owned && !digested);
    }

    /// @dev The search itself, by an id that it does not know, in one go.
    function check_AnyIdLeadsToItsOwner(uint256 id) public view {
        (bool owned, bytes memory answer) =
            address(collection).staticcall(abi.encodeCall(collection.ownerOf, (id)));
        assert(owned == (id < TOKENS));
        if (!owned) return;
        bytes32 holder;
        for (uint256 i = 0; i < TOKENS; ++i) {
            holder = Logic.pick(i == id, bytes32(uint256(uint160(_holders[i]))), holder);
        }
        assert(abi.decode(answer, (bytes32)) == holder);
    }

    function _mint(address holder, uint256 firstId, uint256 size) private {
        bytes32[] memory digests = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) {
            digests[i] = keccak256(abi.encode(firstId + i));
            (_holders[firstId + i], _digests[firstId + i]) = (holder, digests[i]);
        }
        collection.mintBatch(holder, firstId, digests);
    }
}
