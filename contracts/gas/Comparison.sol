// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {Scenario} from "./Scenario.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {IERC721Metadata} from "@openzeppelin/contracts/token/ERC721/extensions/IERC721Metadata.sol";

/// @notice What every library has to do, from the same state: ten batches of 500 tokens, all of one collector.
/// @dev Tokens move to an account without any, from one that keeps some.
abstract contract Comparison is Scenario {
    uint256 internal constant BATCHES = 10;
    uint256 internal constant BATCH_SIZE = 500;

    function setUp() public {
        uint256 gas;
        (collection, gas) = _deploy();
        _record("deployment", gas);
        for (uint256 i = 0; i < BATCHES; ++i) {
            _mintBatch(BATCH_SIZE);
        }
    }

    /// @dev What the peers' constructors ask for.
    function _arguments() internal view returns (bytes memory) {
        return abi.encode("Everhold Originals", "EVER", CREATOR);
    }

    /// @dev The first, the middle and the last token of each batch.
    function _positions() internal pure returns (uint256[] memory tokenIds) {
        tokenIds = new uint256[](3 * BATCHES);
        for (uint256 i = 0; i < BATCHES; ++i) {
            uint256 first = i * BATCH_SIZE;
            tokenIds[3 * i] = first;
            tokenIds[3 * i + 1] = first + BATCH_SIZE / 2;
            tokenIds[3 * i + 2] = first + BATCH_SIZE - 1;
        }
    }

    //////////////////////////////////////////////////////////////////////////
    //                            TRANSACTIONS
    //////////////////////////////////////////////////////////////////////////

    function test_mint() public {
        _record("mint", _try(CREATOR, collection, _mintCall(NEWCOMER, nextId)));
        _record("mint to a holder", _try(CREATOR, collection, _mintCall(COLLECTOR, nextId)));
    }

    function test_mintBatch() public {
        _record("batch of 100", _try(CREATOR, collection, _mintBatchCall(NEWCOMER, nextId, 100)));
        _record("batch of 500", _try(CREATOR, collection, _mintBatchCall(NEWCOMER, nextId, 500)));
    }

    function test_transfer() public {
        uint256 tokenId = _mintSingle();
        _record("transfer of a single", _send(COLLECTOR, collection, _transferCall(tokenId)));
    }

    function test_transferFromBatch() public {
        uint256[] memory tokenIds = _positions();
        uint256 worst = 0;
        for (uint256 i = 0; i < tokenIds.length; ++i) {
            worst = _max(worst, _try(COLLECTOR, collection, _transferCall(tokenIds[i])));
        }
        _record("transfer from a batch, worst", worst);
        uint256 hundredth = (BATCHES - 1) * BATCH_SIZE + 99;
        _record("transfer from a batch, 100th", _send(COLLECTOR, collection, _transferCall(hundredth)));
    }

    function test_update() public {
        uint256 tokenId = _mintSingle();
        _record("first update of a single", _send(COLLECTOR, collection, _updateCall(tokenId, 2)));
        _record("later update", _send(COLLECTOR, collection, _updateCall(tokenId, 3)));
    }

    function test_updateInBatch() public {
        uint256[] memory tokenIds = _positions();
        uint256 worst = 0;
        for (uint256 i = 0; i < tokenIds.length; ++i) {
            worst = _max(worst, _try(COLLECTOR, collection, _updateCall(tokenIds[i], 2)));
        }
        _record("first update in a batch, worst", worst);
    }

    /// @dev The token was moved before, so that its owner has a slot of its own; and was updated before.
    function test_updateMoved() public {
        uint256 tokenId = BATCH_SIZE - 1;
        _send(COLLECTOR, collection, _transferCall(tokenId));
        _send(NEWCOMER, collection, _updateCall(tokenId, 2));
        _record("later update in a batch, moved", _send(NEWCOMER, collection, _updateCall(tokenId, 3)));
    }

    function test_updateLaterInBatch() public {
        uint256[] memory tokenIds = _positions();
        uint256 worst = 0;
        for (uint256 i = 0; i < tokenIds.length; ++i) {
            _send(COLLECTOR, collection, _updateCall(tokenIds[i], 2));
            worst = _max(worst, _send(COLLECTOR, collection, _updateCall(tokenIds[i], 3)));
        }
        _record("later update in a batch, worst", worst);
    }

    function test_burn() public {
        uint256 tokenId = _mintSingle();
        _record("burn of a single", _send(COLLECTOR, collection, _burnCall(tokenId)));
    }

    function test_burnInBatch() public {
        uint256[] memory tokenIds = _positions();
        uint256 worst = 0;
        for (uint256 i = 0; i < tokenIds.length; ++i) {
            worst = _max(worst, _try(COLLECTOR, collection, _burnCall(tokenIds[i])));
        }
        _record("burn in a batch, worst", worst);
    }

    //////////////////////////////////////////////////////////////////////////
    //                                VIEWS
    //////////////////////////////////////////////////////////////////////////

    function test_tokenURI() public {
        _recordView("tokenURI", IERC721Metadata.tokenURI.selector);
    }

    function test_ownerOf() public {
        _recordView("ownerOf", IERC721.ownerOf.selector);
    }

    /// @dev A view of a single token, of tokens in batches, and of the same when they were updated.
    function _recordView(string memory name, bytes4 selector) internal {
        uint256 single = _mintSingle();
        _record(
            string.concat(name, " of a single"), _view(collection, abi.encodeWithSelector(selector, single))
        );
        _record(string.concat(name, " in a batch, worst"), _worstView(selector));
        uint256[] memory tokenIds = _positions();
        for (uint256 i = 0; i < tokenIds.length; ++i) {
            _send(COLLECTOR, collection, _updateCall(tokenIds[i], 2));
        }
        _record(string.concat(name, " in a batch, updated"), _worstView(selector));
    }

    function _worstView(bytes4 selector) internal view returns (uint256 worst) {
        uint256[] memory tokenIds = _positions();
        for (uint256 i = 0; i < tokenIds.length; ++i) {
            worst = _max(worst, _view(collection, abi.encodeWithSelector(selector, tokenIds[i])));
        }
    }
}
