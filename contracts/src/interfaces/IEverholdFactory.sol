// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {CollectionSettings} from "./IEverholdCollection.sol";

/// @title IEverholdFactory
/// @notice Makes collections, at addresses known beforehand, and announces each by an event.
interface IEverholdFactory {
    /// @notice A collection was made. Every collection of this factory has one such event.
    /// @param collection The collection.
    /// @param creator The account that may mint. It need not have asked for the collection.
    /// @param sender The account that made it.
    /// @param codec How its digests name content: 0x70 (`dag-pb`) or 0x55 (`raw`).
    /// @param firstTokenId The id of its first token: 0 or 1.
    /// @param editable Whether owners may change their tokens' content.
    /// @param name Its name.
    /// @param symbol Its symbol.
    event CollectionCreated(
        address indexed collection,
        address indexed creator,
        address indexed sender,
        uint8 codec,
        uint8 firstTokenId,
        bool editable,
        string name,
        string symbol
    );

    /// @notice The same sender made a collection with the same settings and the same salt before.
    error CollectionExists(address collection);

    /// @notice The contract that collections are minimal clones (ERC-1167) of.
    function implementation() external view returns (address);

    /// @notice Makes a collection. Anyone may.
    /// @param settings The collection's settings.
    /// @param salt Any number: another one gives another address.
    /// @return collection Its address, `collectionAddress(msg.sender, settings, salt)`.
    function createCollection(CollectionSettings calldata settings, bytes32 salt)
        external
        returns (address collection);

    /// @notice The address that `createCollection` gives. It depends on the sender, too, so that nobody else can
    /// take it.
    /// @param sender The account that calls `createCollection`.
    /// @param settings The collection's settings.
    /// @param salt The salt.
    function collectionAddress(address sender, CollectionSettings calldata settings, bytes32 salt)
        external
        view
        returns (address);
}
