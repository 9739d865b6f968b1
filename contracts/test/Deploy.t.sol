// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {EverholdCollection} from "../src/EverholdCollection.sol";
import {IEverholdCollection} from "../src/IEverholdCollection.sol";
import {CollectionTest} from "./utils/CollectionTest.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

/// @notice What a collection is from its first block on.
contract DeployTest is CollectionTest {
    function test_keepsWhatItWasDeployedWith() public view {
        vm.assertEq(collection.name(), "Lighthouses");
        vm.assertEq(collection.symbol(), "LIGHT");
        vm.assertEq(collection.codec(), DAG_PB);
        vm.assertEq(collection.firstTokenId(), 1);
        vm.assertEq(collection.owner(), creator);
    }

    function test_startsEmpty() public view {
        vm.assertEq(collection.totalSupply(), 0);
        vm.assertEq(collection.nextTokenId(), 1);
    }

    function test_mayStartAtTokenZero() public {
        collection = deploy(DAG_PB, 0);
        vm.assertEq(collection.firstTokenId(), 0);
        vm.assertEq(collection.nextTokenId(), 0);
        vm.assertEq(collection.totalSupply(), 0);
    }

    function test_mayNameContentByItsOwnHash() public {
        vm.assertEq(deploy(RAW, 1).codec(), RAW);
    }

    function testFuzz_refusesAnyOtherCodec(uint8 codec) public {
        vm.assume(codec != DAG_PB && codec != RAW);
        vm.expectRevert(abi.encodeWithSelector(IEverholdCollection.InvalidCodec.selector, codec));
        deploy(codec, 1);
    }

    function testFuzz_refusesAnyOtherStart(uint256 firstTokenId) public {
        vm.assume(firstTokenId > 1);
        vm.expectRevert(
            abi.encodeWithSelector(IEverholdCollection.InvalidFirstTokenId.selector, firstTokenId)
        );
        deploy(DAG_PB, firstTokenId);
    }

    function test_refusesToBeWithoutCreator() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableInvalidOwner.selector, address(0)));
        new EverholdCollection("Lighthouses", "LIGHT", DAG_PB, 1, address(0));
    }

    function testFuzz_knowsNothingOfTokensThatDoNotExist(uint256 tokenId) public {
        expectNonexistentToken(tokenId);
        collection.contentDigest(tokenId);
        expectNonexistentToken(tokenId);
        collection.revision(tokenId);
        expectNonexistentToken(tokenId);
        collection.isFrozen(tokenId);
        expectNonexistentToken(tokenId);
        collection.tokenURI(tokenId);
        expectNonexistentToken(tokenId);
        collection.ownerOf(tokenId);
    }
}
