// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {IEverholdCollection} from "../src/IEverholdCollection.sol";
import {CollectionTest} from "./utils/CollectionTest.sol";
import {IERC4906} from "@openzeppelin/contracts/interfaces/IERC4906.sol";

/// @notice What others rely on, and what therefore can't change: interface ids and events.
contract InterfacesTest is CollectionTest {
    bytes4 private constant EVERHOLD_ID = 0x846742aa;

    function test_supports() public view {
        vm.assertTrue(collection.supportsInterface(0x01ffc9a7)); // ERC-165
        vm.assertTrue(collection.supportsInterface(0x80ac58cd)); // ERC-721
        vm.assertTrue(collection.supportsInterface(0x5b5e139f)); // ERC-721 Metadata
        vm.assertTrue(collection.supportsInterface(0x49064906)); // ERC-4906
        vm.assertTrue(collection.supportsInterface(EVERHOLD_ID));
    }

    function testFuzz_supportsNothingElse(bytes4 interfaceId) public view {
        vm.assume(interfaceId != 0x01ffc9a7 && interfaceId != 0x80ac58cd && interfaceId != 0x5b5e139f);
        vm.assume(interfaceId != 0x49064906 && interfaceId != EVERHOLD_ID);
        vm.assertFalse(collection.supportsInterface(interfaceId));
    }

    function test_supportsNoInvalidInterface() public view {
        vm.assertFalse(collection.supportsInterface(0xffffffff));
    }

    function test_hasTheInterfaceIdThatOthersLookFor() public pure {
        bytes4 id = selector("codec()") ^ selector("firstTokenId()") ^ selector("nextTokenId()")
            ^ selector("totalSupply()") ^ selector("mint(address,uint256,bytes32)")
            ^ selector("mintBatch(address,uint256,bytes32[])")
            ^ selector("updateContent(uint256,bytes32,bytes32)") ^ selector("freeze(uint256)")
            ^ selector("contentDigest(uint256)") ^ selector("revision(uint256)")
            ^ selector("isFrozen(uint256)");
        vm.assertEq(id, EVERHOLD_ID);
        vm.assertEq(type(IEverholdCollection).interfaceId, EVERHOLD_ID);
    }

    function test_namesItsEventsAsOthersReadThem() public pure {
        vm.assertEq(IEverholdCollection.ContentSet.selector, keccak256("ContentSet(uint256,bytes32,uint64)"));
        vm.assertEq(
            IEverholdCollection.ContentBatchSet.selector, keccak256("ContentBatchSet(uint256,bytes32[])")
        );
        vm.assertEq(IEverholdCollection.ContentFrozen.selector, keccak256("ContentFrozen(uint256)"));
        vm.assertEq(IERC4906.MetadataUpdate.selector, keccak256("MetadataUpdate(uint256)"));
        vm.assertEq(IERC4906.BatchMetadataUpdate.selector, keccak256("BatchMetadataUpdate(uint256,uint256)"));
    }

    // ------------------------------------------------------------

    function selector(string memory signature) private pure returns (bytes4) {
        return bytes4(keccak256(bytes(signature)));
    }
}
