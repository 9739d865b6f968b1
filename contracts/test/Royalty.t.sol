// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {CollectionSettings, IEverholdCollection} from "../src/interfaces/IEverholdCollection.sol";
import {CollectionTest} from "./utils/CollectionTest.sol";
import {ERC2981} from "@openzeppelin/contracts/token/common/ERC2981.sol";

/// @notice The creator says what share of later sales is due to whom, one for all tokens (ERC-2981).
contract RoyaltyTest is CollectionTest {
    function testFuzz_isAShareOfThePriceOfAnyToken(
        uint256 tokenId,
        address receiver,
        uint256 price,
        uint96 basisPoints
    ) public {
        vm.assume(receiver != address(0));
        price = bound(price, 0, type(uint128).max);
        basisPoints = uint96(bound(basisPoints, 1, 10_000));
        setRoyalty(creator, receiver, basisPoints);
        isDue(tokenId, price, receiver, price * basisPoints / 10_000);
    }

    function testFuzz_mayBeSetFromTheStart(uint96 basisPoints) public {
        CollectionSettings memory with = settings();
        with.royaltyReceiver = bob;
        with.royaltyBasisPoints = uint96(bound(basisPoints, 1, 10_000));
        collection = deploy(with);
        isDue(1, 10_000, bob, with.royaltyBasisPoints);
    }

    function test_isNoneFromTheStartIfItIsZero() public {
        CollectionSettings memory with = settings();
        with.royaltyReceiver = bob;
        collection = deploy(with);
        isDue(1, 10_000, address(0), 0);
    }

    function test_changes() public {
        setRoyalty(creator, bob, 500);
        setRoyalty(creator, alice, 250);
        isDue(1, 1 ether, alice, 0.025 ether);
    }

    function test_ends() public {
        setRoyalty(creator, bob, 500);
        setRoyalty(creator, bob, 0);
        isDue(1, 1 ether, address(0), 0);
    }

    function test_mayEndForNobody() public {
        setRoyalty(creator, bob, 500);
        setRoyalty(creator, address(0), 0);
        isDue(1, 1 ether, address(0), 0);
    }

    function test_announcesItself() public {
        expectRoyaltySet(bob, 500);
        setRoyalty(creator, bob, 500);
        expectRoyaltySet(address(0), 0);
        setRoyalty(creator, bob, 0);
    }

    // ------------------------------------------------------------ what it refuses

    function testFuzz_refusesEveryoneButTheCreator(address caller) public {
        vm.assume(caller != creator);
        expectNotCreator(caller);
        setRoyalty(caller, caller, 500);
    }

    function testFuzz_refusesMoreThanThePrice(uint96 basisPoints) public {
        vm.assume(basisPoints > 10_000);
        vm.expectRevert(
            abi.encodeWithSelector(ERC2981.ERC2981InvalidDefaultRoyalty.selector, basisPoints, 10_000)
        );
        setRoyalty(creator, bob, basisPoints);
    }

    function test_refusesNobody() public {
        vm.expectRevert(
            abi.encodeWithSelector(ERC2981.ERC2981InvalidDefaultRoyaltyReceiver.selector, address(0))
        );
        setRoyalty(creator, address(0), 1);
    }

    // ------------------------------------------------------------

    function setRoyalty(address caller, address receiver, uint96 basisPoints) private {
        vm.prank(caller);
        collection.setRoyalty(receiver, basisPoints);
    }

    function isDue(uint256 tokenId, uint256 price, address expected, uint256 share) private view {
        (address receiver, uint256 amount) = collection.royaltyInfo(tokenId, price);
        vm.assertEq(receiver, expected);
        vm.assertEq(amount, share);
    }

    function expectRoyaltySet(address receiver, uint96 basisPoints) private {
        vm.expectEmit(address(collection));
        emit IEverholdCollection.RoyaltySet(receiver, basisPoints);
    }
}
