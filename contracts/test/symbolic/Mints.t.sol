// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {AnyState} from "./utils/AnyState.sol";

/// @title MintProofs
/// @notice A batch minted in any state, by what anyone sees: `RuleProofs` looks at storage, which says
/// nothing of a search through one more batch.
contract MintProofs is AnyState {
    function setUp() public {
        _makeAny();
    }

    function check_BatchMintLeavesOthersAlone(uint256 id) public {
        id = _settle(id);
        vm.assume(_isSound(id, _token(id)));
        (bool owned, bytes32 owner, bytes32 digest) = _see(id);
        vm.assume(owned);
        _mintAnyBatch();
        (bool then, bytes32 newOwner, bytes32 newDigest) = _see(id);
        assert(then && newOwner == owner && newDigest == digest);
    }

    /// @dev Rule 5: a batch brings no burned token back.
    function check_BatchMintLeavesTheBurnedAlone(uint256 id) public {
        id = _settle(id);
        vm.assume(_isSound(id, _token(id)));
        vm.assume(_token(id).owner == address(0) && id < _next());
        _mintAnyBatch();
        (bool owned,) = address(collection).staticcall(abi.encodeCall(collection.ownerOf, (id)));
        (bool digested,) = address(collection).staticcall(abi.encodeCall(collection.contentDigest, (id)));
        assert(!owned && !digested);
    }

    function _mintAnyBatch() private {
        (address holder, bytes32[] memory digests) = (_anyHolder(), _anyDigests(2));
        bytes memory data = abi.encodeCall(collection.mintBatch, (holder, _next(), digests));
        vm.assume(_call(_creator(), 0, data));
    }

    function _see(uint256 id) private view returns (bool owned, bytes32 owner, bytes32 digest) {
        bytes memory answer;
        (owned, answer) = address(collection).staticcall(abi.encodeCall(collection.ownerOf, (id)));
        if (!owned) return (false, 0, 0);
        owner = abi.decode(answer, (bytes32));
        (owned, answer) = address(collection).staticcall(abi.encodeCall(collection.contentDigest, (id)));
        if (owned) digest = abi.decode(answer, (bytes32));
    }
}
