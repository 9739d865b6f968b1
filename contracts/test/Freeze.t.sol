// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {IEverholdCollection} from "../src/IEverholdCollection.sol";
import {CollectionTest} from "./utils/CollectionTest.sol";
import {Vm} from "./utils/Test.sol";

/// @notice A token's owner makes its content unchangeable, for ever.
contract FreezeTest is CollectionTest {
    uint256 internal tokenId;

    function setUp() public override {
        super.setUp();
        tokenId = mintTo(alice, DIGEST_1);
        mintTo(alice, DIGEST_3);
    }

    function test_marksTheTokenAndKeepsItsContent() public {
        freeze(alice);
        vm.assertTrue(collection.isFrozen(tokenId));
        vm.assertEq(collection.contentDigest(tokenId), DIGEST_1);
        vm.assertEq(collection.revision(tokenId), 1);
    }

    function test_keepsTheRevisionOfUpdatedContent() public {
        vm.prank(alice);
        collection.updateContent(tokenId, DIGEST_1, DIGEST_2);
        freeze(alice);
        vm.assertTrue(collection.isFrozen(tokenId));
        vm.assertEq(collection.contentDigest(tokenId), DIGEST_2);
        vm.assertEq(collection.revision(tokenId), 2);
    }

    function test_leavesOtherTokensAsTheyWere() public {
        freeze(alice);
        vm.assertFalse(collection.isFrozen(2));
        vm.prank(alice);
        collection.updateContent(2, DIGEST_3, DIGEST_2);
    }

    function test_announcesItself() public {
        vm.expectEmit(address(collection));
        emit IEverholdCollection.ContentFrozen(tokenId);
        freeze(alice);
    }

    function test_announcesNothingElse() public {
        vm.recordLogs();
        freeze(alice);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 1);
    }

    // ------------------------------------------------------------ for ever

    function testFuzz_refusesEveryLaterUpdate(bytes32 current, bytes32 digest) public {
        freeze(alice);
        expectFrozen(tokenId);
        vm.prank(alice);
        collection.updateContent(tokenId, current, digest);
    }

    function test_bindsLaterOwners() public {
        freeze(alice);
        vm.prank(alice);
        collection.transferFrom(alice, bob, tokenId);
        vm.assertEq(collection.ownerOf(tokenId), bob);
        expectFrozen(tokenId);
        vm.prank(bob);
        collection.updateContent(tokenId, DIGEST_1, DIGEST_2);
    }

    function test_canNotBeDoneTwice() public {
        freeze(alice);
        expectFrozen(tokenId);
        freeze(alice);
    }

    // ------------------------------------------------------------ who may not

    function test_refusesTheCreator() public {
        refuses(creator);
    }

    function test_refusesAnAccountApprovedForTheToken() public {
        vm.prank(alice);
        collection.approve(stranger, tokenId);
        refuses(stranger);
    }

    function test_refusesAnOperatorOfAllTheOwnersTokens() public {
        vm.prank(alice);
        collection.setApprovalForAll(stranger, true);
        refuses(stranger);
    }

    function test_refusesThePreviousOwner() public {
        vm.prank(alice);
        collection.transferFrom(alice, bob, tokenId);
        refuses(alice);
    }

    function testFuzz_refusesAnyoneElse(address caller) public {
        vm.assume(caller != alice);
        refuses(caller);
    }

    function testFuzz_refusesATokenThatDoesNotExist(uint256 unknown) public {
        vm.assume(unknown != 1 && unknown != 2);
        tokenId = unknown;
        expectNonexistentToken(unknown);
        freeze(alice);
    }

    // ------------------------------------------------------------

    function freeze(address caller) private {
        vm.prank(caller);
        collection.freeze(tokenId);
    }

    function refuses(address caller) private {
        expectNotTokenOwner(tokenId, caller);
        freeze(caller);
        vm.assertFalse(collection.isFrozen(tokenId));
    }
}
