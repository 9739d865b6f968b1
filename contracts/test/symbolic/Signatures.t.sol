// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {Voucher} from "../../src/interfaces/IEverholdCollection.sol";
import {AnyState, Token} from "./utils/AnyState.sol";
import {Logic} from "./utils/Logic.sol";

/// @title SignatureProofs
/// @notice What the proofs of the rules leave open: an update by signature is its owner's, a redemption its
/// creator's. `ecrecover` and `keccak256` are any functions here: nothing is said about forging signatures.
contract SignatureProofs is AnyState {
    using Logic for bool;

    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant UPDATE_TYPE = keccak256(
        "ContentUpdate(address owner,uint256 tokenId,bytes32 currentDigest,bytes32 newDigest,uint256 nonce,uint256 deadline)"
    );
    bytes32 private constant VOUCHER_TYPE = keccak256(
        "Voucher(address creator,uint256 id,bytes32 digest,address buyer,uint256 price,uint256 deadline)"
    );

    /// @dev The value of `s` from which on a signature is another one's double (EIP-2).
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    struct Update {
        uint256 id;
        bytes32 current;
        bytes32 digest;
        uint256 nonce;
        uint256 deadline;
    }

    function setUp() public {
        _makeAny();
    }

    /// @dev Rule 1, for a signature as an account with a key makes it.
    function check_SignedUpdateIsTheOwners(Update memory u, bytes32 r, bytes32 s) public {
        (address caller, uint8 v) = (_anyCaller(), _anyV());
        u.id = _settle(u.id);
        Token memory token = _token(u.id);
        vm.assume(_isSound(u.id, token));
        vm.assume(token.owner != address(wallet));
        vm.assume(_call(caller, 0, _encode(u, abi.encodePacked(r, s, v))));
        assert(_isSigned(token.owner, _hash(token.owner, u), r, s, v));
        assert(_isInOrder(u, token));
        _requireUpdated(u, token);
    }

    /// @dev Rule 1, for a contract that says of any bytes whether they are its signature.
    function check_SignedUpdateIsTheWallets(Update memory u) public {
        address caller = _anyCaller();
        u.id = _settle(u.id);
        Token memory token = _token(u.id);
        vm.assume(_isSound(u.id, token));
        vm.assume(token.owner == address(wallet));
        bytes memory signature = svm.createBytes(96, "signature");
        vm.assume(_call(caller, 0, _encode(u, signature)));
        bytes32 answer = wallet.isValidSignature(_hash(token.owner, u), signature);
        assert(answer == bytes32(wallet.isValidSignature.selector));
        assert(_isInOrder(u, token));
        _requireUpdated(u, token);
    }

    /// @dev Rule 10: a voucher mints only as the creator signed it, once, in time, to its buyer and for its price.
    function check_RedemptionIsTheCreators(uint256 value, bytes32 r, bytes32 s) public {
        (address caller, uint8 v, Voucher memory voucher) = (_anyCaller(), _anyV(), _anyVoucher());
        address creator = _creator();
        vm.assume(creator != address(wallet));
        bool spent = _isSpent(voucher.id);
        uint256 id = _next();
        bytes memory signature = abi.encodePacked(r, s, v);
        vm.assume(_call(caller, value, abi.encodeCall(collection.redeem, (voucher, signature))));
        assert(_isSigned(creator, _hash(creator, voucher), r, s, v));
        _requireRedeemed(caller, value, voucher, spent, id);
    }

    function check_RedemptionIsTheCreatorsWallets(uint256 value) public {
        (address caller, Voucher memory voucher) = (_anyCaller(), _anyVoucher());
        vm.assume(_creator() == address(wallet));
        bool spent = _isSpent(voucher.id);
        uint256 id = _next();
        bytes memory signature = svm.createBytes(96, "signature");
        vm.assume(_call(caller, value, abi.encodeCall(collection.redeem, (voucher, signature))));
        bytes32 answer = wallet.isValidSignature(_hash(address(wallet), voucher), signature);
        assert(answer == bytes32(wallet.isValidSignature.selector));
        _requireRedeemed(caller, value, voucher, spent, id);
    }

    function _anyV() private pure returns (uint8) {
        // forge-lint: disable-next-line(unsafe-typecast): it was made of eight bits.
        return uint8(svm.createUint(8, "v"));
    }

    function _anyVoucher() private pure returns (Voucher memory voucher) {
        (voucher.id, voucher.digest) = (svm.createUint256("voucher"), svm.createBytes32("digest"));
        (voucher.buyer, voucher.price) = (svm.createAddress("buyer"), svm.createUint256("price"));
        voucher.deadline = svm.createUint256("deadline");
    }

    //////////////////////////////////////////////////////////////////////////
    //                              CONDITIONS
    //////////////////////////////////////////////////////////////////////////

    /// @dev The update was the next one, of the content that the token had, and in time.
    function _isInOrder(Update memory u, Token memory token) private view returns (bool) {
        return (u.nonce == token.nonce).and(u.current == token.digest).and(_inTime(u.deadline))
            .and(token.frozen.not());
    }

    function _inTime(uint256 deadline) private view returns (bool) {
        // forge-lint: disable-next-line(block-timestamp): as the contract compares it.
        return block.timestamp <= deadline;
    }

    function _requireUpdated(Update memory u, Token memory token) private view {
        Token memory then = _token(u.id);
        assert(then.digest == u.digest);
        assert(then.owner == token.owner);
        assert(then.nonce == token.nonce + 1);
    }

    function _requireRedeemed(address caller, uint256 value, Voucher memory voucher, bool spent, uint256 id)
        private
        view
    {
        assert((voucher.buyer == caller).or(voucher.buyer == address(0)));
        assert(value == voucher.price);
        assert(_inTime(voucher.deadline));
        assert(!spent && _isSpent(voucher.id));
        Token memory token = _token(id);
        assert((token.owner == caller).and(token.digest == voucher.digest).and(_next() == id + 1));
    }

    function _isSpent(uint256 id) private view returns (bool) {
        return abi.decode(_answer(abi.encodeCall(collection.isVoucherSpent, (id))), (bool));
    }

    function _isSigned(address signer, bytes32 hash, bytes32 r, bytes32 s, uint8 v)
        private
        pure
        returns (bool)
    {
        return (ecrecover(hash, v, r, s) == signer).and(signer != address(0)).and(uint256(s) <= HALF_ORDER);
    }

    //////////////////////////////////////////////////////////////////////////
    //                               ENCODING
    //////////////////////////////////////////////////////////////////////////

    function _encode(Update memory u, bytes memory signature) private view returns (bytes memory) {
        return abi.encodeCall(
            collection.updateContentBySignature, (u.id, u.current, u.digest, u.nonce, u.deadline, signature)
        );
    }

    function _hash(address owner, Update memory u) private view returns (bytes32) {
        return
            _typed(keccak256(abi.encode(UPDATE_TYPE, owner, u.id, u.current, u.digest, u.nonce, u.deadline)));
    }

    function _hash(address creator, Voucher memory voucher) private view returns (bytes32) {
        return _typed(keccak256(abi.encode(VOUCHER_TYPE, creator, voucher)));
    }

    /// @dev EIP-712: the message within the domain.
    function _typed(bytes32 message) private view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(DOMAIN_TYPE, keccak256("Everhold"), keccak256("1"), block.chainid, address(collection))
        );
        return keccak256(abi.encodePacked(hex"1901", domain, message));
    }
}
