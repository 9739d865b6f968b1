// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {ContentURI} from "../../src/content/ContentURI.sol";
import {Logic} from "./utils/Logic.sol";

/// @title TextProofs
/// @notice P9: a digest's URI is the CID in base32 as its specification has it, bit by bit, and no two digests share
/// one.
contract TextProofs {
    uint256 private constant PREFIX_SIZE = 14;
    uint256 private constant CHARACTERS = 52;

    function check_RawTextIsBase32(bytes32 digest) public pure {
        _requireText(0x55, "ipfs://bafkrei", digest);
    }

    function check_DagTextIsBase32(bytes32 digest) public pure {
        _requireText(0x70, "ipfs://bafybei", digest);
    }

    function check_NoTwoDigestsShareAText(bytes32 digest, bytes32 other) public pure {
        _requireTwoTexts(0x55, digest, other);
        _requireTwoTexts(0x70, digest, other);
    }

    function _requireTwoTexts(uint8 codec, bytes32 digest, bytes32 other) private pure {
        (bytes memory text, bytes memory second) =
            (bytes(ContentURI.encode(codec, digest)), bytes(ContentURI.encode(codec, other)));
        bool same = _wordAt(text, 0) == _wordAt(second, 0);
        same = Logic.and(same, _wordAt(text, 32) == _wordAt(second, 32));
        same = Logic.and(same, _wordAt(text, 34) == _wordAt(second, 34));
        assert(Logic.implies(same, digest == other));
    }

    function _requireText(uint8 codec, bytes14 prefix, bytes32 digest) private pure {
        bytes memory text = bytes(ContentURI.encode(codec, digest));
        assert(text.length == PREFIX_SIZE + CHARACTERS);
        // forge-lint: disable-next-line(unsafe-typecast): the prefix is what is wanted.
        assert(bytes14(_wordAt(text, 0)) == prefix);
        bool same = true;
        for (uint256 i = 0; i < CHARACTERS; ++i) {
            same = Logic.and(same, text[PREFIX_SIZE + i] == _character(digest, i));
        }
        assert(same);
    }

    /// @dev Character `i` stands for the five bits from `5 * i` on of two zero bits, the digest, and two zero bits.
    function _character(bytes32 digest, uint256 i) private pure returns (bytes1) {
        uint256 bits = (i == CHARACTERS - 1 ? uint256(digest) << 2 : uint256(digest) >> (253 - 5 * i)) & 31;
        bytes32 letter = bytes32(bits + 0x61);
        bytes32 digit = bytes32(bits + 0x32 - 26);
        // forge-lint: disable-next-line(unsafe-typecast): one character.
        return bytes1(uint8(uint256(Logic.pick(bits < 26, letter, digit))));
    }

    function _wordAt(bytes memory text, uint256 place) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := mload(add(add(text, 32), place))
        }
    }
}
