"""The mutants of the contract's own sources, by the operators of slither-mutate."""

import inspect
import logging
from dataclasses import dataclass
from pathlib import Path

from slither import Slither
from slither.tools.mutator.mutators import all_mutators
from slither.tools.mutator.mutators.abstract_mutator import AbstractMutator

# RR puts `revert()` in a statement's place, and so finds statements that no test runs: coverage does that.
# FHR changes a function's visibility or mutability, which the compiler sees and a test does not.
LEFT_OUT = {"RR", "FHR"}

# Of a relational operator's other five, a test that tells it from these two, and from `true` or `false` (MIA), tells
# it from all (Just and Schweiggert, "Higher accuracy and lower run time", 2015).
KEPT = {
    "<": ("<=", "!="),
    "<=": ("<", "=="),
    ">": (">=", "!="),
    ">=": (">", "=="),
    "==": ("<=", ">="),
    "!=": ("<", ">"),
}


@dataclass(frozen=True)
class Mutant:
    path: str
    operator: str
    line: int
    old: str
    new: str
    source: str


def operators() -> list[type]:
    found = [
        member
        for _, member in inspect.getmembers(all_mutators, inspect.isclass)
        if issubclass(member, AbstractMutator) and member.NAME and member.NAME not in LEFT_OUT
    ]
    return sorted(found, key=lambda operator: operator.NAME)


def mutants(project: Path) -> list[Mutant]:
    """Every mutant of the sources under `contracts/src`, once."""
    logging.disable(logging.CRITICAL)
    unique: dict[tuple[str, str], Mutant] = {}
    for unit in Slither(str(project)).compilation_units:
        for contract in unit.contracts:
            path = contract.source_mapping.filename.relative
            if not path.startswith("contracts/src/") or contract.is_interface:
                continue
            for operator in operators():
                for mutant in mutants_of(unit, contract, operator, path):
                    unique.setdefault((mutant.path, mutant.source), mutant)
    return sorted(unique.values(), key=lambda mutant: (mutant.path, mutant.line, mutant.operator))


def mutants_of(unit, contract, operator: type, path: str) -> list[Mutant]:
    generator = operator(unit, 0, "", None, contract, None, False, Path("."), [])
    patches = generator._mutate().get("patches", {})
    found = []
    for file, changes in patches.items():
        original = Path(file).read_bytes()
        for change in filter(is_kept if operator.NAME == "ROR" else None, changes):
            # Offsets are in bytes.
            source = original[: change["start"]] + change["new_string"].encode() + original[change["end"] :]
            found.append(
                Mutant(
                    path=path,
                    operator=operator.NAME,
                    line=change["line_number"],
                    old=original[change["start"] : change["end"]].decode(),
                    new=change["new_string"],
                    source=source.decode(),
                )
            )
    return found


def is_kept(change: dict) -> bool:
    """Whether a change of a relational operator is one of those that matter."""
    parts = {operator: change["old_string"].split(operator) for operator in KEPT}
    return any(
        change["new_string"] == f"{parts[old][0]}{new}{parts[old][1]}"
        for old in KEPT
        for new in KEPT[old]
        if len(parts[old]) > 1
    )
