// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {EverholdCollection} from "../src/EverholdCollection.sol";
import {CollectionSettings, IEverholdCollection} from "../src/interfaces/IEverholdCollection.sol";
import {IEverholdFactory} from "../src/interfaces/IEverholdFactory.sol";
import {CollectionTest} from "./utils/CollectionTest.sol";

/// @notice Anyone makes a collection, at an address that is known beforehand and that nobody else can take.
contract FactoryTest is CollectionTest {
    bytes32 private constant SALT = keccak256("salt");

    function test_makesACollectionWithItsSettings() public {
        CollectionSettings memory with = settings();
        with.codec = RAW;
        with.firstTokenId = 0;
        with.editable = false;
        with.royaltyReceiver = bob;
        with.royaltyBasisPoints = 750;
        with.contractDigest = DIGEST_1;
        collection = create(alice, with, SALT);

        vm.assertEq(collection.name(), "Lighthouses");
        vm.assertEq(collection.symbol(), "LIGHT");
        vm.assertEq(collection.codec(), RAW);
        vm.assertEq(collection.firstTokenId(), 0);
        vm.assertFalse(collection.editable());
        vm.assertEq(collection.owner(), creator);
        vm.assertEq(collection.contractDigest(), DIGEST_1);
        (address receiver, uint256 amount) = collection.royaltyInfo(0, 10_000);
        vm.assertEq(receiver, bob);
        vm.assertEq(amount, 750);
    }

    function test_announcesTheCollection() public {
        CollectionSettings memory with = settings();
        address expected = factory.collectionAddress(alice, with, SALT);
        vm.expectEmit(address(factory));
        emit IEverholdFactory.CollectionCreated(
            expected, creator, alice, DAG_PB, 1, true, "Lighthouses", "LIGHT"
        );
        create(alice, with, SALT);
    }

    function test_makesMinimalClonesOfOneImplementation() public view {
        vm.assertEq(
            address(collection).code,
            abi.encodePacked(
                hex"363d3d373d3d3d363d73", factory.implementation(), hex"5af43d82803e903d91602b57fd5bf3"
            )
        );
    }

    function test_keepsCollectionsApart() public {
        EverholdCollection other = deploy(settings());
        mintTo(alice, DIGEST_1);
        vm.assertNotEq(address(other), address(collection));
        vm.assertEq(other.totalSupply(), 0);
        expectNonexistentToken(1);
        other.ownerOf(1);
    }

    function test_takesNoEther() public {
        vm.deal(alice, 1);
        vm.prank(alice);
        (bool success,) = address(factory).call{value: 1}(
            abi.encodeCall(IEverholdFactory.createCollection, (settings(), SALT))
        );
        vm.assertFalse(success);
    }

    // ------------------------------------------------------------ the address

    function testFuzz_givesTheAddressForeseen(address sender, bytes32 salt) public {
        CollectionSettings memory with = settings();
        address foreseen = factory.collectionAddress(sender, with, salt);
        vm.assertEq(foreseen.code.length, 0);
        vm.assertEq(address(create(sender, with, salt)), foreseen);
    }

    function testFuzz_bindsTheAddressToSenderSettingsAndSalt(address sender, bytes32 salt) public view {
        CollectionSettings memory with = settings();
        bytes memory clone = abi.encodePacked(
            hex"3d602d80600a3d3981f3363d3d373d3d3d363d73",
            factory.implementation(),
            hex"5af43d82803e903d91602b57fd5bf3"
        );
        address expected = vm.computeCreate2Address(
            keccak256(abi.encode(sender, with, salt)), keccak256(clone), address(factory)
        );
        vm.assertEq(factory.collectionAddress(sender, with, salt), expected);
    }

    function testFuzz_isNotTakenByAnotherSenderWithTheSameSettingsAndSalt(address squatter) public {
        vm.assume(squatter != alice);
        CollectionSettings memory with = settings();
        address mine = factory.collectionAddress(alice, with, SALT);

        vm.assertNotEq(address(create(squatter, with, SALT)), mine);
        vm.assertEq(mine.code.length, 0);
        vm.assertEq(address(create(alice, with, SALT)), mine);
    }

    function test_isAnotherOneForEachOtherSetting() public view {
        CollectionSettings memory with = settings();
        with.name = "Light";
        with.symbol = "housesLIGHT";
        differs(with);
        with = settings();
        with.codec = RAW;
        differs(with);
        with = settings();
        with.firstTokenId = 0;
        differs(with);
        with = settings();
        with.editable = false;
        differs(with);
        with = settings();
        with.creator = bob;
        differs(with);
        with = settings();
        with.royaltyReceiver = bob;
        differs(with);
        with = settings();
        with.royaltyBasisPoints = 1;
        differs(with);
        with = settings();
        with.contractDigest = DIGEST_1;
        differs(with);
    }

    function testFuzz_isAnotherOneForAnotherSalt(bytes32 salt) public view {
        vm.assume(salt != SALT);
        vm.assertNotEq(
            factory.collectionAddress(alice, settings(), salt),
            factory.collectionAddress(alice, settings(), SALT)
        );
    }

    // ------------------------------------------------------------ what it refuses

    function test_refusesToMakeTheSameCollectionTwice() public {
        CollectionSettings memory with = settings();
        address first = address(create(alice, with, SALT));
        vm.expectRevert(abi.encodeWithSelector(IEverholdFactory.CollectionExists.selector, first));
        vm.prank(alice);
        factory.createCollection(with, SALT);
    }

    function test_leavesNothingBehindWhenItRefuses() public {
        CollectionSettings memory with = settings();
        with.codec = 0x71;
        vm.expectRevert(abi.encodeWithSelector(IEverholdCollection.InvalidCodec.selector, 0x71));
        vm.prank(alice);
        factory.createCollection(with, SALT);
        vm.assertEq(factory.collectionAddress(alice, with, SALT).code.length, 0);
    }

    // ------------------------------------------------------------

    function create(address sender, CollectionSettings memory with, bytes32 salt)
        private
        returns (EverholdCollection)
    {
        vm.prank(sender);
        return EverholdCollection(factory.createCollection(with, salt));
    }

    function differs(CollectionSettings memory with) private view {
        vm.assertNotEq(
            factory.collectionAddress(alice, with, SALT), factory.collectionAddress(alice, settings(), SALT)
        );
    }
}
