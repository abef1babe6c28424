"""Indicators against TA-Lib, an independent implementation, on ten years of AAPL's bars."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.backtest.surface import indicators as ind
from qc_builder_lora.backtest.surface.bars import TradeBar
from qc_builder_lora.backtest.surface.enums import MovingAverageType

talib = pytest.importorskip("talib", reason="TA-Lib is not installed")

Columns = dict[str, Any]


@pytest.fixture(scope="module")
def bars(sample: Simulator) -> list[TradeBar]:
    series = sample._shelf.series("AAPL")
    begin = datetime(2003, 1, 1, 9, 30)
    made = []
    for row in range(700, 700 + 2500):
        start = begin + timedelta(days=row)
        bar = TradeBar(start, "AAPL", series.open[row], series.high[row], series.low[row],
                       series.close[row], series.volume[row], timedelta(hours=6.5))  # fmt: skip
        made.append(bar)
    return made


@pytest.fixture(scope="module")
def columns(bars: list[TradeBar]) -> Columns:
    return {
        name: np.array([getattr(bar, name) for bar in bars], dtype=float)
        for name in ("open", "high", "low", "close", "volume")
    }


def _of(name: str, *args: Any, which: int = 0, inputs: str = "close") -> Callable[[Columns], Any]:
    def compute(columns: Columns) -> Any:
        found = getattr(talib, name)(*(columns[key] for key in inputs.split()), *args)
        return found[which] if isinstance(found, tuple) else found

    return compute


HLC = "high low close"
E, S = MovingAverageType.EXPONENTIAL, MovingAverageType.SIMPLE
# Name, indicator, the value of it that is compared, TA-Lib's. Ours has to be ready where TA-Lib has
# a value, unless a number of samples says how much later it is.
CASES: list[tuple[str, Any, Callable[[Any], float], Callable[[Columns], Any], int]] = [
    ("sma", lambda: ind.SimpleMovingAverage(20), lambda i: i.value, _of("SMA", 20), 0),
    ("ema", lambda: ind.ExponentialMovingAverage(20), lambda i: i.value, _of("EMA", 20), 0),
    ("lwma", lambda: ind.LinearWeightedMovingAverage(20), lambda i: i.value, _of("WMA", 20), 0),
    ("dema", lambda: ind.DoubleExponentialMovingAverage(20), lambda i: i.value, _of("DEMA", 20), 0),
    ("tema", lambda: ind.TripleExponentialMovingAverage(20), lambda i: i.value, _of("TEMA", 20), 0),
    ("rsi", lambda: ind.RelativeStrengthIndex(14), lambda i: i.value, _of("RSI", 14), 0),
    ("std", lambda: ind.StandardDeviation(20), lambda i: i.value, _of("STDDEV", 20), 0),
    ("var", lambda: ind.Variance(20), lambda i: i.value, _of("VAR", 20), 0),
    ("min", lambda: ind.Minimum(20), lambda i: i.value, _of("MIN", 20), 0),
    ("max", lambda: ind.Maximum(20), lambda i: i.value, _of("MAX", 20), 0),
    ("sum", lambda: ind.Sum(20), lambda i: i.value, _of("SUM", 20), 0),
    ("mom", lambda: ind.Momentum(10), lambda i: i.value, _of("MOM", 10), 0),
    ("momp", lambda: ind.MomentumPercent(10), lambda i: i.value, _of("ROC", 10), 0),
    ("roc", lambda: ind.RateOfChange(10), lambda i: i.value, _of("ROCP", 10), 0),
    ("rocp", lambda: ind.RateOfChangePercent(10), lambda i: i.value, _of("ROC", 10), 0),
    ("bb upper", lambda: ind.BollingerBands(20, 2), lambda i: i.upper_band.value,
     _of("BBANDS", 20, 2, 2), 0),
    ("bb middle", lambda: ind.BollingerBands(20, 2), lambda i: i.middle_band.value,
     _of("BBANDS", 20, 2, 2, which=1), 0),
    ("bb lower", lambda: ind.BollingerBands(20, 2), lambda i: i.lower_band.value,
     _of("BBANDS", 20, 2, 2, which=2), 0),
    ("atr", lambda: ind.AverageTrueRange(14), lambda i: i.value, _of("ATR", 14, inputs=HLC), 0),
    ("cci", lambda: ind.CommodityChannelIndex(20), lambda i: i.value,
     _of("CCI", 20, inputs=HLC), 0),
    ("wilr", lambda: ind.WilliamsPercentR(14), lambda i: i.value, _of("WILLR", 14, inputs=HLC), 0),
    ("aroon", lambda: ind.AroonOscillator(14, 14), lambda i: i.value,
     _of("AROONOSC", 14, inputs="high low"), 0),
    ("aroon up", lambda: ind.AroonOscillator(14, 14), lambda i: i.aroon_up.value,
     _of("AROON", 14, which=1, inputs="high low"), 0),
    ("sto fast", lambda: ind.Stochastic(14, 3, 3), lambda i: i.fast_stoch.value,
     _of("STOCHF", 14, 3, 0, inputs=HLC), 2),
    ("sto k", lambda: ind.Stochastic(14, 3, 3), lambda i: i.stoch_k.value,
     _of("STOCH", 14, 3, 0, 3, 0, inputs=HLC), 0),
    ("sto d", lambda: ind.Stochastic(14, 3, 3), lambda i: i.stoch_d.value,
     _of("STOCH", 14, 3, 0, 3, 0, which=1, inputs=HLC), 0),
    ("tr", ind.TrueRange, lambda i: i.value, _of("TRANGE", inputs=HLC), 0),
]  # fmt: skip
# TA-Lib begins these from another point; the difference dies out. Compared after 500 bars.
CONVERGING: list[tuple[str, Any, Callable[[Any], float], Callable[[Columns], Any]]] = [
    ("macd", lambda: ind.MovingAverageConvergenceDivergence(12, 26, 9, E), lambda i: i.value,
     _of("MACD", 12, 26, 9)),
    ("macd signal", lambda: ind.MovingAverageConvergenceDivergence(12, 26, 9, E),
     lambda i: i.signal.value, _of("MACD", 12, 26, 9, which=1)),
    ("macd histogram", lambda: ind.MovingAverageConvergenceDivergence(12, 26, 9, E),
     lambda i: i.histogram.value, _of("MACD", 12, 26, 9, which=2)),
    ("adx", lambda: ind.AverageDirectionalIndex(14), lambda i: i.value,
     _of("ADX", 14, inputs=HLC)),
    ("+di", lambda: ind.AverageDirectionalIndex(14),
     lambda i: i.positive_directional_index.value, _of("PLUS_DI", 14, inputs=HLC)),
    ("-di", lambda: ind.AverageDirectionalIndex(14),
     lambda i: i.negative_directional_index.value, _of("MINUS_DI", 14, inputs=HLC)),
    ("atr", lambda: ind.AverageTrueRange(14), lambda i: i.value, _of("ATR", 14, inputs=HLC)),
]  # fmt: skip


@pytest.mark.parametrize("case", [case for case in CASES if case[0] != "atr"], ids=lambda c: c[0])
def test_indicator_equals_talib_from_its_first_value_on(
    case: Any, bars: list[TradeBar], columns: Columns
) -> None:
    _, make, value, reference, later = case
    expected = reference(columns)
    indicator = make()
    for row, bar in enumerate(bars):
        indicator.feed_bar(bar)
        begun = row - later >= 0 and not math.isnan(expected[row - later])
        assert indicator.is_ready == begun, f"ready at bar {row}"
        if begun:
            assert value(indicator) == pytest.approx(expected[row], rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("case", CONVERGING, ids=lambda c: c[0])
def test_indicator_converges_to_talib(case: Any, bars: list[TradeBar], columns: Columns) -> None:
    _, make, value, reference = case
    expected = reference(columns)
    indicator = make()
    for row, bar in enumerate(bars):
        indicator.feed_bar(bar)
        if row >= 500:
            assert value(indicator) == pytest.approx(expected[row], rel=1e-6, abs=1e-6)


def test_atr_begins_with_the_first_bars_own_range(bars: list[TradeBar]) -> None:
    # TA-Lib leaves the first bar out; LEAN counts it.
    indicator = ind.AverageTrueRange(3, S)
    spans = []
    for before, bar in zip([None, *bars[:2]], bars[:3], strict=True):
        span = bar.high - bar.low
        if before is not None:
            span = max(span, abs(bar.high - before.close), abs(bar.low - before.close))
        spans.append(span)
        indicator.feed_bar(bar)
    assert indicator.is_ready
    assert indicator.value == pytest.approx(sum(spans) / 3)


def test_keltner_lies_k_average_ranges_around_the_typical_price(bars: list[TradeBar]) -> None:
    channel, ranges = ind.KeltnerChannels(20, 1.5, S), ind.AverageTrueRange(20, S)
    middle = ind.SimpleMovingAverage(20)
    for bar in bars[:60]:
        channel.feed_bar(bar)
        ranges.feed_bar(bar)
        middle.feed(bar.end_time, (bar.high + bar.low + bar.close) / 3)
    assert channel.middle_band.value == pytest.approx(middle.value)
    assert channel.upper_band.value == pytest.approx(middle.value + 1.5 * ranges.value)
    assert channel.lower_band.value == pytest.approx(middle.value - 1.5 * ranges.value)


def test_donchian_spans_highs_and_lows_with_the_present_bar(bars: list[TradeBar]) -> None:
    channel = ind.DonchianChannel(20, 10)
    for bar in bars[:50]:
        channel.feed_bar(bar)
    assert channel.upper_band.value == max(bar.high for bar in bars[30:50])
    assert channel.lower_band.value == min(bar.low for bar in bars[40:50])


def test_delay_gives_the_value_of_that_many_inputs_ago(bars: list[TradeBar]) -> None:
    delay = ind.Delay(5)
    ready = []
    for bar in bars[:20]:
        ready.append(delay.feed_bar(bar))
    assert delay.value == bars[14].close
    assert ready.index(True) == 5


def test_macd_is_ready_with_its_signal() -> None:
    # 26 bars for the slow average, 8 more for the signal: LEAN's warm-up period.
    macd = ind.MovingAverageConvergenceDivergence(12, 26, 9, E)
    ready = [macd.feed(datetime(2020, 1, 1), float(value)) for value in range(40)]
    assert ready.index(True) + 1 == 34 == macd.warm_up_period


@pytest.mark.parametrize("name", [case[0] for case in CASES])
def test_warm_up_period_is_enough_to_be_ready(name: str, bars: list[TradeBar]) -> None:
    indicator = next(case[1]() for case in CASES if case[0] == name)
    for bar in bars[: indicator.warm_up_period]:
        indicator.feed_bar(bar)
    assert indicator.is_ready


def test_reset_brings_an_indicator_back_to_its_beginning(bars: list[TradeBar]) -> None:
    indicator = ind.RelativeStrengthIndex("mine", 14)
    for bar in bars[:30]:
        indicator.feed_bar(bar)
    first = indicator.value
    indicator.reset()
    assert (indicator.samples, indicator.is_ready, indicator.name) == (0, False, "mine")
    for bar in bars[:30]:
        indicator.feed_bar(bar)
    assert indicator.value == first


def test_indicators_compare_as_numbers_but_are_none(bars: list[TradeBar]) -> None:
    fast, slow = ind.SimpleMovingAverage(2), ind.SimpleMovingAverage(5)
    for bar in bars[:10]:
        fast.feed_bar(bar)
        slow.feed_bar(bar)
    assert (fast > slow) == (fast.value > slow.value)
    assert (fast.current >= slow.current) == (fast.value >= slow.value)
    assert fast > 0
    for wrong in (lambda: fast - slow, lambda: fast.current * 2, lambda: fast.current > 1.0):
        with pytest.raises(TypeError):
            wrong()


def test_both_spellings_reach_the_same_band(bars: list[TradeBar]) -> None:
    bands = ind.BollingerBands(20, 2)
    for bar in bars[:30]:
        bands.feed_bar(bar)
    assert bands.UpperBand.Current.Value == bands.upper_band.current.value
    assert bands.IsReady is bands.is_ready is True


def test_the_window_keeps_as_many_values_as_are_asked_for(bars: list[TradeBar]) -> None:
    average = ind.SimpleMovingAverage(3)
    average.window.size = 4
    values = []
    for bar in bars[:10]:
        average.feed_bar(bar)
        values.append(average.value)
    assert [point.value for point in average.window] == values[:-5:-1]
    assert average.previous.value == average[1].value == values[-2]


def test_of_waits_for_the_first_indicator(bars: list[TradeBar]) -> None:
    first = ind.SimpleMovingAverage(5)
    second = ind.IndicatorExtensions.of(ind.SimpleMovingAverage(3), first)
    values = []
    for bar in bars[:10]:
        first.feed_bar(bar)
        values.append(first.value)
    assert second.samples == 6
    assert second.value == pytest.approx(sum(values[-3:]) / 3)


def test_updated_tells_its_listeners(bars: list[TradeBar]) -> None:
    average, heard = ind.SimpleMovingAverage(2), []
    average.updated += lambda sender, point: heard.append((sender, point.value))
    average.feed_bar(bars[0])
    assert heard == [(average, bars[0].close)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ind.SimpleMovingAverage(0), "period must be greater than zero, got 0"),
        (lambda: ind.SimpleMovingAverage("20", "x"), "No method matches given arguments"),
        (lambda: ind.RelativeStrengthIndex(14.5), "period must be a whole number, got 14.5"),
        (lambda: ind.RollingWindow(0), "must have size of at least 1"),
        (
            lambda: ind.MovingAverageConvergenceDivergence(26, 12, 9),
            "fastPeriod must be less than slowPeriod",
        ),
    ],
)
def test_bad_arguments_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_rolling_window_counts_from_the_newest() -> None:
    window = ind.RollingWindow[float](3)
    for value in (1.0, 2.0, 3.0, 4.0):
        window.add(value)
    assert list(window) == [4.0, 3.0, 2.0]
    assert (window[0], window.count, window.is_ready) == (4.0, 3, True)
    assert window.most_recently_removed == 1.0
    with pytest.raises(IndexError, match="Index must be a non-negative integer"):
        window[-4]
