// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {AnyState, Token} from "./utils/AnyState.sol";

/// @title ViewProofs
/// @notice The views answer what `AnyState` reads in storage, for every id in every state: so what the other proofs
/// say of storage, they say of what anyone sees.
contract ViewProofs is AnyState {
    function setUp() public {
        _makeAny();
    }

    function check_OwnerOfIsWhatIsStored(uint256 id) public view {
        Token memory token = _token(id);
        vm.assume(_isSound(id, token));
        (bool success, bytes memory answer) = _view(abi.encodeCall(collection.ownerOf, (id)));
        assert(success == (token.owner != address(0)));
        if (success) assert(abi.decode(answer, (address)) == token.owner);
    }

    function check_ContentDigestIsWhatIsStored(uint256 id) public view {
        id = _settle(id);
        Token memory token = _token(id);
        vm.assume(_isSound(id, token));
        (bool success, bytes memory answer) = _view(abi.encodeCall(collection.contentDigest, (id)));
        assert(success == (token.owner != address(0)));
        if (success) assert(abi.decode(answer, (bytes32)) == token.digest);
    }

    /// @dev The revision is one more than the number of updates, which never reaches the last value of its type.
    function check_RevisionIsWhatIsStored(uint256 id) public view {
        Token memory token = _existing(id);
        vm.assume(token.updates != type(uint64).max);
        assert(abi.decode(_answer(abi.encodeCall(collection.revision, (id))), (uint64)) == token.updates + 1);
    }

    function check_FrozenIsWhatIsStored(uint256 id) public view {
        Token memory token = _existing(id);
        assert(abi.decode(_answer(abi.encodeCall(collection.isFrozen, (id))), (bool)) == token.frozen);
    }

    function check_NonceIsWhatIsStored(uint256 id) public view {
        Token memory token = _existing(id);
        assert(abi.decode(_answer(abi.encodeCall(collection.signatureNonce, (id))), (uint256)) == token.nonce);
    }

    function check_ApprovalsAreWhatIsStored(uint256 id) public view {
        address operator = svm.createAddress("operator");
        Token memory token = _existing(id);
        assert(abi.decode(_answer(abi.encodeCall(collection.getApproved, (id))), (address)) == token.approved);
        bytes memory answer = _answer(abi.encodeCall(collection.isApprovedForAll, (token.owner, operator)));
        assert(abi.decode(answer, (bool)) == _isOperator(token.owner, operator));
    }

    function check_CollectionIsWhatIsStored() public view {
        assert(abi.decode(_answer(abi.encodeCall(collection.owner, ())), (address)) == _creator());
        assert(abi.decode(_answer(abi.encodeCall(collection.nextTokenId, ())), (uint256)) == _next());
        assert(abi.decode(_answer(abi.encodeCall(collection.editable, ())), (bool)) == _editable());
        assert(
            abi.decode(_answer(abi.encodeCall(collection.pendingOwner, ())), (address)) == _pendingCreator()
        );
        assert(
            abi.decode(_answer(abi.encodeCall(collection.contractDigest, ())), (bytes32)) == _contractDigest()
        );
    }

    function _existing(uint256 id) private view returns (Token memory token) {
        token = _token(id);
        vm.assume(_isSound(id, token));
        vm.assume(token.owner != address(0));
    }

    function _view(bytes memory data) private view returns (bool, bytes memory) {
        return address(collection).staticcall(data);
    }
}
