// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {IEverholdCollection} from "../src/interfaces/IEverholdCollection.sol";
import {CollectionTest} from "./utils/CollectionTest.sol";

/// @notice The contract says of bytes whether they are a token's content.
contract VerifyTest is CollectionTest {
    uint256 private constant MAX_FILE = 262_144;

    // ------------------------------------------------------------ raw

    function testFuzz_knowsADocumentByItsHash(bytes calldata document, bytes calldata other) public {
        collection = deployWith(RAW);
        mintTo(alice, sha256(document));
        vm.assertTrue(collection.verifyContent(1, document));
        vm.assertTrue(collection.verifyBlock(1, document));
        bool same = keccak256(document) == keccak256(other);
        vm.assertTrue(collection.verifyContent(1, other) == same);
        vm.assertTrue(collection.verifyBlock(1, other) == same);
    }

    function test_takesADocumentOfAnySizeByItsHash() public {
        collection = deployWith(RAW);
        bytes memory document = new bytes(MAX_FILE + 1);
        mintTo(alice, sha256(document));
        vm.assertTrue(collection.verifyContent(1, document));
    }

    // ------------------------------------------------------------ dag-pb

    /// @dev The digests are those of CIDs that Kubo's own documentation has: of `hello world` with a line's end,
    /// QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o, and of an empty file,
    /// QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH.
    function test_knowsADocumentByItsOneBlock() public {
        isContent("hello world\n", 0x46d44814b9c5af141c3aaab7c05dc5e844ead5f91f12858b021eba45768b4c0e);
        isContent("", 0xbfccda787baba32b59c78450ac3d20b633360b43992c77289f9ed46d843561e6);
    }

    function testFuzz_knowsTheBlockOfADocumentOfAnySize(uint256 size, uint256 seed) public {
        isOneBlock(bound(size, 1, 20_000), seed);
    }

    function test_knowsTheBlockWhereASizeTakesAnotherByte() public {
        isOneBlock(1, 0);
        // The block's own length takes a second byte first, then the file's does.
        for (uint256 size = 110; size <= 130; ++size) {
            isOneBlock(size, size);
        }
        for (uint256 size = 16_360; size <= 16_390; ++size) {
            isOneBlock(size, size);
        }
        isOneBlock(MAX_FILE, 1);
    }

    function testFuzz_knowsNoOtherDocument(bytes calldata document, bytes calldata other) public {
        vm.assume(keccak256(document) != keccak256(other) && document.length > 0);
        mintTo(alice, sha256(blockOf(document)));
        vm.assertFalse(collection.verifyContent(1, other));
    }

    function test_doesNotTakeTheBlockForTheDocument() public {
        mintTo(alice, sha256(blockOf("hello")));
        vm.assertFalse(collection.verifyContent(1, blockOf("hello")));
        vm.assertFalse(collection.verifyBlock(1, "hello"));
        vm.assertTrue(collection.verifyBlock(1, blockOf("hello")));
    }

    function test_refusesADocumentOfMoreThanOneBlock() public {
        mintTo(alice, DIGEST_1);
        bytes memory document = new bytes(MAX_FILE + 1);
        vm.expectRevert(
            abi.encodeWithSelector(IEverholdCollection.DocumentTooLarge.selector, MAX_FILE + 1, MAX_FILE)
        );
        collection.verifyContent(1, document);
    }

    function testFuzz_takesAnyBlockByItsHash(bytes calldata rootBlock) public {
        mintTo(alice, sha256(rootBlock));
        vm.assertTrue(collection.verifyBlock(1, rootBlock));
        vm.assertFalse(collection.verifyBlock(1, bytes.concat(rootBlock, hex"00")));
    }

    function test_followsAnUpdate() public {
        mintTo(alice, DIGEST_1);
        updateAs(alice, 1, DIGEST_1, sha256(blockOf("later")));
        vm.assertTrue(collection.verifyContent(1, "later"));
    }

    // ------------------------------------------------------------

    function isContent(bytes memory document, bytes32 digest) private {
        uint256 tokenId = mintTo(alice, digest);
        vm.assertTrue(collection.verifyContent(tokenId, document));
    }

    function isOneBlock(uint256 size, uint256 seed) private {
        bytes memory document = new bytes(size);
        document[0] = bytes32(seed)[31];
        document[size - 1] = 0xff;
        isContent(document, sha256(blockOf(document)));
    }

    /// @dev The block of a file that is not empty, its fields one by one.
    function blockOf(bytes memory file) private pure returns (bytes memory) {
        bytes memory size = varint(file.length);
        bytes memory data = bytes.concat(field(1, 0), varint(2), field(2, 2), size, file);
        data = bytes.concat(data, field(3, 0), size);
        return bytes.concat(field(1, 2), varint(data.length), data);
    }

    /// @dev A field's tag, of its number and its wire type.
    function field(uint8 number, uint8 wireType) private pure returns (bytes memory) {
        return abi.encodePacked(number * 8 + wireType);
    }

    function varint(uint256 value) private pure returns (bytes memory) {
        if (value < 128) return bytes.concat(bytes32(value)[31]);
        return bytes.concat(bytes32(128 + value % 128)[31], varint(value / 128));
    }
}
