"""`harvest file`: lines a second in batches, and as the peer the same lines one transaction each.

    python bench/lines.py [--lines 20000] [--peer-lines 2000] [--database URL]

Lines of a usual strategy each (every code another one, four to a build), into a fresh SQLite store,
or into the empty database that is named, each way in a process of its own. Prints lines a second,
CPU a line, peak memory and the ratio; a second pass must find nothing new. Writes
bench/results/lines.json. The exit code is 1 where a second pass finds something, or the memory of
the whole file is more than half as much again as that of a tenth of it.
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
from itertools import islice
from pathlib import Path
from typing import Any

from qc_builder_lora.files import write_json
from qc_builder_lora.harvest.sources import lines, take
from qc_builder_lora.store import Store

RESULTS = Path(__file__).with_name("results") / "lines.json"
MOST = 1.5
CODE = '''from AlgorithmImports import *


class Rule{number}(QCAlgorithm):
    """A cross of two averages."""

    def initialize(self):
        self.set_start_date(2010, 1, 1)
        self.set_cash({number})
        self._symbol = self.add_equity("AAPL", Resolution.DAILY).symbol
        self._fast = self.sma(self._symbol, {fast})
        self._slow = self.sma(self._symbol, {slow})
        self.set_warm_up({slow})

    def on_data(self, data):
        if self.is_warming_up or self._symbol not in data.bars:
            return
        invested = self.portfolio[self._symbol].invested
        if self._fast.current.value > self._slow.current.value and not invested:
            self.set_holdings(self._symbol, 0.9)
        elif self._fast.current.value < self._slow.current.value and invested:
            self.liquidate(self._symbol)
'''


def write(path: Path, count: int) -> None:
    with path.open("w") as file:
        for number in range(count):
            fast, slow = number % 50 + 2, number % 50 + 60
            line = {
                "code": CODE.format(number=number + 1000, fast=fast, slow=slow),
                "instruction": f"Cross of {fast} over {slow}, number {number}",
                "build": f"b{number // 4}",
                "iteration": number % 4 + 1,
                "model": "m",
                "created_at": "2026-01-01T00:00:00Z",
            }
            file.write(json.dumps(line) + "\n")


def harvest(path: Path, database: str, count: int, batch: int) -> None:
    """What the child does: its figures as JSON on standard output."""
    take.BATCH = batch
    with Store.open(database) as store:
        began, cpu = time.perf_counter(), time.process_time()
        report = take.take(store, lines.SOURCE, islice(lines.pieces(path), count))
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"lines": report.seen, "new": report.generations, "seconds": seconds,
                      "cpu_ms_a_line": 1000 * cpu / report.seen, "peak_mb": peak}))  # fmt: skip


def child(path: Path, database: str, count: int, batch: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", str(path), database, str(count), str(batch)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    print(f"{'batches' if batch > 1 else 'by line':<10}{found['lines']:>9,} lines "
          f"{found['new']:>9,} new {found['seconds']:>8.1f} s "
          f"{found['lines'] / found['seconds']:>9,.0f} a second "
          f"{found['cpu_ms_a_line']:>7.2f} CPU ms a line {found['peak_mb']:>6.0f} MB")  # fmt: skip
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--peer-lines", type=int, default=2_000)
    parser.add_argument("--database", help="an empty one; default a fresh SQLite file")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        path, database, count, batch = options.child
        harvest(Path(path), database, int(count), int(batch))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.jsonl"
        write(path, options.lines)
        place = options.database or f"sqlite:///{folder}/store.db"
        peer = child(path, f"sqlite:///{folder}/peer.db", options.peer_lines, 1)
        small = child(path, f"sqlite:///{folder}/small.db", options.lines // 10, take.BATCH)
        whole = child(path, place, options.lines, take.BATCH)
        again = child(path, place, options.lines, take.BATCH)
    a_line = {name: one["seconds"] / one["lines"] for name, one in
              (("peer", peer), ("whole", whole))}  # fmt: skip
    ratio = a_line["peer"] / a_line["whole"]
    growth = whole["peak_mb"] / small["peak_mb"]
    print(f"batches are {ratio:.1f} times as fast; ten times the lines take {growth:.2f} times "
          "the memory")  # fmt: skip
    write_json(RESULTS, {"peer": peer, "tenth": small, "whole": whole, "again": again,
                         "ratio": ratio, "memory_ratio": growth, "cpus": os.cpu_count(),
                         "machine": platform.platform()})  # fmt: skip
    return int(again["new"] != 0 or growth > MOST)


if __name__ == "__main__":
    sys.exit(main())
