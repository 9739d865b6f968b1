// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title Somebody else's ERC-1155, for the indexer's tests: it logs what it is told to.
contract Foreign1155 {
    event TransferSingle(
        address indexed operator, address indexed from, address indexed to, uint256 id, uint256 value
    );
    event TransferBatch(
        address indexed operator, address indexed from, address indexed to, uint256[] ids, uint256[] values
    );
    event URI(string value, uint256 indexed id);

    string private _template = "";
    mapping(uint256 => string) private _uris;

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == 0x01ffc9a7 || id == 0xd9b67a26;
    }

    function uri(uint256 id) external view returns (string memory) {
        return bytes(_uris[id]).length > 0 ? _uris[id] : _template;
    }

    function setTemplate(string calldata template) external {
        _template = template;
    }

    function setURI(string calldata value, uint256 id) external {
        _uris[id] = value;
        emit URI(value, id);
    }

    function tell(address from, address to, uint256 id, uint256 value) external {
        emit TransferSingle(msg.sender, from, to, id, value);
    }

    function tellMany(address from, address to, uint256[] calldata ids, uint256[] calldata values) external {
        emit TransferBatch(msg.sender, from, to, ids, values);
    }
}
