"""Runs halmos over contracts/test/symbolic, and fails unless just the proofs that proofs.md lists were made."""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import rmtree, which

CACHE = Path(".cache/prove")
BUILD = Path("contracts/cache/prove")
LISTED = re.compile(r"^\| `(\w+)\.(check_\w+)` \|", re.MULTILINE)

# Seconds. What takes longer than this is broken, not slow: the slowest takes half an hour.
CONTRACT_TIMEOUT = 3600

# What halmos says of each pack: code that it did not compile itself, which is what packs are.
EXPECTED_WARNING = "unknown deployed bytecode"

OPTIONS = [
    "--forge-build-out", str(BUILD / "out"),
    # No loop of the contracts runs longer; halmos says so where one does, and then this fails.
    "--loop", "512",
    "--default-bytes-lengths", "65",
    "--default-array-lengths", "1,2",
    # How long to think about whether a path can be taken. If it remains open, it is taken.
    "--solver-timeout-branching", "50ms",
    "--solver-timeout-assertion", "300s",
    "--solver-threads", "1",
    # Any panic of a proof is a failure, not only that of `assert`.
    "--panic-error-codes", "*",
    # For `violating`.
    "--verbose",
    "--no-status",
]


def build() -> None:
    # A contract that was deleted would still be proved from what is left of it here.
    rmtree(BUILD, ignore_errors=True)
    # As halmos builds, so that it has nothing left to build.
    command = ["forge", "build", "--ast", "--extra-output", "storageLayout", "metadata"]
    if subprocess.run(command).returncode:
        sys.exit("prove: the contracts do not build")


def prove(contract: str, options: list[str] = []) -> dict[str, tuple[float, list[str]]]:
    """Each of a contract's proofs, or those that the options choose, with its seconds and what is wrong with it."""
    report = CACHE / f"{contract}.json"
    report.unlink(missing_ok=True)
    # Named, so that halmos does not go and download one. It would be Yices, whose package for Python takes some of
    # these queries, which can't be satisfied, for satisfiable: proofs failed with counterexamples that are none.
    solver = which("z3")
    if not solver:
        sys.exit("prove: z3 is missing, which comes with halmos: rm -rf .cache/prove")
    command = ["halmos", "--contract", contract, "--json-output", str(report), "--solver-command", solver]
    # One message a line, however long.
    environment = os.environ | {"COLUMNS": "100000", "NO_COLOR": "1"}
    try:
        run = subprocess.run(
            command + OPTIONS + options,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=CONTRACT_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        return {contract: (CONTRACT_TIMEOUT, ["timed out"])}
    output = re.sub(r"\x1b\[[0-9;]*m", "", run.stdout)
    (CACHE / f"{contract}.log").write_text(output)
    results = {}
    if report.exists():
        for tests in json.loads(report.read_text())["test_results"].values():
            results |= {name_of(contract, test): verdict(test, output) for test in tests}
    messages = troubles(output)
    if messages or run.returncode:
        results[contract] = (0.0, [*messages, f"halmos exited with {run.returncode}: see {CACHE}/{contract}.log"])
    return results


def name_of(contract: str, test: dict) -> str:
    return f"{contract}.{test['name'].split('(')[0]}"


def verdict(test: dict, output: str) -> tuple[float, list[str]]:
    wrong = []
    if test["exitcode"] != 0:
        wrong.append(f"not proved (halmos's code {test['exitcode']}, {test['num_models']} counterexamples)")
    if test["num_bounded_loops"]:
        wrong.append("a loop was cut short")
    total, ended, stuck = test["num_paths"] or (0, 0, 0)
    if stuck:
        wrong.append(f"{stuck} paths got stuck")
    # Halmos takes a path that reverts for a proved one, though the assertions behind were never reached.
    reverted = total - ended - stuck - violating(test["name"], output)
    if reverted:
        wrong.append(f"{reverted} paths reverted in the proof itself")
    return (test["time"][0] if test["time"] else 0.0, wrong)


def violating(name: str, output: str) -> int:
    """How many paths a proof had that would break an assertion if they could be taken."""
    # The count comes just before the verdict, and not at all if there is none.
    found = re.search(rf"assertion violations: (\d+) / .*\n(?:(?!\[\w+\]).*\n)*\[\w+\] {re.escape(name)} ", output)
    return int(found[1]) if found else 0


def troubles(output: str) -> list[str]:
    lines = (line for line in output.splitlines() if re.match(r"\s*(WARNING|ERROR)\s", line))
    return [line.strip()[:300] for line in lines if EXPECTED_WARNING not in line]


def main() -> None:
    document = Path("contracts/prove/proofs.md").read_text()
    table = LISTED.findall(document)
    listed = {f"{contract}.{check}" for contract, check in table}
    # In the table's order: the longest comes first, and the others run beside it.
    contracts = list(dict.fromkeys(contract for contract, _ in table))
    sources = map(Path.read_text, Path("contracts/test/symbolic").glob("*.sol"))
    written = set(re.findall(r"function (check_\w+)", "".join(sources)))
    build()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = {name: result for found in pool.map(prove, contracts) for name, result in found.items()}

    for name, (seconds, wrong) in sorted(results.items()):
        print(f"{'FAILED' if wrong else 'proved'} {name} ({seconds:.0f} s)", *wrong, sep="\n    ")
    missing = sorted(listed - results.keys())
    unlisted = sorted(written - {name.split(".")[1] for name in listed})
    for name in missing:
        print(f"FAILED {name}: listed in proofs.md, but did not run")
    for name in unlisted:
        print(f"FAILED {name}: not listed in proofs.md")
    if missing or unlisted or any(wrong for _, wrong in results.values()):
        sys.exit("prove: not everything is proved")
    print(f"{len(results)} proofs")


if __name__ == "__main__":
    main()
