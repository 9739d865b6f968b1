// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {EverholdCollection} from "../src/EverholdCollection.sol";
import {IEverholdCollection} from "../src/interfaces/IEverholdCollection.sol";
import {SigningTest} from "./utils/SigningTest.sol";
import {ContentUpdate} from "./utils/TypedData.sol";
import {IERC4906} from "@openzeppelin/contracts/interfaces/IERC4906.sol";

/// @notice A token's owner signs an update, and anyone brings it: once, in time, here, and for nothing else.
contract UpdateBySignatureTest is SigningTest {
    uint256 private constant AFTER_ONE_CANCELLATION = 1 << 64;

    uint256 private tokenId;
    ContentUpdate private update;

    function setUp() public override {
        super.setUp();
        tokenId = mintTo(alice, DIGEST_1);
        update = nextUpdate(tokenId, DIGEST_2);
    }

    function testFuzz_givesTheTokenANewDigestWhoeverBringsIt(address caller, bytes32 digest) public {
        vm.assume(isDigest(digest) && digest != DIGEST_1);
        update.newDigest = digest;
        bytes memory signature = sign("alice", hashOf(update));
        vm.prank(caller);
        collection.updateContentBySignature(tokenId, DIGEST_1, digest, 0, update.deadline, signature);

        vm.assertEq(collection.contentDigest(tokenId), digest);
        vm.assertEq(collection.revision(tokenId), 2);
        vm.assertEq(collection.signatureNonce(tokenId), 1);
        vm.assertEq(collection.ownerOf(tokenId), alice);
    }

    function test_announcesItAsAnyOtherUpdate() public {
        bytes memory signature = sign("alice", hashOf(update));
        vm.expectEmit(address(collection));
        emit IEverholdCollection.ContentSet(tokenId, DIGEST_2, 2);
        vm.expectEmit(address(collection));
        emit IERC4906.MetadataUpdate(tokenId);
        send(update, signature);
    }

    function test_worksForATokenOfABatch() public {
        update = nextUpdate(mintBatchTo(bob, digestsOf(3)) + 1, DIGEST_2);
        send(update, sign("bob", hashOf(update)));
        vm.assertEq(collection.contentDigest(update.tokenId), DIGEST_2);
    }

    function test_isWhatWalletsShowToTheOwner() public view {
        string memory json = string.concat(
            '{"types":{"EIP712Domain":[{"name":"name","type":"string"},{"name":"version","type":"string"},',
            '{"name":"chainId","type":"uint256"},{"name":"verifyingContract","type":"address"}],',
            '"ContentUpdate":[{"name":"owner","type":"address"},{"name":"tokenId","type":"uint256"},',
            '{"name":"currentDigest","type":"bytes32"},{"name":"newDigest","type":"bytes32"},',
            '{"name":"nonce","type":"uint256"},{"name":"deadline","type":"uint256"}]},',
            '"primaryType":"ContentUpdate","domain":{"name":"Everhold","version":"1","chainId":'
        );
        json = string.concat(
            json, vm.toString(block.chainid), ',"verifyingContract":"', vm.toString(address(collection))
        );
        json = string.concat(json, '"},"message":{"owner":"', vm.toString(alice), '","tokenId":1,');
        json = string.concat(json, '"currentDigest":"', vm.toString(DIGEST_1), '","newDigest":"');
        json = string.concat(json, vm.toString(DIGEST_2), '","nonce":0,"deadline":');
        json = string.concat(json, vm.toString(update.deadline), "}}");
        vm.assertEq(vm.eip712HashTypedData(json), hashOf(update));
    }

    function test_tellsItsDomain() public view {
        (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chain,
            address verifier,
            bytes32 salt,
            uint256[] memory extensions
        ) = collection.eip712Domain();
        vm.assertEq(uint8(fields), 0x0f);
        vm.assertEq(name, "Everhold");
        vm.assertEq(version, "1");
        vm.assertEq(chain, block.chainid);
        vm.assertEq(verifier, address(collection));
        vm.assertEq(salt, 0);
        vm.assertEq(extensions.length, 0);
    }

    // ------------------------------------------------------------ once

    function test_isUsedOnce() public {
        bytes memory signature = sign("alice", hashOf(update));
        send(update, signature);
        expectInvalidNonce(tokenId, 1, 0);
        send(update, signature);
    }

    function test_isUsedOnceThoughTheContentIsWhatItWas() public {
        bytes memory signature = sign("alice", hashOf(update));
        send(update, signature);
        updateAs(alice, tokenId, DIGEST_2, DIGEST_1);
        expectInvalidNonce(tokenId, 2, 0);
        send(update, signature);
    }

    function test_isFollowedByTheNext() public {
        send(update, sign("alice", hashOf(update)));
        update = nextUpdate(tokenId, DIGEST_3);
        vm.assertEq(update.nonce, 1);
        send(update, sign("alice", hashOf(update)));
        vm.assertEq(collection.contentDigest(tokenId), DIGEST_3);
        vm.assertEq(collection.revision(tokenId), 3);
        vm.assertEq(collection.signatureNonce(tokenId), 2);
    }

    function testFuzz_isRefusedOutOfTurn(uint256 nonce) public {
        vm.assume(nonce != 0);
        update.nonce = nonce;
        bytes memory signature = sign("alice", hashOf(update));
        expectInvalidNonce(tokenId, 0, nonce);
        send(update, signature);
    }

    function test_isRefusedOnceCancelled() public {
        bytes memory signature = sign("alice", hashOf(update));
        vm.prank(alice);
        collection.cancelSignatures(tokenId);
        vm.assertEq(collection.signatureNonce(tokenId), AFTER_ONE_CANCELLATION);
        expectInvalidNonce(tokenId, AFTER_ONE_CANCELLATION, 0);
        send(update, signature);

        update.nonce = AFTER_ONE_CANCELLATION;
        send(update, sign("alice", hashOf(update)));
        vm.assertEq(collection.contentDigest(tokenId), DIGEST_2);
    }

    /// @dev However many are signed in advance, one cancellation is enough.
    function testFuzz_isCancelledWithAllThatWouldFollow(uint64 later) public {
        update.nonce = later;
        bytes memory signature = sign("alice", hashOf(update));
        vm.expectEmit(address(collection));
        emit IEverholdCollection.SignaturesCancelled(tokenId);
        vm.prank(alice);
        collection.cancelSignatures(tokenId);
        expectInvalidNonce(tokenId, AFTER_ONE_CANCELLATION, later);
        send(update, signature);
    }

    /// @dev The owner overrides what they signed, and comes back to the content that it names.
    function test_isWorthlessOnceTheOwnerChangedTheContent() public {
        bytes memory signature = sign("alice", hashOf(update));
        updateAs(alice, tokenId, DIGEST_1, DIGEST_3);
        updateAs(alice, tokenId, DIGEST_3, DIGEST_1);
        expectInvalidNonce(tokenId, 2, 0);
        send(update, signature);
    }

    function testFuzz_isCancelledByTheOwnerAlone(address caller) public {
        vm.assume(caller != alice);
        expectNotTokenOwner(tokenId, caller);
        vm.prank(caller);
        collection.cancelSignatures(tokenId);
    }

    function test_isNotCancelledByTheApproved() public {
        vm.startPrank(alice);
        collection.approve(bob, tokenId);
        collection.setApprovalForAll(bob, true);
        vm.stopPrank();
        expectNotTokenOwner(tokenId, bob);
        vm.prank(bob);
        collection.cancelSignatures(tokenId);
    }

    function test_countsForEachTokenApart() public {
        uint256 other = mintTo(alice, DIGEST_1);
        send(update, sign("alice", hashOf(update)));
        vm.assertEq(collection.signatureNonce(other), 0);
        vm.assertEq(collection.contentDigest(other), DIGEST_1);
    }

    // ------------------------------------------------------------ in time

    function test_isGoodUntilTheLastSecond() public {
        bytes memory signature = sign("alice", hashOf(update));
        vm.warp(update.deadline);
        send(update, signature);
        vm.assertEq(collection.contentDigest(tokenId), DIGEST_2);
    }

    function testFuzz_isWorthlessAfterwards(uint256 late) public {
        bytes memory signature = sign("alice", hashOf(update));
        vm.warp(update.deadline + bound(late, 1, 1000 days));
        expectExpired(update.deadline);
        send(update, signature);
    }

    // ------------------------------------------------------------ by the owner

    function test_isTheOwnersAlone() public {
        isRefusedSignedBy("stranger");
        isRefusedSignedBy("creator");
        vm.startPrank(alice);
        collection.approve(bob, tokenId);
        collection.setApprovalForAll(bob, true);
        vm.stopPrank();
        isRefusedSignedBy("bob");
    }

    function test_isWorthlessOnceTheTokenIsAnothers() public {
        bytes memory signature = sign("alice", hashOf(update));
        transferFromOwner(tokenId, bob);
        expectInvalidSignature(bob);
        send(update, signature);
    }

    function test_isWorthlessThoughAFormerOwnerNamesTheNewOne() public {
        transferFromOwner(tokenId, bob);
        update.owner = bob;
        bytes memory signature = sign("alice", hashOf(update));
        expectInvalidSignature(bob);
        send(update, signature);
    }

    function test_isWorthlessThoughTheNewOwnerSignsForTheFormerOne() public {
        transferFromOwner(tokenId, bob);
        bytes memory signature = sign("bob", hashOf(update));
        expectInvalidSignature(bob);
        send(update, signature);
    }

    // ------------------------------------------------------------ here, and for nothing else

    function test_isNotForAnotherCollection() public {
        EverholdCollection other = deploy(settings());
        bytes memory signature = sign("alice", hashOf(update, block.chainid, address(other)));
        expectInvalidSignature(alice);
        send(update, signature);
    }

    function testFuzz_isNotForAnotherChain(uint64 chain) public {
        vm.assume(chain != block.chainid && chain != 0);
        bytes memory signature = sign("alice", hashOf(update));
        vm.chainId(chain);
        expectInvalidSignature(alice);
        send(update, signature);
    }

    function testFuzz_isForEachOfItsFields(uint256 other, bytes32 digest) public {
        bytes memory signature = sign("alice", hashOf(update));
        ContentUpdate memory changed = update;

        vm.assume(digest != DIGEST_1 && digest != DIGEST_2);
        changed.currentDigest = digest;
        isRefused(changed, signature);
        changed = update;
        changed.newDigest = digest;
        isRefused(changed, signature);
        changed = update;
        changed.deadline = bound(other, block.timestamp, type(uint256).max);
        if (changed.deadline != update.deadline) isRefused(changed, signature);
        changed = update;
        changed.tokenId = mintTo(alice, DIGEST_1);
        isRefused(changed, signature);
    }

    function testFuzz_isRefusedWithAnyBitTurned(uint256 bit) public {
        bytes memory signature = sign("alice", hashOf(update));
        turnBit(signature, bound(bit, 0, signature.length * 8 - 1));
        isRefused(update, signature);
    }

    function testFuzz_isRefusedWithOtherBytes(bytes calldata signature) public {
        vm.assume(keccak256(signature) != keccak256(sign("alice", hashOf(update))));
        isRefused(update, signature);
    }

    function test_isRefusedInItsOtherForms() public {
        isRefused(update, signMalleably("alice", hashOf(update)));
        isRefused(update, bytes.concat(sign("alice", hashOf(update)), hex"00"));
        isRefused(update, "");
    }

    // ------------------------------------------------------------ what no signature can do

    function test_canNotChangeAFrozenToken() public {
        bytes memory signature = sign("alice", hashOf(update));
        freezeAs(alice, tokenId);
        expectFrozen(tokenId);
        send(update, signature);
    }

    function test_canNotChangeOtherContentThanItNames() public {
        update.currentDigest = DIGEST_3;
        bytes memory signature = sign("alice", hashOf(update));
        expectStale(DIGEST_1, DIGEST_3);
        send(update, signature);
    }

    function test_canNotSetWhatIsNoDigest() public {
        canNotSet(0, IEverholdCollection.ZeroDigest.selector);
        canNotSet(RESERVED, IEverholdCollection.ReservedDigest.selector);
        canNotSet(DIGEST_1, IEverholdCollection.SameDigest.selector);
    }

    function testFuzz_canNotChangeATokenThatDoesNotExist(uint256 unknown) public {
        vm.assume(unknown != tokenId);
        update.tokenId = unknown;
        bytes memory signature = sign("alice", hashOf(update));
        expectNonexistentToken(unknown);
        send(update, signature);
        expectNonexistentToken(unknown);
        collection.cancelSignatures(unknown);
    }

    function test_canNotBeUsedUpByARefusal() public {
        isRefused(update, "");
        vm.assertEq(collection.signatureNonce(tokenId), 0);
    }

    // ------------------------------------------------------------

    function isRefused(ContentUpdate memory changed, bytes memory signature) private {
        expectInvalidSignature(alice);
        send(changed, signature);
    }

    function isRefusedSignedBy(string memory signer) private {
        isRefused(update, sign(signer, hashOf(update)));
    }

    function canNotSet(bytes32 digest, bytes4 error_) private {
        update.newDigest = digest;
        bytes memory signature = sign("alice", hashOf(update));
        vm.expectRevert(error_);
        send(update, signature);
    }
}
