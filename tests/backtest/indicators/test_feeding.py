"""How strategies keep indicators fed: registering, letting go, warming up, looking back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qc_builder_lora.backtest.protocol import BacktestResult, BacktestStatus

Run = Callable[..., BacktestResult]


def passes(result: BacktestResult) -> None:
    assert result.status is BacktestStatus.COMPLETED, result.reason


def test_registering_does_not_warm_up_and_letting_go_stops_all_ways_of_feeding(run: Run) -> None:
    passes(
        run(
            """
            self.plain, self.high = SimpleMovingAverage(5), Identity("high")
            self.weekly = SimpleMovingAverage(2)
            self.register_indicator(self.aapl, self.plain, Resolution.DAILY)
            self.register_indicator(self.aapl, self.high, Resolution.DAILY, Field.HIGH)
            self.register_indicator(self.aapl, self.weekly, timedelta(days=7))
            assert self.plain.samples == 0
            self.days = 0
            """,
            """
            self.days += 1
            if self.days <= 30:
                assert self.plain.samples == self.high.samples == self.days
                assert self.high.current.value == data[self.aapl].high
            if self.days == 30:
                assert self.weekly.samples in (5, 6), self.weekly.samples
                self.fed = self.weekly.samples
                for indicator in (self.plain, self.high, self.weekly):
                    self.deregister_indicator(indicator)
            if self.days == 60:
                assert (self.plain.samples, self.high.samples) == (30, 30)
                assert self.weekly.samples == self.fed
            """,
        )
    )


def test_max_and_min_look_at_highs_and_lows_unless_told_otherwise(run: Run) -> None:
    """LEAN's MAX and MIN take `High` and `Low` of trade bars; every other indicator the value."""
    passes(
        run(
            """
            self.top, self.bottom = self.max(self.aapl, 5), self.min(self.aapl, 5)
            self.closes = self.max(self.aapl, 5, Resolution.DAILY, Field.CLOSE)
            self.added = Maximum(5)
            self.register_indicator(self.aapl, self.added, Resolution.DAILY)
            self.bars = []
            """,
            """
            self.bars = [*self.bars, data.bars[self.aapl]][-5:]
            if len(self.bars) == 5:
                assert self.top.current.value == max(b.high for b in self.bars)
                assert self.bottom.current.value == min(b.low for b in self.bars)
                assert self.closes.current.value == max(b.close for b in self.bars)
                assert self.added.current.value == self.closes.current.value
            """,
        )
    )


def test_warming_up_resets_and_feeds_as_many_bars_as_are_needed(run: Run) -> None:
    passes(
        run(
            """
            self.average = SimpleMovingAverage(20)
            self.average.update(datetime(2009, 1, 1), 1.0)
            self.warm_up_indicator(self.aapl, self.average)
            assert (self.average.samples, self.average.is_ready) == (20, True)
            past = self.history[TradeBar](self.aapl, 20, Resolution.DAILY)
            assert abs(self.average.current.value - sum(b.close for b in past) / 20) < 1e-9
            self.settings.automatic_indicator_warm_up = True
            assert self.ema(self.aapl, 10).is_ready
            self.settings.automatic_indicator_warm_up = False
            assert not self.ema(self.aapl, 10).is_ready
            """
        )
    )


def test_indicator_history_gives_the_parts_as_columns_and_points(run: Run) -> None:
    passes(
        run(
            "",
            """
            if self.time.date() == date(2010, 3, 1):
                past = self.indicator_history(BollingerBands(20, 2), self.aapl, 10)
                assert past.count == len(past) == len(past.current) == 10
                assert list(past.data_frame.columns) == [
                    "bandwidth", "current", "lowerband", "middleband", "percentb", "price",
                    "standarddeviation", "upperband"]
                last = list(past)[-1]
                assert last.upper_band.value == last["UpperBand"].value
                assert past["upper_band"][-1].value == past.data_frame.upperband.iloc[-1]
                assert last.end_time == data[self.aapl].end_time
                ranged = self.indicator_history(
                    SimpleMovingAverage(5), self.aapl, datetime(2010, 2, 1), datetime(2010, 2, 10))
                assert ranged.count == 7, ranged.count
            """,
        )
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("self.rsi(self.aapl, 14, Resolution.DAILY)", "TypeError: No method matches"),
        ("self.sma(self.aapl, 14.0)", "TypeError: No method matches"),
        ("self.bb(self.aapl, 20)", "TypeError: No method matches"),
        ("self.register_indicator(self.aapl, Identity('x'), 5)", "ValueError: Invalid third"),
        ("self.candlestick_patterns.doji(self.aapl, 'x')", "TypeError: No method matches"),
    ],
)
def test_arguments_that_lean_refuses_are_refused(run: Run, line: str, reason: str) -> None:
    result = run(line)
    assert result.status is BacktestStatus.FAILED
    assert result.reason is not None
    assert result.reason.startswith(reason)


def test_the_names_are_leans(run: Run) -> None:
    passes(
        run(
            """
            assert self.sma(self.aapl, 20).name == "SMA(20,AAPL_day)"
            assert self.candlestick_patterns.doji(self.aapl).name == "DOJI(AAPL_day)"
            assert self.macd(self.aapl, 12, 26, 9).name == "MACD(12,26,9,AAPL_day)"
            """
        )
    )
