// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

/// @title ContentURIReference
/// @notice `ContentURI` as one would write it down at once: bit after bit, for bytes of any length.
library ContentURIReference {
    bytes private constant ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

    /// @notice The URI of the content that a digest names.
    function encode(uint8 codec, bytes32 digest) internal pure returns (string memory) {
        return string.concat("ipfs://b", base32(abi.encodePacked(hex"01", codec, hex"1220", digest)));
    }

    /// @notice RFC 4648 base32 in lower case without padding.
    function base32(bytes memory data) internal pure returns (string memory) {
        uint256 bits = data.length * 8;
        bytes memory text = new bytes((bits + 4) / 5);
        for (uint256 i = 0; i < text.length; ++i) {
            uint256 five = 0;
            for (uint256 j = i * 5; j < i * 5 + 5; ++j) {
                uint256 bit = j < bits ? (uint8(data[j / 8]) >> (7 - j % 8)) & 1 : 0;
                five = five * 2 + bit;
            }
            text[i] = ALPHABET[five];
        }
        return string(text);
    }
}
