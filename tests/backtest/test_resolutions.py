"""Minutes, seconds and hours: which bars arrive, what is filled forward, what is unknown."""

from __future__ import annotations

import pytest

from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.records import BacktestStatus

CODE = """
from AlgorithmImports import *

class Tested(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, {first})
        self.set_end_date(2013, 10, {last})
        {initialize}
        self.seen = []

    def on_data(self, data):
        {on_data}

    def on_end_of_algorithm(self):
        {end}
"""


def run(
    lean: Simulator, initialize: str, on_data: str, end: str = "pass", first: int = 7, last: int = 7
) -> BacktestResult:
    return lean.run(
        CODE.format(initialize=initialize, on_data=on_data, end=end, first=first, last=last)
    )


@pytest.mark.parametrize(
    ("resolution", "bars", "begin"),
    [("MINUTE", 390, "09:31:00"), ("HOUR", 7, "10:00:00"), ("DAILY", 1, "16:00:00")],
)
def test_a_session_has_its_bars(lean: Simulator, resolution: str, bars: int, begin: str) -> None:
    result = run(
        lean,
        f'self.add_equity("SPY", Resolution.{resolution})',
        'self.seen += [self.time] if "SPY" in data.bars else []',
        'self.log(f"{len(self.seen)} {self.seen[0]:%H:%M:%S} {self.seen[-1]:%H:%M:%S}")',
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert f"2013-10-07 16:00:00 {bars} {begin} 16:00:00" in result.logs


def test_the_default_resolution_is_the_minute(lean: Simulator) -> None:
    result = run(lean, 'self.spy = self.add_equity("SPY")', "pass", "self.log(self.spy.resolution)")
    assert "2013-10-07 16:00:00 Minute" in result.logs


def test_extended_hours_are_asked_for(lean: Simulator) -> None:
    result = run(
        lean,
        'self.add_equity("SPY", extended_market_hours=True)',
        "self.seen.append(self.time)",
        'self.log(f"{self.seen[0]:%H:%M} {self.seen[-1]:%H:%M}")',
    )
    assert "2013-10-07 20:00:00 04:01 20:00" in result.logs


def test_a_day_without_a_file_is_filled_forward_and_noted(lean: Simulator) -> None:
    result = run(
        lean,
        'self.add_equity("SPY")',
        'self.seen += [data.bars["SPY"].is_fill_forward] if self.time.day == 14 else []',
        'self.log(f"{len(self.seen)} {all(self.seen)}")',
        first=11,
        last=14,
    )
    assert "2013-10-14 16:00:00 390 True" in result.logs
    assert any("no bars of SPY on 1 trading days" in line for line in result.logs)


def test_a_period_without_any_file_is_unknown_by_name(lean: Simulator) -> None:
    result = run(lean, 'self.add_equity("SPY")', "pass", first=21, last=25)
    assert result.status is BacktestStatus.UNKNOWN
    assert "spy/20131021_trade.zip does not exist" in str(result.reason)


def test_two_resolutions_of_one_symbol_show_the_finer_bar(lean: Simulator) -> None:
    result = run(
        lean,
        'self.add_equity("SPY", Resolution.DAILY); self.add_equity("SPY", Resolution.MINUTE)',
        'self.seen.append(data.bars["SPY"].period)',
        'self.log(f"{len(self.seen)} {set(map(str, self.seen))}")',
    )
    assert "2013-10-07 16:00:00 390 {'0:01:00'}" in result.logs


def test_a_daily_consolidator_of_minutes_ends_at_the_close(lean: Simulator) -> None:
    result = run(
        lean,
        'spy = self.add_equity("SPY").symbol; '
        "self.consolidate(spy, Resolution.DAILY, lambda bar: "
        'self.log(f"{bar.time:%H:%M} {bar.end_time:%H:%M}"))',
        "pass",
    )
    assert "2013-10-07 16:00:00 09:30 16:00" in result.logs
