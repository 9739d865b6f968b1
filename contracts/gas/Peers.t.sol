// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {Codec} from "../src/content/Codec.sol";
import {ContentURI} from "../src/content/ContentURI.sol";
import {Comparison} from "./Comparison.sol";
import {GasTest} from "./GasTest.sol";
import {ERC721ADigest} from "./peers/ERC721ADigest.sol";
import {IDigests} from "./peers/IDigests.sol";
import {OpenZeppelinDigest} from "./peers/OpenZeppelinDigest.sol";
import {OpenZeppelinURI} from "./peers/OpenZeppelinURI.sol";
import {SoladyDigest} from "./peers/SoladyDigest.sol";

/// @notice A contract of its own for each collection, and strings.
contract OpenZeppelinURIGas is Comparison {
    constructor() GasTest("openzeppelin-uri") {}

    function _deploy() internal override returns (address, uint256) {
        return _create(bytes.concat(type(OpenZeppelinURI).creationCode, _arguments()));
    }

    function _mintCall(address to, uint256 tokenId) internal pure override returns (bytes memory) {
        return abi.encodeCall(OpenZeppelinURI.mint, (to, _uri(tokenId, 1)));
    }

    function _mintBatchCall(address to, uint256 firstId, uint256 size)
        internal
        pure
        override
        returns (bytes memory)
    {
        string[] memory uris = new string[](size);
        for (uint256 i = 0; i < size; ++i) {
            uris[i] = _uri(firstId + i, 1);
        }
        return abi.encodeCall(OpenZeppelinURI.mintBatch, (to, uris));
    }

    function _updateCall(uint256 tokenId, uint256 revision) internal pure override returns (bytes memory) {
        return abi.encodeCall(OpenZeppelinURI.updateURI, (tokenId, _uri(tokenId, revision)));
    }

    function _burnCall(uint256 tokenId) internal pure override returns (bytes memory) {
        return abi.encodeCall(OpenZeppelinURI.burn, (tokenId));
    }

    /// @dev 66 bytes: `ipfs://` and a CIDv1.
    function _uri(uint256 tokenId, uint256 revision) private pure returns (string memory) {
        return ContentURI.encode(Codec.DAG_PB, _digest(tokenId, revision));
    }
}

/// @notice The peers with digests.
abstract contract DigestScenario is Comparison {
    function _mintCall(address to, uint256 tokenId) internal pure override returns (bytes memory) {
        return abi.encodeCall(IDigests.mint, (to, _digest(tokenId, 1)));
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
        return abi.encodeCall(IDigests.mintBatch, (to, digests));
    }

    function _updateCall(uint256 tokenId, uint256 revision) internal pure override returns (bytes memory) {
        return abi.encodeCall(IDigests.updateContent, (tokenId, _digest(tokenId, revision)));
    }

    function _burnCall(uint256 tokenId) internal pure override returns (bytes memory) {
        return abi.encodeCall(IDigests.burn, (tokenId));
    }

    function test_contentDigest() public {
        _recordView("contentDigest", IDigests.contentDigest.selector);
    }
}

contract OpenZeppelinDigestGas is DigestScenario {
    constructor() GasTest("openzeppelin") {}

    function _deploy() internal override returns (address, uint256) {
        return _create(bytes.concat(type(OpenZeppelinDigest).creationCode, _arguments()));
    }
}

contract SoladyDigestGas is DigestScenario {
    constructor() GasTest("solady") {}

    function _deploy() internal override returns (address, uint256) {
        return _create(bytes.concat(type(SoladyDigest).creationCode, _arguments()));
    }
}

contract ERC721ADigestGas is DigestScenario {
    constructor() GasTest("erc721a") {}

    function _deploy() internal override returns (address, uint256) {
        return _create(bytes.concat(type(ERC721ADigest).creationCode, _arguments()));
    }
}
