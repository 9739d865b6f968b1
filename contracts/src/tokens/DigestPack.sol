// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {LibRLP} from "solady/utils/LibRLP.sol";
import {SSTORE2} from "solady/utils/SSTORE2.sol";

/// @title DigestPack
/// @notice Keeps the first owner and the digests of a batch as the code of a contract that can't run: 200 gas a
/// byte, where a storage slot costs 22,100 for 32.
/// @dev The code is `00 ‖ owner (20 bytes) ‖ digests (32 bytes each)`; its first byte is STOP. Nothing can change
/// or remove it: it has no SELFDESTRUCT to run.
library DigestPack {
    uint256 private constant STOP_SIZE = 1;
    uint256 private constant OWNER_SIZE = 20;
    uint256 private constant DIGEST_SIZE = 32;

    /// @notice Writes a pack.
    /// @param owner The first owner of the batch's tokens.
    /// @param digests Their digests, at most 767 of them (EIP-170 allows 24,576 bytes of code).
    /// @return pack Its address.
    function write(address owner, bytes32[] calldata digests) internal returns (address pack) {
        return SSTORE2.write(abi.encodePacked(owner, digests));
    }

    /// @notice Where this contract's pack number `index` is, counted from 0, if packs are all it ever creates.
    /// @dev A contract's creations are numbered from 1 (EIP-161), and each address follows from creator and number.
    function addressOf(uint256 index) internal view returns (address) {
        return LibRLP.computeAddress(address(this), index + 1);
    }

    /// @notice The number of digests in a pack.
    function size(address pack) internal view returns (uint256) {
        return (pack.code.length - STOP_SIZE - OWNER_SIZE) / DIGEST_SIZE;
    }

    /// @notice The first owner of the batch's tokens.
    function ownerOf(address pack) internal view returns (address) {
        return address(bytes20(SSTORE2.read(pack, 0, OWNER_SIZE)));
    }

    /// @notice The digest at `index`, counted from 0 and less than `size(pack)`.
    function digestAt(address pack, uint256 index) internal view returns (bytes32) {
        uint256 start = OWNER_SIZE + index * DIGEST_SIZE;
        return bytes32(SSTORE2.read(pack, start, start + DIGEST_SIZE));
    }
}
