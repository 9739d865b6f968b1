// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

/// @title UnixFSReference
/// @notice Writes the root block of a small file as its specifications are written: a message of fields in a
/// message of fields. Slow and plain; `UnixFS` is held against it.
library UnixFSReference {
    uint256 private constant VARINT = 0;
    uint256 private constant BYTES = 2;

    /// @notice A dag-pb node whose only field, `Data` (1), is a UnixFS message.
    function block_(bytes memory file) internal pure returns (bytes memory) {
        return _bytesField(1, _unixFS(file));
    }

    /// @dev `Type` (1) is 2, a file; `Data` (2), which an empty file has not; `filesize` (3).
    function _unixFS(bytes memory file) private pure returns (bytes memory) {
        bytes memory data = file.length > 0 ? _bytesField(2, file) : bytes("");
        return bytes.concat(_numberField(1, 2), data, _numberField(3, file.length));
    }

    function _numberField(uint256 field, uint256 value) private pure returns (bytes memory) {
        return bytes.concat(_varint(field * 8 + VARINT), _varint(value));
    }

    function _bytesField(uint256 field, bytes memory value) private pure returns (bytes memory) {
        return bytes.concat(_varint(field * 8 + BYTES), _varint(value.length), value);
    }

    function _varint(uint256 value) private pure returns (bytes memory) {
        // forge-lint: disable-next-line(unsafe-typecast): less than 128.
        if (value < 128) return abi.encodePacked(uint8(value));
        // forge-lint: disable-next-line(unsafe-typecast): less than 256.
        return bytes.concat(bytes1(uint8(128 + value % 128)), _varint(value / 128));
    }
}

/// @notice What a reader finds in the root block of a small file.
struct UnixFSFile {
    uint256 fileType;
    bytes data;
    uint256 fileSize;
}

/// @title UnixFSReader
/// @notice Reads a block back, field by field, and reverts where it is not the block of a file.
/// @dev A contract, since only calldata can be sliced.
contract UnixFSReader {
    error UnknownField(uint256 tag);
    error Truncated();

    /// @notice The UnixFS message in a dag-pb node without links.
    function read(bytes calldata node) external pure returns (UnixFSFile memory file) {
        (uint256 tag, bytes calldata rest) = _varint(node);
        if (tag != 0x0a) revert UnknownField(tag);
        bytes calldata message;
        (message, rest) = _bytes(rest);
        if (rest.length > 0) revert UnknownField(uint8(rest[0]));
        while (message.length > 0) message = _field(message, file);
    }

    function _field(bytes calldata message, UnixFSFile memory file)
        private
        pure
        returns (bytes calldata rest)
    {
        uint256 tag;
        (tag, rest) = _varint(message);
        if (tag == 0x08) (file.fileType, rest) = _varint(rest);
        else if (tag == 0x12) (file.data, rest) = _bytes(rest);
        else if (tag == 0x18) (file.fileSize, rest) = _varint(rest);
        else revert UnknownField(tag);
    }

    function _bytes(bytes calldata input) private pure returns (bytes calldata value, bytes calldata rest) {
        uint256 length;
        (length, rest) = _varint(input);
        if (length > rest.length) revert Truncated();
        return (rest[:length], rest[length:]);
    }

    function _varint(bytes calldata input) private pure returns (uint256 value, bytes calldata rest) {
        for (uint256 i = 0; i < input.length; ++i) {
            uint256 digit = uint8(input[i]);
            value += (digit % 128) * 128 ** i;
            if (digit < 128) return (value, input[i + 1:]);
        }
        revert Truncated();
    }
}
