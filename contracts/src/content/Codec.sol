// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

/// @title Codec
/// @notice How a digest names content: the two multicodec codes that a collection can be made with.
library Codec {
    /// @dev The digest is that of the root block of a UnixFS DAG, as `ipfs add` and aleph's ipfs engine make it.
    uint8 internal constant DAG_PB = 0x70;

    /// @dev The digest is that of the content itself.
    uint8 internal constant RAW = 0x55;

    /// @notice Whether a collection can be made with this code.
    function isSupported(uint8 codec) internal pure returns (bool) {
        return codec == DAG_PB || codec == RAW;
    }
}
