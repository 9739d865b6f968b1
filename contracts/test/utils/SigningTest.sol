// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {IEverholdCollection, Voucher} from "../../src/interfaces/IEverholdCollection.sol";
import {CollectionTest} from "./CollectionTest.sol";
import {ContentUpdate, TypedData} from "./TypedData.sol";

/// @notice A collection, and people who sign what others bring.
abstract contract SigningTest is CollectionTest, TypedData {
    /// @dev What the owner signs, here and for this collection.
    function hashOf(ContentUpdate memory update) internal view returns (bytes32) {
        return hashOf(update, block.chainid, address(collection));
    }

    /// @dev What the creator signs, here and for this collection.
    function hashOf(Voucher memory voucher) internal view returns (bytes32) {
        return hashOf(voucher, collection.owner(), block.chainid, address(collection));
    }

    /// @dev An update of a token by its owner as it could be signed next, good for a day.
    function nextUpdate(uint256 tokenId, bytes32 newDigest) internal view returns (ContentUpdate memory) {
        return ContentUpdate({
            owner: collection.ownerOf(tokenId),
            tokenId: tokenId,
            currentDigest: collection.contentDigest(tokenId),
            newDigest: newDigest,
            nonce: collection.signatureNonce(tokenId),
            deadline: block.timestamp + 1 days
        });
    }

    /// @dev Somebody who has nothing to do with the token brings the signature.
    function send(ContentUpdate memory update, bytes memory signature) internal {
        vm.prank(stranger);
        collection.updateContentBySignature(
            update.tokenId, update.currentDigest, update.newDigest, update.nonce, update.deadline, signature
        );
    }

    function expectInvalidSignature(address signer) internal {
        vm.expectRevert(abi.encodeWithSelector(IEverholdCollection.InvalidSignature.selector, signer));
    }

    function expectExpired(uint256 deadline) internal {
        vm.expectRevert(abi.encodeWithSelector(IEverholdCollection.SignatureExpired.selector, deadline));
    }

    function expectInvalidNonce(uint256 tokenId, uint256 expected, uint256 given) internal {
        vm.expectRevert(
            abi.encodeWithSelector(IEverholdCollection.InvalidNonce.selector, tokenId, expected, given)
        );
    }
}
