// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title A contract of before ERC-165 and ERC-721 were standards, for the indexer's tests: nothing of its log is
/// indexed, its name is 32 bytes, what it does not know burns all gas.
contract Old721 {
    event Transfer(address from, address to, uint256 tokenId);

    bytes32 public name = "Old Kitties";
    mapping(uint256 => address) public ownerOf;
    string private _base = "https://old.example/";

    fallback() external {
        assembly {
            invalid()
        }
    }

    function balanceOf(address) external pure returns (uint256) {
        return 1;
    }

    function tokenURI(uint256) external view returns (string memory) {
        return _base;
    }

    function mint(uint256 id) external {
        ownerOf[id] = msg.sender;
        emit Transfer(address(0), msg.sender, id);
    }
}
