// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {IEverholdCollection} from "../src/interfaces/IEverholdCollection.sol";
import {CollectionTest} from "./utils/CollectionTest.sol";

/// @notice Each token is found in its batch, however many batches there are and whatever lies between them.
contract BatchesTest is CollectionTest {
    /// @dev What each token was minted with, by id; index 0 is not used.
    address[] private owners;
    bytes32[] private digests;

    function setUp() public override {
        super.setUp();
        owners.push(address(0));
        digests.push(0);
    }

    function test_areFoundBetweenTokensMintedSingly() public {
        single(alice);
        batch(bob, 3);
        single(alice);
        single(creator);
        batch(alice, 1);
        batch(stranger, 2);
        single(bob);
        allAreAsMinted();
    }

    function test_areFoundPastTheEighthWhichFillsASlot() public {
        for (uint256 i = 0; i < 17; ++i) {
            batch(i % 2 == 0 ? alice : bob, 1 + i % 3);
            if (i % 4 == 0) single(stranger);
        }
        allAreAsMinted();
    }

    /// @dev From the 128th creation on, the nonce takes two bytes in the RLP that an address is the hash of.
    function test_areFoundPastTheHundredTwentyEighth() public {
        for (uint256 i = 0; i < 130; ++i) {
            batch(i % 2 == 0 ? alice : bob, 1);
        }
        allAreAsMinted();
    }

    function testFuzz_areFoundInAnyOrderOfMints(uint256 seed) public {
        for (uint256 i = 0; i < 10; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            address to = seed & 1 == 0 ? alice : bob;
            if (seed & 2 == 0) single(to);
            else batch(to, 1 + (seed >> 2) % 7);
        }
        allAreAsMinted();
    }

    // ------------------------------------------------------------ packs

    function test_keepOwnerAndDigestsAsCodeThatCanNotRun() public {
        bytes32[] memory two = digestsOf(2);
        mintBatchTo(alice, two);
        address pack = vm.computeCreateAddress(address(collection), 1);
        vm.assertEq(pack.code, abi.encodePacked(hex"00", alice, two[0], two[1]));
        vm.assertEq(vm.getNonce(address(collection)), 2);
    }

    function testFuzz_areRefusedWhereTheirPackWouldNotBeFound(uint64 nonce) public {
        vm.assume(nonce != 1 && nonce != type(uint64).max);
        vm.setNonceUnsafe(address(collection), nonce);
        vm.expectRevert(IEverholdCollection.PackMisplaced.selector);
        vm.prank(creator);
        collection.mintBatch(alice, 1, digestsOf(1));
    }

    // ------------------------------------------------------------

    function single(address to) private {
        bytes32 digest = keccak256(abi.encode("single", owners.length));
        mintTo(to, digest);
        owners.push(to);
        digests.push(digest);
    }

    function batch(address to, uint256 size) private {
        bytes32[] memory some = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) {
            some[i] = keccak256(abi.encode("batch", owners.length));
            owners.push(to);
            digests.push(some[i]);
        }
        mintBatchTo(to, some);
    }

    function allAreAsMinted() private {
        uint256 next = owners.length;
        vm.assertEq(collection.nextTokenId(), next);
        vm.assertEq(collection.totalSupply(), next - 1);
        for (uint256 id = 1; id < next; ++id) {
            vm.assertEq(collection.ownerOf(id), owners[id]);
            vm.assertEq(collection.contentDigest(id), digests[id]);
        }
        isUnknown(0);
        isUnknown(next);
        isUnknown(type(uint256).max);
    }

    function isUnknown(uint256 tokenId) private {
        expectNonexistentToken(tokenId);
        collection.ownerOf(tokenId);
        expectNonexistentToken(tokenId);
        collection.contentDigest(tokenId);
    }
}
