"""How long the corpus of our own takes from nothing: families, alphas, error-fix and change pairs.

    python bench/corpus.py [--count 300] [--jobs 2] [--peer 4]

An empty store, an empty cache and new bars in a temporary folder; then what
`qc-lora corpus build --manifest full` does, each source by itself. `--count` makes about so many
examples in place of all, in the same proportions, and projects the time of 2,000. Every example was
parsed, checked by mypy with quantconnect-stubs, run by the simulator to its end, and traded;
`real bars` are those on the sample data alone (AAPL, GOOG, IBM, MSFT), the others trade at least
one ticker whose bars are a seeded random walk. The broken code of every error-fix pair was refused
by the checker or the engine; both codes of every change pair were run. The peer is one code
at a time: a mypy and a simulator for each.

Prints a table, writes bench/results/corpus.json; without `--count` the exit code is 1 where 2,000
examples of 60 families in 30 minutes are not reached.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from qc_builder_lora.config import Settings
from qc_builder_lora.corpus_job import (
    AlphaOptions,
    add_changes,
    add_families,
    add_fixes,
    add_own_alphas,
    corpus_bars,
)
from qc_builder_lora.files import write_json
from qc_builder_lora.harvest.corpus.starter import Manifest, load_manifest
from qc_builder_lora.progress import show_progress
from qc_builder_lora.store import Store

RESULTS = Path(__file__).with_name("results") / "corpus.json"
WANTED, MINUTES, FAMILIES = 2000, 30.0, 60
STEPS = ("in", "parsed", "compiles", "runs", "trades", "failed", "proven", "kept")


def scaled(manifest: Manifest, count: int | None) -> Manifest:
    """The manifest for about so many examples, in its own proportions; at least one of each."""
    if count is None:
        return manifest
    each = manifest.chosen_families()
    share = count / (sum(each.values()) + manifest.alphas + manifest.fixes + manifest.changes)
    wanted = {name: max(1, round(number * share)) for name, number in each.items()}
    if share * manifest.examples_per_family < 1:
        # Too few for every family: some of them, chosen evenly.
        step = max(1, round(1 / (share * manifest.examples_per_family)))
        wanted = dict.fromkeys(list(each)[::step], 1)
    return replace(
        manifest,
        families=wanted,
        without=(),
        alphas=max(1, round(manifest.alphas * share)),
        fixes=max(1, round(manifest.fixes * share)),
        changes=max(1, round(manifest.changes * share)),
    )


def cpu_s() -> float:
    """CPU seconds of this process and of those that it waited for."""
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in found)


def measured(work: Callable[[], Any]) -> dict[str, Any]:
    """The last funnel that the work gives, with its seconds."""
    began, before = time.perf_counter(), cpu_s()
    found = work()
    funnel = found[-1] if isinstance(found, list) else found
    seconds = time.perf_counter() - began
    kept = max(1, funnel.counts["kept"])
    return {
        **funnel.plain(),
        "seconds": round(seconds, 1),
        "per_minute": round(60 * kept / seconds, 1),
        "cpu_s_each": round((cpu_s() - before) / kept, 3),
    }


def set_up(settings: Settings) -> float:
    """Seconds of what is done once: the bars, and mypy's first look at the stubs."""
    from qc_builder_lora.backtest.check import compiles

    began = time.perf_counter()
    corpus_bars(settings)
    code = "from AlgorithmImports import *\n\n\nclass First(QCAlgorithm):\n    pass\n"
    compiles([code], cache=settings.cache_folder)
    return time.perf_counter() - began


def all_sources(settings: Settings, manifest: Manifest, jobs: int | None) -> list[dict[str, Any]]:
    """One row a source, and where the examples' bars are from."""
    with Store.open(settings.database_url) as store:
        data = corpus_bars(settings)
        options = AlphaOptions(data=data, jobs=jobs)
        rows = [
            measured(lambda: add_families(settings, store, show_progress, manifest, jobs=jobs)),
            measured(
                lambda: add_own_alphas(settings, store, show_progress, manifest.alphas, 1, options)
            ),
            measured(
                lambda: add_fixes(
                    settings, store, show_progress, manifest.fixes, 1, data=data, jobs=jobs
                )
            ),
            measured(
                lambda: add_changes(settings, store, show_progress, manifest.changes, 1, jobs=jobs)
            ),
        ]
        real = set(manifest.tickers)
        for row in rows:
            row["real bars"] = sum(
                set(one.parameters.get("tickers", ())) <= real
                for one in store.examples.find(source=row["source"])
            )
        return rows


def total(rows: Sequence[dict[str, Any]], first: float) -> dict[str, Any]:
    """The sums; `first` are the seconds of the set-up."""
    seconds = first + sum(row["seconds"] for row in rows)
    kept = sum(row["kept"] for row in rows)
    return {
        "source": "all",
        "in": sum(row["in"] for row in rows),
        "kept": kept,
        "families": {name: 1 for row in rows for name in row["families"]},
        "real bars": sum(row["real bars"] for row in rows),
        "seconds": round(seconds, 1),
        "per_minute": round(60 * kept / seconds, 1),
        "cpu_s_each": round(sum(row["cpu_s_each"] * row["kept"] for row in rows) / kept, 3),
    }


def one_at_a_time(settings: Settings, manifest: Manifest, count: int) -> float | None:
    """Seconds an example where each has a mypy and a simulator of its own; None where not asked."""
    from itertools import islice

    from qc_builder_lora.backtest.check import compiles
    from qc_builder_lora.backtest.simulator import Simulator
    from qc_builder_lora.harvest.corpus.starter import draws

    if not count:
        return None
    few = replace(manifest, families=list(manifest.chosen_families())[:: max(1, 78 // count)])
    codes = [draw.code for draw in islice(draws(replace(few, examples_per_family=1), set()), count)]
    data = corpus_bars(settings)
    began = time.perf_counter()
    for code in codes:
        compiles([code], cache=settings.cache_folder)
        engine = Simulator(data, allow_open_sandbox=settings.allow_open_sandbox)
        engine.run(code)
        engine.close()
    return (time.perf_counter() - began) / len(codes)


def say(rows: Sequence[dict[str, Any]]) -> None:
    """The table."""
    columns = (*STEPS, "real bars", "families", "seconds", "per_minute", "cpu_s_each")
    print(f"{'source':<12}" + "".join(f"{name:>11}" for name in columns))
    for row in rows:
        cells = [len(row[c]) if c == "families" else row.get(c, "-") for c in columns]
        print(f"{row['source']:<12}" + "".join(f"{cell:>11}" for cell in cells), flush=True)
    for row in rows:
        for reason, count in row.get("stopped", {}).items():
            print(f"  {row['source']} stopped: {reason}  {count}")


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--count", type=int, help="about so many examples; default all")
    parser.add_argument("--jobs", type=int, help="backtests at a time; default all usable CPUs")
    parser.add_argument("--peer", type=int, default=4, help="codes one at a time; 0 for none")
    given = parser.parse_args()
    manifest = scaled(load_manifest("full"), given.count)
    with tempfile.TemporaryDirectory(prefix="qc-lora-bench-") as folder:
        settings = Settings(home=Path(folder) / "home", cache=Path(folder) / "cache")
        first = set_up(settings)
        rows = all_sources(settings, manifest, given.jobs)
        peer = one_at_a_time(settings, manifest, given.peer)
    whole = total(rows, first)
    say([*rows, whole])
    each = (whole["seconds"] - first) / max(1, whole["kept"])
    projected = (first + each * WANTED) / 60
    mistakes = sum(len(row.get("mutations", ())) for row in rows)
    print(
        f"set-up {first:.1f} s, {each:.3f} s an example: {WANTED:,} of them take {projected:.1f} "
        f"min (at most {MINUTES:g}); {mistakes} kinds of mistakes"
    )
    if peer is not None:
        print(f"one at a time {peer:.2f} s a code: {peer / each:.1f} times ours")
    write_json(
        RESULTS,
        {
            "count": given.count, "rows": rows, "set_up_s": round(first, 1),
            "all": {**whole, "families": len(whole["families"])},
            "seconds_each": round(each, 4), "minutes_for_2000": round(projected, 2),
            "peer": {"what": "one code at a time", "seconds_each": peer},
            "machine": {"cpus": os.cpu_count(), "load_1m": round(os.getloadavg()[0], 2),
                        "python": platform.python_version()},
        },
    )  # fmt: skip
    reached = whole["kept"] >= WANTED and len(whole["families"]) >= FAMILIES
    return int(given.count is None and not (reached and whole["seconds"] <= 60 * MINUTES))


if __name__ == "__main__":
    sys.exit(main())
