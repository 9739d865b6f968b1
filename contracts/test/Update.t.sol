// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {IEverholdCollection} from "../src/interfaces/IEverholdCollection.sol";
import {CollectionTest} from "./utils/CollectionTest.sol";
import {Vm} from "./utils/Test.sol";
import {IERC4906} from "@openzeppelin/contracts/interfaces/IERC4906.sol";

/// @notice A token's owner, and nobody else, changes the token's content.
contract UpdateTest is CollectionTest {
    uint256 private tokenId;

    function setUp() public override {
        super.setUp();
        tokenId = mintTo(alice, DIGEST_1);
        mintTo(bob, DIGEST_3);
    }

    function testFuzz_givesTheTokenANewDigest(bytes32 digest) public {
        vm.assume(isDigest(digest) && digest != DIGEST_1);
        updateAs(alice, tokenId, DIGEST_1, digest);
        vm.assertEq(collection.contentDigest(tokenId), digest);
        vm.assertEq(collection.revision(tokenId), 2);
        vm.assertEq(collection.ownerOf(tokenId), alice);
        vm.assertEq(collection.signatureNonce(tokenId), 1);
    }

    function testFuzz_countsRevisions(uint256 count) public {
        count = bound(count, 1, 12);
        bytes32[] memory digests = digestsOf(count);
        bytes32 current = DIGEST_1;
        for (uint256 i = 0; i < count; ++i) {
            updateAs(alice, tokenId, current, digests[i]);
            current = digests[i];
            vm.assertEq(collection.revision(tokenId), i + 2);
        }
        vm.assertEq(collection.contentDigest(tokenId), current);
    }

    function test_mayGoBackToEarlierContent() public {
        updateAs(alice, tokenId, DIGEST_1, DIGEST_2);
        updateAs(alice, tokenId, DIGEST_2, DIGEST_1);
        vm.assertEq(collection.contentDigest(tokenId), DIGEST_1);
        vm.assertEq(collection.revision(tokenId), 3);
    }

    function test_leavesOtherTokensAsTheyWere() public {
        updateAs(alice, tokenId, DIGEST_1, DIGEST_2);
        vm.assertEq(collection.contentDigest(2), DIGEST_3);
        vm.assertEq(collection.revision(2), 1);
    }

    function testFuzz_worksForEveryTokenOfABatch(uint256 index) public {
        bytes32[] memory digests = digestsOf(8);
        tokenId = mintBatchTo(alice, digests) + (index = bound(index, 0, 7));
        updateAs(alice, tokenId, digests[index], DIGEST_2);
        for (uint256 i = 0; i < 8; ++i) {
            vm.assertEq(collection.contentDigest(3 + i), i == index ? DIGEST_2 : digests[i]);
            vm.assertEq(collection.revision(3 + i), i == index ? 2 : 1);
        }
    }

    function test_announcesTheContentThenThatMetadataChanged() public {
        updateAs(alice, tokenId, DIGEST_1, DIGEST_2);
        vm.expectEmit(address(collection));
        emit IEverholdCollection.ContentSet(tokenId, DIGEST_3, 3);
        vm.expectEmit(address(collection));
        emit IERC4906.MetadataUpdate(tokenId);
        updateAs(alice, tokenId, DIGEST_2, DIGEST_3);
    }

    function test_announcesNothingElse() public {
        vm.recordLogs();
        updateAs(alice, tokenId, DIGEST_1, DIGEST_2);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 2);
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

    function test_refusesTheOwnerOfAnotherToken() public {
        refuses(bob);
    }

    function testFuzz_refusesAnyoneElse(address caller) public {
        vm.assume(caller != alice);
        refuses(caller);
    }

    function test_refusesThePreviousOwner() public {
        transferFromOwner(tokenId, bob);
        refuses(alice);
    }

    function test_theNewOwnerTakesOver() public {
        transferFromOwner(tokenId, bob);
        updateAs(bob, tokenId, DIGEST_1, DIGEST_2);
        vm.assertEq(collection.contentDigest(tokenId), DIGEST_2);
    }

    function test_theCreatorMayAsTheOwnerOfAToken() public {
        tokenId = mintTo(creator, DIGEST_1);
        updateAs(creator, tokenId, DIGEST_1, DIGEST_2);
        vm.assertEq(collection.contentDigest(tokenId), DIGEST_2);
    }

    // ------------------------------------------------------------ what may not

    function testFuzz_refusesAnUpdateOfOtherContent(bytes32 current) public {
        vm.assume(current != DIGEST_1);
        expectStale(DIGEST_1, current);
        updateAs(alice, tokenId, current, DIGEST_2);
    }

    function test_refusesAnUpdateSentTwice() public {
        updateAs(alice, tokenId, DIGEST_1, DIGEST_2);
        expectStale(DIGEST_2, DIGEST_1);
        updateAs(alice, tokenId, DIGEST_1, DIGEST_2);
    }

    function test_refusesAZeroDigest() public {
        vm.expectRevert(IEverholdCollection.ZeroDigest.selector);
        updateAs(alice, tokenId, DIGEST_1, 0);
    }

    function test_refusesTheReservedDigest() public {
        vm.expectRevert(IEverholdCollection.ReservedDigest.selector);
        updateAs(alice, tokenId, DIGEST_1, RESERVED);
    }

    function test_refusesTheDigestItHas() public {
        vm.expectRevert(IEverholdCollection.SameDigest.selector);
        updateAs(alice, tokenId, DIGEST_1, DIGEST_1);
    }

    function testFuzz_refusesATokenThatDoesNotExist(uint256 unknown) public {
        vm.assume(unknown != 1 && unknown != 2);
        expectNonexistentToken(unknown);
        updateAs(alice, unknown, 0, DIGEST_2);
    }

    // ------------------------------------------------------------

    function refuses(address caller) private {
        expectNotTokenOwner(tokenId, caller);
        updateAs(caller, tokenId, DIGEST_1, DIGEST_2);
        vm.assertEq(collection.contentDigest(tokenId), DIGEST_1);
        vm.assertEq(collection.revision(tokenId), 1);
    }
}
