// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {EverholdCollection} from "../../src/EverholdCollection.sol";
import {CollectionSettings, IEverholdCollection, Voucher} from "../../src/interfaces/IEverholdCollection.sol";
import {ContentUpdate} from "../utils/TypedData.sol";
import {Handler} from "./Handler.sol";
import {Token} from "./Model.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";

/// @notice Tries between the acts of others what nobody may do. Each try has to revert, for its own reason.
contract Meddler is Handler {
    constructor(EverholdCollection collection) Handler(collection) {}

    //////////////////////////////////////////////////////////////////////////
    //                                 TOKENS
    //////////////////////////////////////////////////////////////////////////

    /// @dev Somebody who isn't the owner, approved or not, the creator or not.
    function changeAnothersToken(uint256 seed, uint256 who, bytes32 digest) external {
        (bool found, uint256 id) = _find(seed, isAlive);
        if (!found) return;
        Token memory token = tokenAt(id);
        address person = _person(who);
        if (person == token.owner) return;

        bytes memory reason = abi.encodeWithSelector(IEverholdCollection.NotTokenOwner.selector, id, person);
        _reverts(person, _updateCall(id, token.digest, digest), reason);
        _reverts(person, abi.encodeCall(IEverholdCollection.freeze, (id)), reason);
        _reverts(person, abi.encodeCall(IEverholdCollection.burn, (id)), reason);
        _reverts(person, abi.encodeCall(IEverholdCollection.cancelSignatures, (id)), reason);
    }

    function moveAnothersToken(uint256 seed, uint256 who) external {
        (bool found, uint256 id) = _find(seed, isAlive);
        if (!found) return;
        Token memory token = tokenAt(id);
        address person = _person(who);
        if (person == token.owner || person == token.approved) return;
        if (COLLECTION.isApprovedForAll(token.owner, person)) return;
        _reverts(
            person,
            abi.encodeCall(IERC721.transferFrom, (token.owner, person, id)),
            abi.encodeWithSelector(IERC721Errors.ERC721InsufficientApproval.selector, person, id)
        );
    }

    function changeFrozenToken(uint256 seed, bytes32 digest) external {
        (bool found, uint256 id) = _find(seed, isFrozen);
        if (!found) return;
        Token memory token = tokenAt(id);
        bytes memory reason = abi.encodeWithSelector(IEverholdCollection.ContentIsFrozen.selector, id);
        _reverts(token.owner, _updateCall(id, token.digest, digest), reason);
        _reverts(token.owner, abi.encodeCall(IEverholdCollection.freeze, (id)), reason);
    }

    function changeBurnedToken(uint256 seed, uint256 who, bytes32 digest) external {
        (bool found, uint256 id) = _find(seed, isBurned);
        if (!found) return;
        address person = _person(who);
        bytes memory reason = abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, id);
        _reverts(person, _updateCall(id, tokenAt(id).digest, digest), reason);
        _reverts(person, abi.encodeCall(IEverholdCollection.freeze, (id)), reason);
        _reverts(person, abi.encodeCall(IEverholdCollection.burn, (id)), reason);
        _reverts(person, abi.encodeCall(IERC721.approve, (person, id)), reason);
        _reverts(person, abi.encodeCall(IERC721.transferFrom, (person, minter, id)), reason);
    }

    /// @dev The owner, but with an update that is none.
    function updateWrongly(uint256 seed, bytes32 current, bytes32 digest) external {
        (bool found, uint256 id) = _find(seed, isOpen);
        if (!found) return;
        Token memory token = tokenAt(id);
        if (current != token.digest) {
            _reverts(
                token.owner,
                _updateCall(id, current, digest),
                abi.encodeWithSelector(IEverholdCollection.StaleDigest.selector, token.digest, current)
            );
        }
        _reverts(
            token.owner,
            _updateCall(id, token.digest, token.digest),
            abi.encodeWithSelector(IEverholdCollection.SameDigest.selector)
        );
        _reverts(
            token.owner,
            _updateCall(id, token.digest, 0),
            abi.encodeWithSelector(IEverholdCollection.ZeroDigest.selector)
        );
    }

    //////////////////////////////////////////////////////////////////////////
    //                               SIGNATURES
    //////////////////////////////////////////////////////////////////////////

    /// @dev The right update, signed by somebody else.
    function forgeUpdate(uint256 seed, uint256 who, bytes32 digest) external {
        (bool found, uint256 id) = _find(seed, isOpen);
        if (!found) return;
        Token memory token = tokenAt(id);
        string memory forger = _signerOf(_person(who));
        if (keyOf(forger) == keyOf(_signerOf(token.owner))) return;
        ContentUpdate memory signed =
            ContentUpdate(token.owner, id, token.digest, digest, token.nonce, block.timestamp);
        _reverts(
            _person(who),
            _updateCall(signed, _signUpdate(signed, forger)),
            abi.encodeWithSelector(IEverholdCollection.InvalidSignature.selector, token.owner)
        );
    }

    function reuseUpdate(uint256 who) external {
        ContentUpdate memory used = _usedUpdate;
        if (used.owner == address(0)) return;
        Token memory token = tokenAt(used.tokenId);
        bytes memory reason = abi.encodeWithSelector(
            IEverholdCollection.InvalidNonce.selector, used.tokenId, token.nonce, used.nonce
        );
        if (token.burned) {
            reason = abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, used.tokenId);
        }
        _reverts(_person(who), _updateCall(used, _signUpdate(used, _signerOf(used.owner))), reason);
    }

    function reuseVoucher(uint256 seed, uint256 who, bytes32 digest) external {
        if (spentVouchers == 0) return;
        Voucher memory voucher =
            Voucher(seed % spentVouchers, _asDigest(digest), address(0), 0, block.timestamp);
        _reverts(
            _person(who),
            abi.encodeCall(IEverholdCollection.redeem, (voucher, _signVoucher(voucher))),
            abi.encodeWithSelector(IEverholdCollection.VoucherSpent.selector, voucher.id)
        );
    }

    //////////////////////////////////////////////////////////////////////////
    //                             THE COLLECTION
    //////////////////////////////////////////////////////////////////////////

    function actAsCreator(uint256 who, bytes32 digest) external {
        address person = _person(who);
        if (person == minter) return;
        bytes memory reason = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, person);
        bytes32[] memory digests = new bytes32[](1);
        digests[0] = digest;
        _reverts(person, abi.encodeCall(IEverholdCollection.mint, (person, nextId(), digest)), reason);
        _reverts(person, abi.encodeCall(IEverholdCollection.mintBatch, (person, nextId(), digests)), reason);
        _reverts(person, abi.encodeCall(IEverholdCollection.setContractContent, (digest)), reason);
        _reverts(person, abi.encodeCall(IEverholdCollection.setRoyalty, (person, 1)), reason);
        _reverts(person, abi.encodeCall(IEverholdCollection.cancelVoucher, (spentVouchers)), reason);
        _reverts(person, abi.encodeCall(Ownable.transferOwnership, (person)), reason);
        _reverts(person, abi.encodeCall(COLLECTION.acceptOwnership, ()), reason);
    }

    function mintOutOfTurn(uint256 id, bytes32 digest) external {
        if (id == nextId()) return;
        bytes memory reason =
            abi.encodeWithSelector(IEverholdCollection.NotNextTokenId.selector, nextId(), id);
        _reverts(minter, abi.encodeCall(IEverholdCollection.mint, (minter, id, _asDigest(digest))), reason);
        _reverts(
            minter, abi.encodeCall(IEverholdCollection.mintBatch, (minter, id, new bytes32[](1))), reason
        );
    }

    function makeItAnew(uint256 who, CollectionSettings calldata settings) external {
        _reverts(
            _person(who),
            abi.encodeCall(EverholdCollection.initialize, (settings)),
            abi.encodeWithSelector(IEverholdCollection.NotFactory.selector, _person(who))
        );
    }

    function sendEther(uint256 who) external {
        vm.deal(_person(who), _person(who).balance + 1);
        vm.prank(_person(who));
        (bool success,) = address(COLLECTION).call{value: 1}("");
        vm.assertFalse(success);
    }

    //////////////////////////////////////////////////////////////////////////
    //                                TOGETHER
    //////////////////////////////////////////////////////////////////////////

    function isFrozen(Token memory token) internal pure returns (bool) {
        return !token.burned && token.frozen;
    }

    function isBurned(Token memory token) internal pure returns (bool) {
        return token.burned;
    }

    function _reverts(address caller, bytes memory data, bytes memory reason) private {
        vm.prank(caller);
        (bool success, bytes memory answer) = address(COLLECTION).call(data);
        vm.assertFalse(success);
        vm.assertEq(answer, reason);
    }

    function _updateCall(uint256 id, bytes32 current, bytes32 digest) private pure returns (bytes memory) {
        return abi.encodeCall(IEverholdCollection.updateContent, (id, current, digest));
    }

    function _updateCall(ContentUpdate memory signed, bytes memory signature)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodeCall(
            IEverholdCollection.updateContentBySignature,
            (signed.tokenId, signed.currentDigest, signed.newDigest, signed.nonce, signed.deadline, signature)
        );
    }
}
