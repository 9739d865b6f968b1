// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

/// @title UnixFS
/// @notice The root block that IPFS makes of a file small enough for a single block.
/// @dev A `PBNode` (dag-pb specification) without links, whose data is a UnixFS `Data` message (UnixFS
/// specification) with the fields `Type` = File, `Data` and `filesize`. That is what Kubo's `ipfs add` writes
/// with CIDv0 or `--raw-leaves=false`, and what aleph's ipfs engine keeps. An empty file has no `Data` field.
library UnixFS {
    /// @notice The largest file that importers put into one block: their chunk size.
    uint256 internal constant MAX_BLOCK_FILE = 262_144;

    /// @notice The sha-256 of the block of a file. The caller bounds the size by `MAX_BLOCK_FILE`.
    /// @param file The file's bytes.
    function blockDigest(bytes calldata file) internal pure returns (bytes32) {
        bytes memory size = _varint(file.length);
        // Type (field 1, varint): 2, a file. Data (field 2, bytes). filesize (field 3, varint).
        bytes memory head = file.length == 0 ? bytes(hex"0802") : bytes.concat(hex"080212", size);
        bytes memory tail = bytes.concat(hex"18", size);
        // PBNode's Data (field 1, bytes).
        bytes memory length = _varint(head.length + file.length + tail.length);
        return sha256(abi.encodePacked(hex"0a", length, head, file, tail));
    }

    /// @dev Protocol Buffers' base-128 number: seven bits a byte, the lowest first, with the top bit set in
    /// each byte but the last.
    function _varint(uint256 value) private pure returns (bytes memory encoded) {
        while (value > 0x7f) {
            // forge-lint: disable-next-line(unsafe-typecast): the lowest byte is what is wanted.
            encoded = bytes.concat(encoded, bytes1(uint8(value) | 0x80));
            value >>= 7;
        }
        // forge-lint: disable-next-line(unsafe-typecast): what is left is at most 0x7f.
        return bytes.concat(encoded, bytes1(uint8(value)));
    }
}
