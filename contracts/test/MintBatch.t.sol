// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {IEverholdCollection} from "../src/IEverholdCollection.sol";
import {CollectionTest} from "./utils/CollectionTest.sol";
import {Vm} from "./utils/Test.sol";
import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";

/// @notice The creator mints many tokens at once.
contract MintBatchTest is CollectionTest {
    function testFuzz_makesEachTokenWithItsDigest(uint256 before, uint256 count) public {
        before = bound(before, 0, 3);
        count = bound(count, 1, 40);
        for (uint256 i = 0; i < before; ++i) {
            mintTo(bob, DIGEST_1);
        }

        bytes32[] memory digests = digestsOf(count);
        uint256 firstId = mintBatchTo(alice, digests);

        vm.assertEq(firstId, 1 + before);
        vm.assertEq(collection.nextTokenId(), firstId + count);
        vm.assertEq(collection.totalSupply(), before + count);
        vm.assertEq(collection.balanceOf(alice), count);
        for (uint256 i = 0; i < count; ++i) {
            vm.assertEq(collection.ownerOf(firstId + i), alice);
            vm.assertEq(collection.contentDigest(firstId + i), digests[i]);
            vm.assertEq(collection.revision(firstId + i), 1);
            vm.assertFalse(collection.isFrozen(firstId + i));
        }
    }

    function test_mayStartAtTokenZero() public {
        collection = deploy(DAG_PB, 0);
        bytes32[] memory digests = digestsOf(2);
        vm.assertEq(mintBatchTo(alice, digests), 0);
        vm.assertEq(collection.contentDigest(0), digests[0]);
        vm.assertEq(collection.contentDigest(1), digests[1]);
    }

    function test_isFollowedByOtherMints() public {
        mintBatchTo(alice, digestsOf(3));
        vm.assertEq(mintTo(bob, DIGEST_1), 4);
        vm.assertEq(mintBatchTo(bob, digestsOf(2)), 5);
        vm.assertEq(collection.totalSupply(), 6);
    }

    function test_leavesEarlierTokensAsTheyWere() public {
        mintTo(bob, DIGEST_1);
        mintBatchTo(alice, digestsOf(3));
        vm.assertEq(collection.ownerOf(1), bob);
        vm.assertEq(collection.contentDigest(1), DIGEST_1);
    }

    function test_announcesTheTokensThenAllDigestsInOneEvent() public {
        bytes32[] memory digests = digestsOf(2);
        vm.expectEmit(address(collection));
        emit IERC721.Transfer(address(0), alice, 1);
        vm.expectEmit(address(collection));
        emit IERC721.Transfer(address(0), alice, 2);
        vm.expectEmit(address(collection));
        emit IEverholdCollection.ContentBatchSet(1, digests);
        mintBatchTo(alice, digests);
    }

    function test_announcesNothingElse() public {
        vm.recordLogs();
        mintBatchTo(alice, digestsOf(2));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 3);
    }

    function test_takesAsMuchAsABatchMayHold() public {
        bytes32[] memory digests = digestsOf(MAX_BATCH);
        mintBatchTo(alice, digests);
        vm.assertEq(collection.totalSupply(), MAX_BATCH);
        vm.assertEq(collection.contentDigest(MAX_BATCH), digests[MAX_BATCH - 1]);
    }

    function test_refusesMore() public {
        vm.expectRevert(
            abi.encodeWithSelector(IEverholdCollection.BatchTooLarge.selector, MAX_BATCH + 1, MAX_BATCH)
        );
        vm.prank(creator);
        collection.mintBatch(alice, 1, digestsOf(MAX_BATCH + 1));
    }

    function test_refusesNothing() public {
        vm.expectRevert(IEverholdCollection.EmptyBatch.selector);
        vm.prank(creator);
        collection.mintBatch(alice, 1, new bytes32[](0));
    }

    function testFuzz_refusesAZeroDigestAnywhere(uint256 index) public {
        bytes32[] memory digests = digestsOf(5);
        digests[bound(index, 0, 4)] = 0;
        vm.expectRevert(IEverholdCollection.ZeroDigest.selector);
        vm.prank(creator);
        collection.mintBatch(alice, 1, digests);
        vm.assertEq(collection.totalSupply(), 0);
    }

    function testFuzz_refusesEveryoneButTheCreator(address caller) public {
        vm.assume(caller != creator);
        expectNotCreator(caller);
        vm.prank(caller);
        collection.mintBatch(caller, 1, digestsOf(1));
    }

    function testFuzz_refusesAFirstIdOutOfTurn(uint256 firstId) public {
        mintBatchTo(alice, digestsOf(2));
        vm.assume(firstId != 3);
        expectNotNextTokenId(3, firstId);
        vm.prank(creator);
        collection.mintBatch(alice, firstId, digestsOf(2));
    }

    function test_sentTwiceMintsOnce() public {
        bytes32[] memory digests = digestsOf(2);
        vm.startPrank(creator);
        collection.mintBatch(alice, 1, digests);
        expectNotNextTokenId(3, 1);
        collection.mintBatch(alice, 1, digests);
        vm.assertEq(collection.totalSupply(), 2);
    }

    function test_refusesToMintToNobody() public {
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InvalidReceiver.selector, address(0)));
        vm.prank(creator);
        collection.mintBatch(address(0), 1, digestsOf(1));
    }
}
