// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {CollectionTest} from "./utils/CollectionTest.sol";
import {Vm} from "./utils/Test.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";

/// @notice A token's owner destroys it, and it never comes back.
contract BurnTest is CollectionTest {
    uint256 private single;
    uint256 private batched;

    function setUp() public override {
        super.setUp();
        single = mintTo(alice, DIGEST_1);
        batched = mintBatchTo(alice, digestsOf(8)) + 3;
    }

    function test_leavesNothingOfAToken() public {
        burnAs(alice, single);
        knowsNothingOf(single);
    }

    function testFuzz_leavesNothingOfATokenOfABatch(uint256 index) public {
        index = bound(index, 0, 7);
        bytes32[] memory digests = digestsOf(8);
        burnAs(alice, 2 + index);
        knowsNothingOf(2 + index);
        for (uint256 i = 0; i < 8; ++i) {
            if (i == index) continue;
            vm.assertEq(collection.ownerOf(2 + i), alice);
            vm.assertEq(collection.contentDigest(2 + i), digests[i]);
        }
    }

    function test_worksForATokenThatWasUpdatedMovedAndFrozen() public {
        updateAs(alice, batched, digestsOf(8)[3], DIGEST_2);
        transferFromOwner(batched, bob);
        freezeAs(bob, batched);
        burnAs(bob, batched);
        knowsNothingOf(batched);
        vm.assertEq(collection.balanceOf(bob), 0);
    }

    function test_countsTokens() public {
        burnAs(alice, single);
        burnAs(alice, batched);
        vm.assertEq(collection.totalSupply(), 7);
        vm.assertEq(collection.balanceOf(alice), 7);
        vm.assertEq(collection.nextTokenId(), 10);
    }

    function test_countsTokensFromZeroToo() public {
        collection = deployStartingAt(0);
        mintBatchTo(alice, digestsOf(2));
        burnAs(alice, 0);
        vm.assertEq(collection.totalSupply(), 1);
        knowsNothingOf(0);
    }

    function test_neverGivesAnIdAgain() public {
        burnAs(alice, 9);
        expectNotNextTokenId(10, 9);
        vm.prank(creator);
        collection.mint(alice, 9, DIGEST_1);
        vm.assertEq(mintTo(alice, DIGEST_1), 10);
        knowsNothingOf(9);
    }

    function test_announcesATransferToNobody() public {
        vm.expectEmit(address(collection));
        emit IERC721.Transfer(alice, address(0), batched);
        burnAs(alice, batched);
    }

    function test_announcesNothingElse() public {
        vm.recordLogs();
        burnAs(alice, batched);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 1);
    }

    // ------------------------------------------------------------ for ever

    function test_canNotBeDoneTwice() public {
        burnAs(alice, single);
        expectNonexistentToken(single);
        burnAs(alice, single);
    }

    function test_endsAllThatTheOwnerCouldDo() public {
        burnAs(alice, batched);
        expectNonexistentToken(batched);
        updateAs(alice, batched, digestsOf(8)[3], DIGEST_2);
        expectNonexistentToken(batched);
        updateAs(alice, batched, RESERVED, DIGEST_2);
        expectNonexistentToken(batched);
        freezeAs(alice, batched);
        vm.startPrank(alice);
        expectNonexistentToken(batched);
        collection.transferFrom(alice, bob, batched);
        expectNonexistentToken(batched);
        collection.cancelSignatures(batched);
        expectNonexistentToken(batched);
        collection.approve(bob, batched);
    }

    function test_endsApprovals() public {
        vm.prank(alice);
        collection.approve(bob, batched);
        burnAs(alice, batched);
        expectNonexistentToken(batched);
        vm.prank(bob);
        collection.transferFrom(alice, bob, batched);
    }

    // ------------------------------------------------------------ who may not

    function test_refusesTheCreator() public {
        refuses(creator);
    }

    function test_refusesAnAccountApprovedForTheToken() public {
        vm.startPrank(alice);
        collection.approve(stranger, single);
        collection.approve(stranger, batched);
        vm.stopPrank();
        refuses(stranger);
    }

    function test_refusesAnOperatorOfAllTheOwnersTokens() public {
        vm.prank(alice);
        collection.setApprovalForAll(stranger, true);
        refuses(stranger);
    }

    function testFuzz_refusesAnyoneElse(address caller) public {
        vm.assume(caller != alice);
        refuses(caller);
    }

    function testFuzz_refusesATokenThatDoesNotExist(uint256 unknown) public {
        vm.assume(unknown == 0 || unknown > 9);
        expectNonexistentToken(unknown);
        burnAs(alice, unknown);
    }

    // ------------------------------------------------------------

    function refuses(address caller) private {
        expectNotTokenOwner(single, caller);
        burnAs(caller, single);
        expectNotTokenOwner(batched, caller);
        burnAs(caller, batched);
        vm.assertEq(collection.totalSupply(), 9);
    }
}
