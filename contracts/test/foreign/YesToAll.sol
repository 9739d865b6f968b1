// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title Answers every question with yes, for the indexer's tests.
contract YesToAll {
    fallback(bytes calldata) external returns (bytes memory) {
        return abi.encode(true);
    }
}
