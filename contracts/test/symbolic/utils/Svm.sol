// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

/// @notice The part of halmos's cheatcodes that the proofs use. Each `create` answers with a value that stands
/// for every value of its type.
interface Svm {
    function createUint(uint256 bits, string calldata name) external pure returns (uint256);
    function createUint256(string calldata name) external pure returns (uint256);
    function createBytes32(string calldata name) external pure returns (bytes32);
    function createBytes(uint256 size, string calldata name) external pure returns (bytes memory);
    function createAddress(string calldata name) external pure returns (address);
    function createBool(string calldata name) external pure returns (bool);

    /// @notice A call of any function of a contract that may write, with any arguments.
    function createCalldata(string calldata contractName) external pure returns (bytes memory);

    /// @notice From here on each mapping of an account, and each slot that nothing has touched, holds anything.
    function enableSymbolicStorage(address account) external;
}
