// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {EverholdCollection} from "../../src/EverholdCollection.sol";
import {IEverholdCollection} from "../../src/IEverholdCollection.sol";
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

    address internal creator = makeAddr("creator");
    address internal alice = makeAddr("alice");
    address internal bob = makeAddr("bob");
    address internal stranger = makeAddr("stranger");

    EverholdCollection internal collection;

    function setUp() public virtual {
        collection = deploy(DAG_PB, 1);
    }

    function deploy(uint8 codec, uint256 firstTokenId) internal returns (EverholdCollection) {
        return new EverholdCollection("Lighthouses", "LIGHT", codec, firstTokenId, creator);
    }

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

    /// @dev As many digests as asked for, all different.
    function digestsOf(uint256 count) internal pure returns (bytes32[] memory digests) {
        digests = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            digests[i] = keccak256(abi.encode("content", i));
        }
    }

    function expectNonexistentToken(uint256 tokenId) internal {
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, tokenId));
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

    function expectNotNextTokenId(uint256 expected, uint256 given) internal {
        vm.expectRevert(abi.encodeWithSelector(IEverholdCollection.NotNextTokenId.selector, expected, given));
    }
}
