// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {CollectionTest} from "./utils/CollectionTest.sol";
import {ContentURIReference} from "./utils/ContentURIReference.sol";

/// @notice `tokenURI` is the token's digest, written as `ipfs://` and a CIDv1.
contract TokenURITest is CollectionTest {
    /// @dev What two independent implementations, Python's `base64.b32encode` and npm's `multiformats`, make of
    /// the same digests. The first CID of each codec was there before, and its digest was read out of it by
    /// `multiformats`.
    function test_ofDagPb() public {
        writes(
            DAG_PB,
            0x6fc37dfae7cb702f9e9f8aced49df8cf5094ecc636e82843e6ce1adef0f73cf9,
            "bafybeidpyn67vz6loaxz5h4kz3kj36gpkckozrrw5auehzwodlppb5z47e"
        );
        writes(
            DAG_PB,
            0x0000000000000000000000000000000000000000000000000000000000000002,
            "bafybeiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaai"
        );
        writes(
            DAG_PB,
            0x8000000000000000000000000000000000000000000000000000000000000000,
            "bafybeieaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        );
        writes(
            DAG_PB,
            0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff,
            "bafybeih777777777777777777777777777777777777777777777777774"
        );
        writes(
            DAG_PB,
            0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f,
            "bafybeiaaaebagbafaydqqcikbmga2dqpcaireeyuculbogazdinryhi6d4"
        );
    }

    function test_ofRaw() public {
        writes(
            RAW,
            0xc7d01489080858c500065836c658f847a6ca67c4864619212be4f8200e4bbace,
            "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
        );
        writes(
            RAW,
            0x0000000000000000000000000000000000000000000000000000000000000002,
            "bafkreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaai"
        );
        writes(
            RAW,
            0x8000000000000000000000000000000000000000000000000000000000000000,
            "bafkreieaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        );
        writes(
            RAW,
            0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff,
            "bafkreih777777777777777777777777777777777777777777777777774"
        );
        writes(
            RAW,
            0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f,
            "bafkreiaaaebagbafaydqqcikbmga2dqpcaireeyuculbogazdinryhi6d4"
        );
    }

    function test_ofTheEmptyFile() public {
        writes(RAW, sha256(""), "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");
    }

    function testFuzz_ofAnyDigest(bool raw, bytes32 digest) public {
        vm.assume(isDigest(digest));
        uint8 codec = raw ? RAW : DAG_PB;
        collection = deployWith(codec);
        mintTo(alice, digest);
        vm.assertEq(collection.tokenURI(1), ContentURIReference.encode(codec, digest));
    }

    function test_followsAnUpdate() public {
        mintTo(alice, DIGEST_1);
        updateAs(alice, 1, DIGEST_1, 0x6fc37dfae7cb702f9e9f8aced49df8cf5094ecc636e82843e6ce1adef0f73cf9);
        vm.assertEq(
            collection.tokenURI(1), "ipfs://bafybeidpyn67vz6loaxz5h4kz3kj36gpkckozrrw5auehzwodlppb5z47e"
        );
    }

    // ------------------------------------------------------------

    function writes(uint8 codec, bytes32 digest, string memory cid) private {
        collection = deployWith(codec);
        mintTo(alice, digest);
        vm.assertEq(collection.tokenURI(1), string.concat("ipfs://", cid));
    }
}
