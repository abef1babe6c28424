"""Many backtests at once: the same results, in order, from worker processes."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil

from qc_builder_lora.backtest.protocol import BacktestSettings, Limits
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.records import BacktestStatus
from tests.backtest.conftest import strategy


def codes() -> list[str]:
    trading = "if not self.portfolio.invested: self.set_holdings(self.aapl, {})"
    good = [strategy(on_data=trading.format(share / 10)) for share in range(1, 6)]
    return [*good, strategy("self.add_option('X')"), "x = (", strategy("self.nothing()"), "\ud800"]


def test_workers_give_what_one_process_gives_in_order(sample: Simulator) -> None:
    told: list[int] = []
    alone = list(sample.run_many(codes(), jobs=1))
    pooled = list(sample.run_many(codes(), jobs=2, progress=told.append))
    assert [replace(one, wall_s=0) for one in pooled] == [replace(one, wall_s=0) for one in alone]
    assert told == list(range(1, len(pooled) + 1))


def test_settings_reach_the_workers(sample: Simulator) -> None:
    settings = BacktestSettings(cash=777, parameters={"a": "ö"}, limits=Limits(wall_s=9))
    code = strategy("self.log(self.get_parameter('a'))")
    for result in sample.run_many([code, code], settings, jobs=2):
        assert result.statistics["Start Equity"] == "777"
        assert "ö" in result.logs


def test_nothing_is_left_when_a_caller_stops_half_way(sample: Simulator) -> None:
    before = set(psutil.Process().children(recursive=True))
    results = sample.run_many(codes(), jobs=2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert set(psutil.Process().children(recursive=True)) <= before


def workers_now() -> list[psutil.Process]:
    found = []
    for one in psutil.Process().children():
        # One that has just ended is still listed, and has no command line any more.
        with suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
            if "workers" in " ".join(one.cmdline()):
                found.append(one)
    return found


def test_a_worker_that_dies_is_replaced_and_its_backtest_tried_again(sample_folder: Path) -> None:
    slow = strategy("import time\ntime.sleep(0.5)")
    results = Simulator(sample_folder, allow_open_sandbox=True).run_many(
        ["x = 1", slow, slow], jobs=2
    )
    next(results)
    for worker in workers_now():
        worker.kill()
    assert [result.status for result in results] == [BacktestStatus.COMPLETED] * 2


def test_a_worker_that_dies_each_time_leaves_an_unknown_and_the_others_their_results(
    sample_folder: Path,
) -> None:
    endless = strategy(on_data="while True: pass")
    settings = BacktestSettings(limits=Limits(wall_s=30, cpu_s=30))
    results = Simulator(sample_folder, allow_open_sandbox=True).run_many(
        ["x = 1", endless, "x = 2"], settings, jobs=2
    )
    assert next(results).status is BacktestStatus.FAILED
    over = threading.Event()

    def kill_whoever_comes() -> None:
        while not over.is_set():
            for worker in workers_now():
                worker.kill()
            over.wait(0.2)

    killing = threading.Thread(target=kill_whoever_comes)
    killing.start()
    found = next(results)
    over.set()
    killing.join()
    assert found.status is BacktestStatus.UNKNOWN
    assert found.reason is not None
    assert found.reason.startswith("infrastructure: A backtest worker ended with signal 9.")
    results.close()  # type: ignore[attr-defined]


ENDING = """
import fcntl, struct, subprocess, sys, termios, threading
from qc_builder_lora.backtest.simulator.workers import _Worker

worker = _Worker.__new__(_Worker)
worker._closed, worker._changing = False, threading.Lock()
pipe = subprocess.PIPE
worker._process = subprocess.Popen(["sleep", "600"], stdin=pipe, stdout=pipe, text=True)
print(worker._process.pid, flush=True)
threading.Thread(target=worker._send, args=({"code": "x" * 1_000_000},), daemon=True).start()
into, written = worker._process.stdin.fileno(), 0
while written < 65536:  # it is in a write now that nobody reads, and holds the stream
    written = struct.unpack("i", fcntl.ioctl(into, termios.FIONREAD, b"...."))[0]

def batch():
    try:
        yield
    finally:
        worker.close()

suspended = batch()
next(suspended)
sys.exit(7)
"""


def test_a_batch_that_was_left_open_does_not_break_the_end_of_the_interpreter() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDING], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (7, "")
    with suppress(psutil.NoSuchProcess):
        assert psutil.Process(int(done.stdout)).status() == psutil.STATUS_ZOMBIE
