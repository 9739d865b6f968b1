// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {CreateCollection} from "../../script/CreateCollection.s.sol";
import {DeployFactory} from "../../script/DeployFactory.s.sol";
import {EverholdCollection} from "../../src/EverholdCollection.sol";
import {EverholdFactory} from "../../src/EverholdFactory.sol";
import {Codec} from "../../src/content/Codec.sol";
import {Test} from "../utils/Test.sol";

/// @notice The cheatcode that sets what a script reads.
interface VmEnv {
    function setEnv(string calldata name, string calldata value) external;
}

/// @notice Both scripts, run as forge runs them but for the sending.
/// @dev One test only: the environment is that of the whole process.
contract ScriptsTest is Test {
    VmEnv private constant VM_ENV = VmEnv(address(vm));

    function test_theFactoryAndTwoCollections() public {
        address factory = _deployFactory();
        vm.assertEq(_deployFactory(), factory);

        VM_ENV.setEnv("COLLECTION_NAME", "The Ark");
        VM_ENV.setEnv("COLLECTION_SYMBOL", "ARK");
        EverholdCollection plain = _createCollection();
        vm.assertEq(address(_createCollection()), address(plain));
        _isPlain(plain);

        VM_ENV.setEnv("COLLECTION_CODEC", "raw");
        VM_ENV.setEnv("COLLECTION_FIRST_TOKEN_ID", "0");
        VM_ENV.setEnv("COLLECTION_EDITABLE", "false");
        VM_ENV.setEnv("COLLECTION_CREATOR", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8");
        VM_ENV.setEnv("COLLECTION_ROYALTY_BASIS_POINTS", "250");
        VM_ENV.setEnv(
            "COLLECTION_CONTRACT_DIGEST", "0x388622abfbc1740349afae54d4d20ae66af9b121e25cb6a6b9a5623fafc4736d"
        );
        _isFull(_createCollection());

        VM_ENV.setEnv("COLLECTION_FIRST_TOKEN_ID", "257");
        CreateCollection script = new CreateCollection();
        vm.expectRevert(
            abi.encodeWithSelector(CreateCollection.OutOfRange.selector, "COLLECTION_FIRST_TOKEN_ID", 257)
        );
        script.run();
    }

    function _deployFactory() private returns (address factory) {
        DeployFactory script = new DeployFactory();
        address implementation;
        (factory, implementation) = script.run();
        vm.assertEq(EverholdFactory(factory).implementation(), implementation);
    }

    function _createCollection() private returns (EverholdCollection) {
        CreateCollection script = new CreateCollection();
        return EverholdCollection(script.run());
    }

    function _isPlain(EverholdCollection collection) private view {
        vm.assertEq(collection.name(), "The Ark");
        vm.assertEq(collection.symbol(), "ARK");
        vm.assertEq(collection.codec(), Codec.DAG_PB);
        vm.assertEq(collection.firstTokenId(), 1);
        vm.assertTrue(collection.editable());
        vm.assertEq(collection.owner(), address(this));
        vm.assertEq(collection.contractDigest(), bytes32(0));
        (address receiver, uint256 royalty) = collection.royaltyInfo(1, 10_000);
        vm.assertEq(receiver, address(0));
        vm.assertEq(royalty, 0);
    }

    function _isFull(EverholdCollection collection) private view {
        address creator = 0x70997970C51812dc3A010C7d01b50e0d17dc79C8;
        vm.assertEq(collection.codec(), Codec.RAW);
        vm.assertEq(collection.firstTokenId(), 0);
        vm.assertFalse(collection.editable());
        vm.assertEq(collection.owner(), creator);
        vm.assertEq(
            collection.contractDigest(), 0x388622abfbc1740349afae54d4d20ae66af9b121e25cb6a6b9a5623fafc4736d
        );
        (address receiver, uint256 royalty) = collection.royaltyInfo(1, 10_000);
        vm.assertEq(receiver, creator);
        vm.assertEq(royalty, 250);
    }
}
