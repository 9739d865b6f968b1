// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title `aggregate3` as Multicall3 has it, for the indexer's tests: many calls in one.
contract Batcher {
    struct Call3 {
        address target;
        bool allowFailure;
        bytes callData;
    }

    struct Result3 {
        bool success;
        bytes returnData;
    }

    error Failed(uint256 index);

    function aggregate3(Call3[] calldata calls) external payable returns (Result3[] memory results) {
        results = new Result3[](calls.length);
        for (uint256 i = 0; i < calls.length; i++) {
            (results[i].success, results[i].returnData) = calls[i].target.call(calls[i].callData);
            if (!results[i].success && !calls[i].allowFailure) revert Failed(i);
        }
    }
}
