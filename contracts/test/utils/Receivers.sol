// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";

/// @notice A contract that takes tokens, and remembers how it was asked.
contract AcceptingReceiver is IERC721Receiver {
    bytes32 public asked;

    /// @inheritdoc IERC721Receiver
    function onERC721Received(address operator, address from, uint256 tokenId, bytes calldata data)
        external
        returns (bytes4)
    {
        asked = keccak256(abi.encode(msg.sender, operator, from, tokenId, data));
        return IERC721Receiver.onERC721Received.selector;
    }
}

/// @notice A contract that takes no token.
contract RejectingReceiver is IERC721Receiver {
    /// @inheritdoc IERC721Receiver
    function onERC721Received(address, address, uint256, bytes calldata) external pure returns (bytes4) {
        return 0xdeadbeef;
    }
}
