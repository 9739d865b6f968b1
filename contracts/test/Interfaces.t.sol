// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {IERC2477} from "../src/interfaces/IERC2477.sol";
import {IERC5646} from "../src/interfaces/IERC5646.sol";
import {IERC7572} from "../src/interfaces/IERC7572.sol";
import {IEverholdCollection} from "../src/interfaces/IEverholdCollection.sol";
import {IEverholdFactory} from "../src/interfaces/IEverholdFactory.sol";
import {CollectionTest} from "./utils/CollectionTest.sol";
import {IERC4906} from "@openzeppelin/contracts/interfaces/IERC4906.sol";

/// @notice What others rely on, and what therefore can't change: interface ids and events.
contract InterfacesTest is CollectionTest {
    bytes4 private constant EVERHOLD_ID = 0x4093018c;

    function test_supports() public view {
        vm.assertTrue(collection.supportsInterface(0x01ffc9a7)); // ERC-165
        vm.assertTrue(collection.supportsInterface(0x80ac58cd)); // ERC-721
        vm.assertTrue(collection.supportsInterface(0x5b5e139f)); // ERC-721 Metadata
        vm.assertTrue(collection.supportsInterface(0x2a55205a)); // ERC-2981
        vm.assertTrue(collection.supportsInterface(0x49064906)); // ERC-4906
        vm.assertTrue(collection.supportsInterface(0xf5112315)); // ERC-5646
        vm.assertTrue(collection.supportsInterface(0x832a7e0e)); // ERC-2477
        vm.assertTrue(collection.supportsInterface(EVERHOLD_ID));
    }

    function testFuzz_supportsNothingElse(bytes4 interfaceId) public view {
        vm.assume(interfaceId != 0x01ffc9a7 && interfaceId != 0x80ac58cd && interfaceId != 0x5b5e139f);
        vm.assume(interfaceId != 0x2a55205a && interfaceId != 0x49064906 && interfaceId != 0xf5112315);
        vm.assume(interfaceId != 0x832a7e0e && interfaceId != EVERHOLD_ID);
        vm.assertFalse(collection.supportsInterface(interfaceId));
    }

    function test_supportsNoInvalidInterface() public view {
        vm.assertFalse(collection.supportsInterface(0xffffffff));
    }

    function test_hasTheInterfaceIdThatOthersLookFor() public pure {
        bytes4 id = selector("codec()") ^ selector("editable()") ^ selector("firstTokenId()")
            ^ selector("nextTokenId()") ^ selector("totalSupply()") ^ selector("contractDigest()")
            ^ selector("setContractContent(bytes32)") ^ selector("setRoyalty(address,uint96)")
            ^ selector("mint(address,uint256,bytes32)") ^ selector("mintBatch(address,uint256,bytes32[])")
            ^ selector("redeem((uint256,bytes32,address,uint256,uint256),bytes)")
            ^ selector("cancelVoucher(uint256)") ^ selector("isVoucherSpent(uint256)")
            ^ selector("updateContent(uint256,bytes32,bytes32)")
            ^ selector("updateContentBySignature(uint256,bytes32,bytes32,uint256,uint256,bytes)")
            ^ selector("cancelSignatures(uint256)") ^ selector("freeze(uint256)") ^ selector("burn(uint256)")
            ^ selector("contentDigest(uint256)") ^ selector("revision(uint256)")
            ^ selector("isFrozen(uint256)") ^ selector("signatureNonce(uint256)")
            ^ selector("verifyContent(uint256,bytes)") ^ selector("verifyBlock(uint256,bytes)");
        vm.assertEq(id, EVERHOLD_ID);
        vm.assertEq(type(IEverholdCollection).interfaceId, EVERHOLD_ID);
    }

    function test_hasTheStandardsIds() public pure {
        vm.assertEq(type(IERC2477).interfaceId, bytes4(0x832a7e0e));
        vm.assertEq(type(IERC5646).interfaceId, bytes4(0xf5112315));
        vm.assertEq(IERC7572.contractURI.selector, selector("contractURI()"));
    }

    function test_namesItsEventsAsOthersReadThem() public pure {
        isEvent(IEverholdCollection.ContentSet.selector, "ContentSet(uint256,bytes32,uint64)");
        isEvent(IEverholdCollection.ContentBatchSet.selector, "ContentBatchSet(uint256,bytes32[])");
        isEvent(IEverholdCollection.ContentFrozen.selector, "ContentFrozen(uint256)");
        isEvent(IEverholdCollection.SignaturesCancelled.selector, "SignaturesCancelled(uint256)");
        isEvent(IEverholdCollection.ContractContentSet.selector, "ContractContentSet(bytes32)");
        isEvent(IEverholdCollection.RoyaltySet.selector, "RoyaltySet(address,uint96)");
        isEvent(
            IEverholdCollection.VoucherRedeemed.selector, "VoucherRedeemed(uint256,uint256,address,uint256)"
        );
        isEvent(IEverholdCollection.VoucherCancelled.selector, "VoucherCancelled(uint256)");
        isEvent(
            IEverholdFactory.CollectionCreated.selector,
            "CollectionCreated(address,address,address,uint8,uint8,bool,string,string)"
        );
        isEvent(IERC7572.ContractURIUpdated.selector, "ContractURIUpdated()");
        isEvent(IERC4906.MetadataUpdate.selector, "MetadataUpdate(uint256)");
    }

    // ------------------------------------------------------------

    function selector(string memory signature) private pure returns (bytes4) {
        return bytes4(keccak256(bytes(signature)));
    }

    function isEvent(bytes32 topic, string memory signature) private pure {
        vm.assertEq(topic, keccak256(bytes(signature)));
    }
}
