// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

/// @title Wallet
/// @notice A contract that may own tokens, be the creator and be sent money, and that answers whatever it likes:
/// its storage is symbolic, and so are its answers.
/// @dev It calls nothing back. The collection calls foreign code only after its last write, so whatever that code
/// does is another call from the state that the first one left, and the proofs are about calls from any state.
contract Wallet {
    bytes32 private _signatureAnswer;
    bytes32 private _receiverAnswer;
    bool private _takesMoney;

    receive() external payable {
        require(_takesMoney);
    }

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes32) {
        return _signatureAnswer;
    }

    function onERC721Received(address, address, uint256, bytes calldata) external view returns (bytes32) {
        return _receiverAnswer;
    }
}
