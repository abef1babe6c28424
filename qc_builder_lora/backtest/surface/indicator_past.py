"""`self.indicator_history`: an indicator's values over past bars, and those of its parts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from .alias import both_styles, snake
from .desk import EPOCH, Desk
from .feeding import feed
from .frames import values_frame
from .indicators import IndicatorBase, IndicatorDataPoint
from .known import Lean
from .security import Security
from .selectors import wants_quotes
from .subscriptions import SECONDS
from .warming import by_time, past_bars

_PARTS = """
AbsolutePriceOscillator fast slow signal histogram
AccelerationBands middle_band upper_band lower_band
ArmsIndex ad_ratio adv_ratio
AroonOscillator aroon_up aroon_down
AverageDirectionalMovementIndexRating adx
AverageDirectionalIndex positive_directional_index negative_directional_index
AverageTrueRange true_range
AwesomeOscillator slow_ao fast_ao
BollingerBands standard_deviation middle_band upper_band lower_band band_width percent_b price
ChandeKrollStop short_stop long_stop
CommodityChannelIndex typical_price_average typical_price_mean_deviation
DonchianChannel upper_band lower_band
HeikinAshi open high low close volume
HilbertTransform in_phase quadrature
IchimokuKinkoHyo tenkan kijun senkou_a senkou_b chikou tenkan_maximum tenkan_minimum kijun_maximum
    kijun_minimum senkou_b_maximum senkou_b_minimum delayed_tenkan_senkou_a delayed_kijun_senkou_a
    delayed_maximum_senkou_b delayed_minimum_senkou_b
KeltnerChannels middle_band upper_band lower_band average_true_range
KlingerVolumeOscillator signal
KnowSureThing roc_1 roc_2 roc_3 roc_4 roc_1_ma roc_2_ma roc_3_ma roc_4_ma signal_line
LeastSquaresMovingAverage intercept slope
LeastSquaresMovingAverageWithReference intercept slope
McClellanOscillator ema_fast ema_slow ad_difference
McClellanSummationIndex mc_clellan_oscillator
MeanAbsoluteDeviation mean
MesaAdaptiveMovingAverage fama
MoneyFlowIndex positive_money_flow negative_money_flow
MovingAverageConvergenceDivergence fast slow signal histogram
NewHighsNewLows difference ratio
NewHighsNewLowsVolume difference ratio volume_ratio
PercentagePriceOscillator fast slow signal histogram
RegressionChannel linear_regression upper_channel lower_channel intercept slope
RelativeMovingAverage short_average medium_average long_average
RelativeStrengthIndex average_loss average_gain
RelativeVigorIndex signal
SimpleMovingAverage rolling_sum
SmoothedOnBalanceVolume on_balance_volume
Stochastic fast_stoch stoch_k stoch_d
StochasticRelativeStrengthIndex k d
TrueStrengthIndex signal
Vortex plus_vortex minus_vortex
WilliamsPercentR maximum minimum
WaveTrendOscillator channel_average channel_deviation channel_index_average signal
"""
PARTS = {
    name: tuple(parts)
    for name, *parts in (
        line.split() for line in _PARTS.strip().replace("\n    ", " ").splitlines()
    )
}
"""What LEAN shows beside the value itself, by class."""


@both_styles
class IndicatorDataPoints(Lean):
    """One row: the end of a bar, the value then, and the parts' by name."""

    def __init__(self, time: datetime, values: dict[str, float], symbol: Any) -> None:
        self.end_time = self.time = time
        self.symbol = symbol
        self.value = self.price = values["current"]
        self._values = values

    def __getitem__(self, name: str) -> IndicatorDataPoint:
        found = self._values.get(snake(name))
        if found is None:
            raise KeyError(f"{name!r} is none of this indicator's values: {list(self._values)}")
        return IndicatorDataPoint(self.symbol, self.time, found)

    def __getattr__(self, name: str) -> Any:
        if snake(name) in self.__dict__.get("_values", ()):
            return self[name]
        return super().__getattr__(name)

    def __repr__(self) -> str:
        return f"{self.end_time} {', '.join(f'{k}: {v:g}' for k, v in self._values.items())}"


@both_styles
class IndicatorHistory(Lean):
    """Past values of one indicator, oldest first."""

    def __init__(self, rows: list[tuple[datetime, dict[str, float]]], symbol: Any) -> None:
        self._rows = [IndicatorDataPoints(time, values, symbol) for time, values in rows]

    @property
    def count(self) -> int:
        return len(self._rows)

    @property
    def current(self) -> list[IndicatorDataPoint]:
        return self["current"]

    @property
    def data_frame(self) -> Any:
        """Index the bars' ends; a column a value, named without underscores, in order."""
        names = sorted(self._rows[0]._values if self._rows else (), key=_column)
        columns = {_column(name): [row._values[name] for row in self._rows] for name in names}
        return values_frame([row.end_time for row in self._rows], columns)

    def __getitem__(self, name: str) -> list[IndicatorDataPoint]:
        if not isinstance(name, str):
            raise TypeError(f"No method matches given arguments for get_Item: {name!r}")
        return [row[name] for row in self._rows]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[IndicatorDataPoints]:
        return iter(self._rows)


def _column(name: str) -> str:
    return name.replace("_", "")


def _parts(indicator: Any) -> tuple[str, ...]:
    for cls in type(indicator).__mro__:
        if cls.__name__ in PARTS and issubclass(cls, IndicatorBase):
            return PARTS[cls.__name__]
    return ()


class _Rows:
    """Takes a row at the first move of each moment, as LEAN does; a ready indicator's alone."""

    def __init__(self, indicator: Any) -> None:
        self._indicator = indicator
        self._parts = _parts(indicator)
        self.found: list[tuple[datetime, dict[str, float]]] = []

    def moved(self, time: datetime, value: float) -> None:
        """The indicator has moved."""
        if not self._indicator.is_ready or (self.found and self.found[-1][0] == time):
            return
        values = {"current": value}
        for name in self._parts:
            values[name] = getattr(self._indicator, name).value
        self.found.append((time, values))


def over(indicator: Any, bars: list[Any], selector: Any) -> IndicatorHistory:
    """The values of an indicator, reset first, over bars."""
    indicator.reset()
    rows = _Rows(indicator)
    indicator.follow(rows.moved)
    try:
        for bar in bars:
            feed(indicator, bar, selector)
    finally:
        indicator._ib_listeners.remove(rows.moved)
    symbols = {getattr(bar, "symbol", None) for bar in bars[:1]}
    return IndicatorHistory(rows.found, next(iter(symbols), None))


def from_slices(indicator: Any, slices: list[Any], selector: Any) -> IndicatorHistory:
    """Over the bars of a history of slices."""
    quotes = wants_quotes(selector)
    bars = [
        bar
        for item in slices
        for bar in (item.quote_bars if quotes else item.bars).values()
    ]  # fmt: skip
    return over(indicator, bars, selector)


def from_past(
    desk: Desk, securities: list[Security], indicator: Any, span: list[Any], resolution: Any,
    selector: Any,
) -> IndicatorHistory:  # fmt: skip
    """Over `["count", n]`, `["seconds", s]` or `["range", from, to]`, and the bars before it."""
    period = int(getattr(indicator, "warm_up_period", 0) or 0)
    warm = max(period - 1, 0)
    if span[0] == "count":
        # Of no bars at all, LEAN gives the one that makes it ready.
        span = ["count", span[1] + (warm if span[1] > 0 else period)]
    quotes = wants_quotes(selector)
    rows = []
    for security in securities:
        rows.append(_rows(desk, security, span, warm, resolution, quotes=quotes))
    return over(indicator, by_time(rows), selector)


def _rows(
    desk: Desk, security: Security, span: list[Any], warm: int, resolution: Any, *, quotes: bool
) -> list[Any]:
    """The bars of a span; of one between moments, those that warm up come before it."""
    if span[0] == "count":
        return past_bars(desk, security, span, resolution, quotes=quotes)
    begin, end = _range(desk, span)
    found = past_bars(desk, security, ["range", begin, end], resolution, quotes=quotes)
    if not warm:
        return found
    config = desk.subscription(security, quotes=quotes)
    length = config.increment if resolution is None else timedelta(seconds=SECONDS[resolution])
    # Sessions are at least a sixth of the time, and no market is shut for twenty days.
    reach = int((length * warm * 6 + timedelta(days=20)).total_seconds())
    before = past_bars(desk, security, ["range", begin - reach, begin], resolution, quotes=quotes)
    return [*before[-warm:], *found]


def _range(desk: Desk, span: list[Any]) -> tuple[int, int]:
    """From and to, in seconds of the algorithm's time."""
    now = int((desk.time - EPOCH).total_seconds())
    if span[0] == "seconds":
        return now - span[1], now
    return span[1], now if span[2] is None else span[2]
