// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {CollectionTest} from "./utils/CollectionTest.sol";
import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

/// @notice A token moves as ERC-721 says, and its content with it, unchanged.
contract TransferTest is CollectionTest {
    function testFuzz_keepsTheContent(address to) public {
        vm.assume(to != address(0));
        uint256 tokenId = mintTo(alice, DIGEST_1);
        vm.startPrank(alice);
        collection.updateContent(tokenId, DIGEST_1, DIGEST_2);
        collection.transferFrom(alice, to, tokenId);

        vm.assertEq(collection.ownerOf(tokenId), to);
        vm.assertEq(collection.contentDigest(tokenId), DIGEST_2);
        vm.assertEq(collection.revision(tokenId), 2);
        vm.assertEq(collection.totalSupply(), 1);
    }

    function testFuzz_takesAnyTokenOutOfABatch(uint256 index) public {
        bytes32[] memory digests = digestsOf(8);
        index = bound(index, 0, 7);
        uint256 firstId = mintBatchTo(alice, digests);
        vm.prank(alice);
        collection.transferFrom(alice, bob, firstId + index);

        for (uint256 i = 0; i < 8; ++i) {
            vm.assertEq(collection.ownerOf(firstId + i), i == index ? bob : alice);
            vm.assertEq(collection.contentDigest(firstId + i), digests[i]);
        }
        vm.assertEq(collection.balanceOf(alice), 7);
        vm.assertEq(collection.balanceOf(bob), 1);
    }

    function test_anOperatorMayMoveATokenButNotChangeIt() public {
        uint256 tokenId = mintTo(alice, DIGEST_1);
        vm.prank(alice);
        collection.setApprovalForAll(stranger, true);

        vm.startPrank(stranger);
        expectNotTokenOwner(tokenId, stranger);
        collection.updateContent(tokenId, DIGEST_1, DIGEST_2);
        collection.transferFrom(alice, bob, tokenId);
        vm.assertEq(collection.ownerOf(tokenId), bob);
    }

    function testFuzz_refusesEveryoneWithoutARight(address caller) public {
        vm.assume(caller != alice && caller != address(0));
        uint256 tokenId = mintTo(alice, DIGEST_1);
        vm.expectRevert(
            abi.encodeWithSelector(IERC721Errors.ERC721InsufficientApproval.selector, caller, tokenId)
        );
        vm.prank(caller);
        collection.transferFrom(alice, caller, tokenId);
    }
}
