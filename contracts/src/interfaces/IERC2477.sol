// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

/// @title IERC2477
/// @notice ERC-2477, Token Metadata Integrity. Its ERC-165 identifier is 0x832a7e0e.
interface IERC2477 {
    /// @notice The hash of a token's metadata document.
    /// @param tokenId The token.
    /// @return digest The hash, or nothing where there is none.
    /// @return hashAlgorithm The name of the algorithm, or nothing where there is none.
    function tokenURIIntegrity(uint256 tokenId)
        external
        view
        returns (bytes memory digest, string memory hashAlgorithm);

    /// @notice The hash of the schema of a token's metadata document.
    /// @param tokenId The token.
    /// @return digest The hash, or nothing where there is none.
    /// @return hashAlgorithm The name of the algorithm, or nothing where there is none.
    function tokenURISchemaIntegrity(uint256 tokenId)
        external
        view
        returns (bytes memory digest, string memory hashAlgorithm);
}
