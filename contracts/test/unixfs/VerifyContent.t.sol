// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {EverholdCollection} from "../../src/EverholdCollection.sol";
import {EverholdFactory} from "../../src/EverholdFactory.sol";
import {Codec} from "../../src/content/Codec.sol";
import {CollectionSettings, IEverholdCollection} from "../../src/interfaces/IEverholdCollection.sol";
import {UnixFSVectors} from "./UnixFSVectors.sol";

/// @notice Documents proven against their tokens, on the vectors.
contract VerifyContentTest is UnixFSVectors {
    EverholdCollection private _dagPb;
    EverholdCollection private _raw;

    /// @dev The token after those of the vectors: its content is one byte longer than a block's file may be.
    uint256 private constant TOO_LONG = 8;

    function setUp() public override {
        super.setUp();
        EverholdFactory factory = new EverholdFactory();
        _dagPb = _create(factory, Codec.DAG_PB);
        _raw = _create(factory, Codec.RAW);
        for (uint256 id = 0; id < lengths.length; ++id) {
            _dagPb.mint(address(this), id, digests[id]);
            _raw.mint(address(this), id, sha256(_document(lengths[id])));
        }
        _dagPb.mint(address(this), TOO_LONG, twoBlocksDigest);
        _raw.mint(address(this), TOO_LONG, sha256(_document(MAX + 1)));
    }

    function _create(EverholdFactory factory, uint8 codec) private returns (EverholdCollection) {
        CollectionSettings memory settings;
        settings.codec = codec;
        settings.creator = address(this);
        return EverholdCollection(factory.createCollection(settings, 0));
    }

    //////////////////////////////////////////////////////////////////////////
    //                                 DAG-PB
    //////////////////////////////////////////////////////////////////////////

    function test_dagPb_everyVectorIsProven() public view {
        for (uint256 id = 0; id < lengths.length; ++id) {
            vm.assertTrue(_dagPb.verifyContent(id, _document(lengths[id])));
        }
    }

    function test_dagPb_noVectorIsAnother() public view {
        for (uint256 id = 0; id < lengths.length; ++id) {
            bytes memory document = _document(lengths[id]);
            for (uint256 other = 0; other <= TOO_LONG; ++other) {
                vm.assertEq(_dagPb.verifyContent(other, document) ? 1 : 0, other == id ? 1 : 0);
            }
        }
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_dagPb_oneChangedByteIsFound(uint256 id, uint256 position, uint8 change) public view {
        (id, position) = _somewhere(id, position);
        bytes memory document = _document(lengths[id]);
        document[position] ^= bytes1(_nonZero(change));
        vm.assertFalse(_dagPb.verifyContent(id, document));
    }

    function test_dagPb_aByteMoreOrFewerIsFound() public view {
        for (uint256 id = 0; id < lengths.length; ++id) {
            uint256 length = lengths[id];
            if (length > 0) vm.assertFalse(_dagPb.verifyContent(id, _document(length - 1)));
            if (length < MAX) vm.assertFalse(_dagPb.verifyContent(id, _document(length + 1)));
        }
    }

    function test_dagPb_moreThanOneBlockReverts() public {
        bytes memory document = _document(MAX + 1);
        for (uint256 id = 0; id <= TOO_LONG; ++id) {
            vm.expectRevert(
                abi.encodeWithSelector(IEverholdCollection.DocumentTooLarge.selector, MAX + 1, MAX)
            );
            _dagPb.verifyContent(id, document);
        }
    }

    //////////////////////////////////////////////////////////////////////////
    //                              ROOT BLOCKS
    //////////////////////////////////////////////////////////////////////////

    function test_dagPb_theRootOfTwoBlocksIsProven() public view {
        vm.assertTrue(_dagPb.verifyBlock(TOO_LONG, twoBlocksRoot));
        for (uint256 id = 0; id < TOO_LONG; ++id) {
            vm.assertFalse(_dagPb.verifyBlock(id, twoBlocksRoot));
        }
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_dagPb_aChangedRootIsFound(uint256 position, uint8 change) public view {
        bytes memory root = twoBlocksRoot;
        root[bound(position, 0, root.length - 1)] ^= bytes1(_nonZero(change));
        vm.assertFalse(_dagPb.verifyBlock(TOO_LONG, root));
    }

    /// @dev A block's bytes are not the document's, whatever the codec says.
    function test_dagPb_aDocumentIsNotItsBlock() public view {
        for (uint256 id = 0; id < lengths.length; ++id) {
            vm.assertFalse(_dagPb.verifyBlock(id, _document(lengths[id])));
        }
    }

    //////////////////////////////////////////////////////////////////////////
    //                                  RAW
    //////////////////////////////////////////////////////////////////////////

    function test_raw_everyDocumentOfAnyLengthIsProven() public view {
        for (uint256 id = 0; id <= TOO_LONG; ++id) {
            bytes memory document = _document(_rawLength(id));
            vm.assertTrue(_raw.verifyContent(id, document));
            // The document is its own and only block.
            vm.assertTrue(_raw.verifyBlock(id, document));
        }
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_raw_oneChangedByteIsFound(uint256 id, uint256 position, uint8 change) public view {
        (id, position) = _somewhere(id, position);
        bytes memory document = _document(lengths[id]);
        document[position] ^= bytes1(_nonZero(change));
        vm.assertFalse(_raw.verifyContent(id, document));
        vm.assertFalse(_raw.verifyBlock(id, document));
    }

    function test_raw_aByteMoreOrFewerIsFound() public view {
        for (uint256 id = 0; id <= TOO_LONG; ++id) {
            uint256 length = _rawLength(id);
            if (length > 0) vm.assertFalse(_raw.verifyContent(id, _document(length - 1)));
            if (length <= MAX) vm.assertFalse(_raw.verifyContent(id, _document(length + 1)));
        }
    }

    /// @dev The digest of a document and that of its block never stand for each other.
    function test_raw_theBlocksDigestIsAnother() public {
        _raw.mint(address(this), TOO_LONG + 1, digests[4]);
        vm.assertFalse(_raw.verifyContent(TOO_LONG + 1, _document(lengths[4])));
    }

    //////////////////////////////////////////////////////////////////////////
    //                                HELPERS
    //////////////////////////////////////////////////////////////////////////

    /// @dev A vector that has bytes, and one of their positions: often the first or the last.
    function _somewhere(uint256 id, uint256 position) private view returns (uint256, uint256) {
        id = bound(id, 1, lengths.length - 1);
        return (id, bound(position, 0, lengths[id] - 1));
    }

    function _nonZero(uint8 change) private pure returns (uint8) {
        return change == 0 ? 1 : change;
    }

    function _rawLength(uint256 id) private view returns (uint256) {
        return id == TOO_LONG ? MAX + 1 : lengths[id];
    }
}
