// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {IEverholdCollection} from "../src/interfaces/IEverholdCollection.sol";
import {CollectionTest} from "./utils/CollectionTest.sol";
import {Vm} from "./utils/Test.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";

/// @notice The creator mints many tokens at once.
contract MintBatchTest is CollectionTest {
    function testFuzz_makesEachTokenWithItsDigest(address to, uint256 count, uint256 index) public {
        vm.assume(to != address(0));
        count = bound(count, 1, MAX_BATCH);
        bytes32[] memory digests = digestsOf(count);
        vm.assertEq(mintBatchTo(to, digests), 1);
        vm.assertEq(collection.nextTokenId(), 1 + count);
        vm.assertEq(collection.totalSupply(), count);
        vm.assertEq(collection.balanceOf(to), count);

        index = bound(index, 0, count - 1);
        isMinted(1 + index, to, digests[index]);
        isMinted(1, to, digests[0]);
        isMinted(count, to, digests[count - 1]);
        isUnknown(0);
        isUnknown(1 + count);
    }

    function test_mayStartAtTokenZero() public {
        collection = deployStartingAt(0);
        bytes32[] memory digests = digestsOf(2);
        vm.assertEq(mintBatchTo(alice, digests), 0);
        vm.assertEq(collection.ownerOf(0), alice);
        vm.assertEq(collection.contentDigest(0), digests[0]);
        vm.assertEq(collection.contentDigest(1), digests[1]);
        vm.assertEq(collection.totalSupply(), 2);
    }

    function test_mayBeOfOneToken() public {
        mintBatchTo(alice, digestsOf(1));
        vm.assertEq(collection.totalSupply(), 1);
        vm.assertEq(collection.ownerOf(1), alice);
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

    function test_tokensMayShareContent() public {
        bytes32[] memory digests = new bytes32[](2);
        (digests[0], digests[1]) = (DIGEST_1, DIGEST_1);
        mintBatchTo(alice, digests);
        vm.assertEq(collection.contentDigest(1), DIGEST_1);
        vm.assertEq(collection.contentDigest(2), DIGEST_1);
    }

    function test_takesAsMuchAsABatchMayHold() public {
        bytes32[] memory digests = digestsOf(MAX_BATCH);
        mintBatchTo(alice, digests);
        vm.assertEq(collection.totalSupply(), MAX_BATCH);
        vm.assertEq(collection.ownerOf(MAX_BATCH), alice);
        vm.assertEq(collection.contentDigest(MAX_BATCH), digests[MAX_BATCH - 1]);
    }

    function test_doesNotAskAReceivingContract() public {
        mintBatchTo(address(this), digestsOf(2));
        vm.assertEq(collection.ownerOf(2), address(this));
    }

    // ------------------------------------------------------------ its events

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

    // ------------------------------------------------------------ what it refuses

    function test_refusesMoreThanABatchMayHold() public {
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
        _refusesAnywhere(index, 0, IEverholdCollection.ZeroDigest.selector);
    }

    function testFuzz_refusesTheReservedDigestAnywhere(uint256 index) public {
        _refusesAnywhere(index, RESERVED, IEverholdCollection.ReservedDigest.selector);
    }

    function _refusesAnywhere(uint256 index, bytes32 digest, bytes4 error_) private {
        bytes32[] memory digests = digestsOf(5);
        digests[bound(index, 0, 4)] = digest;
        vm.expectRevert(error_);
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
        expectInvalidReceiver(address(0));
        vm.prank(creator);
        collection.mintBatch(address(0), 1, digestsOf(1));
    }

    // ------------------------------------------------------------

    function isMinted(uint256 tokenId, address owner, bytes32 digest) private view {
        vm.assertEq(collection.ownerOf(tokenId), owner);
        vm.assertEq(collection.contentDigest(tokenId), digest);
        vm.assertEq(collection.revision(tokenId), 1);
        vm.assertEq(collection.signatureNonce(tokenId), 0);
        vm.assertFalse(collection.isFrozen(tokenId));
    }

    function isUnknown(uint256 tokenId) private {
        expectNonexistentToken(tokenId);
        collection.ownerOf(tokenId);
        expectNonexistentToken(tokenId);
        collection.contentDigest(tokenId);
    }
}
