"""Runs slither, with every detector, over contracts/src; fails unless its findings are just those that findings.md
answers."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

REPORT = Path(".cache/prove/slither.json")
BUILD = "contracts/cache/prove/slither"
ANSWERED = re.compile(r"^\| `([\w-]+)` \| `(.+?)` \| (\d+) \| \S", re.MULTILINE)


def analyse() -> list[dict]:
    REPORT.unlink(missing_ok=True)
    environment = os.environ | {
        # Its own build: it is of another kind. Of the source alone, for which the older code generator does.
        "FOUNDRY_OUT": f"{BUILD}/out",
        "FOUNDRY_CACHE_PATH": BUILD,
        "FOUNDRY_VIA_IR": "false",
    }
    command = ["slither", ".", "--config-file", "contracts/prove/slither.config.json", "--json", str(REPORT)]
    run = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    report = json.loads(REPORT.read_text()) if REPORT.exists() else {"success": False}
    if not report["success"] or "analyzed" not in run.stdout:
        sys.exit(f"{run.stdout}\nslither: did not finish")
    print(run.stdout.splitlines()[-1])
    return report["results"].get("detectors", [])


def place(finding: dict) -> str:
    """What a finding is about, by name: lines move."""
    element = finding["elements"][0]
    fields = element["type_specific_fields"]
    parent = fields.get("parent", {})
    names = [parent["name"]] if parent.get("type") == "contract" else []
    return ".".join([*names, fields.get("signature", element["name"])])


def main() -> None:
    found = Counter((finding["check"], place(finding)) for finding in analyse())
    answered = Counter()
    for detector, where, count in ANSWERED.findall(Path("contracts/prove/findings.md").read_text()):
        answered[detector, where] += int(count)
    for (detector, where), count in sorted((found - answered).items()):
        print(f"not answered: {detector} at {where} ({count})")
    for (detector, where), count in sorted((answered - found).items()):
        print(f"answered, but not found any more: {detector} at {where} ({count})")
    if found != answered:
        sys.exit("slither: findings and contracts/prove/findings.md differ")
    print(f"slither: {found.total()} findings, each answered")


main()
