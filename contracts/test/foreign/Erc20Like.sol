// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title Looks like an ERC-721 to who asks for a balance only, for the indexer's tests.
contract Erc20Like {
    string public name = "Coin";

    function balanceOf(address) external pure returns (uint256) {
        return 5;
    }
}
