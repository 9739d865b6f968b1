// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {CollectionTest} from "./utils/CollectionTest.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

/// @notice The right to mint passes on in two steps, or ends.
contract CreatorTest is CollectionTest {
    function test_remainsUntilTheNextOneAccepts() public {
        offerTo(bob);
        vm.assertEq(collection.owner(), creator);
        vm.assertEq(collection.pendingOwner(), bob);

        expectNotCreator(bob);
        vm.prank(bob);
        collection.mint(bob, 1, DIGEST_1);
        mintTo(alice, DIGEST_1);
    }

    function test_isFollowedByTheOneWhoAccepts() public {
        offerTo(bob);
        acceptAs(bob);
        vm.assertEq(collection.owner(), bob);
        vm.assertEq(collection.pendingOwner(), address(0));

        vm.prank(bob);
        collection.mint(alice, 1, DIGEST_1);
        expectNotCreator(creator);
        vm.prank(creator);
        collection.mint(alice, 2, DIGEST_1);
    }

    function test_mayTakeAnOfferBack() public {
        offerTo(bob);
        offerTo(address(0));
        expectNotCreator(bob);
        acceptAs(bob);
    }

    function test_announcesBothSteps() public {
        vm.expectEmit(address(collection));
        emit Ownable2Step.OwnershipTransferStarted(creator, bob);
        offerTo(bob);
        vm.expectEmit(address(collection));
        emit Ownable.OwnershipTransferred(creator, bob);
        acceptAs(bob);
    }

    function testFuzz_isNotTakenByAnyoneElse(address caller) public {
        vm.assume(caller != creator && caller != bob);
        expectNotCreator(caller);
        vm.prank(caller);
        collection.transferOwnership(caller);
        expectNotCreator(caller);
        vm.prank(caller);
        collection.renounceOwnership();

        offerTo(bob);
        expectNotCreator(caller);
        acceptAs(caller);
    }

    function test_keepsTheRestOfItsSlot() public {
        mintBatchTo(alice, digestsOf(3));
        offerTo(bob);
        acceptAs(bob);
        vm.assertEq(collection.nextTokenId(), 4);
        vm.assertEq(collection.firstTokenId(), 1);
        vm.assertEq(collection.codec(), DAG_PB);
        vm.assertTrue(collection.editable());
        vm.assertEq(collection.ownerOf(3), alice);
    }

    function test_mayEndMintingForEver() public {
        mintTo(alice, DIGEST_1);
        vm.startPrank(creator);
        collection.renounceOwnership();
        vm.assertEq(collection.owner(), address(0));

        expectNotCreator(creator);
        collection.mint(alice, 2, DIGEST_2);
        expectNotCreator(creator);
        collection.mintBatch(alice, 2, digestsOf(1));
    }

    function test_canNotTakeOwnersTheirRightByLeaving() public {
        mintTo(alice, DIGEST_1);
        vm.prank(creator);
        collection.renounceOwnership();
        updateAs(alice, 1, DIGEST_1, DIGEST_2);
        vm.assertEq(collection.contentDigest(1), DIGEST_2);
    }

    // ------------------------------------------------------------

    function offerTo(address account) private {
        vm.prank(creator);
        collection.transferOwnership(account);
    }

    function acceptAs(address account) private {
        vm.prank(account);
        collection.acceptOwnership();
    }
}
