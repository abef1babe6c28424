"""How the building of a snapshot grows with the store, and what it takes of memory.

    python bench/snapshot.py [--sizes 1000 10000 30000 100000]

Each size is a fresh store of generated examples (a tenth of them copies with other names, or for
nearly the same question) and one `build_snapshot` over it in a process of its own, twice, which
must give the same name. Prints seconds, microseconds an example and the process's peak memory,
with the exponent between the smallest and the largest size, and writes
bench/results/snapshot.json. Beside it, as the peer, the same codes go into datasketch's LSH with
nothing before it that says which ones need comparing. The exit code is 1 above the target.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from qc_builder_lora.backtest.check import strategy_hash
from qc_builder_lora.files import write_json
from qc_builder_lora.ids import json_hash, now, text_hash
from qc_builder_lora.records import Example, Strategy
from qc_builder_lora.store import Store

RESULTS = Path(__file__).with_name("results") / "snapshot.json"
TARGET = 1.15
PEER_SIZE = 1000
BODY = """from AlgorithmImports import *


class Rule{number}(QCAlgorithm):
    def initialize(self):
        self.set_start_date({year}, 1, 4)
        self.set_cash(100000)
        self.{name} = self.add_equity("{ticker}", Resolution.DAILY).symbol
        self.fast = self.{kind}(self.{name}, {fast}, Resolution.DAILY)
        self.slow = self.{kind}(self.{name}, {slow}, Resolution.DAILY)

    def on_data(self, data):
        if not self.slow.is_ready or self.{name} not in data.bars:
            return
        if self.fast.current.value > self.slow.current.value * {margin}:
            self.set_holdings(self.{name}, {weight})
        elif self.fast.current.value < self.slow.current.value:
            self.liquidate(self.{name})
"""
TICKERS = ("AAPL", "GOOG", "IBM", "MSFT", "SPY", "QQQ", "GLD", "XLE")


def code_of(number: int, name: str) -> str:
    """A strategy; another one for each number, and another text for each name."""
    return BODY.format(
        number=number, name=name, year=2000 + number % 11, ticker=TICKERS[number % 8],
        kind=("sma", "ema", "momp")[number % 3], fast=2 + number // 24 % 40,
        slow=50 + number // 960 % 200, margin=1 + number // 192_000 / 1000,
        weight=round(0.5 + number % 50 / 100, 2),
    )  # fmt: skip


def examples(count: int) -> Iterator[Example]:
    """Nine of ten are different; the tenth is the one before under other names."""
    for index in range(count):
        copy = index % 10 == 9
        number = index - 1 if copy else index
        text = code_of(number, "stock" if copy else "symbol")
        asked = (
            f"Trade {TICKERS[number % 8]} on the cross of two averages, rule number {number}, and "
            f"sell when the fast one is below the slow one again{', please' if copy else ''}."
        )
        yield Example(
            id=json_hash({"instruction": asked, "code": text}),
            instruction=asked,
            code=text,
            family=f"family {number % 97}",
            source="bench",
            licence="Apache-2.0",
            created_at=now(),
            parameters={"number": number},
            strategy_id=strategy_hash(text),
        )


def fill(url: str, count: int) -> None:
    """A store with so many examples."""
    with Store.open(url) as store, store.transaction():
        batch: list[Example] = []
        for example in examples(count):
            batch.append(example)
            if len(batch) == 1000:
                _add(store, batch)
                batch = []
        _add(store, batch)


def _add(store: Store, batch: list[Example]) -> None:
    store.strategies.add_all(
        Strategy(id=str(one.strategy_id), code=one.code, code_sha256=text_hash(one.code),
                 created_at=one.created_at, source="bench")
        for one in batch
    )  # fmt: skip
    store.examples.add_all(batch)


def build_once(url: str) -> None:
    """What the child does: one snapshot, its figures as JSON on standard output."""
    from qc_builder_lora.harvest.snapshot import Choice, build_snapshot

    with Store.open(url) as store:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        _, report = build_snapshot(store, [], Choice(family_quota=10**6))
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    plain = {"seconds": seconds, "peak_mb": peak / 1024, "before_mb": before / 1024}
    plain |= {key: report.plain()[key] for key in ("id", "examples", "validation", "left_out")}
    print(json.dumps(plain))


def measured(count: int) -> dict[str, object]:
    """The better of two runs over one store; they must agree on the name."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/store.db"
        fill(url, count)
        runs: list[dict[str, float]] = []
        for _ in range(2):
            command = [sys.executable, __file__, "--child", url]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            runs.append(json.loads(done.stdout))
    if runs[0]["id"] != runs[1]["id"]:
        raise SystemExit(f"Two builds over one store differ: {runs[0]['id']}, {runs[1]['id']}.")
    best = min(runs, key=lambda run: run["seconds"])
    return {"size": count, **best}


def peer_us(count: int) -> float:
    """Microseconds a code: every one into datasketch's LSH, with its usual 128 permutations."""
    from datasketch import MinHash, MinHashLSH

    from qc_builder_lora.harvest.essence import essence_of

    index, began = MinHashLSH(threshold=0.9, num_perm=128), time.perf_counter()
    for example in examples(count):
        sketch = MinHash(num_perm=128)
        sketch.update_batch([piece.encode() for piece in essence_of(example.code).pieces()])
        index.query(sketch)
        index.insert(example.id, sketch, check_duplication=False)
    return 1e6 * (time.perf_counter() - began) / count


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", type=int, default=[1000, 10_000, 100_000])
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        build_once(given.child)
        return 0
    rows = []
    print(f"{'examples':>10}{'seconds':>10}{'us each':>10}{'peak MB':>10}{'left out':>10}")
    for size in given.sizes:
        row = measured(size)
        rows.append(row)
        seconds, left = float(str(row["seconds"])), row["left_out"]
        assert isinstance(left, dict)
        print(
            f"{size:>10,}{seconds:>10.2f}{1e6 * seconds / size:>10.0f}"
            f"{float(str(row['peak_mb'])):>10.0f}{sum(left.values()):>10,}",
            flush=True,
        )
    first, last = rows[0], rows[-1]
    exponent = math.log(float(str(last["seconds"])) / float(str(first["seconds"])))
    exponent /= math.log(given.sizes[-1] / given.sizes[0])
    peer = peer_us(PEER_SIZE)
    ours = 1e6 * float(str(first["seconds"])) / given.sizes[0]
    print(f"exponent {exponent:.3f} (target {TARGET}); LSH of every code {peer:.0f} us each, "
          f"{peer / ours:.1f} times ours")  # fmt: skip
    write_json(
        RESULTS,
        {
            "target_exponent": TARGET,
            "exponent": round(exponent, 4),
            "rows": rows,
            "peer": {"what": "datasketch LSH over every code", "us_each": round(peer, 1)},
            "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        },
    )
    return int(exponent > TARGET)


if __name__ == "__main__":
    sys.exit(main())
