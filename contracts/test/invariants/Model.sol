// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

/// @notice What is to be known of a token, in the plainest form.
/// @param owner Its owner; zero once it is burned.
/// @param approved Who may move it besides.
/// @param minted The digest it was minted with.
/// @param digest The digest it has.
/// @param kept The digest it was frozen with.
/// @param revision How often its digest was set.
/// @param nonce What its next signed update must have.
/// @param frozen Whether an owner froze it.
/// @param burned Whether an owner burned it.
struct Token {
    address owner;
    address approved;
    bytes32 minted;
    bytes32 digest;
    bytes32 kept;
    uint64 revision;
    uint256 nonce;
    bool frozen;
    bool burned;
}

/// @notice What a collection should be after all that was done to it: lists, with no thought of gas.
abstract contract Model {
    uint256 private immutable FIRST_ID;

    Token[] private _tokens;

    /// @notice The account that may mint.
    address public minter;

    /// @notice How many batches were minted.
    uint256 public batches;

    /// @notice How many vouchers were redeemed or cancelled. Their numbers are those from 0 on.
    uint256 public spentVouchers;

    constructor(uint256 first, address creator) {
        FIRST_ID = first;
        minter = creator;
    }

    //////////////////////////////////////////////////////////////////////////
    //                                CHANGES
    //////////////////////////////////////////////////////////////////////////

    function _noteMint(address to, bytes32 digest) internal {
        Token storage token = _tokens.push();
        token.owner = to;
        token.minted = digest;
        token.digest = digest;
        token.revision = 1;
    }

    function _noteTransfer(uint256 id, address to) internal {
        _token(id).owner = to;
        _token(id).approved = address(0);
    }

    function _noteUpdate(uint256 id, bytes32 digest) internal {
        _token(id).digest = digest;
        _token(id).revision += 1;
        _token(id).nonce += 1;
    }

    function _noteCancel(uint256 id) internal {
        _token(id).nonce += 1 << 64;
    }

    function _noteFreeze(uint256 id) internal {
        _token(id).frozen = true;
        _token(id).kept = _token(id).digest;
    }

    function _noteBurn(uint256 id) internal {
        _token(id).owner = address(0);
        _token(id).burned = true;
    }

    function _token(uint256 id) internal view returns (Token storage) {
        return _tokens[id - FIRST_ID];
    }

    //////////////////////////////////////////////////////////////////////////
    //                                 VIEWS
    //////////////////////////////////////////////////////////////////////////

    /// @notice A token as it should be.
    function tokenAt(uint256 id) public view returns (Token memory) {
        return _token(id);
    }

    /// @notice The id of the first token.
    function firstId() public view returns (uint256) {
        return FIRST_ID;
    }

    /// @notice The id of the token to be minted next.
    function nextId() public view returns (uint256) {
        return FIRST_ID + _tokens.length;
    }

    /// @notice How many tokens somebody has; nobody has the burned ones.
    function tokensOf(address owner) public view returns (uint256 count) {
        for (uint256 i = 0; i < _tokens.length; ++i) {
            if (_tokens[i].owner == owner) ++count;
        }
    }
}
