// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

/// @title ContentURI
/// @notice Writes a sha-256 digest as `ipfs://` and a CIDv1 in base32, the form that wallets resolve.
/// @dev A CID is the bytes `01 ‖ codec ‖ 12 20 ‖ digest`, and its text a `b` before them in base32, five bits a
/// character. The four bytes before the digest fill six characters and two bits. Those two bits are zero for
/// either codec, so the text falls apart into a prefix fixed by the codec and 52 characters that are
/// `00 ‖ digest ‖ 00` cut into fives.
library ContentURI {
    /// @dev The multicodec code of `dag-pb`: the digest is that of a UnixFS DAG's root block.
    uint8 internal constant DAG_PB = 0x70;

    /// @dev The multicodec code of `raw`: the digest is that of the content itself.
    uint8 internal constant RAW = 0x55;

    bytes32 private constant ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

    /// @dev The length of `ipfs://bafybei` and of `ipfs://bafkrei`.
    uint256 private constant PREFIX_LENGTH = 14;

    /// @dev The number of characters that the digest takes.
    uint256 private constant DIGEST_LENGTH = 52;

    /// @notice Whether the codec is one that `encode` can write.
    function isSupported(uint8 codec) internal pure returns (bool) {
        return codec == DAG_PB || codec == RAW;
    }

    /// @notice The URI of the content that a digest names.
    /// @param codec `DAG_PB` or `RAW`.
    /// @param digest The digest.
    function encode(uint8 codec, bytes32 digest) internal pure returns (string memory) {
        bytes memory prefix = codec == RAW ? bytes("ipfs://bafkrei") : bytes("ipfs://bafybei");
        bytes memory uri = bytes.concat(prefix, new bytes(DIGEST_LENGTH));
        uint256 last = PREFIX_LENGTH + DIGEST_LENGTH - 1;
        uint256 bits = uint256(digest);

        // From the last character to the first, the end at which bits can be shifted out. The last one holds
        // three bits of the digest and two of padding, the first one the three that are left.
        uri[last] = ALPHABET[(bits << 2) & 31];
        bits >>= 3;
        for (uint256 i = last - 1; i >= PREFIX_LENGTH; --i) {
            uri[i] = ALPHABET[bits & 31];
            bits >>= 5;
        }
        return string(uri);
    }
}
