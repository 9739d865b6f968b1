// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {CollectionTest} from "./utils/CollectionTest.sol";

/// @notice The right to mint passes on in two steps, or ends.
contract CreatorTest is CollectionTest {
    function test_remainsUntilTheNextOneAccepts() public {
        vm.prank(creator);
        collection.transferOwnership(bob);
        vm.assertEq(collection.owner(), creator);
        vm.assertEq(collection.pendingOwner(), bob);

        expectNotCreator(bob);
        vm.prank(bob);
        collection.mint(bob, 1, DIGEST_1);
        mintTo(alice, DIGEST_1);
    }

    function test_isFollowedByTheOneWhoAccepts() public {
        vm.prank(creator);
        collection.transferOwnership(bob);
        vm.prank(bob);
        collection.acceptOwnership();
        vm.assertEq(collection.owner(), bob);

        vm.prank(bob);
        collection.mint(alice, 1, DIGEST_1);
        expectNotCreator(creator);
        vm.prank(creator);
        collection.mint(alice, 2, DIGEST_1);
    }

    function testFuzz_isNotTakenByAnyoneElse(address caller) public {
        vm.assume(caller != creator && caller != bob);
        expectNotCreator(caller);
        vm.prank(caller);
        collection.transferOwnership(caller);

        vm.prank(creator);
        collection.transferOwnership(bob);
        expectNotCreator(caller);
        vm.prank(caller);
        collection.acceptOwnership();
    }

    function test_mayEndMintingForEver() public {
        mintTo(alice, DIGEST_1);
        vm.prank(creator);
        collection.renounceOwnership();

        expectNotCreator(creator);
        vm.prank(creator);
        collection.mint(alice, 2, DIGEST_2);
    }

    function test_canNotTakeOwnersTheirRightByLeaving() public {
        mintTo(alice, DIGEST_1);
        vm.prank(creator);
        collection.renounceOwnership();

        vm.prank(alice);
        collection.updateContent(1, DIGEST_1, DIGEST_2);
        vm.assertEq(collection.contentDigest(1), DIGEST_2);
    }
}
