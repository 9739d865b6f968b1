// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {TokenContent} from "../content/TokenContent.sol";
import {IEverholdCollection, Voucher} from "../interfaces/IEverholdCollection.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";

/// @title LazyMint
/// @notice Tokens that the creator signs a voucher for, and that a buyer mints and pays for.
abstract contract LazyMint is TokenContent {
    using BitMaps for BitMaps.BitMap;

    /// @dev The EIP-712 type of a voucher. `creator` is the collection's at the time of use, so that a handover ends
    /// all vouchers, also one to a wallet with the same signer.
    bytes32 private constant VOUCHER_TYPE = keccak256(
        "Voucher(address creator,uint256 id,bytes32 digest,address buyer,uint256 price,uint256 deadline)"
    );

    BitMaps.BitMap private _spent;

    /// @inheritdoc IEverholdCollection
    function redeem(Voucher calldata voucher, bytes calldata signature)
        external
        payable
        returns (uint256 tokenId)
    {
        if (voucher.buyer != address(0) && voucher.buyer != _msgSender()) {
            revert NotVoucherBuyer(voucher.buyer, _msgSender());
        }
        if (msg.value != voucher.price) revert WrongPayment(voucher.price, msg.value);
        _spend(voucher.id);
        address creator = owner();
        _requireSignature(creator, _hash(creator, voucher), voucher.deadline, signature);

        tokenId = _mintWith(_msgSender(), voucher.digest);
        emit VoucherRedeemed(voucher.id, tokenId, _msgSender(), voucher.price);
        // The creator's code, if it has any, runs when everything else is done.
        if (msg.value > 0) Address.sendValue(payable(creator), msg.value);
    }

    /// @inheritdoc IEverholdCollection
    function cancelVoucher(uint256 id) external onlyOwner {
        _spend(id);
        emit VoucherCancelled(id);
    }

    /// @inheritdoc IEverholdCollection
    function isVoucherSpent(uint256 id) external view returns (bool) {
        return _spent.get(id);
    }

    /// @dev Makes a voucher worthless, once.
    function _spend(uint256 id) private {
        if (_spent.get(id)) revert VoucherSpent(id);
        _spent.set(id);
    }

    /// @dev EIP-712's hash of a voucher.
    function _hash(address creator, Voucher calldata voucher) private pure returns (bytes32) {
        return keccak256(abi.encode(VOUCHER_TYPE, creator, voucher));
    }
}
