// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {Test} from "../utils/Test.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";

/// @notice The cheatcodes that read the vectors.
interface VmJson {
    function readFile(string calldata path) external view returns (string memory);
    function parseJsonUint(string calldata json, string calldata key) external pure returns (uint256);
    function parseJsonBytes32(string calldata json, string calldata key) external pure returns (bytes32);
    function parseJsonBytes(string calldata json, string calldata key) external pure returns (bytes memory);
    function keyExistsJson(string calldata json, string calldata key) external view returns (bool);
}

/// @title UnixFSVectors
/// @notice Documents of many lengths and what other implementations than ours make of them. See
/// `contracts/bin/unixfs-vectors.mjs`, which writes the file, and `indexer/tests/unixfs_vectors.rs`.
abstract contract UnixFSVectors is Test {
    string private constant PATH = "tests/data/unixfs/vectors.json";
    VmJson private constant VM_JSON = VmJson(address(vm));

    /// @dev The longest document, kept as an account's code: the others are its first bytes.
    address private constant LONGEST = address(uint160(uint256(keccak256("the longest document"))));

    uint256 internal constant MAX = 262_144;

    /// @dev Lengths of documents that are one block, and the digests of their blocks.
    uint256[] internal lengths;
    bytes32[] internal digests;

    /// @dev The digest of a document that is one byte too long for one block, and its root block.
    bytes32 internal twoBlocksDigest;
    bytes internal twoBlocksRoot;

    function setUp() public virtual {
        string memory json = VM_JSON.readFile(PATH);
        _readOneBlock(json);
        twoBlocksDigest = VM_JSON.parseJsonBytes32(json, ".twoBlocks.digest");
        twoBlocksRoot = VM_JSON.parseJsonBytes(json, ".twoBlocks.rootBlock");
        vm.assertEq(lengths.length, 8);
        vm.assertEq(lengths[7], MAX);
        vm.assertEq(VM_JSON.parseJsonUint(json, ".twoBlocks.length"), MAX + 1);
        vm.etch(LONGEST, _write(MAX + 1));
    }

    function _readOneBlock(string memory json) private {
        for (uint256 i = 0;; ++i) {
            string memory vector = string.concat(".oneBlock[", Strings.toString(i), "]");
            if (!VM_JSON.keyExistsJson(json, vector)) return;
            lengths.push(VM_JSON.parseJsonUint(json, string.concat(vector, ".length")));
            digests.push(VM_JSON.parseJsonBytes32(json, string.concat(vector, ".digest")));
        }
    }

    /// @dev The document of a length, up to one byte more than fits into a block.
    function _document(uint256 length) internal view returns (bytes memory document) {
        document = LONGEST.code;
        require(length <= document.length);
        assembly ("memory-safe") {
            mstore(document, length)
        }
    }

    /// @dev The rule that the vectors state: byte i is (31 * i + floor(i / 256)) mod 256.
    function _write(uint256 length) private pure returns (bytes memory document) {
        document = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            document[i] = bytes1(uint8((31 * i + i / 256) % 256));
        }
    }
}
