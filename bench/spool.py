"""From a builder's records to the store: events a second, and whether memory stays bounded.

    python bench/spool.py [--events 100000 1000000]

Each size is a fresh spool as a builder would leave it (builds of three iterations; prompts, code,
uploads, compile results, backtests with statistics, fitness) and one `ingest` into a fresh SQLite
store in a process of its own. Prints seconds, events a second, that process's peak memory and how
much of it came with the work; beside it, as the peer, how many events a second are only read and
checked, with nothing stored. A second pass must find nothing new. Writes bench/results/spool.json.
The exit code is 1 where the largest size takes more than half as much memory again as the smallest.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qc_builder_lora.files import write_json
from qc_builder_lora.harvest import events
from qc_builder_lora.harvest.ingest import ingest
from qc_builder_lora.harvest.spool import SpoolWriter, read, spools
from qc_builder_lora.store import Store

RESULTS = Path(__file__).with_name("results") / "spool.json"
MOST = 1.5
STATISTICS = {f"Figure {number}": f"{number}.5%" for number in range(30)}
CODE = (
    """from AlgorithmImports import *


class Rule{number}(QCAlgorithm):
    def initialize(self):
        self.set_cash({number})
"""
    + "        self.log('a line of a usual strategy')\n" * 30
)

Record = tuple[str, dict[str, Any]]


def told(count: int) -> Iterator[Record]:
    """So many records: builds one after the other, every code another one."""
    made = build = 0
    while made < count:
        for record in one_build(build):
            yield record
            made += 1
            if made == count:
                return
        build += 1


def one_build(number: int) -> Iterator[Record]:
    yield note(events.SPEC_SUBMITTED, title=f"Strategy {number}")
    project = 1000 + number
    created = {"projects": [{"projectId": project}]}
    yield tool("create_project", created, name=f"p{number}")
    for iteration in range(1, 4):
        code = CODE.format(number=10 * number + iteration)
        yield note(events.ITERATION_START, iteration=iteration)
        file = f"/w/s{number}/main.py"
        yield events.CODER, {"prompt": f"improve {number}", "model": "m", "files": [file]}
        yield events.CODER_FILE, {"path": file, "text": code, "changed": True}
        yield tool("update_file_content", {}, projectId=project, name="main.py", content=code)
        built = {"compileId": "c", "state": "BuildSuccess", "logs": []}
        yield tool("read_compilation_result", built, projectId=project, compileId="c")
        key = f"b{number}-{iteration}"
        begun = {"backtest": {"backtestId": key, "completed": False}}
        yield tool("create_backtest", begun, projectId=project, compileId="c", backtestName="n")
        ended = {"backtest": {"backtestId": key, "completed": True, "statistics": STATISTICS}}
        yield tool("read_backtest", ended, projectId=project, backtestId=key)
        fitness = {"version": f"v{iteration}", "sharpe": 0.7, "iteration": iteration}
        yield events.FITNESS, {**fitness, "tracker": number}
    yield note(events.BUILD_COMPLETE, sharpe=0.7, drawdown="1%", returns="4%")


def note(event: str, **details: Any) -> Record:
    return events.NOTIFIED, {"event": event, "details": details}


def tool(name: str, value: dict[str, Any], /, **arguments: Any) -> Record:
    text = json.dumps({"success": True, **value})
    answer = {"result": {"content": [{"type": "text", "text": text}]}}
    params = {"name": name, "arguments": {"model": arguments}}
    return events.MCP, {"server": "quantconnect", "tool": name, "params": params, "answer": answer}


def write(home: Path, count: int) -> float:
    """A spool with so many records; seconds it took the writer."""
    writer, began = SpoolWriter(home / "spool"), time.perf_counter()
    for kind, body in told(count - 1):
        if not writer.append(kind, body):
            raise SystemExit(f"a record was lost: {writer.last_error}")
    seconds = time.perf_counter() - began
    writer.close()
    return seconds


def ingest_once(home: Path) -> None:
    """What the child does: one pass, its figures as JSON on standard output."""
    with Store.open(f"sqlite:///{home}/store.db") as store:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        report = ingest(store, home)
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "peak_mb": peak / 1024, "before_mb": before / 1024,
                      "records": report.records, "builds": report.builds,
                      "generations": report.generations, "lost": report.lost,
                      "damaged": len(report.damaged)}))  # fmt: skip


def child(home: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", str(home)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measured(count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        wrote = write(home, count)
        (spool,) = spools(home / "spool")
        size = spool.path.stat().st_size
        began = time.perf_counter()
        whole = sum(1 for _ in read(spool.path))
        reading = time.perf_counter() - began
        found = child(home)
        again = child(home)
    if (found["records"], whole) != (count, count) or found["lost"] or found["damaged"]:
        raise SystemExit(f"{count} records were written, {found} taken.")
    if again["records"]:
        raise SystemExit(f"{again['records']} records were taken twice.")
    return {**found, "events": count, "spool_mb": size / 1e6, "append_us": 1e6 * wrote / count,
            "per_s": count / found["seconds"], "read_per_s": count / reading}  # fmt: skip


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="Time the way from the spool to the store.")
    parser.add_argument("--events", nargs="+", type=int, default=[100_000, 1_000_000])
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        ingest_once(given.child)
        return 0
    columns = ("spool MB", "seconds", "events/s", "peak MB", "of it work", "read only/s")
    print(f"{'events':>10}" + "".join(f"{column:>12}" for column in columns))
    rows = []
    for count in given.events:
        row = measured(count)
        rows.append(row)
        figures = (row["spool_mb"], row["seconds"], row["per_s"], row["peak_mb"],
                   row["peak_mb"] - row["before_mb"], row["read_per_s"])  # fmt: skip
        print(f"{count:>10,}" + "".join(f"{figure:>12,.0f}" for figure in figures), flush=True)
    growth = rows[-1]["peak_mb"] / rows[0]["peak_mb"]
    ratio = rows[-1]["read_per_s"] / rows[-1]["per_s"]
    print(f"memory of the largest by that of the smallest: {growth:.2f} (at most {MOST}); "
          f"reading alone is {ratio:.1f} times as fast")  # fmt: skip
    machine = {"cpus": os.cpu_count(), "load": round(os.getloadavg()[0], 2),
               "python": platform.python_version()}  # fmt: skip
    write_json(RESULTS, {"rows": rows, "growth": round(growth, 3), "machine": machine})
    return int(growth > MOST)


if __name__ == "__main__":
    sys.exit(main())
