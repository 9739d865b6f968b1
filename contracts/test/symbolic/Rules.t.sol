// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {IEverholdCollection} from "../../src/interfaces/IEverholdCollection.sol";
import {AnyState, Token} from "./utils/AnyState.sol";
import {Logic} from "./utils/Logic.sol";
import {IERC721} from "@openzeppelin/contracts/interfaces/IERC721.sol";

/// @title RuleProofs
/// @notice What one call, of any function by anyone, does to any one token in any state. The rules are numbered as
/// in `contracts/prove/proofs.md`; the sixth is `_isSound`.
contract RuleProofs is AnyState {
    using Logic for bool;

    /// @dev What there was before a call, and the call.
    struct Case {
        bytes4 selector;
        address caller;
        uint256 id;
        Token token;
        address creator;
        uint256 next;
        bool operator;
        address holder;
        address helper;
        bool helps;
        address pending;
        bytes32 royalty;
        bytes32 digest;
        bool editable;
    }

    function setUp() public {
        _makeAny();
    }

    function check_RulesHoldInTransfers() public {
        bytes memory data = _anyCall();
        vm.assume(_selectorOf(data) == IERC721.transferFrom.selector);
        _requireRules(0, data);
    }

    function check_RulesHoldInSafeTransfers() public {
        bytes memory data = _anyCall();
        bytes4 selector = _selectorOf(data);
        vm.assume(_isTransfer(selector) && selector != IERC721.transferFrom.selector);
        vm.assume(_isForeign(address(uint160(uint256(_word(data, 1))))));
        _requireRules(0, data);
    }

    function check_RulesHoldInUpdates() public {
        bytes memory data = _anySettledCall();
        vm.assume(_isUpdate(_selectorOf(data)));
        _requireRules(0, data);
    }

    function check_RulesHoldInMints(uint256 value) public {
        bytes memory data = _anyCall();
        bytes4 selector = _selectorOf(data);
        vm.assume(_isMint(selector));
        if (selector != IEverholdCollection.redeem.selector) value = 0;
        _requireRules(value, data);
    }

    function check_RulesHoldInAllOtherCalls() public {
        bytes memory data = _anyCall();
        bytes4 selector = _selectorOf(data);
        vm.assume(!_isTransfer(selector) && !_isUpdate(selector) && !_isMint(selector));
        _requireRules(0, data);
    }

    function check_NothingButRedeemTakesMoney(uint256 value) public {
        bytes memory data = _anyCall();
        vm.assume(_selectorOf(data) != IEverholdCollection.redeem.selector);
        vm.assume(value > 0);
        assert(!_call(_anyCaller(), value, data));
    }

    //////////////////////////////////////////////////////////////////////////
    //                                 RULES
    //////////////////////////////////////////////////////////////////////////

    function _requireRules(uint256 value, bytes memory data) private {
        address caller = _anyCaller();
        Case memory c;
        c.id = svm.createUint256("token");
        c.token = _token(c.id);
        vm.assume(_isSound(c.id, c.token));
        (c.selector, c.caller, c.creator, c.next) = (_selectorOf(data), caller, _creator(), _next());
        c.operator = _isOperator(c.token.owner, caller);
        (c.holder, c.helper) = (svm.createAddress("anyone"), svm.createAddress("helper"));
        c.helps = _isOperator(c.holder, c.helper);
        (c.pending, c.royalty, c.digest, c.editable) =
        (_pendingCreator(), _royalty(), _contractDigest(), _editable());
        // So it is in a new collection, and stays: `_onlyHoldersHaveOperators`.
        vm.assume(!_isOperator(address(0), caller));

        vm.assume(_call(caller, value, data));
        _requireRulesOf(c, _token(c.id));
    }

    /// @dev All at once: the machine asks the solver about each assertion of each path.
    function _requireRulesOf(Case memory c, Token memory then) private view {
        bool content = _onlyTheOwnerChangesContent(c, then).and(_frozenContentStays(c, then))
            .and(_revisionCountsChanges(c, then)).and(_burnedStaysBurned(c, then));
        bool owners =
            _onlyAllowedMove(c, then).and(_onlyOwnersAllow(c, then)).and(_onlyHoldersHaveOperators(c));
        bool creator = _mintsTouchNothing(c, then).and(_onlyTheCreatorMints(c)).and(_onlyTheCreatorSpeaks(c));
        assert(_isSound(c.id, then).and(content).and(owners).and(creator));
    }

    /// @dev Rule 1. A signed update is left to `SignatureProofs`.
    function _onlyTheOwnerChangesContent(Case memory c, Token memory then) private pure returns (bool) {
        bool changed = _exists(c.token).and(then.digest != c.token.digest);
        bool signed = c.selector == IEverholdCollection.updateContentBySignature.selector;
        return changed.implies((c.caller == c.token.owner).or(signed));
    }

    /// @dev Rules 2 and 3: of a frozen token, and of any where edits are off.
    function _frozenContentStays(Case memory c, Token memory then) private pure returns (bool) {
        bool frozen = _exists(c.token).and(c.token.frozen);
        bool burned = (c.selector == IEverholdCollection.burn.selector).and(then.digest == 0);
        return frozen.implies((then.digest == c.token.digest).or(burned).and(then.frozen));
    }

    /// @dev Rule 4.
    function _revisionCountsChanges(Case memory c, Token memory then) private pure returns (bool) {
        bool changed = then.digest != c.token.digest;
        bool grown = uint256(then.updates) == uint256(c.token.updates) + 1;
        bool same = then.updates == c.token.updates;
        return _exists(c.token).and(_exists(then)).implies(changed.and(grown).or(changed.not().and(same)));
    }

    /// @dev Rule 5: a token that was minted and has no owner never has one again.
    function _burnedStaysBurned(Case memory c, Token memory then) private pure returns (bool) {
        bool burned = _exists(c.token).not().and(c.id < c.next);
        return burned.implies(_exists(then).not());
    }

    /// @dev Rule 7.
    function _onlyAllowedMove(Case memory c, Token memory then) private pure returns (bool) {
        bool moved = _exists(c.token).and(then.owner != c.token.owner);
        bool allowed = (c.caller == c.token.owner).or(c.operator).or(c.caller == c.token.approved);
        return moved.implies(allowed.and(_isTransfer(c.selector).or(c.caller == c.token.owner)));
    }

    /// @dev Rule 8, of one token: nobody else gives somebody the right.
    function _onlyOwnersAllow(Case memory c, Token memory then) private pure returns (bool) {
        bool given = (then.approved != c.token.approved).and(then.approved != address(0));
        return _exists(c.token).and(given).implies((c.caller == c.token.owner).or(c.operator));
    }

    /// @dev Rule 8, of all of them: nobody but an account itself names or dismisses its operators.
    function _onlyHoldersHaveOperators(Case memory c) private view returns (bool) {
        return (_isOperator(c.holder, c.helper) == c.helps).or(c.caller == c.holder);
    }

    /// @dev Rule 9.
    function _mintsTouchNothing(Case memory c, Token memory then) private pure returns (bool) {
        bool same = (then.digest == c.token.digest).and(then.owner == c.token.owner)
            .and(then.updates == c.token.updates).and(then.nonce == c.token.nonce)
            .and(then.frozen == c.token.frozen).and(then.approved == c.token.approved);
        return _exists(c.token).and(_isMint(c.selector)).implies(same);
    }

    /// @dev Rule 10. A redemption is left to `SignatureProofs`.
    function _onlyTheCreatorMints(Case memory c) private view returns (bool) {
        bool minted = _next() != c.next;
        bool redeemed = c.selector == IEverholdCollection.redeem.selector;
        return minted.implies((c.caller == c.creator).or(redeemed)).and(_next() >= c.next);
    }

    /// @dev Rule 11. Nobody else speaks for the collection or hands this right over, and nothing changes `editable`.
    function _onlyTheCreatorSpeaks(Case memory c) private view returns (bool) {
        bool said = (_contractDigest() != c.digest).or(_royalty() != c.royalty);
        bool handed = (_creator() != c.creator).or(_pendingCreator() != c.pending);
        bool isCreator = c.caller == c.creator;
        return said.implies(isCreator).and(handed.implies(isCreator.or(c.caller == c.pending)))
            .and(_editable() == c.editable);
    }

    function _exists(Token memory token) private pure returns (bool) {
        return token.owner != address(0);
    }

    //////////////////////////////////////////////////////////////////////////
    //                               FUNCTIONS
    //////////////////////////////////////////////////////////////////////////

    function _isTransfer(bytes4 selector) private pure returns (bool) {
        return (selector == IERC721.transferFrom.selector)
            .or(selector == bytes4(keccak256("safeTransferFrom(address,address,uint256)")))
            .or(selector == bytes4(keccak256("safeTransferFrom(address,address,uint256,bytes)")));
    }

    function _isUpdate(bytes4 selector) private pure returns (bool) {
        return (selector == IEverholdCollection.updateContent.selector)
        .or(selector == IEverholdCollection.updateContentBySignature.selector);
    }

    function _isMint(bytes4 selector) private pure returns (bool) {
        return (selector == IEverholdCollection.mint.selector)
            .or(selector == IEverholdCollection.mintBatch.selector)
            .or(selector == IEverholdCollection.redeem.selector);
    }
}
