// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title Somebody else's ERC-721, for the indexer's tests: anybody may do anything, and each token's URI does what it
/// is told to, however bad that is.
contract Foreign721 {
    event Transfer(address indexed from, address indexed to, uint256 indexed tokenId);
    event ConsecutiveTransfer(
        uint256 indexed fromTokenId, uint256 toTokenId, address indexed fromAddress, address indexed toAddress
    );
    event MetadataUpdate(uint256 _tokenId);
    event BatchMetadataUpdate(uint256 _fromTokenId, uint256 _toTokenId);
    event ContractURIUpdated();

    error Hidden(string reason);

    /// @notice What `tokenURI` does: answers, reverts, burns all gas, answers a megabyte, or what is no text.
    enum Habit {
        Answers,
        Reverts,
        Burns,
        Megabyte,
        NoText
    }

    string public name = "Foreign";
    mapping(uint256 => address) private _owners;
    mapping(uint256 => bytes) private _uris;
    mapping(uint256 => Habit) private _habits;
    bytes private _base;
    bytes private _own;

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == 0x01ffc9a7 || id == 0x80ac58cd || id == 0x5b5e139f;
    }

    function balanceOf(address) external pure returns (uint256) {
        return 1;
    }

    function ownerOf(uint256 id) external view returns (address owner) {
        owner = _owners[id];
        require(owner != address(0), "no such token");
    }

    function tokenURI(uint256 id) external view returns (bytes memory uri) {
        Habit habit = _habits[id];
        if (habit == Habit.Reverts) revert Hidden("not revealed yet");
        // Everything that is left goes: an invalid instruction.
        if (habit == Habit.Burns) assembly { invalid() }
        if (habit == Habit.Megabyte) return new bytes(1 << 20);
        if (habit == Habit.NoText) {
            assembly {
                mstore(0, not(0))
                return(0, 32)
            }
        }
        return _base.length > 0 ? _base : _uris[id];
    }

    function contractURI() external view returns (bytes memory) {
        require(_own.length > 0, "none");
        return _own;
    }

    /// @notice Changes `contractURI`, and says so or not.
    function setContractURI(bytes calldata uri, bool tells) external {
        _own = uri;
        if (tells) emit ContractURIUpdated();
    }

    function mint(uint256 id, bytes calldata uri) external {
        _uris[id] = uri;
        _move(id, msg.sender);
    }

    function mintMany(uint256 first, bytes[] calldata uris) external {
        for (uint256 i = 0; i < uris.length; i++) {
            _uris[first + i] = uris[i];
            _move(first + i, msg.sender);
        }
    }

    function move(uint256 id, address to) external {
        _move(id, to);
    }

    /// @notice ERC-2309: one log for all of them, however many.
    function mintRange(uint256 first, uint256 last) external {
        emit ConsecutiveTransfer(first, last, address(0), msg.sender);
    }

    /// @notice Changes a URI and tells nobody.
    function setURI(uint256 id, bytes calldata uri) external {
        _uris[id] = uri;
    }

    /// @notice Changes every URI and tells nobody.
    function setBase(bytes calldata base) external {
        _base = base;
    }

    function setHabit(uint256 id, Habit habit) external {
        _habits[id] = habit;
    }

    function tellUpdate(uint256 id) external {
        emit MetadataUpdate(id);
    }

    function tellUpdates(uint256 first, uint256 last) external {
        emit BatchMetadataUpdate(first, last);
    }

    /// @notice Logs under ERC-721's topic what is none: an ERC-20's `Transfer`, and one without the words it needs.
    function tellNonsense() external {
        bytes32 topic = Transfer.selector;
        assembly {
            mstore(0, 7)
            log3(0, 32, topic, caller(), caller())
            log2(0, 3, topic, caller())
        }
    }

    function _move(uint256 id, address to) private {
        emit Transfer(_owners[id], to, id);
        _owners[id] = to;
    }
}
