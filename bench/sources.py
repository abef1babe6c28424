"""What public sources give from nothing: the paper, the documentation, LEAN's algorithms, a folder.

    python bench/sources.py [--paper 1601.00991.pdf] [--wheel FILE] [--lean CHECKOUT]
                            [--folder DIR --licence SPDX] [--limit 200]

An empty store and an empty cache in a temporary folder; then what `qc-lora corpus add worldquant`,
`qc-docs`, `lean` and `folder` do, for those that are named. Without any, the paper is taken from
beside the checkout or downloaded, and the wheel is fetched by pip, as the commands do; what cannot
be fetched is said and not measured. How far each source's entries came is read from the store, as
`qc-lora corpus sources` reads it: every entry is kept or has its reason. Each is added twice: the
second time nothing may be new, and its time beside the first says what a repeated harvest costs.

Prints a table, writes bench/results/sources.json. The exit code is 1 where an entry is lost between
the columns, where a second run finds something new, or where a source that was named could not be
read.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from qc_builder_lora.config import Settings
from qc_builder_lora.corpus_job import AlphaOptions, add_worldquant
from qc_builder_lora.errors import QcLoraError
from qc_builder_lora.files import write_json
from qc_builder_lora.harvest.corpus.standing import reasons, standings
from qc_builder_lora.progress import show_progress
from qc_builder_lora.source_job import SourceOptions, add_folder, add_lean, add_qc_docs
from qc_builder_lora.store import Store

RESULTS = Path(__file__).with_name("results") / "sources.json"
PAPER = Path(__file__).parents[2] / "shared" / "data" / "worldquant" / "1601.00991.pdf"
STEPS = ("in", "parsed", "compiles", "runs", "trades", "kept", "unknown", "not applicable")
SHOWN = 6

Work = Callable[[Settings, Store], Any]


def sources(given: argparse.Namespace) -> dict[str, Work]:
    """What is to be added, by the source's name in the store."""
    options = SourceOptions(jobs=given.jobs, limit=given.limit)
    paper = given.paper or (PAPER if PAPER.is_file() else None)
    every = {
        "worldquant": lambda settings, store: add_worldquant(
            settings, store, show_progress, paper, AlphaOptions(jobs=given.jobs)
        ),
        "qc-docs": lambda settings, store: add_qc_docs(
            settings, store, show_progress, given.wheel, options
        ),
        "lean": lambda settings, store: add_lean(
            settings, store, show_progress, given.lean, options
        ),
        "folder": lambda settings, store: add_folder(
            settings, store, show_progress, given.folder, given.licence, options
        ),
    }
    named = {
        "worldquant": given.paper,
        "qc-docs": given.wheel,
        "lean": given.lean,
        "folder": given.folder,
    }
    chosen = [name for name, path in named.items() if path] or ["worldquant", "qc-docs"]
    return {name: every[name] for name in chosen}


def timed(work: Work, settings: Settings, store: Store) -> tuple[Any, float]:
    """The funnel as JSON values, and the seconds."""
    began = time.perf_counter()
    return work(settings, store).plain(), time.perf_counter() - began


def measured(name: str, work: Work, settings: Settings, store: Store) -> dict[str, Any]:
    """One source added twice, and what the store says of it afterwards."""
    before = {one.plain()["source"] for one in standings(store)}
    _, first = timed(work, settings, store)
    again, second = timed(work, settings, store)
    rows = [one.plain() for one in standings(store) if one.plain()["source"] not in before]
    stopped = [row for one in rows for row in reasons(store, one["source"])]
    return {
        "source": name,
        **{step: sum(row[step] for row in rows) for step in STEPS},
        "licence": ", ".join(str(row["licence"]) for row in rows),
        "version": ", ".join(str(row["version"]) for row in rows),
        "seconds": round(first, 1),
        "second_run_seconds": round(second, 1),
        "second_run_new": again["new"],
        "not_kept": sum(count for _, _, count in stopped),
        "stopped": [
            {"stopped": reason, "detail": detail, "count": count}
            for reason, detail, count in stopped[:SHOWN]
        ],
    }


def say(rows: list[dict[str, Any]]) -> None:
    """The table, and what stopped most."""
    columns = (*STEPS, "seconds", "second_run_seconds")
    print(f"{'source':<12}" + "".join(f"{name[:14]:>16}" for name in columns))
    for row in rows:
        print(f"{row['source']:<12}" + "".join(f"{row[name]:>16}" for name in columns))
    for row in rows:
        ratio = row["second_run_seconds"] / max(row["seconds"], 1e-9)
        print(f"{row['source']}: the second run takes {ratio:.2f} of the first's time")
        for one in row["stopped"]:
            print(f"  {one['count']:>5}  {one['stopped']}: {' '.join(one['detail'].split())[:90]}")


def wrong(row: dict[str, Any]) -> list[str]:
    """What must not be: an entry lost, more of a later step, new entries the second time."""
    ladder = STEPS[: STEPS.index("kept") + 1]
    found = [
        f"{row['source']}: {later} {row[later]} of {earlier} {row[earlier]}"
        for earlier, later in pairwise(ladder)
        if row[later] > row[earlier]
    ]
    if row["kept"] + row["not_kept"] != row["in"]:
        found.append(f"{row['source']}: {row['in']} in, {row['kept']} and {row['not_kept']} out")
    if row["second_run_new"]:
        found.append(f"{row['source']}: {row['second_run_new']} new the second time")
    return found


def main() -> int:
    """Add, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    for name in ("paper", "wheel", "lean", "folder"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--licence", help="of the folder, an SPDX expression")
    parser.add_argument("--limit", type=int, help="only so many of docs, lean and folder")
    parser.add_argument("--jobs", type=int, help="backtests at a time; default all usable CPUs")
    given = parser.parse_args()
    rows, failed = [], []
    named = any((given.paper, given.wheel, given.lean, given.folder))
    with tempfile.TemporaryDirectory(prefix="qc-lora-bench-") as folder:
        settings = Settings(home=Path(folder) / "home", cache=Path(folder) / "cache")
        with Store.open(settings.database_url) as store:
            for name, work in sources(given).items():
                try:
                    rows.append(measured(name, work, settings, store))
                except QcLoraError as error:
                    print(f"{name} not measured: {error}", file=sys.stderr)
                    failed += [f"{name} could not be read"] * named
    say(rows)
    failed += [text for row in rows for text in wrong(row)]
    for text in failed:
        print(text, file=sys.stderr)
    machine = {"cpus": os.cpu_count(), "load_1m": round(os.getloadavg()[0], 2),
               "python": platform.python_version()}  # fmt: skip
    if rows:
        write_json(RESULTS, {"limit": given.limit, "rows": rows, "machine": machine})
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
