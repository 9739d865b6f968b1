// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {EverholdCollection} from "./EverholdCollection.sol";
import {CollectionSettings} from "./interfaces/IEverholdCollection.sol";
import {IEverholdFactory} from "./interfaces/IEverholdFactory.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

/// @title EverholdFactory
/// @notice Makes collections. See {IEverholdFactory}.
/// @dev It has no owner, keeps nothing, and can do nothing to a collection after making it. It is meant to be
/// deployed by the deterministic deployment proxy with salt zero, so that it is at the same address everywhere.
contract EverholdFactory is IEverholdFactory {
    /// @inheritdoc IEverholdFactory
    address public immutable implementation;

    constructor() {
        implementation = address(new EverholdCollection());
    }

    /// @inheritdoc IEverholdFactory
    function createCollection(CollectionSettings calldata settings, bytes32 salt)
        external
        returns (address collection)
    {
        bytes32 bound = _bind(msg.sender, settings, salt);
        collection = Clones.predictDeterministicAddress(implementation, bound);
        if (collection.code.length > 0) revert CollectionExists(collection);
        Clones.cloneDeterministic(implementation, bound);
        // Before the collection's own first events, so that who follows the factory misses none of them.
        emit CollectionCreated(
            collection,
            settings.creator,
            msg.sender,
            settings.codec,
            settings.firstTokenId,
            settings.editable,
            settings.name,
            settings.symbol
        );
        EverholdCollection(collection).initialize(settings);
    }

    /// @inheritdoc IEverholdFactory
    function collectionAddress(address sender, CollectionSettings calldata settings, bytes32 salt)
        external
        view
        returns (address)
    {
        return Clones.predictDeterministicAddress(implementation, _bind(sender, settings, salt));
    }

    /// @dev Nobody else, and no other settings, can take the address that a sender's settings and salt give.
    function _bind(address sender, CollectionSettings calldata settings, bytes32 salt)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(sender, settings, salt));
    }
}
