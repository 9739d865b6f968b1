// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {CallingWallet} from "../utils/SmartWallet.sol";
import {Test} from "../utils/Test.sol";

/// @notice Those who own, mint, buy and meddle: four accounts, and two contracts with the same signer.
abstract contract People is Test {
    address[] private _people;
    mapping(address person => string) private _signers;

    constructor() {
        _meet("creator");
        _meet("alice");
        _meet("bob");
        _meet("stranger");
        _meetWallet("alice");
        _meetWallet("alice");
    }

    /// @notice All of them.
    function people() public view returns (address[] memory) {
        return _people;
    }

    /// @dev One of them.
    function _person(uint256 seed) internal view returns (address) {
        return _people[seed % _people.length];
    }

    /// @dev Whose key signs for somebody.
    function _signerOf(address person) internal view returns (string memory) {
        return _signers[person];
    }

    function _meet(string memory name) private {
        address account = makeAddr(name);
        _people.push(account);
        _signers[account] = name;
    }

    function _meetWallet(string memory signer) private {
        address wallet = address(new CallingWallet(makeAddr(signer)));
        _people.push(wallet);
        _signers[wallet] = signer;
    }
}
