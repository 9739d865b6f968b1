// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {IEverholdFactory} from "../src/interfaces/IEverholdFactory.sol";
import {EverholdScript} from "./EverholdScript.sol";

/// @title DeployFactory
/// @notice Puts the factory where it belongs on every chain, unless it is there:
///
///     forge script DeployFactory --rpc-url URL --account NAME --broadcast
///
/// @dev `NAME` is a keystore made by `cast wallet import`. Without `--broadcast` nothing is sent.
contract DeployFactory is EverholdScript {
    error NoDeterministicDeployer(address deployer);
    error DeploymentFailed(address factory);

    function run() external returns (address factory, address implementation) {
        factory = _factoryAddress();
        if (factory.code.length > 0) {
            _print("The factory is there already. Nothing to send.");
        } else {
            _deploy(factory);
            _print("The factory is not there yet. One transaction to send.");
        }
        implementation = IEverholdFactory(factory).implementation();
        _print("Factory:       ", factory);
        _print("Implementation:", implementation);
    }

    /// @dev The deployer takes a salt and creation code, without a selector.
    function _deploy(address factory) private {
        (address deployer, bytes memory message) = _factoryDeployment();
        if (deployer.code.length == 0) revert NoDeterministicDeployer(deployer);
        vm.startBroadcast();
        (bool done,) = deployer.call(message);
        vm.stopBroadcast();
        if (!done || factory.code.length == 0) revert DeploymentFailed(factory);
    }
}
