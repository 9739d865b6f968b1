// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {Codec} from "./Codec.sol";

/// @title ContentURI
/// @notice Writes a sha-256 digest as `ipfs://` and a CIDv1 in base32, the form that wallets resolve.
/// @dev A CID is the bytes `01 ‖ codec ‖ 12 20 ‖ digest`, and its text a `b` before them in base32 (RFC 4648,
/// lower case, no padding), five bits a character. The four bytes before the digest fill six characters and two
/// bits. Those two bits are zero for either codec, so the text falls apart into a prefix fixed by the codec and
/// 52 characters that are `00 ‖ digest ‖ 00` cut into fives.
///
/// The 52 characters are made as 32 and 20, each in one word whose bytes are worked on all at once. A loop over
/// the characters costs ten times as much (see `ContentURIReference` among the tests, which this is tested against).
library ContentURI {
    /// @dev One in every byte of a word.
    uint256 private constant ONES = 0x0101010101010101010101010101010101010101010101010101010101010101;

    /// @dev The distance from the letter that would follow `z` to the digit `2`, which follows it in base32.
    uint256 private constant LETTERS_TO_DIGITS = 0x61 + 26 - 0x32;

    /// @notice The URI of the content that a digest names.
    /// @param codec `Codec.DAG_PB` or `Codec.RAW`.
    /// @param digest The digest.
    function encode(uint8 codec, bytes32 digest) internal pure returns (string memory) {
        string memory prefix = codec == Codec.RAW ? "ipfs://bafkrei" : "ipfs://bafybei";
        uint256 bits = uint256(digest);
        // 32 characters for two zero bits and the digest's first 158; 20 for its other 98 and two zero bits.
        bytes32 first = _base32(bits >> 98);
        bytes32 rest = _base32(((bits << 2) & (1 << 100) - 1) << 60);
        // forge-lint: disable-next-line(unsafe-typecast): the last 12 characters are not wanted.
        return string(abi.encodePacked(prefix, first, bytes20(rest)));
    }

    /// @dev Writes 160 bits as 32 characters.
    function _base32(uint256 bits) private pure returns (bytes32) {
        // 160 bits in a row, then two groups of 80, four of 40, and so on to 32 groups of five, one in each byte.
        bits = _halve(bits, 0xffffffffffffffffffff, 48);
        bits = _halve(bits, 0x0000000000000000000000ffffffffff0000000000000000000000ffffffffff, 24);
        bits = _halve(bits, 0x00000000000fffff00000000000fffff00000000000fffff00000000000fffff, 12);
        bits = _halve(bits, 0x000003ff000003ff000003ff000003ff000003ff000003ff000003ff000003ff, 6);
        bits = _halve(bits, 0x001f001f001f001f001f001f001f001f001f001f001f001f001f001f001f001f, 3);
        // Letters come first, so the values from 26 on, and only they, reach the byte's top bit with 102 added.
        uint256 digits = ((bits + ONES * (128 - 26)) >> 7) & ONES;
        return bytes32(bits + ONES * 0x61 - digits * LETTERS_TO_DIGITS);
    }

    /// @dev Moves the upper half of each group of bits, where the mask says the lower one is, by `distance`.
    function _halve(uint256 bits, uint256 lowerHalves, uint256 distance) private pure returns (uint256) {
        return (bits & ~lowerHalves) << distance | (bits & lowerHalves);
    }
}
