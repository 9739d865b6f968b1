// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {EverholdCollection} from "../src/EverholdCollection.sol";
import {IEverholdCollection, Voucher} from "../src/interfaces/IEverholdCollection.sol";
import {SigningTest} from "./utils/SigningTest.sol";
import {Vm} from "./utils/Test.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";

/// @notice The creator signs a voucher, and a buyer mints its token: once, in time, here, for its price.
contract VoucherTest is SigningTest {
    Voucher private voucher;

    function setUp() public override {
        super.setUp();
        voucher = Voucher({
            id: 7, digest: DIGEST_1, buyer: bob, price: 1 ether, deadline: block.timestamp + 1 days
        });
        vm.deal(bob, 100 ether);
        vm.deal(stranger, 100 ether);
    }

    function testFuzz_isATokenForItsBuyer(uint256 id, bytes32 digest, uint256 price) public {
        vm.assume(isDigest(digest));
        price = bound(price, 0, 100 ether);
        voucher.id = id;
        voucher.digest = digest;
        voucher.price = price;
        vm.assertEq(redeemAs(bob), 1);

        vm.assertEq(collection.ownerOf(1), bob);
        vm.assertEq(collection.contentDigest(1), digest);
        vm.assertEq(collection.revision(1), 1);
        vm.assertEq(collection.totalSupply(), 1);
        vm.assertEq(collection.nextTokenId(), 2);
        vm.assertEq(creator.balance, price);
        vm.assertEq(bob.balance, 100 ether - price);
        vm.assertEq(address(collection).balance, 0);
        vm.assertTrue(collection.isVoucherSpent(id));
    }

    function testFuzz_mayBeForAnyone(address buyer) public {
        vm.assume(buyer != address(0) && buyer != creator);
        voucher.buyer = address(0);
        vm.deal(buyer, 1 ether);
        redeemAs(buyer);
        vm.assertEq(collection.ownerOf(1), buyer);
    }

    function test_takesTheNextIdWhateverItsOwnNumber() public {
        mintBatchTo(alice, digestsOf(3));
        vm.assertEq(redeemAs(bob), 4);
        vm.assertEq(collection.ownerOf(4), bob);
        vm.assertEq(mintTo(alice, DIGEST_2), 5);
    }

    function test_makesATokenLikeAnyOther() public {
        redeemAs(bob);
        updateAs(bob, 1, DIGEST_1, DIGEST_2);
        transferFromOwner(1, alice);
        freezeAs(alice, 1);
        vm.assertEq(collection.contentDigest(1), DIGEST_2);
    }

    function test_announcesTheTokenItsContentAndTheSale() public {
        bytes memory signature = sign("creator", hashOf(voucher));
        vm.expectEmit(address(collection));
        emit IERC721.Transfer(address(0), bob, 1);
        vm.expectEmit(address(collection));
        emit IEverholdCollection.ContentSet(1, DIGEST_1, 1);
        vm.expectEmit(address(collection));
        emit IEverholdCollection.VoucherRedeemed(7, 1, bob, 1 ether);
        vm.prank(bob);
        collection.redeem{value: 1 ether}(voucher, signature);
    }

    function test_announcesNothingElse() public {
        vm.recordLogs();
        redeemAs(bob);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 3);
    }

    function test_isWhatWalletsShowToTheCreator() public view {
        string memory json = string.concat(
            '{"types":{"EIP712Domain":[{"name":"name","type":"string"},{"name":"version","type":"string"},',
            '{"name":"chainId","type":"uint256"},{"name":"verifyingContract","type":"address"}],',
            '"Voucher":[{"name":"creator","type":"address"},{"name":"id","type":"uint256"},{"name":"digest","type":"bytes32"},',
            '{"name":"buyer","type":"address"},{"name":"price","type":"uint256"},',
            '{"name":"deadline","type":"uint256"}]},',
            '"primaryType":"Voucher","domain":{"name":"Everhold","version":"1","chainId":'
        );
        json = string.concat(
            json, vm.toString(block.chainid), ',"verifyingContract":"', vm.toString(address(collection))
        );
        json = string.concat(json, '"},"message":{"creator":"', vm.toString(creator), '","id":7,"digest":"');
        json = string.concat(json, vm.toString(DIGEST_1), '","buyer":"');
        json = string.concat(json, vm.toString(bob), '","price":"1000000000000000000","deadline":');
        json = string.concat(json, vm.toString(voucher.deadline), "}}");
        vm.assertEq(vm.eip712HashTypedData(json), hashOf(voucher));
    }

    // ------------------------------------------------------------ once

    function test_isUsedOnce() public {
        redeemAs(bob);
        refuses(bob, abi.encodeWithSelector(IEverholdCollection.VoucherSpent.selector, 7));
        vm.assertEq(collection.totalSupply(), 1);
    }

    function test_isUsedOnceWhateverItSays() public {
        redeemAs(bob);
        voucher.digest = DIGEST_2;
        voucher.price = 0;
        refuses(bob, abi.encodeWithSelector(IEverholdCollection.VoucherSpent.selector, 7));
    }

    function testFuzz_countsForEachIdApart(uint256 other) public {
        vm.assume(other != 7);
        redeemAs(bob);
        vm.assertFalse(collection.isVoucherSpent(other));
        voucher.id = other;
        vm.assertEq(redeemAs(bob), 2);
        vm.assertTrue(collection.isVoucherSpent(7));
    }

    function test_isUsedOnceThoughItsTokenWasBurned() public {
        redeemAs(bob);
        burnAs(bob, 1);
        refuses(bob, abi.encodeWithSelector(IEverholdCollection.VoucherSpent.selector, 7));
    }

    function test_isNotUsedUpByARefusal() public {
        voucher.digest = 0;
        refuses(bob, abi.encodeWithSelector(IEverholdCollection.ZeroDigest.selector));
        vm.assertFalse(collection.isVoucherSpent(7));
    }

    // ------------------------------------------------------------ cancelled

    function testFuzz_isWorthlessOnceCancelled(uint256 id) public {
        voucher.id = id;
        vm.prank(creator);
        collection.cancelVoucher(id);
        vm.assertTrue(collection.isVoucherSpent(id));
        refuses(bob, abi.encodeWithSelector(IEverholdCollection.VoucherSpent.selector, id));
    }

    function test_announcesACancellation() public {
        vm.expectEmit(address(collection));
        emit IEverholdCollection.VoucherCancelled(7);
        vm.prank(creator);
        collection.cancelVoucher(7);
    }

    function testFuzz_isCancelledByTheCreatorAlone(address caller) public {
        vm.assume(caller != creator);
        expectNotCreator(caller);
        vm.prank(caller);
        collection.cancelVoucher(7);
    }

    function test_isNotCancelledTwiceNorOnceRedeemed() public {
        redeemAs(bob);
        vm.startPrank(creator);
        expectSpent(7);
        collection.cancelVoucher(7);
        collection.cancelVoucher(8);
        expectSpent(8);
        collection.cancelVoucher(8);
    }

    // ------------------------------------------------------------ for its buyer, at its price, in time

    function testFuzz_isForItsBuyer(address caller) public {
        vm.assume(caller != bob && caller != address(0));
        vm.deal(caller, 1 ether);
        refuses(caller, abi.encodeWithSelector(IEverholdCollection.NotVoucherBuyer.selector, bob, caller));
    }

    function testFuzz_isForItsPriceToTheWei(uint256 paid) public {
        paid = bound(paid, 0, 100 ether);
        vm.assume(paid != 1 ether);
        bytes memory signature = sign("creator", hashOf(voucher));
        vm.expectRevert(
            abi.encodeWithSelector(IEverholdCollection.WrongPayment.selector, uint256(1 ether), paid)
        );
        vm.prank(bob);
        collection.redeem{value: paid}(voucher, signature);
    }

    function test_isNotForAnythingWhereItIsFree() public {
        voucher.price = 0;
        bytes memory signature = sign("creator", hashOf(voucher));
        vm.expectRevert(
            abi.encodeWithSelector(IEverholdCollection.WrongPayment.selector, uint256(0), uint256(1))
        );
        vm.prank(bob);
        collection.redeem{value: 1}(voucher, signature);
    }

    function test_isGoodUntilTheLastSecond() public {
        vm.warp(voucher.deadline);
        redeemAs(bob);
        vm.assertEq(collection.ownerOf(1), bob);
    }

    function testFuzz_isWorthlessAfterwards(uint256 late) public {
        vm.warp(voucher.deadline + bound(late, 1, 1000 days));
        refuses(bob, abi.encodeWithSelector(IEverholdCollection.SignatureExpired.selector, voucher.deadline));
    }

    // ------------------------------------------------------------ by the creator, here, for nothing else

    function test_isTheCreatorsAlone() public {
        refusesSigned(sign("stranger", hashOf(voucher)));
        refusesSigned(sign("bob", hashOf(voucher)));
        refusesSigned(signMalleably("creator", hashOf(voucher)));
        refusesSigned("");
    }

    function testFuzz_isForEachOfItsFields(uint256 other, bytes32 digest) public {
        bytes memory signature = sign("creator", hashOf(voucher));
        Voucher memory signed = voucher;

        vm.assume(other != 7 && digest != DIGEST_1);
        voucher.id = other;
        refusesSigned(signature);
        voucher = signed;
        voucher.digest = digest;
        refusesSigned(signature);
        voucher = signed;
        voucher.buyer = address(0);
        refusesSigned(signature);
        voucher = signed;
        voucher.price = 1 ether - 1;
        refusesSigned(signature);
        voucher = signed;
        voucher.deadline += 1;
        refusesSigned(signature);
    }

    function testFuzz_isRefusedWithAnyBitTurned(uint256 bit) public {
        bytes memory signature = sign("creator", hashOf(voucher));
        turnBit(signature, bound(bit, 0, signature.length * 8 - 1));
        refusesSigned(signature);
    }

    function test_isNotForAnotherCollection() public {
        EverholdCollection other = deploy(settings());
        refusesSigned(sign("creator", hashOf(voucher, creator, block.chainid, address(other))));
    }

    function testFuzz_isNotForAnotherChain(uint64 chain) public {
        vm.assume(chain != block.chainid && chain != 0);
        bytes memory signature = sign("creator", hashOf(voucher));
        vm.chainId(chain);
        refusesSigned(signature);
    }

    function test_isWorthlessOnceTheCollectionIsAnothers() public {
        vm.prank(creator);
        collection.transferOwnership(alice);
        bytes memory signature = sign("creator", hashOf(voucher));
        vm.prank(alice);
        collection.acceptOwnership();

        expectInvalidSignature(alice);
        vm.prank(bob);
        collection.redeem{value: 1 ether}(voucher, signature);

        bytes memory hers = sign("alice", hashOf(voucher));
        vm.prank(bob);
        collection.redeem{value: 1 ether}(voucher, hers);
        vm.assertEq(alice.balance, 1 ether);
        vm.assertEq(creator.balance, 0);
    }

    function test_isWorthlessOnceTheCreatorHasLeft() public {
        vm.prank(creator);
        collection.renounceOwnership();
        refuses(bob, abi.encodeWithSelector(IEverholdCollection.InvalidSignature.selector, address(0)));
    }

    function test_canNotMintWhatIsNoDigest() public {
        voucher.digest = 0;
        refuses(bob, abi.encodeWithSelector(IEverholdCollection.ZeroDigest.selector));
        voucher.digest = RESERVED;
        refuses(bob, abi.encodeWithSelector(IEverholdCollection.ReservedDigest.selector));
    }

    // ------------------------------------------------------------

    function redeemAs(address caller) private returns (uint256) {
        bytes memory signature = sign("creator", hashOf(voucher));
        vm.prank(caller);
        return collection.redeem{value: voucher.price}(voucher, signature);
    }

    function refuses(address caller, bytes memory error_) private {
        uint256 supply = collection.totalSupply();
        bytes memory signature = sign("creator", hashOf(voucher));
        vm.expectRevert(error_);
        vm.prank(caller);
        collection.redeem{value: voucher.price}(voucher, signature);
        vm.assertEq(collection.totalSupply(), supply);
    }

    function refusesSigned(bytes memory signature) private {
        expectInvalidSignature(creator);
        vm.prank(bob);
        collection.redeem{value: voucher.price}(voucher, signature);
    }

    function expectSpent(uint256 id) private {
        vm.expectRevert(abi.encodeWithSelector(IEverholdCollection.VoucherSpent.selector, id));
    }
}
