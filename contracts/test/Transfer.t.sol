// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {CollectionTest} from "./utils/CollectionTest.sol";
import {AcceptingReceiver, RejectingReceiver} from "./utils/Receivers.sol";
import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";

/// @notice A token moves as ERC-721 says, minted singly or in a batch, and its content with it, unchanged.
contract TransferTest is CollectionTest {
    uint256 private single;
    uint256 private batched;

    function setUp() public override {
        super.setUp();
        single = mintTo(alice, DIGEST_1);
        batched = mintBatchTo(alice, digestsOf(8)) + 3;
    }

    function testFuzz_keepsTheContent(address to) public {
        vm.assume(to != address(0));
        updateAs(alice, single, DIGEST_1, DIGEST_2);
        transferFromOwner(single, to);

        vm.assertEq(collection.ownerOf(single), to);
        vm.assertEq(collection.contentDigest(single), DIGEST_2);
        vm.assertEq(collection.revision(single), 2);
        vm.assertEq(collection.totalSupply(), 9);
    }

    function testFuzz_takesAnyTokenOutOfABatch(uint256 index) public {
        index = bound(index, 0, 7);
        bytes32[] memory digests = digestsOf(8);
        transferFromOwner(2 + index, bob);

        for (uint256 i = 0; i < 8; ++i) {
            vm.assertEq(collection.ownerOf(2 + i), i == index ? bob : alice);
            vm.assertEq(collection.contentDigest(2 + i), digests[i]);
        }
        vm.assertEq(collection.balanceOf(alice), 8);
        vm.assertEq(collection.balanceOf(bob), 1);
    }

    function testFuzz_takesABatchTokenOnAndOn(address first, address second) public {
        vm.assume(first != address(0) && second != address(0));
        transferFromOwner(batched, first);
        transferFromOwner(batched, second);
        transferFromOwner(batched, alice);
        vm.assertEq(collection.ownerOf(batched), alice);
        vm.assertEq(collection.balanceOf(alice), 9);
        vm.assertEq(collection.contentDigest(batched), digestsOf(8)[3]);
    }

    function test_toOneselfChangesNothing() public {
        transferFromOwner(batched, alice);
        vm.assertEq(collection.ownerOf(batched), alice);
        vm.assertEq(collection.balanceOf(alice), 9);
    }

    function test_announcesWhoItCameFrom() public {
        vm.expectEmit(address(collection));
        emit IERC721.Transfer(alice, bob, batched);
        transferFromOwner(batched, bob);
    }

    // ------------------------------------------------------------ approvals

    function test_isDoneByAnAccountApprovedForTheToken() public {
        isMovedByTheApproved(single);
        isMovedByTheApproved(batched);
    }

    function test_isDoneByAnOperatorOfAllTheOwnersTokens() public {
        vm.prank(alice);
        collection.setApprovalForAll(stranger, true);
        vm.startPrank(stranger);
        collection.transferFrom(alice, bob, single);
        collection.transferFrom(alice, bob, batched);
        vm.assertEq(collection.balanceOf(bob), 2);
    }

    function test_endsAnApproval() public {
        vm.prank(alice);
        collection.approve(stranger, batched);
        transferFromOwner(batched, bob);
        vm.assertEq(collection.getApproved(batched), address(0));
        expectNotApproved(stranger, batched);
        vm.prank(stranger);
        collection.transferFrom(bob, stranger, batched);
    }

    function test_anOperatorMayApprove() public {
        vm.prank(alice);
        collection.setApprovalForAll(stranger, true);
        vm.prank(stranger);
        collection.approve(bob, batched);
        vm.assertEq(collection.getApproved(batched), bob);
    }

    function testFuzz_noneElseMayApprove(address caller) public {
        vm.assume(caller != alice && caller != address(0));
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InvalidApprover.selector, caller));
        vm.prank(caller);
        collection.approve(caller, batched);
    }

    function test_anOperatorMayMoveATokenButNotChangeIt() public {
        vm.prank(alice);
        collection.setApprovalForAll(stranger, true);
        expectNotTokenOwner(single, stranger);
        updateAs(stranger, single, DIGEST_1, DIGEST_2);
        vm.prank(stranger);
        collection.transferFrom(alice, bob, single);
        vm.assertEq(collection.ownerOf(single), bob);
    }

    // ------------------------------------------------------------ contracts

    function testFuzz_safelyAsksAReceivingContract(bytes calldata data) public {
        AcceptingReceiver receiver = new AcceptingReceiver();
        vm.prank(alice);
        collection.safeTransferFrom(alice, address(receiver), batched, data);
        vm.assertEq(collection.ownerOf(batched), address(receiver));
        vm.assertEq(receiver.asked(), keccak256(abi.encode(collection, alice, alice, batched, data)));
    }

    function test_safelyAsksWithoutDataToo() public {
        AcceptingReceiver receiver = new AcceptingReceiver();
        vm.prank(alice);
        collection.safeTransferFrom(alice, address(receiver), single);
        vm.assertEq(receiver.asked(), keccak256(abi.encode(collection, alice, alice, single, "")));
    }

    function test_safelyRefusesAContractThatTakesNoTokens() public {
        RejectingReceiver receiver = new RejectingReceiver();
        expectInvalidReceiver(address(receiver));
        vm.prank(alice);
        collection.safeTransferFrom(alice, address(receiver), batched);
        expectInvalidReceiver(address(collection));
        vm.prank(alice);
        collection.safeTransferFrom(alice, address(collection), batched);
    }

    // ------------------------------------------------------------ what it refuses

    function testFuzz_refusesEveryoneWithoutARight(address caller) public {
        vm.assume(caller != alice && caller != address(0));
        refuses(caller, single);
        refuses(caller, batched);
    }

    function test_refusesTheCreatorAndThePreviousOwner() public {
        transferFromOwner(batched, bob);
        refuses(creator, batched);
        refuses(alice, batched);
    }

    function testFuzz_refusesTheWrongOwner(address from) public {
        vm.assume(from != alice);
        vm.expectRevert(
            abi.encodeWithSelector(IERC721Errors.ERC721IncorrectOwner.selector, from, batched, alice)
        );
        vm.prank(alice);
        collection.transferFrom(from, bob, batched);
    }

    function test_refusesToSendToNobody() public {
        expectInvalidReceiver(address(0));
        vm.prank(alice);
        collection.transferFrom(alice, address(0), batched);
    }

    function testFuzz_refusesATokenThatDoesNotExist(uint256 tokenId) public {
        vm.assume(tokenId == 0 || tokenId > 9);
        expectNonexistentToken(tokenId);
        vm.prank(alice);
        collection.transferFrom(alice, bob, tokenId);
        expectNonexistentToken(tokenId);
        vm.prank(alice);
        collection.approve(bob, tokenId);
    }

    // ------------------------------------------------------------

    function isMovedByTheApproved(uint256 tokenId) private {
        vm.prank(alice);
        collection.approve(stranger, tokenId);
        vm.assertEq(collection.getApproved(tokenId), stranger);
        vm.prank(stranger);
        collection.transferFrom(alice, bob, tokenId);
        vm.assertEq(collection.ownerOf(tokenId), bob);
    }

    function refuses(address caller, uint256 tokenId) private {
        address owner = collection.ownerOf(tokenId);
        expectNotApproved(caller, tokenId);
        vm.prank(caller);
        collection.transferFrom(owner, caller, tokenId);
    }

    function expectNotApproved(address caller, uint256 tokenId) private {
        vm.expectRevert(
            abi.encodeWithSelector(IERC721Errors.ERC721InsufficientApproval.selector, caller, tokenId)
        );
    }
}
