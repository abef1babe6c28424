"""What a look at the gates costs when nothing is new, by the number of harvested strategies.

    python bench/gates.py [--sizes 1000 10000]

The store of each size holds strategies that are decided under today's rules. One look is what
the daemon does every 30 seconds: which are undecided, which share their figures. The peer reads
every strategy with its newest answers, which is how the gates were asked before (200 of them are
read, and multiplied). Prints milliseconds (median of five) and writes bench/results/gates.json; the
exit code is 1 when a look at the largest size takes more than the target.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qc_builder_lora.backtest.check import check_version, rules_version
from qc_builder_lora.backtest.protocol import BacktestResult, BacktestSettings
from qc_builder_lora.files import write_json
from qc_builder_lora.harvest.gates import ASKED, LADDER, Rules, run_gates
from qc_builder_lora.ids import new_id, now, text_hash
from qc_builder_lora.records import (
    Backtest,
    BacktestStatus,
    Build,
    Gate,
    Generation,
    Outcome,
    Request,
    Role,
    Strategy,
)
from qc_builder_lora.store import Store

RESULTS = Path(__file__).with_name("results") / "gates.json"
TARGET_MS = 1000.0
SAMPLE = 200
RULES = Rules()


class Idle:
    """An engine that must not be asked."""

    name, version, data_fingerprint = "idle", "1", "0"

    def run(self, code: str, settings: BacktestSettings = BacktestSettings()) -> BacktestResult:  # noqa: B008
        raise AssertionError("nothing was to be asked")

    def run_many(self, codes: Any, settings: Any = None, **_: Any) -> Any:
        raise AssertionError("nothing was to be asked")


def fill(store: Store, count: int) -> None:
    """So many strategies in builds of three, reported on by the builder's engine, decided."""
    engine = Idle()
    checker = f"{check_version()}, {rules_version()}"
    basis = RULES.basis(engine.name, engine.version, engine.data_fingerprint, checker)
    moment, request = now(), Request(id="r", instruction="Buy AAPL.", created_at=now())
    store.requests.add(request)
    for start in range(0, count, 1000):
        numbers = range(start, min(start + 1000, count))
        with store.transaction():
            store.builds.add_all(
                Build(id=f"b{n // 3}", title="t", host="h", started_at=moment) for n in numbers
            )
            store.strategies.add_all(
                Strategy(id=text_hash(str(n)), code="x = 1\n" * 60, code_sha256="c",
                         created_at=moment, source="builder")
                for n in numbers
            )  # fmt: skip
            store.generations.add_all(
                Generation(id=f"g{n}", request_id="r", code="x", role=Role.SERVED,
                           created_at=moment, build_id=f"b{n // 3}",
                           strategy_id=text_hash(str(n)))
                for n in numbers
            )  # fmt: skip
            store.backtests.add_all(
                Backtest(id=f"t{n}", strategy_id=text_hash(str(n)), created_at=moment,
                         status=BacktestStatus.COMPLETED, engine="mcp", engine_version=None,
                         data_fingerprint=None, code_sha256="c", total_orders=9,
                         statistics={"Net Profit": f"{n}%"}, build_id=f"b{n // 3}")
                for n in numbers
            )  # fmt: skip
            store.gates.add_all(
                Gate(id=new_id(), strategy_id=text_hash(str(n)), name=name, outcome=Outcome.PASS,
                     evidence={}, created_at=moment, basis=basis)
                for n in numbers for name in (*LADDER, ASKED)
            )  # fmt: skip


def median_ms(work: Callable[[], object]) -> float:
    """Of five."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def measured(count: int, folder: Path) -> dict[str, float]:
    """A look, and the peer, over one store."""
    with Store.open(f"sqlite:///{folder}/store.db") as store:
        fill(store, count)
        report = run_gates(store, Idle(), RULES, cache=folder)
        assert report.asked == 0
        look = median_ms(lambda: run_gates(store, Idle(), RULES, cache=folder))
        began = time.perf_counter()
        for one in store.strategies.find(limit=SAMPLE):
            store.gates.latest(one.id)
            store.backtests.find(strategy_id=one.id)
        peer = 1000 * (time.perf_counter() - began) * count / SAMPLE
    return {"strategies": count, "look_ms": round(look, 2), "reading_all_ms": round(peer, 1)}


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", type=int, default=[1000, 10_000])
    rows = []
    print(f"{'strategies':>12}{'a look, ms':>14}{'reading all, ms':>18}{'times':>8}")
    for size in parser.parse_args().sizes:
        with tempfile.TemporaryDirectory() as folder:
            row = measured(size, Path(folder))
        rows.append(row)
        times = row["reading_all_ms"] / row["look_ms"]
        print(f"{size:>12,}{row['look_ms']:>14.1f}{row['reading_all_ms']:>18.0f}{times:>8.0f}")
    machine = {"python": platform.python_version()}
    write_json(RESULTS, {"target_ms": TARGET_MS, "rows": rows, "machine": machine})
    return int(rows[-1]["look_ms"] > TARGET_MS)


if __name__ == "__main__":
    sys.exit(main())
