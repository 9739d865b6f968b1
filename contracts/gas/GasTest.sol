// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {Test} from "../test/utils/Test.sol";

/// @notice The cheatcodes that only the measurements need.
interface GasVm {
    /// @notice What the last call used. Run with `isolate`, that is its whole transaction, or a view's own frame.
    struct Gas {
        uint64 gasLimit;
        uint64 gasTotalUsed;
        uint64 gasMemoryUsed;
        int64 gasRefunded;
        uint64 gasRemaining;
    }

    function lastCallGas() external view returns (Gas memory);
    function snapshotValue(string calldata group, string calldata name, uint256 value) external;
    function snapshotState() external returns (uint256);
    function revertToState(uint256 snapshot) external returns (bool);
}

/// @notice Makes calls as transactions and writes down what they cost.
abstract contract GasTest is Test {
    GasVm private constant GAS_VM = GasVm(address(vm));

    address private constant DEPLOYER = 0x4e59b44847b379578588920cA78FbF26c0B4956C;

    /// @dev The name that the figures are written under.
    string private _group;

    constructor(string memory group_) {
        _group = group_;
    }

    /// @dev A transaction. Anything that fails would make a cheap one.
    function _send(address from, address to, uint256 value, bytes memory data) internal returns (uint256) {
        vm.prank(from);
        (bool success,) = to.call{value: value}(data);
        vm.assertTrue(success);
        return _lastGas();
    }

    function _send(address from, address to, bytes memory data) internal returns (uint256) {
        return _send(from, to, 0, data);
    }

    /// @dev Deploys as the factory is deployed, by the deterministic deployment proxy, which forge has in place.
    function _create(bytes memory initCode) internal returns (address created, uint256 gas) {
        (bool success, bytes memory result) = DEPLOYER.call(bytes.concat(bytes32(0), initCode));
        vm.assertTrue(success && result.length == 20);
        // forge-lint: disable-next-line(unsafe-typecast): 20 bytes, as was just asserted.
        return (address(bytes20(result)), _lastGas());
    }

    /// @dev A transaction that is undone after it was measured.
    function _try(address from, address to, bytes memory data) internal returns (uint256 gas) {
        uint256 snapshot = GAS_VM.snapshotState();
        gas = _send(from, to, data);
        vm.assertTrue(GAS_VM.revertToState(snapshot));
    }

    /// @dev A view's execution alone: it is not sent by anybody.
    function _view(address to, bytes memory data) internal view returns (uint256) {
        (bool success, bytes memory result) = to.staticcall(data);
        vm.assertTrue(success && result.length > 0);
        return _lastGas();
    }

    function _record(string memory operation, uint256 gas) internal {
        GAS_VM.snapshotValue(_group, operation, gas);
    }

    function _max(uint256 left, uint256 right) internal pure returns (uint256) {
        return left > right ? left : right;
    }

    /// @dev What the last call used, before refunds: they depend on what else the transaction clears.
    function _lastGas() internal view returns (uint256) {
        GasVm.Gas memory gas = GAS_VM.lastCallGas();
        // forge-lint: disable-next-line(unsafe-typecast): a transaction's refund is not negative.
        return gas.gasTotalUsed + uint64(gas.gasRefunded);
    }
}
