// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {EverholdCollection} from "../src/EverholdCollection.sol";
import {IERC7572} from "../src/interfaces/IERC7572.sol";
import {CollectionSettings, IEverholdCollection} from "../src/interfaces/IEverholdCollection.sol";
import {CollectionTest} from "./utils/CollectionTest.sol";
import {Vm} from "./utils/Test.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC2981} from "@openzeppelin/contracts/token/common/ERC2981.sol";

/// @notice What a collection is from its first block on, and that nobody can make it anything else.
contract InitializeTest is CollectionTest {
    function test_keepsWhatItWasMadeWith() public view {
        vm.assertEq(collection.name(), "Lighthouses");
        vm.assertEq(collection.symbol(), "LIGHT");
        vm.assertEq(collection.codec(), DAG_PB);
        vm.assertEq(collection.firstTokenId(), 1);
        vm.assertTrue(collection.editable());
        vm.assertEq(collection.owner(), creator);
        vm.assertEq(collection.pendingOwner(), address(0));
    }

    function test_startsEmpty() public view {
        vm.assertEq(collection.totalSupply(), 0);
        vm.assertEq(collection.nextTokenId(), 1);
        vm.assertEq(collection.balanceOf(creator), 0);
        vm.assertEq(collection.contractDigest(), 0);
        vm.assertEq(collection.contractURI(), "");
        (address receiver, uint256 amount) = collection.royaltyInfo(1, 1 ether);
        vm.assertEq(receiver, address(0));
        vm.assertEq(amount, 0);
    }

    function test_mayStartAtTokenZero() public {
        collection = deployStartingAt(0);
        vm.assertEq(collection.firstTokenId(), 0);
        vm.assertEq(collection.nextTokenId(), 0);
        vm.assertEq(collection.totalSupply(), 0);
    }

    function test_mayNameContentByItsOwnHash() public {
        vm.assertEq(deployWith(RAW).codec(), RAW);
    }

    function test_mayHaveEditsOff() public {
        vm.assertFalse(deployWithEditsOff().editable());
    }

    function testFuzz_takesAnyName(string memory name, string memory symbol) public {
        CollectionSettings memory with = settings();
        with.name = name;
        with.symbol = symbol;
        collection = deploy(with);
        vm.assertEq(collection.name(), name);
        vm.assertEq(collection.symbol(), symbol);
    }

    function testFuzz_knowsNothingOfTokensThatDoNotExist(uint256 tokenId) public {
        knowsNothingOf(tokenId);
    }

    // ------------------------------------------------------------ its events

    function test_announcesItsCreatorAndNothingThatItHasNot() public {
        vm.recordLogs();
        deploy(settings());
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 2);
        // First the factory's, so that who follows the factory misses nothing.
        vm.assertEq(logs[0].emitter, address(factory));
        vm.assertEq(logs[1].topics[0], Ownable.OwnershipTransferred.selector);
        vm.assertEq(logs[1].topics[2], bytes32(uint256(uint160(creator))));
    }

    function test_announcesItsRoyaltyAndItsOwnMetadata() public {
        CollectionSettings memory with = settings();
        with.royaltyReceiver = bob;
        with.royaltyBasisPoints = 500;
        with.contractDigest = DIGEST_1;
        address expected = factory.collectionAddress(address(this), with, 0);
        vm.expectEmit(expected);
        emit IEverholdCollection.RoyaltySet(bob, 500);
        vm.expectEmit(expected);
        emit IEverholdCollection.ContractContentSet(DIGEST_1);
        vm.expectEmit(expected);
        emit IERC7572.ContractURIUpdated();
        factory.createCollection(with, 0);
    }

    // ------------------------------------------------------------ only once, only by the factory

    function test_isDoneOnce() public {
        vm.expectRevert(IEverholdCollection.AlreadyInitialized.selector);
        vm.prank(address(factory));
        collection.initialize(settings());
    }

    function testFuzz_isDoneByTheFactoryAlone(address caller) public {
        vm.assume(caller != address(factory));
        expectNotFactory(caller);
        vm.prank(caller);
        collection.initialize(settings());
    }

    function test_isNotDoneToTheImplementation() public {
        EverholdCollection implementation = EverholdCollection(factory.implementation());
        vm.expectRevert(IEverholdCollection.AlreadyInitialized.selector);
        vm.prank(address(factory));
        implementation.initialize(settings());

        expectNotFactory(stranger);
        vm.prank(stranger);
        implementation.initialize(settings());
    }

    function test_leavesTheImplementationWithoutCreatorAndTokens() public {
        EverholdCollection implementation = EverholdCollection(factory.implementation());
        vm.assertEq(implementation.owner(), address(0));
        vm.assertEq(implementation.totalSupply(), 0);
        expectNotCreator(address(factory));
        vm.prank(address(factory));
        implementation.mint(alice, 0, DIGEST_1);
    }

    // ------------------------------------------------------------ settings it refuses

    function testFuzz_refusesAnyOtherCodec(uint8 codec) public {
        vm.assume(codec != DAG_PB && codec != RAW);
        CollectionSettings memory with = settings();
        with.codec = codec;
        refuses(with, abi.encodeWithSelector(IEverholdCollection.InvalidCodec.selector, codec));
    }

    function testFuzz_refusesAnyOtherStart(uint8 firstTokenId) public {
        vm.assume(firstTokenId > 1);
        CollectionSettings memory with = settings();
        with.firstTokenId = firstTokenId;
        refuses(with, abi.encodeWithSelector(IEverholdCollection.InvalidFirstTokenId.selector, firstTokenId));
    }

    function test_refusesToBeWithoutCreator() public {
        CollectionSettings memory with = settings();
        with.creator = address(0);
        refuses(with, abi.encodeWithSelector(Ownable.OwnableInvalidOwner.selector, address(0)));
    }

    function testFuzz_refusesARoyaltyOverThePrice(uint96 basisPoints) public {
        vm.assume(basisPoints > 10_000);
        CollectionSettings memory with = settings();
        with.royaltyReceiver = bob;
        with.royaltyBasisPoints = basisPoints;
        refuses(
            with, abi.encodeWithSelector(ERC2981.ERC2981InvalidDefaultRoyalty.selector, basisPoints, 10_000)
        );
    }

    function test_refusesARoyaltyForNobody() public {
        CollectionSettings memory with = settings();
        with.royaltyBasisPoints = 1;
        refuses(
            with, abi.encodeWithSelector(ERC2981.ERC2981InvalidDefaultRoyaltyReceiver.selector, address(0))
        );
    }

    // ------------------------------------------------------------

    function refuses(CollectionSettings memory with, bytes memory error_) private {
        vm.expectRevert(error_);
        factory.createCollection(with, 0);
    }

    function expectNotFactory(address caller) private {
        vm.expectRevert(abi.encodeWithSelector(IEverholdCollection.NotFactory.selector, caller));
    }
}
