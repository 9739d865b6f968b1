// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {EverholdCollection} from "../src/EverholdCollection.sol";
import {CollectionSettings, IEverholdCollection, Voucher} from "../src/interfaces/IEverholdCollection.sol";
import {SigningTest} from "./utils/SigningTest.sol";
import {CallingWallet, SmartWallet} from "./utils/SmartWallet.sol";
import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";

/// @notice A voucher's price goes to the creator at once, even where the creator is a contract that acts when paid.
contract PaymentTest is SigningTest {
    CallingWallet private wallet;
    Voucher private voucher;

    function setUp() public override {
        super.setUp();
        wallet = new CallingWallet(creator);
        collection = deployOf(address(wallet));
        voucher =
            Voucher({id: 0, digest: DIGEST_1, buyer: address(0), price: 1 ether, deadline: block.timestamp});
        vm.deal(bob, 2 ether);
    }

    function test_reachesACreatorThatIsAContract() public {
        redeemAsBob();
        vm.assertEq(address(wallet).balance, 1 ether);
        vm.assertEq(address(collection).balance, 0);
        vm.assertEq(collection.ownerOf(1), bob);
    }

    function test_isRefusedWithTheSaleByACreatorThatTakesNoEther() public {
        collection = deployOf(address(new SmartWallet(creator)));
        bytes memory signature = sign("creator", hashOf(voucher));
        vm.expectRevert(Errors.FailedCall.selector);
        vm.prank(bob);
        collection.redeem{value: 1 ether}(voucher, signature);
        vm.assertEq(collection.totalSupply(), 0);
        vm.assertFalse(collection.isVoucherSpent(0));
        vm.assertEq(bob.balance, 2 ether);
    }

    function test_isNotMadeWhereThePriceIsZero() public {
        collection = deployOf(address(new SmartWallet(creator)));
        voucher.price = 0;
        bytes memory signature = sign("creator", hashOf(voucher));
        vm.prank(bob);
        collection.redeem(voucher, signature);
        vm.assertEq(collection.ownerOf(1), bob);
    }

    function test_isTheLastThingDone() public {
        wallet.callOnceOnPayment(
            address(collection), abi.encodeCall(IEverholdCollection.mint, (alice, 2, DIGEST_2))
        );
        redeemAsBob();
        vm.assertEq(collection.ownerOf(1), bob);
        vm.assertEq(collection.contentDigest(1), DIGEST_1);
        vm.assertEq(collection.ownerOf(2), alice);
        vm.assertEq(collection.contentDigest(2), DIGEST_2);
        vm.assertEq(collection.totalSupply(), 2);
    }

    function test_isNoChanceToUseTheVoucherAgain() public {
        bytes memory signature = sign("creator", hashOf(voucher));
        wallet.callOnceOnPayment(address(this), abi.encodeCall(this.redeemOnceMore, (voucher, signature)));
        vm.expectRevert(abi.encodeWithSelector(IEverholdCollection.VoucherSpent.selector, 0));
        vm.prank(bob);
        collection.redeem{value: 1 ether}(voucher, signature);
    }

    function test_isNoChanceToTakeTheTokenBack() public {
        bytes memory signature = sign("creator", hashOf(voucher));
        wallet.callOnceOnPayment(address(collection), abi.encodeCall(IEverholdCollection.burn, (1)));
        expectNotTokenOwner(1, address(wallet));
        vm.prank(bob);
        collection.redeem{value: 1 ether}(voucher, signature);
    }

    function test_isTheOnlyEtherTaken() public {
        vm.prank(bob);
        (bool success,) = address(collection).call{value: 1}("");
        vm.assertFalse(success);
        vm.prank(bob);
        (success,) = address(collection).call{value: 1}(abi.encodeCall(IEverholdCollection.freeze, (1)));
        vm.assertFalse(success);
    }

    // ------------------------------------------------------------

    /// @dev What the paid wallet calls to bring the voucher again, with other ether.
    function redeemOnceMore(Voucher calldata again, bytes calldata signature) external {
        vm.deal(address(this), 1 ether);
        collection.redeem{value: 1 ether}(again, signature);
    }

    function deployOf(address owner) private returns (EverholdCollection) {
        CollectionSettings memory with = settings();
        with.creator = owner;
        return deploy(with);
    }

    function redeemAsBob() private {
        bytes memory signature = sign("creator", hashOf(voucher));
        vm.prank(bob);
        collection.redeem{value: 1 ether}(voucher, signature);
    }
}
