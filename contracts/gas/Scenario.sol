// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {GasTest} from "./GasTest.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";

/// @notice Who is there, and how a collection of any library is made and called.
/// @dev Digests are hashes, the same ones for all.
abstract contract Scenario is GasTest {
    address internal immutable CREATOR = makeAddr("creator");
    address internal immutable COLLECTOR = makeAddr("collector");
    address internal immutable NEWCOMER = makeAddr("newcomer");

    address internal collection;
    uint256 internal nextId;

    //////////////////////////////////////////////////////////////////////////
    //                       WHAT DIFFERS BY LIBRARY
    //////////////////////////////////////////////////////////////////////////

    /// @dev Makes a collection.
    function _deploy() internal virtual returns (address created, uint256 gas);
    function _mintCall(address to, uint256 tokenId) internal view virtual returns (bytes memory);
    function _mintBatchCall(address to, uint256 firstId, uint256 size)
        internal
        view
        virtual
        returns (bytes memory);

    /// @dev The token's owner gives it the content of its next revision.
    function _updateCall(uint256 tokenId, uint256 revision) internal view virtual returns (bytes memory);
    function _burnCall(uint256 tokenId) internal view virtual returns (bytes memory);

    //////////////////////////////////////////////////////////////////////////
    //                                STATE
    //////////////////////////////////////////////////////////////////////////

    function _mintBatch(uint256 size) internal returns (uint256 gas) {
        gas = _send(CREATOR, collection, _mintBatchCall(COLLECTOR, nextId, size));
        nextId += size;
    }

    function _mintSingle() internal returns (uint256 tokenId) {
        tokenId = nextId++;
        _send(CREATOR, collection, _mintCall(COLLECTOR, tokenId));
    }

    function _digest(uint256 tokenId, uint256 revision) internal pure returns (bytes32) {
        return keccak256(abi.encode(tokenId, revision));
    }

    function _transferCall(uint256 tokenId) internal view returns (bytes memory) {
        return abi.encodeCall(IERC721.transferFrom, (COLLECTOR, NEWCOMER, tokenId));
    }
}
