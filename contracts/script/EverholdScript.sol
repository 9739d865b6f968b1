// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

/// @notice The part of forge's cheatcodes that these scripts use.
interface Vm {
    function startBroadcast() external;
    function startBroadcast(address sender) external;
    function stopBroadcast() external;

    // Not `envOr`, which takes a value that it can't read for one that is not set.
    function envExists(string calldata name) external view returns (bool);
    function envString(string calldata name) external view returns (string memory);
    function envUint(string calldata name) external view returns (uint256);
    function envBool(string calldata name) external view returns (bool);
    function envAddress(string calldata name) external view returns (address);
    function envBytes32(string calldata name) external view returns (bytes32);

    function readFile(string calldata path) external view returns (string memory);
    function parseJsonAddress(string calldata json, string calldata key) external pure returns (address);
    function parseJsonBytes(string calldata json, string calldata key) external pure returns (bytes memory);
    function parseJsonBytes32(string calldata json, string calldata key) external pure returns (bytes32);
}

/// @notice What both scripts stand on: forge's cheatcodes, its console, and the factory as it was published.
/// @dev The factory's code, and so its address, is that of `contracts/artifacts`, and not what the compiler
/// makes of the factory beside a script.
abstract contract EverholdScript {
    /// @dev The address at which forge answers cheatcodes.
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @dev The address at which forge prints: "console.log" in ASCII.
    address private constant CONSOLE = 0x000000000000000000636F6e736F6c652e6c6f67;

    string private constant FACTORY = "contracts/artifacts/EverholdFactory.json";

    /// @dev Where the factory is on every chain.
    function _factoryAddress() internal view returns (address) {
        return vm.parseJsonAddress(vm.readFile(FACTORY), ".create2.address");
    }

    /// @dev What has to be sent to whom for the factory to be there.
    function _factoryDeployment() internal view returns (address deployer, bytes memory message) {
        string memory json = vm.readFile(FACTORY);
        deployer = vm.parseJsonAddress(json, ".create2.deployer");
        bytes32 salt = vm.parseJsonBytes32(json, ".create2.salt");
        message = bytes.concat(salt, vm.parseJsonBytes(json, ".bytecode"));
    }

    function _print(string memory line) internal view {
        _console(abi.encodeWithSignature("log(string)", line));
    }

    function _print(string memory label, address account) internal view {
        _console(abi.encodeWithSignature("log(string,address)", label, account));
    }

    function _console(bytes memory message) private view {
        (bool printed,) = CONSOLE.staticcall(message);
        require(printed);
    }
}
