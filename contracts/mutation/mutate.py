"""Mutation testing of the contract: changes its sources one place at a time, and sees whether a test fails.

Run it from the top level (README.md says how). It works on a copy, and writes what it found, as it goes, to
`contracts/cache/mutation/results.jsonl`; started again, it goes on where it was, and tries survivors once more.
Give the start of a path to mutate only the files under it.
"""

import difflib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from mutants import Mutant, mutants

ROOT = Path.cwd()
OUTPUT = ROOT / "contracts/cache/mutation"
RESULTS = OUTPUT / "results.jsonl"
COPY = OUTPUT / "project"
PROFILE = {
    "FOUNDRY_PROFILE": "quick",
    "FOUNDRY_OPTIMIZER": "false",
    "FOUNDRY_FUZZ_RUNS": "8",
    "FOUNDRY_FUZZ_SEED": "0x1",
}
# What is slow by nature is left out.
TESTS = ["forge", "test", "--fail-fast", "--no-match-path", "contracts/test/{invariants,symbolic,script,unixfs}/*"]
ARTIFACT = COPY / "contracts/cache/quick/out/EverholdFactory.sol/EverholdFactory.json"
TIMEOUT = 120


def main() -> None:
    prefix = sys.argv[1] if len(sys.argv) > 1 else "contracts/src/"
    os.environ |= PROFILE
    copy_project()
    found = [mutant for mutant in mutants(COPY) if mutant.path.startswith(prefix)]
    # The first run compiles the tests; the second has them find the code where a mutant's will be.
    with Compiler() as compiler:
        check_tests()
        put(compiler.original)
        check_tests()
        run(found, compiler)
    report(found)


def copy_project() -> None:
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.copytree(ROOT / "contracts/src", COPY / "contracts/src")
    shutil.copytree(ROOT / "contracts/test", COPY / "contracts/test")
    shutil.copytree(ROOT / "contracts/bin", COPY / "contracts/bin")
    shutil.copytree(ROOT / "contracts/script", COPY / "contracts/script")
    for name in ["foundry.toml", "package.json"]:
        shutil.copy(ROOT / name, COPY / name)
    (COPY / "node_modules").symlink_to(ROOT / "node_modules")


def run(found: list[Mutant], compiler: "Compiler") -> None:
    done = results()
    seen = {compiler.original: "equivalent"}
    for count, mutant in enumerate(found, 1):
        if done.get(key(mutant), "survived") == "survived":
            verdict = judge(mutant, compiler, seen)
            record(mutant, verdict)
            print(f"{count}/{len(found)} {verdict:10} {mutant.operator} {mutant.path}:{mutant.line}", flush=True)


def judge(mutant: Mutant, compiler: "Compiler", seen: dict[str, str]) -> str:
    """What becomes of a mutant. Another one with the same code has the same fate."""
    code = compiler.compile(mutant)
    if code is None:
        return "invalid"
    if code not in seen:
        put(code)
        seen[code] = "survived" if tests_pass() else "killed"
        if seen[code] == "survived" and compiler.compile(mutant, final=True) == compiler.final:
            seen[code] = "equivalent"
    return seen[code]


def put(code: str) -> None:
    """Makes the tests find this code for the factory's, which they load when they run (`vm.deployCode`)."""
    artifact = json.loads(ARTIFACT.read_text())
    artifact["bytecode"]["object"] = f"0x{code}"
    ARTIFACT.write_text(json.dumps(artifact))


def check_tests() -> None:
    if not tests_pass():
        sys.exit("The tests fail without any mutant.")


def tests_pass() -> bool:
    try:
        return subprocess.run(
            TESTS, cwd=COPY, capture_output=True, timeout=TIMEOUT
        ).returncode == 0
    except subprocess.TimeoutExpired:
        return False


class Compiler:
    """The compiler's process. See `compile.mjs`."""

    def __enter__(self) -> "Compiler":
        self.process = subprocess.Popen(
            ["node", ROOT / "contracts/mutation/compile.mjs"],
            cwd=COPY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.original = self.compile(None)
        self.final = self.compile(None, final=True)
        return self

    def __exit__(self, *_) -> None:
        self.process.stdin.close()
        self.process.wait()

    def compile(self, mutant: Mutant | None, final: bool = False) -> str | None:
        job = {"final": final}
        if mutant:
            job |= {"path": mutant.path, "source": mutant.source}
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def key(mutant: Mutant) -> str:
    return sha256(f"{mutant.path}\n{mutant.source}".encode()).hexdigest()


def record(mutant: Mutant, verdict: str) -> None:
    fields = {name: value for name, value in asdict(mutant).items() if name != "source"}
    with RESULTS.open("a") as file:
        file.write(json.dumps({"key": key(mutant), "verdict": verdict} | fields) + "\n")


def results() -> dict[str, str]:
    if not RESULTS.exists():
        return {}
    lines = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    return {line["key"]: line["verdict"] for line in lines}


def report(found: list[Mutant]) -> None:
    """Prints each survivor as a diff, then how many there are of each kind, by file."""
    done = results()
    for mutant in found:
        if done[key(mutant)] == "survived":
            original = (COPY / mutant.path).read_text()
            diff = difflib.unified_diff(
                original.splitlines(), mutant.source.splitlines(), mutant.path, mutant.operator, "", "", 0, ""
            )
            print("\n".join(diff))
    verdicts = ["killed", "survived", "equivalent", "invalid"]
    print(f"{'file':45}" + "".join(f"{verdict:>11}" for verdict in verdicts))
    for path in sorted({mutant.path for mutant in found}) + ["contracts/src/"]:
        fates = [done[key(mutant)] for mutant in found if mutant.path.startswith(path)]
        print(f"{path:45}" + "".join(f"{fates.count(verdict):>11}" for verdict in verdicts))


main()
