"""How fast files are checked: 200 in one go, cold and warm, beside one mypy process a file.

    python bench/check.py [--files 200] [--sampled 8]

The peer is how LEAN's own run_syntax_check.py asks: one `python -m mypy` for each file, here with a
warm cache too. It is timed on a sample and counted up. Prints a table and writes
bench/results/check.json. Other load on the machine shows in wall times; the ratio is of one run.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from qc_builder_lora.backtest.check import check_version
from qc_builder_lora.backtest.check.checking import check
from qc_builder_lora.backtest.check.handed_in import HandedIn, read_bytes
from qc_builder_lora.backtest.check.prepared import prepare
from qc_builder_lora.files import write_json
from qc_builder_lora.harvest.corpus.starter import draws, load_manifest

RESULTS = Path(__file__).resolve().parent / "results" / "check.json"
TARGET_S = 60.0  # 200 files on two cores from a warm cache, and cold too


def strategies(count: int, offset: int) -> list[HandedIn]:
    """Draws of our own families, as many of each as it takes; another offset gives other ones."""
    manifest = load_manifest()
    each = 2 + count // len(replace(manifest, families="all").chosen_families())
    several = replace(manifest, families="all", examples_per_family=each)
    drawn = islice(draws(several, set(), offset=offset), count)
    return [read_bytes(f"s{n}.py", draw.code.encode()) for n, draw in enumerate(drawn)]


def timed(files: Sequence[HandedIn], cache: Path, *, types: bool, jobs: int) -> dict[str, Any]:
    """Wall seconds of one check of all files, and what came of it."""
    began = time.perf_counter()
    checked = check(files, types=types, cache=cache, jobs=jobs)
    wall = time.perf_counter() - began
    verdicts = [str(one.verdict) for one in checked]
    return {
        "wall_s": round(wall, 2),
        "files_a_minute": round(60 * len(files) / wall),
        "verdicts": {name: verdicts.count(name) for name in sorted(set(verdicts))},
    }


def one_process_each(files: Sequence[HandedIn], cache: Path) -> float:
    """Mean wall seconds of a mypy process for one file, the stubs being in its cache."""
    walls = []
    with tempfile.TemporaryDirectory() as folder:
        for number, file in enumerate(files):
            path = Path(folder) / f"{file.path.removesuffix('.py')}.py"
            path.write_text(prepare(file.text).text, "utf-8")
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-P", "-m", "mypy", "--cache-dir", str(cache),
                 "--skip-cache-mtime-checks", "--skip-version-check", "--no-error-summary",
                 "--ignore-missing-imports", "--check-untyped-defs", "--python-version", "3.11",
                 path.name],
                cwd=folder, capture_output=True, check=False,
            )  # fmt: skip
            if number:  # the first fills the cache
                walls.append(time.perf_counter() - began)
    return sum(walls) / len(walls)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--sampled", type=int, default=8)
    given = parser.parse_args()
    files, others = strategies(given.files, 0), strategies(20, 7)
    jobs = min(2, os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        rows = {
            "rules alone": timed(files, cache, types=False, jobs=1),
            "cold cache": timed(files, cache / "cold", types=True, jobs=jobs),
        }
        check(others, cache=cache / "warm", jobs=jobs)
        rows["warm cache, new files"] = timed(files, cache / "warm", types=True, jobs=jobs)
        rows["the same files again"] = timed(files, cache / "warm", types=True, jobs=jobs)
        each = one_process_each(files[: given.sampled + 1], cache / "peer")
    peer = each * len(files) / jobs
    ratio = peer / rows["warm cache, new files"]["wall_s"]
    _show(rows, len(files), jobs, each, peer, ratio)
    write_json(
        RESULTS,
        {
            "python": platform.python_version(), "machine": platform.machine(),
            "types": check_version(), "files": len(files), "jobs": jobs, "target_s": TARGET_S,
            "runs": rows, "peer_s_a_file": round(each, 2), "peer_s": round(peer, 1),
            "times_as_fast": round(ratio, 1),
        },
    )  # fmt: skip


def _show(
    rows: dict[str, dict[str, Any]], count: int, jobs: int, each: float, peer: float, ratio: float
) -> None:
    print(f"{count} files, {jobs} type checks at a time (target {TARGET_S:.0f} s)")
    for name, row in rows.items():
        print(f"  {name:<24} {row['wall_s']:>8.2f} s {row['files_a_minute']:>8} files/min  "
              f"{row['verdicts']}")  # fmt: skip
    print(f"  {'one mypy process a file':<24} {peer:>8.1f} s  ({each:.2f} s each, sampled)")
    print(f"  times as fast as that    {ratio:>8.1f}")


if __name__ == "__main__":
    main()
