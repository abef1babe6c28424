"""What is found of planted secrets, what is taken for one wrongly, and how fast; beside a peer.

    python bench/redaction.py [--peer /path/to/venv/bin/python]

The peer is `detect-secrets` (or its fork `bc-detect-secrets`) in a virtual environment of its own,
for its dependencies are not wanted in ours; without one its columns are left out. A planted secret
counts as found when nothing of it is left once all finds are taken out of its text. Innocent texts
are strategies of our own families and modules of Python's standard library: each find in the first
is wrong, in the second nearly each.
The peer is asked line by line, by its `scan_line`, which
leaves its filters for whole files out: its wrong ones are an upper bound. Prints a table and
writes bench/results/redaction.json.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import sysconfig
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from qc_builder_lora.files import write_json
from qc_builder_lora.harvest.corpus.starter import draws, load_manifest
from qc_builder_lora.redact import Redactor, found_in
from tests.planted import Planted, left_of, planted

RESULTS = Path(__file__).resolve().parent / "results" / "redaction.json"
LENGTHS = (50_000, 100_000, 200_000, 400_000)
HOSTILE = ("KEY=", "auth ", "a@b.")
_PEER = """
import json, sys
from detect_secrets.core.scan import scan_line
from detect_secrets.settings import default_settings
texts = json.load(sys.stdin)
with default_settings():
    found = [
        sorted({s.secret_value for line in text.split("\\n") for s in scan_line(line)})
        for text in texts
    ]
json.dump(found, sys.stdout)
"""


def innocent() -> dict[str, list[str]]:
    """Texts that hold no secret, by where they come from."""
    manifest = replace(load_manifest(), families="all", examples_per_family=4)
    ours = [draw.code for draw in islice(draws(manifest, set()), 40)]
    library = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))[:6]
    return {"our families": ours, "standard library": [path.read_text("utf-8") for path in library]}


def ours(cases: list[Planted], texts: dict[str, list[str]]) -> dict[str, Any]:
    """What we find."""
    began = time.process_time()
    missed = [case.name for case in cases if left_of(case, Redactor().text(case.text))]
    wrong = {name: sum(len(found_in(text)) for text in each) for name, each in texts.items()}
    return _row(cases, missed, wrong, time.process_time() - began)


def peers(python: str, cases: list[Planted], texts: dict[str, list[str]]) -> dict[str, Any]:
    """What the peer finds in the same texts."""
    everything = [
        *(case.text for case in cases),
        *(text for each in texts.values() for text in each),
    ]
    began = time.monotonic()
    done = subprocess.run(
        [python, "-c", _PEER],
        input=json.dumps(everything),
        text=True,
        capture_output=True,
        check=True,
    )
    wall = time.monotonic() - began
    found: list[list[str]] = json.loads(done.stdout)
    missed, at = [], len(cases)
    for case, words in zip(cases, found, strict=False):
        clean = case.text
        for word in sorted(filter(None, words), key=len, reverse=True):
            clean = clean.replace(word, "")
        if left_of(case, clean):
            missed.append(case.name)
    wrong = {}
    for name, each in texts.items():
        wrong[name] = sum(map(len, found[at : at + len(each)]))
        at += len(each)
    return _row(cases, missed, wrong, wall)


def _row(
    cases: list[Planted], missed: list[str], wrong: dict[str, int], seconds: float
) -> dict[str, Any]:
    found = len(cases) - len(missed)
    return {
        "planted": len(cases),
        "found": found,
        "recall": round(found / len(cases), 4),
        "wrong": wrong,
        "seconds": round(seconds, 2),
        "missed": missed,
    }


def speed() -> dict[str, Any]:
    """CPU seconds by length: of strategies, of one line, and of the worst hostile text."""
    code = "\n".join(innocent()["our families"])
    line = code.replace("\n", " ; ")
    rows: dict[str, Any] = {}
    for name, text in (("strategies", code), ("one line", line)):
        rows[name] = [_seconds((text * (size // len(text) + 1))[:size]) for size in LENGTHS]
    worst = max(HOSTILE, key=lambda piece: _seconds(piece * (20_000 // len(piece))))
    rows["hostile"] = [_seconds(worst * (size // len(worst))) for size in LENGTHS]
    return {"characters": LENGTHS, "cpu_s": rows, "worst": worst}


def _seconds(text: str) -> float:
    began = time.process_time()
    found_in(text)
    return round(time.process_time() - began, 3)


def main() -> int:
    """The table and the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", help="A Python that has detect-secrets.")
    options = parser.parse_args()
    cases, texts = planted(), innocent()
    results: dict[str, Any] = {"machine": platform.platform(), "ours": ours(cases, texts)}
    if options.peer:
        results["peer"] = peers(options.peer, cases, texts)
        results["recall_ratio"] = round(results["ours"]["recall"] / results["peer"]["recall"], 2)
    results["speed"] = speed()
    for name in ("ours", "peer"):
        if row := results.get(name):
            print(f"{name:<6} found {row['found']} of {row['planted']} ({row['recall']:.1%}), "
                  f"wrong {row['wrong']}, {row['seconds']} s")  # fmt: skip
    if "peer" in results:
        print(f"recall, ours over the peer's: {results['recall_ratio']}")
    else:
        print("peer left out: name a Python that has detect-secrets with --peer")
    for name, seconds in results["speed"]["cpu_s"].items():
        growth = seconds[-1] / max(seconds[0], 0.001)
        print(f"{name:<12} {seconds} s for {LENGTHS}: {growth:.1f} times for 8 times the text")
    write_json(RESULTS, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
