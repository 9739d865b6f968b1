// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {EverholdFactory} from "../src/EverholdFactory.sol";
import {Codec} from "../src/content/Codec.sol";
import {CollectionSettings, IEverholdCollection, Voucher} from "../src/interfaces/IEverholdCollection.sol";
import {Comparison} from "./Comparison.sol";
import {GasTest} from "./GasTest.sol";
import {Scenario} from "./Scenario.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {IERC721Metadata} from "@openzeppelin/contracts/token/ERC721/extensions/IERC721Metadata.sol";

/// @notice Everhold's side of the scenario: a clone that the real factory made.
abstract contract EverholdScenario is Scenario {
    EverholdFactory internal factory;

    function _deploy() internal override returns (address created, uint256 gas) {
        address deployed;
        (deployed, gas) = _create(type(EverholdFactory).creationCode);
        _record("factory, once for a chain", gas);
        factory = EverholdFactory(deployed);
        gas = _send(CREATOR, deployed, _createCall(0));
        created = factory.collectionAddress(CREATOR, _settings(), 0);
    }

    function _createCall(bytes32 salt) internal view returns (bytes memory) {
        return abi.encodeCall(EverholdFactory.createCollection, (_settings(), salt));
    }

    /// @dev Everything that can be set.
    function _settings() internal view returns (CollectionSettings memory) {
        return CollectionSettings({
            name: "Everhold Originals",
            symbol: "EVER",
            codec: Codec.DAG_PB,
            firstTokenId: 0,
            editable: true,
            creator: CREATOR,
            royaltyReceiver: CREATOR,
            royaltyBasisPoints: 500,
            contractDigest: keccak256("contract")
        });
    }

    function _mintCall(address to, uint256 tokenId) internal pure override returns (bytes memory) {
        return abi.encodeCall(IEverholdCollection.mint, (to, tokenId, _digest(tokenId, 1)));
    }

    function _mintBatchCall(address to, uint256 firstId, uint256 size)
        internal
        pure
        override
        returns (bytes memory)
    {
        bytes32[] memory digests = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) {
            digests[i] = _digest(firstId + i, 1);
        }
        return abi.encodeCall(IEverholdCollection.mintBatch, (to, firstId, digests));
    }

    function _updateCall(uint256 tokenId, uint256 revision) internal pure override returns (bytes memory) {
        bytes32 current = _digest(tokenId, revision - 1);
        return
            abi.encodeCall(IEverholdCollection.updateContent, (tokenId, current, _digest(tokenId, revision)));
    }

    function _burnCall(uint256 tokenId) internal pure override returns (bytes memory) {
        return abi.encodeCall(IEverholdCollection.burn, (tokenId));
    }
}

/// @notice What is compared with the peers, and what only Everhold has.
contract EverholdGas is EverholdScenario, Comparison {
    uint256 private constant SIGNER_KEY = uint256(keccak256("signer"));

    constructor() GasTest("everhold") {}

    function test_contentDigest() public {
        _recordView("contentDigest", IEverholdCollection.contentDigest.selector);
    }

    function test_freeze() public {
        uint256 tokenId = _mintSingle();
        _record("freeze of a single", _send(COLLECTOR, collection, _freezeCall(tokenId)));
        uint256[] memory tokenIds = _positions();
        uint256 worst = 0;
        for (uint256 i = 0; i < tokenIds.length; ++i) {
            worst = _max(worst, _try(COLLECTOR, collection, _freezeCall(tokenIds[i])));
        }
        _record("freeze in a batch, worst", worst);
    }

    function _freezeCall(uint256 tokenId) private pure returns (bytes memory) {
        return abi.encodeCall(IEverholdCollection.freeze, (tokenId));
    }

    /// @dev The owner is an ordinary account. Anyone may send this: here the creator does.
    function test_updateBySignature() public {
        address owner = vm.addr(SIGNER_KEY);
        uint256 single = nextId++;
        _send(CREATOR, collection, _mintCall(owner, single));
        uint256 inBatch = BATCHES * BATCH_SIZE - 1;
        _send(COLLECTOR, collection, abi.encodeCall(IERC721.transferFrom, (COLLECTOR, owner, inBatch)));

        bytes memory first = _signedUpdate(owner, single, 2);
        _record("first update by signature", _send(CREATOR, collection, first));
        bytes memory later = _signedUpdate(owner, single, 3);
        _record("later update by signature", _send(CREATOR, collection, later));
        bytes memory moved = _signedUpdate(owner, inBatch, 2);
        _record("first update by signature in a batch, moved", _send(CREATOR, collection, moved));
    }

    function _signedUpdate(address owner, uint256 tokenId, uint256 revision)
        private
        view
        returns (bytes memory)
    {
        uint256 nonce = revision - 2;
        bytes32 current = _digest(tokenId, revision - 1);
        bytes32 next = _digest(tokenId, revision);
        uint256 deadline = block.timestamp + 1 hours;
        bytes32 message = keccak256(
            abi.encode(
                keccak256(
                    "ContentUpdate(address owner,uint256 tokenId,bytes32 currentDigest,bytes32 newDigest,uint256 nonce,uint256 deadline)"
                ),
                owner,
                tokenId,
                current,
                next,
                nonce,
                deadline
            )
        );
        return abi.encodeCall(
            IEverholdCollection.updateContentBySignature,
            (tokenId, current, next, nonce, deadline, _sign(SIGNER_KEY, message))
        );
    }

    /// @dev A paid one, whose money goes to a creator that has some. The next one in a row finds its bit's slot used.
    function test_redeem() public {
        address signer = vm.addr(SIGNER_KEY);
        vm.deal(signer, 1 ether);
        _send(CREATOR, collection, abi.encodeWithSignature("transferOwnership(address)", signer));
        _send(signer, collection, abi.encodeWithSignature("acceptOwnership()"));
        vm.deal(NEWCOMER, 1 ether);
        vm.deal(COLLECTOR, 1 ether);
        uint256 first = _send(NEWCOMER, collection, 0.05 ether, _redeemCall(0));
        _record("redeem, first of 256", first);
        address buyer = makeAddr("buyer");
        vm.deal(buyer, 1 ether);
        _record("redeem, later", _send(buyer, collection, 0.05 ether, _redeemCall(1)));
    }

    function _redeemCall(uint256 id) private view returns (bytes memory) {
        Voucher memory voucher = Voucher({
            id: id,
            digest: _digest(nextId + id, 1),
            buyer: address(0),
            price: 0.05 ether,
            deadline: block.timestamp + 1 hours
        });
        bytes32 message = keccak256(
            abi.encode(
                keccak256(
                    "Voucher(address creator,uint256 id,bytes32 digest,address buyer,uint256 price,uint256 deadline)"
                ),
                vm.addr(SIGNER_KEY),
                voucher
            )
        );
        return abi.encodeCall(IEverholdCollection.redeem, (voucher, _sign(SIGNER_KEY, message)));
    }

    /// @dev EIP-712, for this collection.
    function _sign(uint256 key, bytes32 message) private view returns (bytes memory) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("Everhold"),
                keccak256("1"),
                block.chainid,
                collection
            )
        );
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(key, keccak256(abi.encodePacked(hex"1901", domain, message)));
        return abi.encodePacked(r, s, v);
    }
}

/// @notice How the search for a token's batch grows: 100 and 1,000 batches, small ones, as their size has no part
/// in it.
abstract contract SearchGas is EverholdScenario {
    uint256 private constant SMALL = 3;

    uint256 private immutable COUNT;

    constructor(uint256 count) {
        COUNT = count;
    }

    function setUp() public {
        (collection,) = _deploy();
        for (uint256 i = 0; i < COUNT; ++i) {
            _mintBatch(SMALL);
        }
    }

    function test_search() public {
        uint256 transfer = 0;
        uint256 uri = 0;
        for (uint256 i = 0; i < nextId; i += nextId / 30) {
            bytes memory call = abi.encodeCall(IERC721Metadata.tokenURI, (i));
            uri = _max(uri, _view(collection, call));
            transfer = _max(transfer, _try(COLLECTOR, collection, _transferCall(i)));
        }
        _record("transfer from a batch, worst", transfer);
        _record("tokenURI in a batch, worst", uri);
        _record("mint", _try(CREATOR, collection, _mintCall(NEWCOMER, nextId)));
    }
}

contract Search100Gas is SearchGas(100) {
    constructor() GasTest("everhold-100") {}
}

contract Search1000Gas is SearchGas(1000) {
    constructor() GasTest("everhold-1000") {}
}
