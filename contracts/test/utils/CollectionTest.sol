// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {EverholdCollection} from "../../src/EverholdCollection.sol";
import {EverholdFactory} from "../../src/EverholdFactory.sol";
import {CollectionSettings, IEverholdCollection} from "../../src/interfaces/IEverholdCollection.sol";
import {Test} from "./Test.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

/// @notice A fresh `dag-pb` collection that starts at token 1, and the people around it.
abstract contract CollectionTest is Test {
    uint8 internal constant DAG_PB = 0x70;
    uint8 internal constant RAW = 0x55;
    uint256 internal constant MAX_BATCH = 500;

    bytes32 internal constant DIGEST_1 = keccak256("first content");
    bytes32 internal constant DIGEST_2 = keccak256("second content");
    bytes32 internal constant DIGEST_3 = keccak256("third content");

    /// @dev Stands for the digest of a burned token, so that nobody may set it.
    bytes32 internal constant RESERVED = bytes32(uint256(1));

    address internal creator = makeAddr("creator");
    address internal alice = makeAddr("alice");
    address internal bob = makeAddr("bob");
    address internal stranger = makeAddr("stranger");

    EverholdFactory internal factory;
    EverholdCollection internal collection;
    uint256 private _salt;

    function setUp() public virtual {
        // Not `new`, by which each test would hold the factory's code, to be compiled again and again.
        factory = EverholdFactory(vm.deployCode("EverholdFactory.sol:EverholdFactory"));
        collection = deploy(settings());
    }

    //////////////////////////////////////////////////////////////////////////
    //                              COLLECTIONS
    //////////////////////////////////////////////////////////////////////////

    function settings() internal view returns (CollectionSettings memory) {
        return CollectionSettings({
            name: "Lighthouses",
            symbol: "LIGHT",
            codec: DAG_PB,
            firstTokenId: 1,
            editable: true,
            creator: creator,
            royaltyReceiver: address(0),
            royaltyBasisPoints: 0,
            contractDigest: 0
        });
    }

    /// @dev A new collection each time.
    function deploy(CollectionSettings memory with) internal returns (EverholdCollection) {
        return EverholdCollection(factory.createCollection(with, bytes32(_salt++)));
    }

    function deployWith(uint8 codec) internal returns (EverholdCollection) {
        CollectionSettings memory with = settings();
        with.codec = codec;
        return deploy(with);
    }

    function deployStartingAt(uint8 firstTokenId) internal returns (EverholdCollection) {
        CollectionSettings memory with = settings();
        with.firstTokenId = firstTokenId;
        return deploy(with);
    }

    function deployWithEditsOff() internal returns (EverholdCollection) {
        CollectionSettings memory with = settings();
        with.editable = false;
        return deploy(with);
    }

    //////////////////////////////////////////////////////////////////////////
    //                                TOKENS
    //////////////////////////////////////////////////////////////////////////

    /// @dev Mints the next token.
    function mintTo(address to, bytes32 digest) internal returns (uint256 tokenId) {
        tokenId = collection.nextTokenId();
        vm.prank(creator);
        collection.mint(to, tokenId, digest);
    }

    /// @dev Mints the next tokens.
    function mintBatchTo(address to, bytes32[] memory digests) internal returns (uint256 firstId) {
        firstId = collection.nextTokenId();
        vm.prank(creator);
        collection.mintBatch(to, firstId, digests);
    }

    function updateAs(address caller, uint256 tokenId, bytes32 current, bytes32 digest) internal {
        vm.prank(caller);
        collection.updateContent(tokenId, current, digest);
    }

    function freezeAs(address caller, uint256 tokenId) internal {
        vm.prank(caller);
        collection.freeze(tokenId);
    }

    function burnAs(address caller, uint256 tokenId) internal {
        vm.prank(caller);
        collection.burn(tokenId);
    }

    function transferFromOwner(uint256 tokenId, address to) internal {
        address owner = collection.ownerOf(tokenId);
        vm.prank(owner);
        collection.transferFrom(owner, to, tokenId);
    }

    /// @dev As many digests as asked for, all different.
    function digestsOf(uint256 count) internal pure returns (bytes32[] memory digests) {
        digests = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            digests[i] = keccak256(abi.encode("content", i));
        }
    }

    function isDigest(bytes32 digest) internal pure returns (bool) {
        return digest != 0 && digest != RESERVED;
    }

    //////////////////////////////////////////////////////////////////////////
    //                            EXPECTED ERRORS
    //////////////////////////////////////////////////////////////////////////

    function expectNonexistentToken(uint256 tokenId) internal {
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, tokenId));
    }

    /// @dev Every view of a token refuses one that does not exist.
    function knowsNothingOf(uint256 tokenId) internal {
        expectNonexistentToken(tokenId);
        collection.ownerOf(tokenId);
        expectNonexistentToken(tokenId);
        collection.getApproved(tokenId);
        expectNonexistentToken(tokenId);
        collection.contentDigest(tokenId);
        expectNonexistentToken(tokenId);
        collection.revision(tokenId);
        expectNonexistentToken(tokenId);
        collection.isFrozen(tokenId);
        expectNonexistentToken(tokenId);
        collection.signatureNonce(tokenId);
        expectNonexistentToken(tokenId);
        collection.tokenURI(tokenId);
        expectNonexistentToken(tokenId);
        collection.tokenURIIntegrity(tokenId);
        expectNonexistentToken(tokenId);
        collection.tokenURISchemaIntegrity(tokenId);
        expectNonexistentToken(tokenId);
        collection.getStateFingerprint(tokenId);
        expectNonexistentToken(tokenId);
        collection.verifyContent(tokenId, "");
        expectNonexistentToken(tokenId);
        collection.verifyBlock(tokenId, "");
    }

    function expectInvalidReceiver(address receiver) internal {
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InvalidReceiver.selector, receiver));
    }

    function expectNotCreator(address caller) internal {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, caller));
    }

    function expectNotTokenOwner(uint256 tokenId, address caller) internal {
        vm.expectRevert(abi.encodeWithSelector(IEverholdCollection.NotTokenOwner.selector, tokenId, caller));
    }

    function expectFrozen(uint256 tokenId) internal {
        vm.expectRevert(abi.encodeWithSelector(IEverholdCollection.ContentIsFrozen.selector, tokenId));
    }

    function expectStale(bytes32 current, bytes32 given) internal {
        vm.expectRevert(abi.encodeWithSelector(IEverholdCollection.StaleDigest.selector, current, given));
    }

    function expectNotNextTokenId(uint256 expected, uint256 given) internal {
        vm.expectRevert(abi.encodeWithSelector(IEverholdCollection.NotNextTokenId.selector, expected, given));
    }
}
