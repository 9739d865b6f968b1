// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {CollectionTest} from "./utils/CollectionTest.sol";

/// @notice The hash of what `tokenURI` leads to, in ERC-2477's form.
contract IntegrityTest is CollectionTest {
    function testFuzz_isTheDocumentsSha256WhereThatIsWhatIsStored(bytes32 digest) public {
        vm.assume(isDigest(digest));
        collection = deployWith(RAW);
        mintTo(alice, digest);
        (bytes memory hash, string memory algorithm) = collection.tokenURIIntegrity(1);
        vm.assertEq(hash, abi.encodePacked(digest));
        vm.assertEq(algorithm, "sha256");
    }

    /// @dev The stored digest is not the document's, so it may not be called by sha-256's name.
    function testFuzz_isTheBinaryCidOtherwise(bytes32 digest) public {
        vm.assume(isDigest(digest));
        mintTo(alice, digest);
        (bytes memory hash, string memory algorithm) = collection.tokenURIIntegrity(1);
        vm.assertEq(hash, abi.encodePacked(hex"01701220", digest));
        vm.assertEq(algorithm, "cid");
    }

    function test_ofADocumentIsWhatItsReaderComputes() public {
        collection = deployWith(RAW);
        mintTo(alice, sha256('{"name":"Fastnet Rock"}'));
        (bytes memory hash,) = collection.tokenURIIntegrity(1);
        vm.assertEq(hash, abi.encodePacked(sha256('{"name":"Fastnet Rock"}')));
    }

    function test_followsAnUpdate() public {
        mintTo(alice, DIGEST_1);
        updateAs(alice, 1, DIGEST_1, DIGEST_2);
        (bytes memory hash,) = collection.tokenURIIntegrity(1);
        vm.assertEq(hash, abi.encodePacked(hex"01701220", DIGEST_2));
    }

    function test_ofTheSchemaIsNone() public {
        mintTo(alice, DIGEST_1);
        (bytes memory hash, string memory algorithm) = collection.tokenURISchemaIntegrity(1);
        vm.assertEq(hash, "");
        vm.assertEq(algorithm, "");
    }
}
