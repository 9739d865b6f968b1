// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {IEverholdCollection} from "../src/interfaces/IEverholdCollection.sol";
import {SigningTest} from "./utils/SigningTest.sol";
import {ContentUpdate} from "./utils/TypedData.sol";

/// @notice Where a collection was made with edits off, a token keeps what it was minted with.
contract EditsOffTest is SigningTest {
    uint256 private tokenId;

    function setUp() public override {
        super.setUp();
        collection = deployWithEditsOff();
        tokenId = mintTo(alice, DIGEST_1);
    }

    function test_showsEveryTokenAsFrozen() public {
        vm.assertTrue(collection.isFrozen(tokenId));
        vm.assertTrue(collection.isFrozen(mintBatchTo(alice, digestsOf(1))));
    }

    function test_refusesUpdates() public {
        vm.expectRevert(IEverholdCollection.EditsAreOff.selector);
        updateAs(alice, tokenId, DIGEST_1, DIGEST_2);
    }

    function test_refusesSignedUpdates() public {
        ContentUpdate memory update = nextUpdate(tokenId, DIGEST_2);
        bytes memory signature = sign("alice", hashOf(update));
        vm.expectRevert(IEverholdCollection.EditsAreOff.selector);
        send(update, signature);
    }

    function test_hasNothingToFreeze() public {
        vm.expectRevert(IEverholdCollection.EditsAreOff.selector);
        freezeAs(alice, tokenId);
    }

    function test_letsOwnersMoveAndBurnTheirTokens() public {
        transferFromOwner(tokenId, bob);
        burnAs(bob, tokenId);
        vm.assertEq(collection.totalSupply(), 0);
    }
}
