// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.37;

import {EverholdCollection} from "../../src/EverholdCollection.sol";
import {Test} from "../utils/Test.sol";

/// @notice Looks at tokens again and again, and at how each differs from when it was last seen. It knows nothing of
/// what was done in between: whatever it was, some changes may never be.
abstract contract Watcher is Test {
    struct Sight {
        bool seen;
        bool gone;
        bool frozen;
        uint64 revision;
        uint256 nonce;
        bytes32 digest;
        bytes32 fingerprint;
    }

    mapping(uint256 tokenId => Sight) private _sights;
    uint256 private _next;

    function _watch(EverholdCollection collection, uint256 tokenId) internal {
        Sight memory before = _sights[tokenId];
        Sight memory now_ = _see(collection, tokenId);
        if (before.seen) _compare(before, now_);
        _sights[tokenId] = now_;

        uint256 next = collection.nextTokenId();
        vm.assertGe(next, _next);
        _next = next;
    }

    function _compare(Sight memory before, Sight memory now_) private pure {
        // A token that is gone does not come back; of one that goes there is nothing to compare.
        if (before.gone) vm.assertTrue(now_.gone);
        if (now_.gone) return;

        if (before.frozen) {
            vm.assertTrue(now_.frozen);
            vm.assertEq(now_.digest, before.digest);
            vm.assertEq(now_.revision, before.revision);
        }
        vm.assertGe(now_.revision, before.revision);
        vm.assertGe(now_.nonce, before.nonce);
        // Other content is always a later revision.
        if (now_.digest != before.digest) vm.assertTrue(now_.revision > before.revision);

        bool changed =
            now_.digest != before.digest || now_.revision != before.revision || now_.frozen != before.frozen;
        vm.assertTrue((now_.fingerprint != before.fingerprint) == changed);
    }

    function _see(EverholdCollection collection, uint256 tokenId) private view returns (Sight memory sight) {
        sight.seen = true;
        try collection.ownerOf(tokenId) {
            sight.frozen = collection.isFrozen(tokenId);
            sight.revision = collection.revision(tokenId);
            sight.nonce = collection.signatureNonce(tokenId);
            sight.digest = collection.contentDigest(tokenId);
            sight.fingerprint = collection.getStateFingerprint(tokenId);
        } catch {
            sight.gone = true;
        }
    }
}
