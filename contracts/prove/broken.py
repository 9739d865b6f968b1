"""Breaks the contract in one place at a time, and fails unless the proof that forbids it fails.

A proof that nothing can make fail shows nothing. Run it from the top level, after `make prove` (which installs
halmos): `contracts/prove/run broken`. It works on a copy; each variant takes a minute to build, and then its proof.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from proofs import CONTRACT_TIMEOUT, build, prove

ROOT = Path.cwd()
COPY = ROOT / "contracts/cache/broken"
TOKENS, CONTENT = "contracts/src/tokens/BatchedTokens.sol", "contracts/src/content/TokenContent.sol"
COLLECTION, SALE = "contracts/src/EverholdCollection.sol", "contracts/src/sale/LazyMint.sol"


@dataclass(frozen=True)
class Variant:
    fault: str
    path: str
    old: str
    new: str
    proof: str


VARIANTS = [
    Variant(
        "rule 1: an approved account may update",
        CONTENT,
        "if (_requireOwned(tokenId) != _msgSender()) revert",
        "if (!_isAuthorized(_requireOwned(tokenId), _msgSender(), tokenId)) revert",
        "RuleProofs.check_RulesHoldInUpdates",
    ),
    Variant(
        "rule 2: a frozen token can be updated",
        CONTENT,
        "if (edits.frozen) revert ContentIsFrozen(tokenId);",
        "",
        "RuleProofs.check_RulesHoldInUpdates",
    ),
    Variant(
        "rule 3: with edits off, content can be changed",
        CONTENT,
        "if (!editable) revert EditsAreOff();",
        "",
        "RuleProofs.check_RulesHoldInUpdates",
    ),
    Variant(
        "rule 4: an update leaves the revision",
        CONTENT,
        "edits.updates = updates;",
        "",
        "RuleProofs.check_RulesHoldInUpdates",
    ),
    Variant(
        "rule 4: a burned token of a batch has its first digest again",
        CONTENT,
        "_digests[tokenId] = BURNED;",
        "_digests[tokenId] = 0;",
        "RuleProofs.check_RulesHoldInAllOtherCalls",
    ),
    Variant(
        "rule 5: a burned token can be moved",
        CONTENT,
        "return _digests[tokenId] == BURNED;",
        "return _digests[tokenId] == BURNED && tokenId > type(uint64).max;",
        "RuleProofs.check_RulesHoldInTransfers",
    ),
    Variant(
        "rule 6: the collection does not note a burn",
        TOKENS,
        "if (!_anyBurned) _anyBurned = true;",
        "",
        "RuleProofs.check_RulesHoldInAllOtherCalls",
    ),
    Variant(
        "rule 7: anyone may move a token",
        CONTENT,
        "from = super._update(to, tokenId, auth);",
        "from = super._update(to, tokenId, address(0));",
        "RuleProofs.check_RulesHoldInTransfers",
    ),
    Variant(
        "rule 8: whoever moves a token leaves another account approved",
        CONTENT,
        "from = super._update(to, tokenId, auth);",
        "from = super._update(to, tokenId, auth); _approve(address(7), tokenId, address(0), false);",
        "RuleProofs.check_RulesHoldInTransfers",
    ),
    Variant(
        "rule 9: a mint writes over the token before",
        CONTENT,
        "_digests[tokenId] = digest;\n        emit ContentSet(tokenId, digest, 1);",
        "_digests[tokenId] = digest; _digests[tokenId - 1] = digest;\n"
        "        emit ContentSet(tokenId, digest, 1);",
        "RuleProofs.check_RulesHoldInMints",
    ),
    Variant(
        "rule 10: anyone may mint",
        COLLECTION,
        "function mint(address to, uint256 tokenId, bytes32 digest) external onlyOwner {",
        "function mint(address to, uint256 tokenId, bytes32 digest) external {",
        "RuleProofs.check_RulesHoldInMints",
    ),
    Variant(
        "rule 11: anyone may set royalties",
        COLLECTION,
        "function setRoyalty(address receiver, uint96 basisPoints) external onlyOwner {",
        "function setRoyalty(address receiver, uint96 basisPoints) external {",
        "RuleProofs.check_RulesHoldInAllOtherCalls",
    ),
    Variant(
        "money: a function takes it",
        COLLECTION,
        "    // ERC721 keeps the names given",
        "    function tip() external payable {}\n\n    // ERC721 keeps the names given",
        "RuleProofs.check_NothingButRedeemTakesMoney",
    ),
    Variant(
        "rights: content can be changed in the transaction in which a token moved",
        CONTENT,
        "if (MOVED.deriveMapping(tokenId).asBoolean().tload()) revert MovedInThisTransaction(tokenId);",
        "",
        "RightsProofs.check_NobodyChangesAMovedToken",
    ),
    Variant(
        "signatures: a deadline does not matter",
        CONTENT,
        "if (block.timestamp > deadline) revert",
        "if (deadline == 0) revert",
        "SignatureProofs.check_SignedUpdateIsTheOwners",
    ),
    Variant(
        "vouchers: one can be redeemed twice",
        SALE,
        "if (_spent.get(id)) revert VoucherSpent(id);",
        "",
        "SignatureProofs.check_RedemptionIsTheCreators",
    ),
    Variant(
        "search: the last batch that starts at the token is taken for one behind it",
        TOKENS,
        "_batchStarts[high] <= tokenId",
        "_batchStarts[high] < tokenId",
        "SearchProofs.check_EachIdLeadsToItsBatch",
    ),
    Variant(
        "packs: each digest is read one place on",
        "contracts/src/tokens/DigestPack.sol",
        "OWNER_SIZE + index * DIGEST_SIZE",
        "OWNER_SIZE + index * DIGEST_SIZE + 1",
        "PackProofs.check_BatchOfTwoReadsBack",
    ),
]


def copy_project() -> None:
    shutil.rmtree(COPY, ignore_errors=True)
    for name in ["src", "test", "bin", "script", "prove"]:
        shutil.copytree(ROOT / "contracts" / name, COPY / "contracts" / name)
    for name in ["foundry.toml", "package.json"]:
        shutil.copy(ROOT / name, COPY / name)
    (COPY / ".cache/prove").mkdir(parents=True)
    (COPY / "node_modules").symlink_to(ROOT / "node_modules")


def is_caught(variant: Variant) -> bool:
    """Whether the proof fails of the variant, by a counterexample and by nothing else."""
    path = Path(variant.path)
    original = path.read_text()
    if original.count(variant.old) != 1:
        sys.exit(f"broken: {variant.path} does not hold, once, the line that this changes: {variant.old}")
    path.write_text(original.replace(variant.old, variant.new))
    try:
        build()
        contract, check = variant.proof.split(".")
        seconds, wrong = prove(contract, ["--early-exit", "--match-test", f"^{check}\\("])[variant.proof]
    finally:
        path.write_text(original)
    print(f"{'caught' if wrong else 'MISSED'} {variant.fault}: {variant.proof} ({seconds:.0f} s)", *wrong, sep="\n    ")
    return seconds < CONTRACT_TIMEOUT and any("counterexample" in reason for reason in wrong)


def main() -> None:
    copy_project()
    os.chdir(COPY)
    # What breaks a contract may leave a parameter unused.
    os.environ["FOUNDRY_DENY"] = "never"
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [variant for variant in VARIANTS if wanted in variant.fault]
    missed = [variant.fault for variant in chosen if not is_caught(variant)]
    if missed or not chosen:
        sys.exit(f"broken: not caught: {missed}")
    print(f"{len(chosen)} faults, each caught")


if __name__ == "__main__":
    main()
