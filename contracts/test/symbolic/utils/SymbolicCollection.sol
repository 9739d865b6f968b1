// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {EverholdCollection} from "../../../src/EverholdCollection.sol";
import {StorageSlot} from "@openzeppelin/contracts/utils/StorageSlot.sol";

/// @dev Where a proof says at which batch the search begins. Nothing else is there.
bytes32 constant SEARCH_SLOT = keccak256("symbolic: the search begins at this batch");

/// @title SymbolicCollection
/// @notice The collection as halmos can run it: as it is, but for where it looks for its packs, and where among the
/// batches it begins to.
/// @dev Ethereum derives a new contract's address from its creator and the creator's nonce. Halmos counts on
/// from 0xaaaa0000 instead, over all the contracts of a run, so here pack `n` is the contract made `n + 1` after
/// the clone, and the clone the one after its implementation.
///
/// Left out of the proofs is therefore the address rule itself (`DigestPack.addressOf`). The deployed code checks
/// its outcome in each batch mint (`PackMisplaced`), and the unit tests check it where the encoding of a nonce
/// gets longer.
///
/// The batch at which the search begins is a quotient in the collection, by which halmos can't index storage. Here it
/// is what the proof says; `SearchProofs` says all there are.
contract SymbolicCollection is EverholdCollection {
    uint160 private immutable FIRST_PACK;

    constructor() {
        FIRST_PACK = uint160(address(this)) + 2;
    }

    function _packAt(uint256 batch) internal view override returns (address) {
        // forge-lint: disable-next-line(unsafe-typecast): fewer batches than an address has values.
        return address(FIRST_PACK + uint160(batch));
    }

    /// @dev Each batch on a path of its own.
    function _likelyBatchOf(uint256, uint256 count) internal view override returns (uint256 batch) {
        uint256 wanted = StorageSlot.getUint256Slot(SEARCH_SLOT).value;
        while (batch + 1 < count && batch != wanted) ++batch;
    }
}
