// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

/// @title Logic
/// @notice Solidity's `&&`, `||` and `?:` as plain arithmetic. The language's own ones are jumps, and each jump on
/// something unknown doubles the paths that halmos has to walk.
library Logic {
    function not(bool a) internal pure returns (bool c) {
        assembly ("memory-safe") {
            c := iszero(a)
        }
    }

    function and(bool a, bool b) internal pure returns (bool c) {
        assembly ("memory-safe") {
            c := and(a, b)
        }
    }

    function or(bool a, bool b) internal pure returns (bool c) {
        assembly ("memory-safe") {
            c := or(a, b)
        }
    }

    function implies(bool a, bool b) internal pure returns (bool c) {
        assembly ("memory-safe") {
            c := or(iszero(a), b)
        }
    }

    /// @dev `yes` or `no`, as the condition says.
    function pick(bool condition, bytes32 yes, bytes32 no) internal pure returns (bytes32 picked) {
        assembly ("memory-safe") {
            let mask := sub(0, condition)
            picked := or(and(yes, mask), and(no, not(mask)))
        }
    }
}
