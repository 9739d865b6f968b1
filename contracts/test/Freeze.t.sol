// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {IEverholdCollection} from "../src/interfaces/IEverholdCollection.sol";
import {CollectionTest} from "./utils/CollectionTest.sol";
import {Vm} from "./utils/Test.sol";

/// @notice A token's owner makes its content unchangeable, for ever.
contract FreezeTest is CollectionTest {
    uint256 private tokenId;

    function setUp() public override {
        super.setUp();
        tokenId = mintTo(alice, DIGEST_1);
        mintTo(alice, DIGEST_3);
    }

    function test_marksTheTokenAndKeepsItsContent() public {
        freezeAs(alice, tokenId);
        vm.assertTrue(collection.isFrozen(tokenId));
        vm.assertEq(collection.contentDigest(tokenId), DIGEST_1);
        vm.assertEq(collection.revision(tokenId), 1);
        vm.assertEq(collection.signatureNonce(tokenId), 0);
    }

    function test_keepsTheRevisionOfUpdatedContent() public {
        updateAs(alice, tokenId, DIGEST_1, DIGEST_2);
        freezeAs(alice, tokenId);
        vm.assertTrue(collection.isFrozen(tokenId));
        vm.assertEq(collection.contentDigest(tokenId), DIGEST_2);
        vm.assertEq(collection.revision(tokenId), 2);
    }

    function testFuzz_worksForEveryTokenOfABatch(uint256 index) public {
        uint256 firstId = mintBatchTo(alice, digestsOf(8));
        index = bound(index, 0, 7);
        freezeAs(alice, firstId + index);
        for (uint256 i = 0; i < 8; ++i) {
            vm.assertTrue(collection.isFrozen(firstId + i) == (i == index));
            vm.assertEq(collection.contentDigest(firstId + i), digestsOf(8)[i]);
        }
    }

    function test_leavesOtherTokensAsTheyWere() public {
        freezeAs(alice, tokenId);
        vm.assertFalse(collection.isFrozen(2));
        updateAs(alice, 2, DIGEST_3, DIGEST_2);
    }

    function test_announcesItself() public {
        vm.expectEmit(address(collection));
        emit IEverholdCollection.ContentFrozen(tokenId);
        freezeAs(alice, tokenId);
    }

    function test_announcesNothingElse() public {
        vm.recordLogs();
        freezeAs(alice, tokenId);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 1);
    }

    // ------------------------------------------------------------ for ever

    function testFuzz_refusesEveryLaterUpdate(bytes32 current, bytes32 digest) public {
        freezeAs(alice, tokenId);
        expectFrozen(tokenId);
        updateAs(alice, tokenId, current, digest);
    }

    function test_bindsLaterOwners() public {
        freezeAs(alice, tokenId);
        transferFromOwner(tokenId, bob);
        vm.assertEq(collection.ownerOf(tokenId), bob);
        expectFrozen(tokenId);
        updateAs(bob, tokenId, DIGEST_1, DIGEST_2);
    }

    function test_canNotBeDoneTwice() public {
        freezeAs(alice, tokenId);
        expectFrozen(tokenId);
        freezeAs(alice, tokenId);
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
        transferFromOwner(tokenId, bob);
        refuses(alice);
    }

    function testFuzz_refusesAnyoneElse(address caller) public {
        vm.assume(caller != alice);
        refuses(caller);
    }

    function testFuzz_refusesATokenThatDoesNotExist(uint256 unknown) public {
        vm.assume(unknown != 1 && unknown != 2);
        expectNonexistentToken(unknown);
        freezeAs(alice, unknown);
    }

    // ------------------------------------------------------------

    function refuses(address caller) private {
        expectNotTokenOwner(tokenId, caller);
        freezeAs(caller, tokenId);
        vm.assertFalse(collection.isFrozen(tokenId));
    }
}
