// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

/// @notice The part of forge's cheatcodes that these tests use.
interface Vm {
    /// @notice An event as it was recorded.
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function prank(address sender) external;
    function startPrank(address sender) external;
    function stopPrank() external;

    function assume(bool condition) external pure;
    function label(address account, string calldata name) external;

    function expectEmit(address emitter) external;
    function expectRevert(bytes4 errorSelector) external;
    function expectRevert(bytes calldata errorData) external;

    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);

    function assertTrue(bool condition) external pure;
    function assertFalse(bool condition) external pure;
    function assertEq(uint256 left, uint256 right) external pure;
    function assertEq(address left, address right) external pure;
    function assertEq(bytes32 left, bytes32 right) external pure;
    function assertEq(string calldata left, string calldata right) external pure;
}

/// @notice What every test stands on: forge's cheatcodes, and nothing else.
abstract contract Test {
    /// @dev The address at which forge answers cheatcodes.
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @dev An address with a name in traces.
    function makeAddr(string memory name) internal returns (address account) {
        account = address(uint160(uint256(keccak256(bytes(name)))));
        vm.label(account, name);
    }

    /// @dev Bounds a fuzzed number to `min..=max`, reaching each of them.
    function bound(uint256 value, uint256 min, uint256 max) internal pure returns (uint256) {
        return value >= min && value <= max ? value : min + value % (max - min + 1);
    }
}
