// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @notice An account that is a contract, with one signer, and that takes no ether.
/// @dev It signs as many early ones did: what its signer signed is its own signature, whoever else the signer
/// signs for. So whatever such a wallet signs must itself name the wallet.
contract SmartWallet is IERC1271 {
    address private immutable SIGNER;

    constructor(address signer) {
        SIGNER = signer;
    }

    /// @inheritdoc IERC1271
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        (address recovered,,) = ECDSA.tryRecoverCalldata(hash, signature);
        return recovered == SIGNER ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}

/// @notice A wallet that, once it is paid, calls somebody.
contract CallingWallet is SmartWallet {
    address private _target;
    bytes private _data;

    constructor(address signer) SmartWallet(signer) {}

    /// @dev What to do when paid.
    function callOnceOnPayment(address target, bytes calldata data) external {
        _target = target;
        _data = data;
    }

    receive() external payable {
        address target = _target;
        if (target == address(0)) return;
        _target = address(0);
        (bool success, bytes memory answer) = target.call(_data);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }
}
