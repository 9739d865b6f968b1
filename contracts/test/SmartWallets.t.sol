// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {Voucher} from "../src/interfaces/IEverholdCollection.sol";
import {SigningTest} from "./utils/SigningTest.sol";
import {SmartWallet} from "./utils/SmartWallet.sol";
import {ContentUpdate} from "./utils/TypedData.sol";

/// @notice Owners that are contracts sign as contracts do (ERC-1271), each for itself.
contract SmartWalletsTest is SigningTest {
    address private wallet;
    uint256 private tokenId;
    ContentUpdate private update;

    function setUp() public override {
        super.setUp();
        wallet = address(new SmartWallet(alice));
        tokenId = mintTo(wallet, DIGEST_1);
        update = nextUpdate(tokenId, DIGEST_2);
    }

    function test_changeTheirTokensByTheirSignature() public {
        send(update, sign("alice", hashOf(update)));
        vm.assertEq(collection.contentDigest(tokenId), DIGEST_2);
        vm.assertEq(collection.signatureNonce(tokenId), 1);
    }

    function test_areAskedWhoTheirSignerIs() public {
        bytes memory signature = sign("bob", hashOf(update));
        expectInvalidSignature(wallet);
        send(update, signature);
    }

    function test_areNotTheirSigner() public {
        uint256 own = mintTo(alice, DIGEST_1);
        update.tokenId = own;
        bytes memory signature = sign("alice", hashOf(update));
        expectInvalidSignature(alice);
        send(update, signature);
    }

    /// @dev Both say yes to whatever their signer signed, so the owner's name in what is signed is all that
    /// keeps one's signature from being the other's.
    function test_doNotShareSignaturesThoughTheyShareTheirSigner() public {
        address other = address(new SmartWallet(alice));
        bytes memory signature = sign("alice", hashOf(update));
        transferFromOwner(tokenId, other);
        expectInvalidSignature(other);
        send(update, signature);
    }

    function test_signNothingIfTheyCanNotSign() public {
        uint256 own = mintTo(address(collection), DIGEST_1);
        update = nextUpdate(own, DIGEST_2);
        bytes memory signature = sign("alice", hashOf(update));
        expectInvalidSignature(address(collection));
        send(update, signature);
    }

    /// @dev The new creator says yes to whatever the former one signed: their signer is the same.
    function test_doNotShareVouchersThoughTheyShareTheirSigner() public {
        _handOverTo(wallet);
        Voucher memory voucher = Voucher(0, DIGEST_3, address(0), 0, block.timestamp);
        bytes memory signature = sign("alice", hashOf(voucher));
        address other = address(new SmartWallet(alice));
        _handOverTo(other);
        expectInvalidSignature(other);
        collection.redeem(voucher, signature);
    }

    function test_signVouchersAsCreators() public {
        _handOverTo(wallet);
        Voucher memory voucher = Voucher(0, DIGEST_3, address(0), 0, block.timestamp);
        bytes memory wrong = sign("bob", hashOf(voucher));
        expectInvalidSignature(wallet);
        collection.redeem(voucher, wrong);
        vm.assertEq(collection.redeem(voucher, sign("alice", hashOf(voucher))), 2);
        vm.assertEq(collection.ownerOf(2), address(this));
    }

    function _handOverTo(address next) private {
        address last = collection.owner();
        vm.prank(last);
        collection.transferOwnership(next);
        vm.prank(next);
        collection.acceptOwnership();
    }
}
