// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

/// @title IERC5646
/// @notice ERC-5646, Token State Fingerprint. Its ERC-165 identifier is 0xf5112315.
interface IERC5646 {
    /// @notice A value that changes whenever the token's state does, so that an offer can be bound to a state.
    /// @param tokenId The token.
    function getStateFingerprint(uint256 tokenId) external view returns (bytes32);
}
