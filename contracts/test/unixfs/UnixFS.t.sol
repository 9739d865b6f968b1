// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {UnixFS} from "../../src/content/UnixFS.sol";
import {UnixFSFile, UnixFSReader, UnixFSReference} from "./UnixFSReference.sol";
import {UnixFSVectors} from "./UnixFSVectors.sol";

/// @notice The library alone: against the vectors, and at any length against a plain writer and reader.
contract UnixFSTest is UnixFSVectors {
    UnixFSReader private _reader;

    function setUp() public override {
        super.setUp();
        _reader = new UnixFSReader();
    }

    /// @dev External, for the file to be calldata.
    function blockDigest(bytes calldata file) external pure returns (bytes32) {
        return UnixFS.blockDigest(file);
    }

    function test_everyVectorHasItsDigest() public view {
        for (uint256 i = 0; i < lengths.length; ++i) {
            vm.assertEq(this.blockDigest(_document(lengths[i])), digests[i]);
        }
    }

    function test_theReferenceAgreesWithEveryVector() public view {
        for (uint256 i = 0; i < lengths.length; ++i) {
            vm.assertEq(sha256(UnixFSReference.block_(_document(lengths[i]))), digests[i]);
        }
    }

    /// @dev Where its documentation sends those whose document is larger: to the links of its root block.
    function test_theRootOfTwoBlocksLinksBothHalves() public view {
        (bytes32 first, bytes32 second) = this.linkedDigests(twoBlocksRoot);
        vm.assertEq(first, this.blockDigest(_document(MAX)));
        bytes memory last = new bytes(1);
        last[0] = _document(MAX + 1)[MAX];
        vm.assertEq(second, this.blockDigest(last));
        vm.assertEq(sha256(twoBlocksRoot), twoBlocksDigest);
    }

    /// @dev A link is `12 len`, then `0a 22 12 20 ‖ digest`, an empty name and a size: the first one 44 bytes.
    function linkedDigests(bytes calldata root) external pure returns (bytes32, bytes32) {
        require(bytes6(root[:6]) == 0x122a0a221220 && bytes6(root[44:50]) == 0x12280a221220);
        return (bytes32(root[6:38]), bytes32(root[50:82]));
    }

    /// @dev Every length in turn while numbers grow by a byte, which a fuzzer would hardly hit.
    function test_aroundEveryBorderTheBlockReadsBack() public view {
        for (uint256 length = 110; length <= 140; ++length) {
            _readsBack(_random(length, length));
        }
        for (uint256 length = 16_370; length <= 16_390; ++length) {
            _readsBack(_random(length, length));
        }
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_theBlockOfAnyLengthReadsBack(uint256 length, uint256 seed) public view {
        _readsBack(_random(bound(length, 0, MAX), seed));
    }

    /// forge-config: default.fuzz.runs = 256
    function testFuzz_theBlockOfAnyFileReadsBack(bytes calldata file) public view {
        _readsBack(file);
    }

    /// @dev What the library hashes is a block that reads as this file and nothing else.
    function _readsBack(bytes memory file) private view {
        bytes memory block_ = UnixFSReference.block_(file);
        vm.assertEq(this.blockDigest(file), sha256(block_));
        UnixFSFile memory found = _reader.read(block_);
        vm.assertEq(found.fileType, 2);
        vm.assertEq(found.fileSize, file.length);
        vm.assertEq(keccak256(found.data), keccak256(file));
    }

    /// @dev Bytes without a pattern, a word at a time.
    function _random(uint256 length, uint256 seed) private pure returns (bytes memory file) {
        file = new bytes((length + 31) / 32 * 32);
        for (uint256 i = 32; i <= file.length; i += 32) {
            bytes32 word = keccak256(abi.encode(seed, i));
            assembly ("memory-safe") {
                mstore(add(file, i), word)
            }
        }
        assembly ("memory-safe") {
            mstore(file, length)
        }
    }
}
