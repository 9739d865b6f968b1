// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC721URIStorage} from "@openzeppelin/contracts/token/ERC721/extensions/ERC721URIStorage.sol";

/// @notice What most projects deploy: OpenZeppelin's ERC-721 with a string for each token, and its ERC-4906 event.
contract OpenZeppelinURI is ERC721URIStorage, Ownable {
    uint256 private _nextTokenId;

    error NotTokenOwner();

    constructor(string memory name_, string memory symbol_, address creator)
        ERC721(name_, symbol_)
        Ownable(creator)
    {}

    function mint(address to, string calldata uri) external onlyOwner {
        _mintWith(to, uri);
    }

    function mintBatch(address to, string[] calldata uris) external onlyOwner {
        for (uint256 i = 0; i < uris.length; ++i) {
            _mintWith(to, uris[i]);
        }
    }

    function updateURI(uint256 tokenId, string calldata uri) external {
        if (ownerOf(tokenId) != msg.sender) revert NotTokenOwner();
        _setTokenURI(tokenId, uri);
    }

    function burn(uint256 tokenId) external {
        _update(address(0), tokenId, msg.sender);
    }

    function _mintWith(address to, string calldata uri) private {
        uint256 tokenId = _nextTokenId++;
        _mint(to, tokenId);
        _setTokenURI(tokenId, uri);
    }
}
