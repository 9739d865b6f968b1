// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {Codec} from "../src/content/Codec.sol";
import {CollectionSettings} from "../src/interfaces/IEverholdCollection.sol";
import {IEverholdFactory} from "../src/interfaces/IEverholdFactory.sol";
import {EverholdScript} from "./EverholdScript.sol";

/// @title CreateCollection
/// @notice Makes a collection by the factory, unless this sender made this very one before:
///
///     COLLECTION_NAME="The Ark" COLLECTION_SYMBOL=ARK \
///         forge script CreateCollection --rpc-url URL --account NAME --broadcast
///
/// | Variable, after `COLLECTION_` | Meaning                                          | If unset    |
/// |-------------------------------|--------------------------------------------------|-------------|
/// | `NAME`                        | its name                                         | an error    |
/// | `SYMBOL`                      | its symbol                                       | an error    |
/// | `CODEC`                       | how digests name content: `dag-pb` or `raw`      | `dag-pb`    |
/// | `FIRST_TOKEN_ID`              | the id of its first token: 0 or 1                | 1           |
/// | `EDITABLE`                    | whether owners may change their content          | `true`      |
/// | `CREATOR`                     | the account that may mint                        | the sender  |
/// | `ROYALTY_BASIS_POINTS`        | royalties in hundredths of a per cent            | 0: none     |
/// | `ROYALTY_RECEIVER`            | who gets royalties                               | the creator |
/// | `CONTRACT_DIGEST`             | the digest of its own metadata                   | zero: none  |
/// | `SALT`                        | any number: another one gives another collection | 0           |
contract CreateCollection is EverholdScript {
    error NoFactory(address factory);
    error UnknownCodec(string name);
    error OutOfRange(string variable, uint256 value);

    function run() external returns (address collection) {
        IEverholdFactory factory = IEverholdFactory(_factoryAddress());
        if (address(factory).code.length == 0) revert NoFactory(address(factory));
        CollectionSettings memory settings = _settings();
        bytes32 salt = bytes32(_number("SALT", 0, type(uint256).max));

        collection = factory.collectionAddress(msg.sender, settings, salt);
        if (collection.code.length > 0) {
            _print("The collection is there already. Nothing to send.");
        } else {
            // The address depends on who sends it.
            vm.startBroadcast(msg.sender);
            factory.createCollection(settings, salt);
            vm.stopBroadcast();
            _print("The collection is not there yet. One transaction to send.");
        }
        _print("Collection:", collection);
        _print("Creator:   ", settings.creator);
    }

    function _settings() private view returns (CollectionSettings memory settings) {
        settings.name = vm.envString(_variable("NAME"));
        settings.symbol = vm.envString(_variable("SYMBOL"));
        if (_isSet("CODEC")) settings.codec = _codec(vm.envString(_variable("CODEC")));
        else settings.codec = Codec.DAG_PB;
        settings.firstTokenId = uint8(_number("FIRST_TOKEN_ID", 1, 1));
        settings.editable = _isSet("EDITABLE") ? vm.envBool(_variable("EDITABLE")) : true;
        settings.creator = _account("CREATOR", msg.sender);
        settings.royaltyBasisPoints = uint96(_number("ROYALTY_BASIS_POINTS", 0, 10_000));
        address receiver = settings.royaltyBasisPoints > 0 ? settings.creator : address(0);
        settings.royaltyReceiver = _account("ROYALTY_RECEIVER", receiver);
        if (_isSet("CONTRACT_DIGEST")) settings.contractDigest = vm.envBytes32(_variable("CONTRACT_DIGEST"));
    }

    function _codec(string memory name) private pure returns (uint8) {
        bytes32 hash = keccak256(bytes(name));
        if (hash == keccak256("dag-pb")) return Codec.DAG_PB;
        if (hash == keccak256("raw")) return Codec.RAW;
        revert UnknownCodec(name);
    }

    function _account(string memory setting, address unset) private view returns (address) {
        return _isSet(setting) ? vm.envAddress(_variable(setting)) : unset;
    }

    /// @dev Read wide, so that a number too large is an error and not another number.
    function _number(string memory setting, uint256 unset, uint256 max) private view returns (uint256 value) {
        value = _isSet(setting) ? vm.envUint(_variable(setting)) : unset;
        if (value > max) revert OutOfRange(_variable(setting), value);
    }

    function _isSet(string memory setting) private view returns (bool) {
        return vm.envExists(_variable(setting));
    }

    function _variable(string memory setting) private pure returns (string memory) {
        return string.concat("COLLECTION_", setting);
    }
}
