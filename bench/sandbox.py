"""What the walls cost: a warm process behind them, a strategy's start, and a whole backtest.

    python bench/sandbox.py [--data DIR]

Prints a table and writes bench/results/sandbox.json. Each figure is the best of some runs, made in
turn with the walls of bubblewrap, with our own, and without namespaces (the filter of system calls
is there all the same). A backtest is given in CPU time, ours and the strategy's together, for other
load on the machine shows in everything else.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from simulator import LEAN_DATA, ROOT, SMA_CROSS, synthetic  # type: ignore[import-not-found]

from qc_builder_lora.backtest.protocol import Limits
from qc_builder_lora.backtest.sandbox import bubblewrap, kernel, launch
from qc_builder_lora.backtest.sandbox.launch import Zygote
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.backtest.simulator.libraries import library_folders
from qc_builder_lora.backtest.simulator.simulator import _SURFACE
from qc_builder_lora.backtest.surface.libraries import LIBRARIES, SUPPORT
from qc_builder_lora.files import write_json

RESULTS = ROOT / "bench" / "results" / "sandbox.json"
WAYS = ("bubblewrap", "direct", "open")
# Where the kernel refuses, as Docker's default profile does: see the tests' no_namespaces.py.
_OPEN = [sys.executable, str(ROOT / "tests" / "backtest" / "no_namespaces.py")]


@contextmanager
def walls(way: str) -> Iterator[None]:
    """Walls made that way for what is started meanwhile; `open` has no namespaces."""
    if way == "bubblewrap":
        yield
        return
    with patch.object(bubblewrap, "find", lambda: None):
        if way == "direct":
            yield
            return
        popen: Any = subprocess.Popen

        def refused(command: list[str], **more: Any) -> Any:
            return popen([*_OPEN, *command[1:]], **more)

        with patch.object(subprocess, "Popen", refused):
            yield


def start(way: str) -> float:
    """Seconds until a warm process stands ready."""
    began = time.perf_counter()
    with walls(way):
        zygote = Zygote("surface.strategy", [_SURFACE], folders=library_folders(),
                        packages=LIBRARIES | SUPPORT, allow_open=True)  # fmt: skip
    took = time.perf_counter() - began
    zygote.close()
    return took


def fork(zygote: Zygote) -> float:
    """Seconds from the order to a strategy's process that says it is up, and back to none."""
    began = time.perf_counter()
    child = zygote.fork(Limits())
    child.channel.recv(100)
    child.end()
    child.close_output()
    return time.perf_counter() - began


def best(run: Callable[[], float], times: int) -> float:
    """The least of some runs."""
    return min(run() for _ in range(times))


def backtest(simulator: Simulator) -> float:
    """CPU seconds of eleven years of daily bars, warm: ours, and the strategy's."""
    endings: list[launch.Ending] = []
    reap = Zygote.reap

    def keep(zygote: Zygote, grace_s: float) -> launch.Ending:
        endings.append(reap(zygote, grace_s))
        return endings[-1]

    began = time.process_time()
    with patch.object(Zygote, "reap", keep):
        result = simulator.run(SMA_CROSS.format(fast=50))
    if result.reason is not None:
        sys.exit(f"the benchmark's strategy did not complete: {result.reason}")
    return time.process_time() - began + endings[0].cpu_s


def measure(data: Path, ways: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Milliseconds of each way, the ways in turn."""
    simulators = {}
    for way in ways:
        with walls(way):
            simulators[way] = Simulator(data, allow_open_sandbox=True)
            backtest(simulators[way])
    found: dict[str, dict[str, float]] = {way: {} for way in ways}
    for name, run, rounds in (
        ("start", start, 5),
        ("fork", lambda way: best(lambda: fork(simulators[way]._zygotes[False]), 10), 5),
        ("backtest", lambda way: backtest(simulators[way]), 7),
    ):
        took = [{way: run(way) for way in ways} for _ in range(rounds)]
        for way in ways:
            found[way][name] = round(1000 * min(one[way] for one in took), 1)
    for simulator in simulators.values():
        simulator.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=LEAN_DATA)
    data = parser.parse_args().data
    ways = tuple(way for way in WAYS if way != "bubblewrap" or bubblewrap.find())
    with tempfile.TemporaryDirectory() as name:
        if not data.is_dir():
            from datetime import date

            data = Path(name)
            synthetic(data, ["SPY"], date(1998, 1, 2), date(2021, 3, 31))
        found = measure(data, ways)
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {len(os.sched_getaffinity(0))} CPUs, load {load:.1f}")
    print(f"{'ms':<12}{'start':>10}{'fork':>10}{'CPU of a backtest':>20}   ratio to open")
    for way, times in found.items():
        ratio = times["backtest"] / found["open"]["backtest"]
        print(
            f"{way:<12}{times['start']:>10}{times['fork']:>10}{times['backtest']:>20}   {ratio:.2f}"
        )
    write_json(RESULTS, {"load": load, "walls": list(kernel.WALLS), **found})


if __name__ == "__main__":
    main()
