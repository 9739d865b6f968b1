// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {EverholdCollection} from "../../src/EverholdCollection.sol";
import {CollectionTest} from "../utils/CollectionTest.sol";
import {Meddler} from "./Meddler.sol";
import {Token} from "./Model.sol";

/// @notice What is true of a collection whatever was done to it, by whom, and in which order.
/// @dev `Handler` does what people may do and `Meddler` tries what they may not; both keep the model that each
/// invariant compares with. What may never happen between two looks is in `Watcher`.
contract CollectionInvariants is CollectionTest {
    /// @dev What forge asks a test for: which functions of which contract it may call.
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Meddler private handler;
    address[] private people;

    function setUp() public override {
        super.setUp();
        collection = deployStartingAt(0);
        handler = new Meddler(collection);
        people = handler.people();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev What changes much is named more than once, so that it is done more often.
    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[25] memory acts = [
            handler.mint.selector,
            handler.mintBatch.selector,
            handler.mintBatch.selector,
            handler.redeem.selector,
            handler.cancelVoucher.selector,
            handler.describe.selector,
            handler.passOn.selector,
            handler.transfer.selector,
            handler.transfer.selector,
            handler.approve.selector,
            handler.setOperator.selector,
            handler.update.selector,
            handler.updateBySignature.selector,
            handler.cancelSignatures.selector,
            handler.freeze.selector,
            handler.burn.selector,
            handler.changeAnothersToken.selector,
            handler.moveAnothersToken.selector,
            handler.changeFrozenToken.selector,
            handler.changeBurnedToken.selector,
            handler.updateWrongly.selector,
            handler.forgeUpdate.selector,
            handler.reuseUpdate.selector,
            handler.reuseVoucher.selector,
            handler.actAsCreator.selector
        ];
        targets = new FuzzSelector[](1);
        targets[0].addr = address(handler);
        targets[0].selectors = new bytes4[](acts.length + 3);
        for (uint256 i = 0; i < acts.length; ++i) {
            targets[0].selectors[i] = acts[i];
        }
        targets[0].selectors[acts.length] = handler.mintOutOfTurn.selector;
        targets[0].selectors[acts.length + 1] = handler.makeItAnew.selector;
        targets[0].selectors[acts.length + 2] = handler.sendEther.selector;
    }

    //////////////////////////////////////////////////////////////////////////
    //                                 TOKENS
    //////////////////////////////////////////////////////////////////////////

    /// @notice A token has an owner exactly as long as it has a digest: from its mint until it is burned.
    function invariant_01_aTokenHasAnOwnerExactlyIfItHasADigest() external view {
        for (uint256 id = handler.firstId(); id <= handler.nextId(); ++id) {
            bool exists = id < handler.nextId() && !handler.tokenAt(id).burned;
            vm.assertTrue(hasOwner(id) == exists);
            vm.assertTrue(hasDigest(id) == exists);
        }
    }

    /// @notice Each token belongs to whom its last transfer, or its mint, gave it.
    function invariant_02_ownersAreThoseOfTheModel() external view {
        for (uint256 id = handler.firstId(); id < handler.nextId(); ++id) {
            Token memory token = handler.tokenAt(id);
            if (token.burned) continue;
            vm.assertEq(collection.ownerOf(id), token.owner);
            vm.assertEq(collection.getApproved(id), token.approved);
        }
    }

    /// @notice Balances are what everyone owns, and together the supply.
    function invariant_03_balancesSumUpToTheSupply() external view {
        uint256 sum = 0;
        for (uint256 i = 0; i < people.length; ++i) {
            uint256 balance = collection.balanceOf(people[i]);
            vm.assertEq(balance, handler.tokensOf(people[i]));
            sum += balance;
        }
        vm.assertEq(collection.totalSupply(), sum);
    }

    /// @notice Ids are given in a row, each once, burned ones too.
    function invariant_04_theNextIdIsTheFirstAndAllEverMinted() external view {
        vm.assertEq(collection.nextTokenId(), handler.nextId());
        uint256 minted = collection.totalSupply() + handler.tokensOf(address(0));
        vm.assertEq(collection.nextTokenId(), collection.firstTokenId() + minted);
    }

    /// @notice A burned token is gone for every function.
    function invariant_05_burnedTokensDoNotExist() external {
        for (uint256 id = handler.firstId(); id < handler.nextId(); ++id) {
            if (!handler.tokenAt(id).burned) continue;
            expectNonexistentToken(id);
            collection.revision(id);
            expectNonexistentToken(id);
            collection.isFrozen(id);
            expectNonexistentToken(id);
            collection.signatureNonce(id);
            expectNonexistentToken(id);
            collection.tokenURI(id);
            expectNonexistentToken(id);
            collection.getStateFingerprint(id);
        }
    }

    //////////////////////////////////////////////////////////////////////////
    //                                CONTENT
    //////////////////////////////////////////////////////////////////////////

    /// @notice A digest is what the token's owner set last, by himself or by his signature; before, what was minted.
    function invariant_06_digestsAreWhatOwnersSetLast() external view {
        for (uint256 id = handler.firstId(); id < handler.nextId(); ++id) {
            Token memory token = handler.tokenAt(id);
            if (token.burned) continue;
            vm.assertEq(collection.contentDigest(id), token.digest);
            if (token.revision == 1) vm.assertEq(collection.contentDigest(id), token.minted);
        }
    }

    /// @notice A frozen token has for ever what it was frozen with.
    function invariant_07_frozenContentNeverChanges() external view {
        for (uint256 id = handler.firstId(); id < handler.nextId(); ++id) {
            Token memory token = handler.tokenAt(id);
            if (token.burned) continue;
            vm.assertTrue(collection.isFrozen(id) == token.frozen);
            if (token.frozen) vm.assertEq(collection.contentDigest(id), token.kept);
        }
    }

    /// @notice Revisions count how often content was set, and nonces the changes after the mint and, apart, the cancellations.
    function invariant_08_revisionsAndNoncesCount() external view {
        for (uint256 id = handler.firstId(); id < handler.nextId(); ++id) {
            Token memory token = handler.tokenAt(id);
            if (token.burned) continue;
            vm.assertEq(collection.revision(id), token.revision);
            vm.assertEq(collection.signatureNonce(id), token.nonce);
        }
    }

    /// @notice A fingerprint is a function of digest, revision and frozen, and of nothing else.
    function invariant_09_fingerprintsFollowTheContent() external view {
        for (uint256 id = handler.firstId(); id < handler.nextId(); ++id) {
            Token memory token = handler.tokenAt(id);
            if (token.burned) continue;
            vm.assertEq(
                collection.getStateFingerprint(id),
                keccak256(abi.encode(token.digest, token.revision, token.frozen))
            );
        }
    }

    //////////////////////////////////////////////////////////////////////////
    //                             THE COLLECTION
    //////////////////////////////////////////////////////////////////////////

    /// @notice What a collection was made with never changes.
    function invariant_10_settingsNeverChange() external view {
        vm.assertEq(collection.codec(), DAG_PB);
        vm.assertEq(collection.firstTokenId(), 0);
        vm.assertTrue(collection.editable());
        vm.assertEq(collection.name(), "Lighthouses");
        vm.assertEq(collection.symbol(), "LIGHT");
    }

    /// @notice Only its creator makes somebody else the creator, and only whoever accepts.
    function invariant_11_theCreatorIsWhoAcceptedLast() external view {
        vm.assertEq(collection.owner(), handler.minter());
        vm.assertEq(collection.pendingOwner(), address(0));
    }

    /// @notice Ether goes through at once.
    function invariant_12_noEtherStays() external view {
        vm.assertEq(address(collection).balance, 0);
    }

    /// @notice A voucher is spent once it is redeemed or cancelled, and never again anything else.
    function invariant_13_vouchersAreSpentForEver() external view {
        uint256 spent = handler.spentVouchers();
        for (uint256 id = 0; id < spent; ++id) {
            vm.assertTrue(collection.isVoucherSpent(id));
        }
        vm.assertFalse(collection.isVoucherSpent(spent));
    }

    /// @notice Packs are all that a collection creates, one for each batch; their addresses follow from that.
    function invariant_14_packsAreAllThatIsCreated() external view {
        vm.assertEq(vm.getNonce(address(collection)), 1 + handler.batches());
    }

    // ------------------------------------------------------------

    function hasOwner(uint256 id) private view returns (bool) {
        try collection.ownerOf(id) returns (address owner) {
            return owner != address(0);
        } catch {
            return false;
        }
    }

    function hasDigest(uint256 id) private view returns (bool) {
        try collection.contentDigest(id) returns (bytes32 digest) {
            return digest != 0;
        } catch {
            return false;
        }
    }
}
