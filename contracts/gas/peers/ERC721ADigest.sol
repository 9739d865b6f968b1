// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {Codec} from "../../src/content/Codec.sol";
import {ContentURI} from "../../src/content/ContentURI.sol";
import {IDigests} from "./IDigests.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC721A} from "erc721a/contracts/ERC721A.sol";

/// @notice ERC721A, which writes one owner for a whole batch, with a digest for each token.
contract ERC721ADigest is IDigests, ERC721A, Ownable {
    mapping(uint256 tokenId => bytes32) private _digests;

    constructor(string memory name_, string memory symbol_, address creator)
        ERC721A(name_, symbol_)
        Ownable(creator)
    {}

    function mint(address to, bytes32 digest) external onlyOwner {
        uint256 tokenId = _nextTokenId();
        _mint(to, 1);
        _digests[tokenId] = digest;
        emit ContentSet(tokenId, digest);
    }

    function mintBatch(address to, bytes32[] calldata digests) external onlyOwner {
        uint256 firstId = _nextTokenId();
        _mint(to, digests.length);
        for (uint256 i = 0; i < digests.length; ++i) {
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
        _burn(tokenId, true);
    }

    function contentDigest(uint256 tokenId) public view returns (bytes32) {
        if (!_exists(tokenId)) revert OwnerQueryForNonexistentToken();
        return _digests[tokenId];
    }

    function tokenURI(uint256 tokenId) public view override returns (string memory) {
        return ContentURI.encode(Codec.DAG_PB, contentDigest(tokenId));
    }
}
