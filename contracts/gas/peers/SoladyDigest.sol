// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {Codec} from "../../src/content/Codec.sol";
import {ContentURI} from "../../src/content/ContentURI.sol";
import {IDigests} from "./IDigests.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC721} from "solady/tokens/ERC721.sol";

/// @notice Solady's ERC-721 with a digest for each token.
contract SoladyDigest is IDigests, ERC721, Ownable {
    string private _name;
    string private _symbol;
    uint256 private _nextTokenId;
    mapping(uint256 tokenId => bytes32) private _digests;

    constructor(string memory name_, string memory symbol_, address creator) Ownable(creator) {
        _name = name_;
        _symbol = symbol_;
    }

    function mint(address to, bytes32 digest) external onlyOwner {
        uint256 tokenId = _nextTokenId++;
        _mint(to, tokenId);
        _digests[tokenId] = digest;
        emit ContentSet(tokenId, digest);
    }

    function mintBatch(address to, bytes32[] calldata digests) external onlyOwner {
        uint256 firstId = _nextTokenId;
        _nextTokenId = firstId + digests.length;
        for (uint256 i = 0; i < digests.length; ++i) {
            _mint(to, firstId + i);
            _digests[firstId + i] = digests[i];
        }
        emit ContentBatchSet(firstId, digests);
    }

    function updateContent(uint256 tokenId, bytes32 digest) external {
        if (ownerOf(tokenId) != msg.sender) revert NotTokenOwner();
        _digests[tokenId] = digest;
        emit ContentSet(tokenId, digest);
    }

    function burn(uint256 tokenId) external {
        _burn(msg.sender, tokenId);
    }

    function contentDigest(uint256 tokenId) public view returns (bytes32) {
        if (!_exists(tokenId)) revert TokenDoesNotExist();
        return _digests[tokenId];
    }

    function name() public view override returns (string memory) {
        return _name;
    }

    function symbol() public view override returns (string memory) {
        return _symbol;
    }

    function tokenURI(uint256 tokenId) public view override returns (string memory) {
        return ContentURI.encode(Codec.DAG_PB, contentDigest(tokenId));
    }
}
