"""What a hooked call costs the host: the same calls with and without hooks, in one run.

    python bench/hooks.py [--calls 20000]

Prints a table in microseconds and writes bench/results/hooks.json. The two are timed in turn, call
by call, so that whatever else the machine does hits both; `added` is the difference of the
distributions' percentiles. Wall time is what the host waits, on a busy machine for a CPU or the
disk too; CPU time is what the hook itself does. The spool is on the disk that TMPDIR names.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from qc_builder_lora.files import write_json
from qc_builder_lora.plugin import install

RESULTS = Path(__file__).with_name("results") / "hooks.json"
CODE = "        self.set_holdings(self._symbol, 1.0)\n" * 90
"""About 4 KB: a usual strategy."""
STATISTICS = {f"Figure {number}": f"{number}.5%" for number in range(30)}


def host() -> ModuleType:
    """A module with the host's names whose functions do next to nothing."""
    module = ModuleType("bench_host")
    answer = {"backtest": {"backtestId": "b", "completed": True, "statistics": STATISTICS}}
    wrapped = {"result": {"content": [{"type": "text", "text": json.dumps(answer)}]}}
    source = """
class FitnessTracker:
    def __init__(self):
        self.history = []
    def record(self, version, sharpe, iteration):
        self.history = [(version, sharpe, iteration)]
    def should_rollback(self):
        return False
class ErrorClassifier:
    def classify(self, error_msg):
        return "CODE_ERROR"
    def record_error(self, error_msg, classification):
        pass
def call_mcp_with_retry(session_manager, mcp_name, method, params, max_retries=3):
    return ANSWER
def notify_build_progress(event, details=None, webhook_url=None):
    pass
"""
    module.__dict__["ANSWER"] = wrapped
    exec(compile(source, "bench_host", "exec"), module.__dict__)
    return module


def calls(module: Any) -> dict[str, Callable[[], Any]]:
    """One call of each hooked name, as a host makes it."""
    tracker, classifier = module.FitnessTracker(), module.ErrorClassifier()
    file = {"model": {"projectId": 7, "name": "main.py", "content": CODE}}
    upload = {"name": "update_file_content", "arguments": file}
    read = {"name": "read_backtest", "arguments": {"model": {"projectId": 7, "backtestId": "b"}}}
    figures = {"sharpe": 0.7, "drawdown": "12%", "returns": "30%"}
    message = "Runtime Error: AttributeError: no attribute 'x' (line 12)"
    call = module.call_mcp_with_retry
    return {
        "FitnessTracker.record": lambda: tracker.record("v1", 0.7, 1),
        "FitnessTracker.should_rollback": tracker.should_rollback,
        "ErrorClassifier.classify": lambda: classifier.classify(message),
        "ErrorClassifier.record_error": lambda: classifier.record_error(message, "CODE_ERROR"),
        "notify_build_progress": lambda: module.notify_build_progress("backtest_complete", figures),
        "call_mcp: upload of 4 KB": lambda: call(None, "quantconnect", "tools/call", upload),
        "call_mcp: read_backtest": lambda: call(None, "quantconnect", "tools/call", read),
        "call_mcp: another server": lambda: call(None, "github", "tools/call", {"name": "x"}),
    }


def timed(
    clock: Callable[[], int], plain: Callable[[], Any], hooked: Callable[[], Any], number: int
) -> list[list[int]]:
    """Nanoseconds of each call by that clock, without and with hooks."""
    times: list[list[int]] = [[], []]
    for function in (plain, hooked):
        for _ in range(200):
            function()
    for _ in range(number):
        for kind, function in enumerate((plain, hooked)):
            began = clock()
            function()
            times[kind].append(clock() - began)
    return times


def percentile(times: list[int], share: float) -> float:
    """In microseconds."""
    return sorted(times)[min(int(len(times) * share), len(times) - 1)] / 1000


def row(plain: Callable[[], Any], hooked: Callable[[], Any], number: int) -> dict[str, float]:
    """Percentiles of wall and CPU time, without and with hooks, and what the hooks add."""
    found: dict[str, float] = {}
    for unit, clock in (("wall", time.perf_counter_ns), ("cpu", time.thread_time_ns)):
        times = timed(clock, plain, hooked, number)
        for label, share in (("p50", 0.50), ("p99", 0.99)):
            without, with_hooks = (percentile(part, share) for part in times)
            found[f"{unit}_plain_{label}_us"] = round(without, 2)
            found[f"{unit}_hooked_{label}_us"] = round(with_hooks, 2)
            found[f"{unit}_added_{label}_us"] = round(with_hooks - without, 2)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Time the hooks.")
    parser.add_argument("--calls", type=int, default=20_000)
    number = parser.parse_args().calls
    rows = {}
    with tempfile.TemporaryDirectory() as home:
        plain, module = host(), host()
        installed = install(module, home)
        hooked = calls(module)
        gc.collect()
        for name, function in calls(plain).items():
            rows[name] = row(function, hooked[name], number)
        status = installed.status()
    if status["lost"] or status["problem"]:
        print(f"records were lost: {status}", file=sys.stderr)
        return 1
    shown = ("wall_added_p50_us", "wall_added_p99_us", "cpu_added_p50_us", "cpu_added_p99_us")
    print(f"{number} calls, added us{'':<13}" + "".join(f"{name[:-3]:>16}" for name in shown))
    for name, figures in rows.items():
        print(f"{name:<32}" + "".join(f"{figures[column]:>16.1f}" for column in shown))
    load = round(os.getloadavg()[0], 2)
    print(f"{os.cpu_count()} CPUs, load {load}: above the CPUs, calls wait for one")
    machine = {"cpus": os.cpu_count(), "load": load, "python": platform.python_version()}
    write_json(RESULTS, {"calls": number, "machine": machine, "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
