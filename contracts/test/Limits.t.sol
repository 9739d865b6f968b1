// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {CollectionTest} from "./utils/CollectionTest.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @notice Where a collection's numbers end, it refuses to mint rather than begin anew.
/// @dev Nobody can mint as many, so the tests write the numbers where the contract keeps them.
contract LimitsTest is CollectionTest {
    /// @dev The slot of the creator (20 bytes), the next id (4) and the count of batches (3).
    bytes32 private constant NUMBERS = bytes32(uint256(6));
    uint256 private constant ID_SHIFT = 160;
    uint256 private constant COUNT_SHIFT = 192;

    bytes private constant OVERFLOW = abi.encodeWithSignature("Panic(uint256)", 0x11);

    function test_theLastIdIsTheOneBeforeTheLargest() public {
        setNextId(type(uint32).max - 1);
        uint256 last = mintTo(alice, DIGEST_1);
        vm.assertEq(last, type(uint32).max - 1);
        vm.assertEq(collection.ownerOf(last), alice);
        vm.assertEq(collection.nextTokenId(), type(uint32).max);

        vm.expectRevert(OVERFLOW);
        vm.prank(creator);
        collection.mint(alice, type(uint32).max, DIGEST_1);
    }

    function test_aBatchMustFitBeforeTheLargestId() public {
        setNextId(type(uint32).max - 2);
        vm.expectRevert(
            abi.encodeWithSelector(SafeCast.SafeCastOverflowedUintDowncast.selector, 32, uint256(1) << 32)
        );
        vm.prank(creator);
        collection.mintBatch(alice, type(uint32).max - 2, digestsOf(3));

        uint256 firstId = mintBatchTo(alice, digestsOf(2));
        vm.assertEq(collection.ownerOf(firstId + 1), alice);
        vm.assertEq(collection.contentDigest(firstId + 1), digestsOf(2)[1]);
    }

    function test_batchesAreCountedToTheLargestNumber() public {
        setNumber(COUNT_SHIFT, 24, type(uint24).max);
        vm.expectRevert(OVERFLOW);
        vm.prank(creator);
        collection.mintBatch(alice, 1, digestsOf(1));
    }

    // ------------------------------------------------------------

    function setNextId(uint256 id) private {
        setNumber(ID_SHIFT, 32, id);
        vm.assertEq(collection.nextTokenId(), id);
    }

    function setNumber(uint256 shift, uint256 size, uint256 number) private {
        uint256 mask = (2 ** size - 1) << shift;
        uint256 before = uint256(vm.load(address(collection), NUMBERS));
        vm.store(address(collection), NUMBERS, bytes32((before & ~mask) | (number << shift)));
    }
}
