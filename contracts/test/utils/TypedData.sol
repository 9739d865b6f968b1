// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {Voucher} from "../../src/interfaces/IEverholdCollection.sol";
import {Test} from "./Test.sol";

/// @notice An update as its owner signs it: the fields of the EIP-712 type `ContentUpdate`, in its order.
struct ContentUpdate {
    address owner;
    uint256 tokenId;
    bytes32 currentDigest;
    bytes32 newDigest;
    uint256 nonce;
    uint256 deadline;
}

/// @notice What is signed in advance, by EIP-712, written out once more and apart from the contract.
abstract contract TypedData is Test {
    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant UPDATE_TYPE = keccak256(
        "ContentUpdate(address owner,uint256 tokenId,bytes32 currentDigest,bytes32 newDigest,uint256 nonce,uint256 deadline)"
    );
    bytes32 private constant VOUCHER_TYPE = keccak256(
        "Voucher(address creator,uint256 id,bytes32 digest,address buyer,uint256 price,uint256 deadline)"
    );

    /// @dev The curve's order: `s` and `ORDER - s` are both right, and only the lower one is to be taken.
    uint256 private constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    function hashOf(ContentUpdate memory update, uint256 chain, address verifier)
        internal
        pure
        returns (bytes32)
    {
        return _hash(keccak256(abi.encode(UPDATE_TYPE, update)), chain, verifier);
    }

    function hashOf(Voucher memory voucher, address creator, uint256 chain, address verifier)
        internal
        pure
        returns (bytes32)
    {
        return _hash(keccak256(abi.encode(VOUCHER_TYPE, creator, voucher)), chain, verifier);
    }

    function sign(string memory signer, bytes32 hash) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf(signer), hash);
        return abi.encodePacked(r, s, v);
    }

    /// @dev The other signature that the same key and hash have.
    function signMalleably(string memory signer, bytes32 hash) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf(signer), hash);
        return abi.encodePacked(r, ORDER - uint256(s), v == 27 ? uint8(28) : uint8(27));
    }

    /// @dev Counted from the first byte's lowest bit.
    function turnBit(bytes memory data, uint256 bit) internal pure {
        data[bit / 8] ^= bytes32(2 ** (bit % 8))[31];
    }

    function _hash(bytes32 message, uint256 chain, address verifier) private pure returns (bytes32) {
        bytes32 domain =
            keccak256(abi.encode(DOMAIN_TYPE, keccak256("Everhold"), keccak256("1"), chain, verifier));
        return keccak256(abi.encodePacked(hex"1901", domain, message));
    }
}
