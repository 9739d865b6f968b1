// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {IERC7572} from "../src/interfaces/IERC7572.sol";
import {CollectionSettings, IEverholdCollection} from "../src/interfaces/IEverholdCollection.sol";
import {CollectionTest} from "./utils/CollectionTest.sol";
import {ContentURIReference} from "./utils/ContentURIReference.sol";
import {Vm} from "./utils/Test.sol";

/// @notice The creator gives the collection itself metadata (ERC-7572), which no token has to do with.
contract ContractURITest is CollectionTest {
    function testFuzz_isWrittenFromItsDigest(bool raw, bytes32 digest) public {
        vm.assume(digest != 0);
        uint8 codec = raw ? RAW : DAG_PB;
        collection = deployWith(codec);
        setContent(creator, digest);
        vm.assertEq(collection.contractDigest(), digest);
        vm.assertEq(collection.contractURI(), ContentURIReference.encode(codec, digest));
    }

    function test_mayBeSetFromTheStart() public {
        CollectionSettings memory with = settings();
        with.contractDigest = DIGEST_1;
        collection = deploy(with);
        vm.assertEq(collection.contractDigest(), DIGEST_1);
        vm.assertEq(collection.contractURI(), ContentURIReference.encode(DAG_PB, DIGEST_1));
    }

    function test_mayBeTakenAway() public {
        setContent(creator, DIGEST_1);
        setContent(creator, 0);
        vm.assertEq(collection.contractDigest(), 0);
        vm.assertEq(collection.contractURI(), "");
    }

    function test_leavesTokensAsTheyWere() public {
        mintTo(alice, DIGEST_1);
        setContent(creator, DIGEST_2);
        vm.assertEq(collection.contentDigest(1), DIGEST_1);
        vm.assertEq(collection.revision(1), 1);
    }

    function test_announcesItself() public {
        vm.expectEmit(address(collection));
        emit IEverholdCollection.ContractContentSet(DIGEST_1);
        vm.expectEmit(address(collection));
        emit IERC7572.ContractURIUpdated();
        setContent(creator, DIGEST_1);
    }

    function test_announcesNothingElse() public {
        vm.recordLogs();
        setContent(creator, DIGEST_1);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 2);
    }

    function testFuzz_refusesEveryoneButTheCreator(address caller) public {
        vm.assume(caller != creator);
        expectNotCreator(caller);
        setContent(caller, DIGEST_1);
    }

    // ------------------------------------------------------------

    function setContent(address caller, bytes32 digest) private {
        vm.prank(caller);
        collection.setContractContent(digest);
    }
}
