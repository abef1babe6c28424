"""How fast the simulator is: warm, cold, with twenty symbols, with pandas, and many at a time.

    python bench/simulator.py [--data DIR] [--many N]

Prints a table and writes bench/results/simulator.json. Without LEAN's data folder it measures on
seeded synthetic bars of the same length, and says so. Other load on the machine shows: both the
best and the median of the runs are given, and the CPU time.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import psutil

from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.backtest.simulator.calendar import date_of, day_of, load_hours
from qc_builder_lora.files import write_json
from qc_builder_lora.records import BacktestStatus

ROOT = Path(__file__).resolve().parents[1]
LEAN_DATA = ROOT.parent / "shared" / "data" / "lean"
RESULTS = ROOT / "bench" / "results" / "simulator.json"
# Seconds and MB that issue 3 asks for, on two cores.
TARGETS = {"warm": 0.35, "cold": 1.2, "twenty": 2.0, "memory": 150.0}

SMA_CROSS = """
from AlgorithmImports import *

class SmaCross(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2010, 1, 4)
        self.set_end_date(2020, 12, 31)
        self.set_cash(100000)
        self._spy = self.add_equity("SPY", Resolution.DAILY).symbol
        self._fast = self.sma(self._spy, {fast}, Resolution.DAILY)
        self._slow = self.sma(self._spy, 200, Resolution.DAILY)

    def on_data(self, data):
        if not self._slow.is_ready:
            return
        invested = self.portfolio[self._spy].invested
        if self._fast.current.value > self._slow.current.value:
            if not invested:
                self.set_holdings(self._spy, 1.0)
        elif invested:
            self.liquidate(self._spy)
"""
TWENTY = """
from AlgorithmImports import *

class Twenty(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2010, 1, 4)
        self.set_end_date(2019, 12, 31)
        self.set_cash(1000000)
        self._symbols = [self.add_equity(f"T{i:02d}", Resolution.DAILY).symbol for i in range(20)]
        self._fast = {s: self.sma(s, 20) for s in self._symbols}
        self._slow = {s: self.sma(s, 60) for s in self._symbols}

    def on_data(self, data):
        for symbol in self._symbols:
            if not self._slow[symbol].is_ready:
                continue
            wanted = self._fast[symbol].current.value > self._slow[symbol].current.value
            if wanted != self.portfolio[symbol].invested:
                self.set_holdings(symbol, 0.04 if wanted else 0)
"""
HISTORY = """
from AlgorithmImports import *

class Frames(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2010, 1, 4)
        self.set_end_date(2020, 12, 31)
        self._spy = self.add_equity("SPY", Resolution.DAILY).symbol
        self.schedule.on(self.date_rules.month_start(self._spy),
                         self.time_rules.after_market_open(self._spy, 30), self.rebalance)

    def rebalance(self):
        closes = self.history(self._spy, 200, Resolution.DAILY)["close"]
        self.set_holdings(self._spy, 1 if closes.iloc[-1] > closes.mean() else 0)
"""


def synthetic(folder: Path, tickers: list[str], first: date, last: date) -> None:
    """Random walks on every trading day, the same each time."""
    days = load_hours(folder).between(day_of(first), day_of(last))
    for ticker in tickers:
        walk, price, lines = random.Random(ticker), 100.0, []
        for day in days:
            opened, price = price, price * (1 + walk.gauss(0.0004, 0.012))
            high, low = max(opened, price) * 1.004, min(opened, price) * 0.996
            cents = ",".join(str(round(value * 10000)) for value in (opened, high, low, price))
            lines.append(f"{date_of(day):%Y%m%d} 00:00,{cents},{walk.randrange(10**6, 10**7)}")
        path = folder / "equity" / "usa" / "daily" / f"{ticker.lower()}.zip"
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{ticker.lower()}.csv", "\n".join(lines))


def measure(run: Callable[[], BacktestResult], times: int) -> dict[str, Any]:
    """Wall seconds of repeated runs; the first, which warms up, is given apart."""
    walls = []
    for _ in range(times + 1):
        began = time.perf_counter()
        result = run()
        walls.append(time.perf_counter() - began)
        if result.status is not BacktestStatus.COMPLETED:
            sys.exit(f"a benchmark's strategy did not complete: {result.reason}")
    rest = walls[1:]
    return {
        "first_s": round(walls[0], 3),
        "best_s": round(min(rest), 3),
        "median_s": round(statistics.median(rest), 3),
        "bars": sum(1 for _ in result.equity),
        "orders": result.total_orders,
    }


def cold(data: Path) -> float:
    """Wall seconds of one `qc-lora backtest` from the shell, imports and sandbox included."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(SMA_CROSS.format(fast=50))
        file.flush()
        walls = []
        for _ in range(5):
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "qc_builder_lora.cli", "backtest", file.name, "--data",
                 str(data), "--json"],
                check=True, capture_output=True, cwd=ROOT,
            )  # fmt: skip
            walls.append(time.perf_counter() - began)
    return round(min(walls), 3)


def memory_mb(simulator: Simulator) -> dict[str, float]:
    """Resident MB of this process's simulator and of its strategy processes, after all runs."""
    found = {"simulator": round(psutil.Process().memory_info().rss / 1e6, 1)}
    for frames, zygote in simulator._zygotes.items():
        outer = psutil.Process(zygote._process.pid)
        total = sum(one.memory_info().rss for one in (outer, *outer.children()))
        found["with_pandas" if frames else "strategy"] = round(total / 1e6, 1)
    return found


def many(simulator: Simulator, count: int, jobs: int) -> dict[str, Any]:
    """Backtests a minute, of different strategies in the worker pool."""
    codes = [SMA_CROSS.format(fast=10 + number % 150) for number in range(count)]
    began = time.perf_counter()
    results = list(simulator.run_many(codes, jobs=jobs))
    wall = time.perf_counter() - began
    if any(result.status is not BacktestStatus.COMPLETED for result in results):
        sys.exit("a benchmark's strategy did not complete")
    return {
        "strategies": count, "jobs": jobs, "wall_s": round(wall, 2),
        "a_minute": round(60 * count / wall),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=LEAN_DATA)
    parser.add_argument("--many", type=int, default=200)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        made = Path(name)
        synthetic(made, [f"T{i:02d}" for i in range(20)], date(2009, 12, 1), date(2020, 1, 10))
        real = chosen.data.is_dir()
        if not real:
            synthetic(made, ["SPY"], date(1998, 1, 2), date(2021, 3, 31))
        data = chosen.data if real else made
        one, twenty = Simulator(data), Simulator(made)
        found: dict[str, Any] = {
            "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} CPUs",
            "load": os.getloadavg()[0],
            "data": "LEAN's" if real else "synthetic",
            "engine": one.version,
            "sma_cross": measure(lambda: one.run(SMA_CROSS.format(fast=50)), 7),
            "with_pandas": measure(lambda: one.run(HISTORY), 5),
            "twenty_symbols": measure(lambda: twenty.run(TWENTY), 3),
            "cold_s": cold(data),
            "memory_mb": memory_mb(one),
            "many": many(one, chosen.many, len(os.sched_getaffinity(0))),
        }
        for simulator in (one, twenty):
            simulator.close()
    show(found)
    write_json(RESULTS, found)


def show(found: dict[str, Any]) -> None:
    """The table."""
    rows = [
        ("11 years SPY, SMA cross, warm", found["sma_cross"]["best_s"], TARGETS["warm"], "s"),
        ("  median of the runs", found["sma_cross"]["median_s"], None, "s"),
        ("the same, cold, from the shell", found["cold_s"], TARGETS["cold"], "s"),
        ("11 years, monthly pandas history", found["with_pandas"]["best_s"], None, "s"),
        ("20 symbols, 10 years", found["twenty_symbols"]["best_s"], TARGETS["twenty"], "s"),
        ("memory of a simulator", found["memory_mb"]["simulator"], TARGETS["memory"], "MB"),
        ("memory of its strategy process", found["memory_mb"]["strategy"], TARGETS["memory"], "MB"),
        ("  with pandas", found["memory_mb"]["with_pandas"], None, "MB"),
        ("backtests a minute", found["many"]["a_minute"], None, ""),
    ]
    print(f"{found['machine']}, load {found['load']:.1f}, {found['data']} bars")
    for name, value, target, unit in rows:
        goal = f"at most {target:g} {unit}" if target else ""
        print(f"  {name:<34} {value:>9g} {unit:<3} {goal}")


if __name__ == "__main__":
    main()
