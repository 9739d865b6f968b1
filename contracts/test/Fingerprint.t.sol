// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {SigningTest} from "./utils/SigningTest.sol";
import {ContentUpdate} from "./utils/TypedData.sol";

/// @notice A token's fingerprint (ERC-5646) changes with what a buyer bids on, and with nothing else.
contract FingerprintTest is SigningTest {
    uint256 private tokenId;
    bytes32 private before;

    function setUp() public override {
        super.setUp();
        tokenId = mintTo(alice, DIGEST_1);
        before = fingerprint();
    }

    function test_isThatOfDigestRevisionAndFrozen() public {
        vm.assertEq(before, keccak256(abi.encode(DIGEST_1, 1, false)));
        updateAs(alice, tokenId, DIGEST_1, DIGEST_2);
        freezeAs(alice, tokenId);
        vm.assertEq(fingerprint(), keccak256(abi.encode(DIGEST_2, 2, true)));
    }

    function testFuzz_changesWithTheContent(bytes32 digest) public {
        vm.assume(isDigest(digest) && digest != DIGEST_1);
        updateAs(alice, tokenId, DIGEST_1, digest);
        vm.assertNotEq(fingerprint(), before);
    }

    function test_changesThoughTheContentComesBack() public {
        updateAs(alice, tokenId, DIGEST_1, DIGEST_2);
        updateAs(alice, tokenId, DIGEST_2, DIGEST_1);
        vm.assertNotEq(fingerprint(), before);
    }

    function test_changesWithAFreeze() public {
        freezeAs(alice, tokenId);
        vm.assertNotEq(fingerprint(), before);
    }

    function test_doesNotChangeWithTheOwner() public {
        transferFromOwner(tokenId, bob);
        vm.assertEq(fingerprint(), before);
    }

    function test_doesNotChangeWithApprovals() public {
        vm.startPrank(alice);
        collection.approve(bob, tokenId);
        collection.setApprovalForAll(stranger, true);
        vm.assertEq(fingerprint(), before);
    }

    function test_doesNotChangeWithTheNonce() public {
        vm.prank(alice);
        collection.cancelSignatures(tokenId);
        vm.assertEq(fingerprint(), before);
    }

    function test_doesNotChangeWithOtherTokens() public {
        uint256 other = mintTo(alice, DIGEST_2);
        updateAs(alice, other, DIGEST_2, DIGEST_3);
        freezeAs(alice, other);
        burnAs(alice, other);
        vm.assertEq(fingerprint(), before);
    }

    function test_isFrozenFromTheStartWhereEditsAreOff() public {
        collection = deployWithEditsOff();
        mintTo(alice, DIGEST_1);
        vm.assertEq(collection.getStateFingerprint(1), keccak256(abi.encode(DIGEST_1, 1, true)));
    }

    function test_isTheSameForASignedUpdate() public {
        ContentUpdate memory update = nextUpdate(tokenId, DIGEST_2);
        send(update, sign("alice", hashOf(update)));
        vm.assertEq(fingerprint(), keccak256(abi.encode(DIGEST_2, 2, false)));
    }

    // ------------------------------------------------------------

    function fingerprint() private view returns (bytes32) {
        return collection.getStateFingerprint(tokenId);
    }
}
