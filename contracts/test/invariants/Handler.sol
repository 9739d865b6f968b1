// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {EverholdCollection} from "../../src/EverholdCollection.sol";
import {Voucher} from "../../src/interfaces/IEverholdCollection.sol";
import {ContentUpdate, TypedData} from "../utils/TypedData.sol";
import {Model, Token} from "./Model.sol";
import {People} from "./People.sol";
import {Watcher} from "./Watcher.sol";

/// @notice Does to a collection what people may do, and writes down in the model what should come of it. Nothing
/// here may revert; `Meddler` does what has to.
contract Handler is Model, People, Watcher, TypedData {
    EverholdCollection public immutable COLLECTION;

    /// @dev The signed update that was used last, for those who would use it again.
    ContentUpdate internal _usedUpdate;

    constructor(EverholdCollection collection) Model(collection.firstTokenId(), collection.owner()) {
        COLLECTION = collection;
    }

    /// @dev After an act, a look at the token in question, and at another one.
    modifier watched(uint256 seed) {
        _;
        _watchOne(seed);
        _watchOne(uint256(keccak256(abi.encode(seed))));
    }

    //////////////////////////////////////////////////////////////////////////
    //                           WHAT THE CREATOR DOES
    //////////////////////////////////////////////////////////////////////////

    function mint(uint256 to, bytes32 digest) external watched(nextId()) {
        digest = _asDigest(digest);
        uint256 id = nextId();
        vm.prank(minter);
        COLLECTION.mint(_person(to), id, digest);
        _noteMint(_person(to), digest);
    }

    function mintBatch(uint256 to, uint256 size, bytes32 seed) external watched(nextId()) {
        bytes32[] memory digests = new bytes32[](bound(size, 1, 12));
        for (uint256 i = 0; i < digests.length; ++i) {
            digests[i] = keccak256(abi.encode(seed, i));
        }
        uint256 id = nextId();
        vm.prank(minter);
        COLLECTION.mintBatch(_person(to), id, digests);
        for (uint256 i = 0; i < digests.length; ++i) {
            _noteMint(_person(to), digests[i]);
        }
        ++batches;
    }

    function cancelVoucher(uint256 seed) external watched(seed) {
        vm.prank(minter);
        COLLECTION.cancelVoucher(spentVouchers++);
    }

    function describe(bytes32 digest, uint256 basisPoints) external watched(basisPoints) {
        vm.startPrank(minter);
        COLLECTION.setContractContent(digest);
        // forge-lint: disable-next-line(unsafe-typecast): at most 10,000.
        COLLECTION.setRoyalty(minter, uint96(bound(basisPoints, 0, 10_000)));
        vm.stopPrank();
    }

    function passOn(uint256 to) external watched(to) {
        vm.prank(minter);
        COLLECTION.transferOwnership(_person(to));
        vm.prank(_person(to));
        COLLECTION.acceptOwnership();
        minter = _person(to);
    }

    //////////////////////////////////////////////////////////////////////////
    //                             WHAT BUYERS DO
    //////////////////////////////////////////////////////////////////////////

    function redeem(uint256 buyer, uint256 price, bytes32 digest) external watched(nextId()) {
        price = bound(price, 0, 1 ether);
        digest = _asDigest(digest);
        address person = _person(buyer);
        Voucher memory voucher = Voucher(spentVouchers++, digest, person, price, block.timestamp);
        bytes memory signature = _signVoucher(voucher);
        uint256 expected = minter.balance + price;

        vm.deal(person, person.balance + price);
        if (person == minter) expected = person.balance;
        vm.prank(person);
        vm.assertEq(COLLECTION.redeem{value: price}(voucher, signature), nextId());
        vm.assertEq(minter.balance, expected);
        _noteMint(person, digest);
    }

    //////////////////////////////////////////////////////////////////////////
    //                             WHAT OWNERS DO
    //////////////////////////////////////////////////////////////////////////

    function transfer(uint256 seed, uint256 to, uint256 who) external watched(seed) {
        (bool found, uint256 id) = _find(seed, isAlive);
        if (!found) return;
        address owner = tokenAt(id).owner;
        vm.prank(_mover(id, who));
        COLLECTION.transferFrom(owner, _person(to), id);
        _noteTransfer(id, _person(to));
    }

    function approve(uint256 seed, uint256 whom) external watched(seed) {
        (bool found, uint256 id) = _find(seed, isAlive);
        if (!found) return;
        vm.prank(tokenAt(id).owner);
        COLLECTION.approve(_person(whom), id);
        _token(id).approved = _person(whom);
    }

    function setOperator(uint256 owner, uint256 operator, bool approved) external watched(owner) {
        vm.prank(_person(owner));
        COLLECTION.setApprovalForAll(_person(operator), approved);
    }

    function update(uint256 seed, bytes32 digest) external watched(seed) {
        (bool found, uint256 id) = _find(seed, isOpen);
        if (!found) return;
        Token memory token = tokenAt(id);
        digest = _otherDigest(digest, token.digest);
        vm.prank(token.owner);
        COLLECTION.updateContent(id, token.digest, digest);
        _noteUpdate(id, digest);
    }

    function updateBySignature(uint256 seed, uint256 sender, bytes32 digest) external watched(seed) {
        (bool found, uint256 id) = _find(seed, isOpen);
        if (!found) return;
        Token memory token = tokenAt(id);
        digest = _otherDigest(digest, token.digest);
        ContentUpdate memory signed =
            ContentUpdate(token.owner, id, token.digest, digest, token.nonce, block.timestamp);
        _send(_person(sender), signed, _signUpdate(signed, _signerOf(token.owner)));
        _noteUpdate(id, digest);
        _usedUpdate = signed;
    }

    function cancelSignatures(uint256 seed) external watched(seed) {
        (bool found, uint256 id) = _find(seed, isAlive);
        if (!found) return;
        vm.prank(tokenAt(id).owner);
        COLLECTION.cancelSignatures(id);
        _noteCancel(id);
    }

    function freeze(uint256 seed) external watched(seed) {
        (bool found, uint256 id) = _find(seed, isOpen);
        if (!found) return;
        vm.prank(tokenAt(id).owner);
        COLLECTION.freeze(id);
        _noteFreeze(id);
    }

    function burn(uint256 seed) external watched(seed) {
        (bool found, uint256 id) = _find(seed, isAlive);
        if (!found) return;
        vm.prank(tokenAt(id).owner);
        COLLECTION.burn(id);
        _noteBurn(id);
    }

    //////////////////////////////////////////////////////////////////////////
    //                                 TOKENS
    //////////////////////////////////////////////////////////////////////////

    function isAlive(Token memory token) internal pure returns (bool) {
        return !token.burned;
    }

    function isOpen(Token memory token) internal pure returns (bool) {
        return !token.burned && !token.frozen;
    }

    /// @dev The first token from a place on, and around, that is as wanted.
    function _find(uint256 seed, function(Token memory) internal pure returns (bool) wanted)
        internal
        view
        returns (bool, uint256)
    {
        uint256 count = nextId() - firstId();
        for (uint256 i = 0; i < count; ++i) {
            uint256 id = firstId() + (seed % count + i) % count;
            if (wanted(tokenAt(id))) return (true, id);
        }
        return (false, 0);
    }

    function _watchOne(uint256 seed) private {
        uint256 count = nextId() - firstId();
        if (count > 0) _watch(COLLECTION, firstId() + seed % count);
    }

    /// @dev One of those who may move a token: its owner, or somebody approved where there is such a one.
    function _mover(uint256 id, uint256 who) private view returns (address) {
        Token memory token = tokenAt(id);
        address person = _person(who);
        if (COLLECTION.isApprovedForAll(token.owner, person)) return person;
        return who % 2 == 0 && token.approved != address(0) ? token.approved : token.owner;
    }

    //////////////////////////////////////////////////////////////////////////
    //                        DIGESTS AND SIGNATURES
    //////////////////////////////////////////////////////////////////////////

    function _asDigest(bytes32 seed) internal pure returns (bytes32) {
        return uint256(seed) < 2 ? keccak256(abi.encode(seed)) : seed;
    }

    function _otherDigest(bytes32 seed, bytes32 digest) internal pure returns (bytes32) {
        bytes32 other = _asDigest(seed);
        return other == digest ? keccak256(abi.encode(other)) : other;
    }

    function _signVoucher(Voucher memory voucher) internal view returns (bytes memory) {
        return sign(_signerOf(minter), hashOf(voucher, minter, block.chainid, address(COLLECTION)));
    }

    function _signUpdate(ContentUpdate memory signed, string memory signer)
        internal
        view
        returns (bytes memory)
    {
        return sign(signer, hashOf(signed, block.chainid, address(COLLECTION)));
    }

    function _send(address sender, ContentUpdate memory signed, bytes memory signature) internal {
        vm.prank(sender);
        COLLECTION.updateContentBySignature(
            signed.tokenId, signed.currentDigest, signed.newDigest, signed.nonce, signed.deadline, signature
        );
    }
}
