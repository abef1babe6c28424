"""Many backtests at once: the same results, in order, from worker processes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from qc_builder_lora.backtest.protocol import BacktestSettings, Limits
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.errors import BacktestError
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


def test_a_worker_that_dies_is_an_error_of_ours(sample_folder: Path) -> None:
    endless = strategy(on_data="while True: pass")
    settings = BacktestSettings(limits=Limits(wall_s=30, cpu_s=30))
    results = Simulator(sample_folder, allow_open_sandbox=True).run_many(
        ["x = 1", endless, endless], settings, jobs=2
    )
    next(results)
    for child in psutil.Process().children():
        if "workers" in " ".join(child.cmdline()):
            child.kill()
    with pytest.raises(BacktestError, match="A backtest worker ended: exit code -9"):
        list(results)
