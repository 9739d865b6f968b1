// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {IEverholdCollection} from "../src/interfaces/IEverholdCollection.sol";
import {CollectionTest} from "./utils/CollectionTest.sol";
import {Vm} from "./utils/Test.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";

/// @notice The creator mints token after token, each with its digest.
contract MintTest is CollectionTest {
    function testFuzz_makesATokenWithItsDigest(address to, bytes32 digest) public {
        vm.assume(to != address(0) && isDigest(digest));
        vm.prank(creator);
        collection.mint(to, 1, digest);

        vm.assertEq(collection.ownerOf(1), to);
        vm.assertEq(collection.balanceOf(to), 1);
        vm.assertEq(collection.contentDigest(1), digest);
        vm.assertEq(collection.revision(1), 1);
        vm.assertEq(collection.signatureNonce(1), 0);
        vm.assertFalse(collection.isFrozen(1));
    }

    function test_countsTokens() public {
        mintTo(alice, DIGEST_1);
        mintTo(bob, DIGEST_2);
        vm.assertEq(collection.totalSupply(), 2);
        vm.assertEq(collection.nextTokenId(), 3);
    }

    function test_leavesEarlierTokensAsTheyWere() public {
        mintTo(alice, DIGEST_1);
        mintTo(bob, DIGEST_2);
        vm.assertEq(collection.ownerOf(1), alice);
        vm.assertEq(collection.contentDigest(1), DIGEST_1);
    }

    function test_mayStartAtTokenZero() public {
        collection = deployStartingAt(0);
        vm.assertEq(mintTo(alice, DIGEST_1), 0);
        vm.assertEq(mintTo(alice, DIGEST_2), 1);
        vm.assertEq(collection.contentDigest(0), DIGEST_1);
        vm.assertEq(collection.ownerOf(0), alice);
        vm.assertEq(collection.totalSupply(), 2);
    }

    function test_tokensMayShareContent() public {
        mintTo(alice, DIGEST_1);
        mintTo(bob, DIGEST_1);
        vm.assertEq(collection.contentDigest(1), collection.contentDigest(2));
    }

    function test_announcesTheTokenThenItsContent() public {
        vm.expectEmit(address(collection));
        emit IERC721.Transfer(address(0), alice, 1);
        vm.expectEmit(address(collection));
        emit IEverholdCollection.ContentSet(1, DIGEST_1, 1);
        vm.prank(creator);
        collection.mint(alice, 1, DIGEST_1);
    }

    function test_announcesNothingElse() public {
        vm.recordLogs();
        mintTo(alice, DIGEST_1);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 2);
        vm.assertEq(logs[0].topics[0], IERC721.Transfer.selector);
        vm.assertEq(logs[1].topics[0], IEverholdCollection.ContentSet.selector);
    }

    function test_doesNotAskAReceivingContract() public {
        mintTo(address(this), DIGEST_1);
        vm.assertEq(collection.ownerOf(1), address(this));
    }

    // ------------------------------------------------------------ what it refuses

    function testFuzz_refusesEveryoneButTheCreator(address caller) public {
        vm.assume(caller != creator);
        expectNotCreator(caller);
        vm.prank(caller);
        collection.mint(caller, 1, DIGEST_1);
    }

    function test_refusesTheTokensOwnersToo() public {
        mintTo(alice, DIGEST_1);
        expectNotCreator(alice);
        vm.prank(alice);
        collection.mint(alice, 2, DIGEST_1);
    }

    function testFuzz_refusesAnIdOutOfTurn(uint256 tokenId) public {
        mintTo(alice, DIGEST_1);
        vm.assume(tokenId != 2);
        expectNotNextTokenId(2, tokenId);
        vm.prank(creator);
        collection.mint(alice, tokenId, DIGEST_2);
    }

    function test_sentTwiceMintsOnce() public {
        vm.startPrank(creator);
        collection.mint(alice, 1, DIGEST_1);
        expectNotNextTokenId(2, 1);
        collection.mint(alice, 1, DIGEST_1);
        vm.assertEq(collection.totalSupply(), 1);
    }

    function test_refusesAZeroDigest() public {
        vm.expectRevert(IEverholdCollection.ZeroDigest.selector);
        vm.prank(creator);
        collection.mint(alice, 1, 0);
    }

    function test_refusesTheReservedDigest() public {
        vm.expectRevert(IEverholdCollection.ReservedDigest.selector);
        vm.prank(creator);
        collection.mint(alice, 1, RESERVED);
    }

    function test_refusesToMintToNobody() public {
        expectInvalidReceiver(address(0));
        vm.prank(creator);
        collection.mint(address(0), 1, DIGEST_1);
    }
}
