// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {EverholdCollection} from "../../../src/EverholdCollection.sol";
import {CollectionSettings, IEverholdCollection} from "../../../src/interfaces/IEverholdCollection.sol";
import {Test} from "../../utils/Test.sol";
import {Svm} from "./Svm.sol";
import {SEARCH_SLOT, SymbolicCollection} from "./SymbolicCollection.sol";
import {Wallet} from "./Wallet.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

/// @title SymbolicTest
/// @notice What the proofs stand on: a clone, batches of any content in it, and calls of any kind.
abstract contract SymbolicTest is Test {
    Svm internal constant svm = Svm(address(uint160(uint256(keccak256("svm cheat code")))));

    EverholdCollection internal collection;
    Wallet internal wallet;

    /// @dev Makes a clone, as the factory does, whose creator is the test.
    function _make() internal {
        wallet = new Wallet();
        svm.enableSymbolicStorage(address(wallet));
        collection = EverholdCollection(Clones.clone(address(new SymbolicCollection())));
        CollectionSettings memory settings;
        settings.codec = 0x55;
        settings.editable = true;
        settings.creator = address(this);
        collection.initialize(settings);
    }

    /// @dev Has every search for a token's batch begin at this one, or at the last where there are fewer.
    function _beginSearchAt(uint256 batch) internal {
        vm.store(address(collection), SEARCH_SLOT, bytes32(batch));
    }

    function _anyDigests(uint256 size) internal pure returns (bytes32[] memory digests) {
        digests = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) {
            digests[i] = svm.createBytes32("digest");
            vm.assume(uint256(digests[i]) > 1);
        }
    }

    function _anyHolder() internal pure returns (address holder) {
        holder = svm.createAddress("holder");
        vm.assume(holder != address(0));
    }

    /// @dev Mints a batch as the creator, whom `_make` set.
    /// Halmos takes a path whose test reverts for a proved one. So what must not revert is called like this, here and
    /// in `_answer`, and the runner counts the paths that reverted all the same.
    function _mintBatch(uint256 size) internal returns (address holder, bytes32[] memory digests) {
        holder = _anyHolder();
        digests = _anyDigests(size);
        (bool success,) = address(collection)
            .call(abi.encodeCall(collection.mintBatch, (holder, collection.nextTokenId(), digests)));
        assert(success);
    }

    /// @dev Any call of any function that may write. A signature and what goes with a transfer is of 65 bytes, a
    /// batch of one or two tokens: see the runner's options.
    function _anyCall() internal pure returns (bytes memory) {
        return svm.createCalldata("EverholdCollection");
    }

    /// @dev What a view answers, which it must.
    function _answer(bytes memory data) internal view returns (bytes memory answer) {
        bool success;
        (success, answer) = address(collection).staticcall(data);
        assert(success);
    }

    function _requireShown(uint256 id, address owner, bytes32 digest) internal view {
        assert(abi.decode(_answer(abi.encodeCall(collection.ownerOf, (id))), (address)) == owner);
        assert(abi.decode(_answer(abi.encodeCall(collection.contentDigest, (id))), (bytes32)) == digest);
    }

    /// @dev No call comes from address zero: nobody has its key, and no contract is there. (OpenZeppelin's ERC-721
    /// counts on it: authorisation by zero is not checked.)
    function _anyCaller() internal pure returns (address caller) {
        caller = svm.createAddress("caller");
        vm.assume(caller != address(0));
    }

    function _selectorOf(bytes memory data) internal pure returns (bytes4) {
        // forge-lint: disable-next-line(unsafe-typecast): the rest is not wanted.
        return bytes4(data);
    }

    function _call(address caller, uint256 value, bytes memory data) internal returns (bool success) {
        vm.prank(caller);
        (success,) = address(collection).call{value: value}(data);
    }
}
