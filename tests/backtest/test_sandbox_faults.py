"""What the host does to a strategy is never the strategy's failure; a batch is void where the
canaries say so."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from qc_builder_lora.backtest.protocol import BacktestResult, BacktestSettings, Limits
from qc_builder_lora.backtest.sandbox import refusals
from qc_builder_lora.backtest.sandbox.root import Root
from qc_builder_lora.backtest.simulator import Simulator, canaries, endings, workers
from qc_builder_lora.records import BacktestStatus
from tests.backtest.conftest import strategy

SLOW = strategy("import time\ntime.sleep(0.4)")


@pytest.fixture
def simulator(sample_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    monkeypatch.setattr(endings, "PAUSES_S", (0.01, 0.01))
    made = Simulator(sample_folder, allow_open_sandbox=True)
    made.run("x = 1")
    yield made
    made.close()


def inside(simulator: Simulator) -> list[psutil.Process]:
    """The warm process's process 1, and the strategy's if there is one."""
    found: list[psutil.Process] = []
    for zygote in list(simulator._zygotes.values()):
        if zygote.alive:
            found += psutil.Process(zygote._process.pid).children(recursive=True)
    return found


def while_killing(
    simulator: Simulator, which: Callable[[list[psutil.Process]], list[psutil.Process]], times: int
) -> BacktestResult:
    """A slow strategy's result, with something inside killed from outside that many times."""
    over, killed = threading.Event(), 0

    def kill() -> None:
        nonlocal killed
        while killed < times and not over.wait(0.02):
            try:
                running = inside(simulator)
                if len(running) < 2:
                    continue
                for one in which(running):
                    one.kill()
                    one.wait(5)
                killed += 1
            except psutil.Error:
                continue

    thread = threading.Thread(target=kill)
    thread.start()
    result = simulator.run(SLOW)
    over.set()
    thread.join()
    return result


def the_strategy(running: list[psutil.Process]) -> list[psutil.Process]:
    return running[-1:]


def everything(running: list[psutil.Process]) -> list[psutil.Process]:
    return running[:1]


@pytest.mark.parametrize("which", [the_strategy, everything])
def test_a_process_that_something_kills_is_tried_again(
    simulator: Simulator, which: Callable[..., list[psutil.Process]]
) -> None:
    result = while_killing(simulator, which, times=1)
    assert result.status is BacktestStatus.COMPLETED, result.reason


def test_a_process_that_something_keeps_killing_is_unknown(simulator: Simulator) -> None:
    result = while_killing(simulator, the_strategy, times=99)
    assert result.status is BacktestStatus.UNKNOWN
    assert result.reason == (
        "infrastructure: Something outside the sandbox killed a strategy's process. Tried 3 times."
    )


def test_a_host_that_runs_out_of_memory_is_told_from_a_strategy_that_does(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = iter(range(99))
    monkeypatch.setattr(refusals, "host_kills", lambda: next(counts))
    result = while_killing(simulator, the_strategy, times=99)
    assert result.status is BacktestStatus.UNKNOWN
    assert "The host ran out of memory and its kernel killed a strategy's process" in str(
        result.reason
    )
    own = simulator.run(
        strategy("x = bytearray(1 << 30)"), BacktestSettings(limits=Limits(memory_mb=100))
    )
    assert own.status is BacktestStatus.FAILED
    assert own.reason == (
        "MemoryError: (more than the 100 MB allowed) (line 10: x = bytearray(1 << 30))"
    )


def test_the_memory_limit_is_on_top_of_what_the_warm_process_has(simulator: Simulator) -> None:
    frames = strategy(on_data="import pandas\nframe = self.history(self.aapl, 5)")
    result = simulator.run(frames, BacktestSettings(limits=Limits(memory_mb=64)))
    assert result.status is BacktestStatus.COMPLETED, result.reason


@pytest.mark.skipif(os.geteuid() != 0, reason="of root's own affairs")
def test_root_runs_strategies_as_itself_where_nobody_could_not_read_the_interpreter(
    sample_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Root, "open_to_nobody", lambda self: False)
    simulator = Simulator(sample_folder, allow_open_sandbox=True)
    result = simulator.run(strategy("import os\nself.log(f'{os.getuid()}')\nopen('/etc/passwd')"))
    simulator.close()
    if result.missing_walls:
        pytest.skip("this machine does not allow namespaces")
    assert result.logs[0] == "65534"
    assert str(result.reason).startswith("FileNotFoundError")


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_batch_is_void_where_a_canary_answers_wrongly(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    monkeypatch.setattr(canaries, "_EARNED", "100850")
    monkeypatch.setattr(
        workers, "_START",
        "from qc_builder_lora.backtest.simulator import canaries; canaries._EARNED = '100850'; "
        + workers._START,
    )  # fmt: skip
    results = list(simulator.run_many([strategy(), "x = 1"], jobs=jobs))
    assert [result.status for result in results] == [BacktestStatus.UNKNOWN] * 2
    for result in results:
        assert result.reason == (
            "void batch: of the canaries the one that trades answered wrongly: completed with 1 "
            "orders and an end equity of 100849. No result of this batch counts. Look at the "
            "machine with: qc-lora doctor"
        )


@pytest.mark.parametrize(
    ("which", "code", "told"),
    [
        ("GOOD", "x = 1", "the one that trades answered wrongly: failed, BadStrategy"),
        ("BAD", canaries.GOOD, "the one that raises answered wrongly: completed with 1 orders"),
        ("IDLE", canaries.BAD, "the one that does nothing answered wrongly: failed, RuntimeError"),
    ],
)
def test_each_canary_can_void_a_batch(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, which: str, code: str, told: str
) -> None:
    monkeypatch.setattr(canaries, which, code)
    assert told in simulator.let_canaries_sing("")


def test_right_canaries_are_silent_with_pandas_and_without(simulator: Simulator) -> None:
    assert simulator.let_canaries_sing("") == simulator.let_canaries_sing("import pandas") == ""


def test_one_backtest_is_no_batch_and_has_no_canaries(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canaries, "GOOD", "x = 1")
    assert [one.status for one in simulator.run_many([strategy()])] == [BacktestStatus.COMPLETED]
