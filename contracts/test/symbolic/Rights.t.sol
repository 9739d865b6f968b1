// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {AnyState, Token} from "./utils/AnyState.sol";
import {Logic} from "./utils/Logic.sol";

/// @title RightsProofs
/// @notice Who may, can: the calls that must succeed do, and do what they say. Without these, a collection that
/// refuses everything would keep every rule.
contract RightsProofs is AnyState {
    using Logic for bool;

    function setUp() public {
        _makeAny();
    }

    /// @dev The owner's right: an update succeeds if and only if all is as it must be.
    function check_UpdateSucceedsJustForItsOwner(uint256 id, bytes32 current, bytes32 digest) public {
        address caller = _anyCaller();
        id = _settle(id);
        Token memory token = _token(id);
        vm.assume(_isSound(id, token));
        vm.assume(token.updates < type(uint64).max - 1);
        bool allowed = (caller == token.owner).and(token.frozen.not()).and(current == token.digest)
            .and(digest != token.digest).and(uint256(digest) > 1);

        bool success = _call(caller, 0, abi.encodeCall(collection.updateContent, (id, current, digest)));
        assert(success == allowed);
        Token memory then = _token(id);
        assert(then.digest == success.pick(digest, token.digest));
        assert(then.owner == token.owner);
    }

    /// @dev The beginning of rule 2.
    function check_FreezeSucceedsJustForItsOwner(uint256 id) public {
        address caller = _anyCaller();
        Token memory token = _token(id);
        vm.assume(_isSound(id, token));
        bool allowed = (caller == token.owner).and(token.frozen.not());

        bool success = _call(caller, 0, abi.encodeCall(collection.freeze, (id)));
        assert(success == allowed);
        Token memory then = _token(id);
        assert(then.frozen == token.frozen.or(success));
        assert((then.digest == token.digest).and(then.owner == token.owner));
    }

    /// @dev A token that changed hands has its content until the transaction ends, whoever calls.
    function check_NobodyChangesAMovedToken(uint256 id, bytes32 current, bytes32 digest) public {
        address to = svm.createAddress("to");
        id = _settle(id);
        Token memory token = _token(id);
        vm.assume(_isSound(id, token));
        vm.assume(token.owner != address(0));
        vm.assume(_call(_anyCaller(), 0, abi.encodeCall(collection.transferFrom, (token.owner, to, id))));
        assert(!_call(_anyCaller(), 0, abi.encodeCall(collection.updateContent, (id, current, digest))));
        assert(!_call(_anyCaller(), 0, abi.encodeCall(collection.freeze, (id))));
    }

    /// @dev The beginning of rule 5.
    function check_BurnSucceedsJustForItsOwner(uint256 id) public {
        address caller = _anyCaller();
        Token memory token = _token(id);
        vm.assume(_isSound(id, token));

        bool success = _call(caller, 0, abi.encodeCall(collection.burn, (id)));
        assert(success.implies(caller == token.owner));
        Token memory then = _token(id);
        assert(then.digest == success.pick(0, token.digest));
        assert(success.implies(then.owner == address(0)));
    }

    function check_MintSucceedsJustForTheCreator(uint256 id, bytes32 digest) public {
        (address caller, address to) = (_anyCaller(), svm.createAddress("to"));
        uint256 next = _next();
        vm.assume(next < type(uint32).max);
        vm.assume(_isSound(next, _token(next)));
        bool allowed = (caller == _creator()).and(id == next).and(to != address(0)).and(uint256(digest) > 1);

        bool success = _call(caller, 0, abi.encodeCall(collection.mint, (to, id, digest)));
        assert(success == allowed);
        if (!success) return;
        Token memory token = _token(id);
        assert((token.owner == to).and(token.digest == digest).and(_next() == next + 1));
    }
}
