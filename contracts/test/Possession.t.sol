// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {EverholdCollection} from "../src/EverholdCollection.sol";
import {IEverholdCollection} from "../src/interfaces/IEverholdCollection.sol";
import {CollectionTest} from "./utils/CollectionTest.sol";

/// @notice Takes a token, does something to its content, and gives it back, all in one transaction: what a flash loan
/// of tokens lets anyone do, and an approval the approved.
contract Borrower {
    function updateContent(EverholdCollection collection, uint256 tokenId, bytes32 digest) external {
        bytes32 current = collection.contentDigest(tokenId);
        address lender = _take(collection, tokenId);
        collection.updateContent(tokenId, current, digest);
        collection.transferFrom(address(this), lender, tokenId);
    }

    /// @dev By a signature, which this contract takes all for its own (ERC-1271).
    function updateContentBySignature(EverholdCollection collection, uint256 tokenId, bytes32 digest)
        external
    {
        bytes32 current = collection.contentDigest(tokenId);
        uint256 nonce = collection.signatureNonce(tokenId);
        address lender = _take(collection, tokenId);
        collection.updateContentBySignature(tokenId, current, digest, nonce, block.timestamp, "");
        collection.transferFrom(address(this), lender, tokenId);
    }

    function freeze(EverholdCollection collection, uint256 tokenId) external {
        address lender = _take(collection, tokenId);
        collection.freeze(tokenId);
        collection.transferFrom(address(this), lender, tokenId);
    }

    /// @dev Nothing to the content.
    function takeAndGiveBack(EverholdCollection collection, uint256 tokenId) external {
        collection.transferFrom(address(this), _take(collection, tokenId), tokenId);
    }

    /// @dev The first owner has the token from nobody.
    function updateWhatWasMinted(
        EverholdCollection collection,
        uint256 tokenId,
        bytes32 current,
        bytes32 digest
    ) external {
        collection.mint(address(this), tokenId, current);
        collection.updateContent(tokenId, current, digest);
    }

    function acceptOwnership(EverholdCollection collection) external {
        collection.acceptOwnership();
    }

    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return this.isValidSignature.selector;
    }

    function _take(EverholdCollection collection, uint256 tokenId) private returns (address lender) {
        lender = collection.ownerOf(tokenId);
        collection.transferFrom(lender, address(this), tokenId);
    }
}

/// @notice Who has a token for the length of a transaction has no right over its content.
contract PossessionTest is CollectionTest {
    Borrower private borrower;
    uint256 private tokenId;
    uint256 private inBatch;

    function setUp() public override {
        super.setUp();
        borrower = new Borrower();
        tokenId = mintTo(alice, DIGEST_1);
        inBatch = mintBatchTo(alice, digestsOf(3)) + 1;
        vm.prank(alice);
        collection.setApprovalForAll(address(borrower), true);
    }

    function test_ofATransactionsLengthChangesNothing() public {
        _refuses(tokenId);
        borrower.updateContent(collection, tokenId, DIGEST_2);
        _refuses(inBatch);
        borrower.updateContent(collection, inBatch, DIGEST_2);
        vm.assertEq(collection.revision(tokenId), 1);
        vm.assertEq(collection.revision(inBatch), 1);
    }

    function test_ofATransactionsLengthSignsNothing() public {
        _refuses(tokenId);
        borrower.updateContentBySignature(collection, tokenId, DIGEST_2);
        vm.assertEq(collection.contentDigest(tokenId), DIGEST_1);
    }

    function test_ofATransactionsLengthFreezesNothing() public {
        _refuses(tokenId);
        borrower.freeze(collection, tokenId);
        vm.assertFalse(collection.isFrozen(tokenId));
    }

    function test_ofATransactionsLengthLeavesNoTrace() public {
        borrower.takeAndGiveBack(collection, tokenId);
        updateAs(alice, tokenId, DIGEST_1, DIGEST_2);
        vm.assertEq(collection.contentDigest(tokenId), DIGEST_2);
    }

    function test_givesTheRightFromTheNextTransactionOn() public {
        transferFromOwner(tokenId, bob);
        updateAs(bob, tokenId, DIGEST_1, DIGEST_2);
        freezeAs(bob, tokenId);
        vm.assertEq(collection.contentDigest(tokenId), DIGEST_2);
        vm.assertTrue(collection.isFrozen(tokenId));
    }

    function test_givesTheFirstOwnerTheRightAtOnce() public {
        vm.prank(creator);
        collection.transferOwnership(address(borrower));
        borrower.acceptOwnership(collection);
        uint256 next = collection.nextTokenId();
        borrower.updateWhatWasMinted(collection, next, DIGEST_1, DIGEST_2);
        vm.assertEq(collection.contentDigest(next), DIGEST_2);
    }

    function _refuses(uint256 id) private {
        vm.expectRevert(abi.encodeWithSelector(IEverholdCollection.MovedInThisTransaction.selector, id));
    }
}
