// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

/// @title IERC7572
/// @notice ERC-7572, metadata of a whole contract.
interface IERC7572 {
    /// @notice `contractURI()` leads to other metadata from now on.
    event ContractURIUpdated();

    /// @notice The URI of the contract's metadata document; empty where there is none.
    function contractURI() external view returns (string memory);
}
