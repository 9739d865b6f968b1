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

    /// @dev The search begins where the token would be if all batches were alike: here far behind the token, or far
    /// before it.
    function test_areFoundWhereTheyAreAsUnevenAsCanBe() public {
        for (uint256 i = 0; i < 40; ++i) {
            batch(i % 2 == 0 ? alice : bob, 1);
        }
        batch(stranger, 300);
        for (uint256 i = 0; i < 40; ++i) {
            batch(i % 2 == 0 ? alice : bob, 1);
        }
        allAreAsMinted();
    }

    function test_areFoundWhereEachIsTwiceTheOneBefore() public {
        for (uint256 i = 0; i < 9; ++i) {
            batch(i % 2 == 0 ? alice : bob, 1 << i);
        }
        allAreAsMinted();
    }

    function test_areFoundWhereEachIsHalfTheOneBefore() public {
        for (uint256 i = 9; i > 0; --i) {
            batch(i % 2 == 0 ? alice : bob, 1 << (i - 1));
        }
        allAreAsMinted();
    }

    /// @dev The guess and one look behind it, whatever their number.
    function test_areFoundAtOnceWhereAllAreAlike() public {
        for (uint256 i = 0; i < 300; ++i) {
            batch(alice, 2);
        }
        for (uint256 id = 1; id <= 600; ++id) {
            vm.assertLe(looksFor(id), 3);
        }
    }

    /// @dev Steps that double, and then halve: about twice the logarithm of the distance, 2 × 8 here.
    function test_areFoundByFewLooksWhereTheyAreUneven() public {
        for (uint256 i = 0; i < 255; ++i) {
            batch(alice, 1);
        }
        batch(bob, 500);
        for (uint256 i = 0; i < 255; ++i) {
            batch(alice, 1);
        }
        for (uint256 id = 1; id <= 1010; ++id) {
            vm.assertLe(looksFor(id), 16);
        }
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

    /// @dev How often the search for a token's batch looks at where one starts.
    function looksFor(uint256 tokenId) private returns (uint256 looks) {
        vm.record();
        collection.ownerOf(tokenId);
        (bytes32[] memory reads,) = vm.accesses(address(collection));
        for (uint256 i = 0; i < reads.length; ++i) {
            // `_batchStarts` begins in slot 7, eight to a slot.
            if (uint256(reads[i]) >= 7 && uint256(reads[i]) < 7 + (1 << 21)) ++looks;
        }
    }

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
