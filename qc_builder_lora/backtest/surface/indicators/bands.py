"""Bands around a price: Bollinger, Keltner, Donchian, acceleration, regression, stops."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .arguments import Period
from .base import IndicatorBase
from .chosen import SIMPLE, WILDERS, average
from .derived import BarIndicator, Derived
from .extensions import IndicatorExtensions
from .ranges import AverageTrueRange
from .statistics import LeastSquaresMovingAverage, StandardDeviation
from .windowed import Identity, Maximum, Minimum

MovingAverageType = Any


class BollingerBands(IndicatorBase):
    """A moving average, and k standard deviations above and below it."""

    SHORT = "BB"

    def _label(self, values: list[Any]) -> str:
        return super()._label(values[:2])

    def _set_up(
        self, period: Period, k: float, moving_average_type: MovingAverageType = SIMPLE
    ) -> None:
        self.period = self.warm_up_period = int(period)
        self.k = float(k)
        self.moving_average_type = moving_average_type
        name = self.name
        self.standard_deviation = StandardDeviation(f"{name}_StandardDeviation", self.period)
        self.middle_band = average(moving_average_type, f"{name}_MiddleBand", self.period)
        self.upper_band = Derived(f"{name}_UpperBand", self._ready)
        self.lower_band = Derived(f"{name}_LowerBand", self._ready)
        self.band_width = Derived(f"{name}_BandWidth", self._ready)
        self.percent_b = Derived(f"{name}_%B", self._ready)
        self.price = Identity(f"{name}_Close")

    def _ready(self) -> bool:
        return self.middle_band.is_ready and self.standard_deviation.is_ready

    @property
    def is_ready(self) -> bool:
        return self._ready()

    def _next(self, time: datetime, value: float) -> float:
        self.standard_deviation.feed(time, value)
        self.middle_band.feed(time, value)
        middle = self.middle_band.value
        reach = self.standard_deviation.value * self.k
        upper, lower = middle + reach, middle - reach
        width = upper - lower
        self.upper_band.feed(time, upper)
        self.lower_band.feed(time, lower)
        self.price.feed(time, value)
        # What would divide by zero stays where it was.
        if middle:
            self.band_width.feed(time, width / middle * 100)
        if width:
            self.percent_b.feed(time, (value - lower) / width)
        return value


class KeltnerChannels(BarIndicator):
    """An average of the typical price, and k simple average true ranges around it."""

    SHORT = "KC"

    def _label(self, values: list[Any]) -> str:
        return super()._label(values[:2])

    def _set_up(
        self, period: Period, k: float, moving_average_type: MovingAverageType = SIMPLE
    ) -> None:
        self.period = self.warm_up_period = int(period)
        self._k = float(k)
        name = self.name
        # LEAN's ranges are averaged simply, whatever the middle band is.
        self.average_true_range = AverageTrueRange(f"{name}_AverageTrueRange", self.period, SIMPLE)
        self.middle_band = average(moving_average_type, f"{name}_MiddleBand", self.period)
        self.upper_band = Derived(f"{name}_UpperBand", self._ready)
        self.lower_band = Derived(f"{name}_LowerBand", self._ready)

    def _ready(self) -> bool:
        return self.middle_band.is_ready and self.average_true_range.is_ready

    @property
    def is_ready(self) -> bool:
        return self._ready()

    def _next_bar(self, bar: Any) -> float:
        self.average_true_range.feed_bar(bar)
        time = bar.end_time
        self.middle_band.feed(time, (bar.high + bar.low + bar.close) / 3)
        middle = self.middle_band.value
        reach = self.average_true_range.value * self._k
        filled = self.middle_band.is_ready
        self.lower_band.feed(time, middle - reach if filled else 0.0)
        self.upper_band.feed(time, middle + reach if filled else 0.0)
        return middle


class DonchianChannel(BarIndicator):
    """The highest high and the lowest low, the present bar included."""

    SHORT = "DCH"
    SET_UPS = ("_set_up", "_set_up_same")

    def _set_up(self, upper_period: Period, lower_period: Period) -> None:
        self.warm_up_period = max(int(upper_period), int(lower_period))
        self.upper_band = Maximum(f"{self.name}_UpperBand", upper_period)
        self.lower_band = Minimum(f"{self.name}_LowerBand", lower_period)

    def _set_up_same(self, period: Period) -> None:
        self._set_up(period, period)

    @property
    def is_ready(self) -> bool:
        return self.upper_band.is_ready and self.lower_band.is_ready

    def _next_bar(self, bar: Any) -> float:
        self.upper_band.feed(bar.end_time, bar.high)
        self.lower_band.feed(bar.end_time, bar.low)
        return (self.upper_band.value + self.lower_band.value) / 2


class AccelerationBands(BarIndicator):
    """Headley's bands, wider where the bars' own range is wide."""

    SHORT = "ABANDS"

    def _set_up(
        self,
        period: Period,
        width: float = 4.0,
        moving_average_type: MovingAverageType = SIMPLE,
    ) -> None:
        self.period = self.warm_up_period = int(period)
        self._width = float(width)
        self.moving_average_type = moving_average_type
        self.middle_band = average(moving_average_type, f"{self.name}_MiddleBand", self.period)
        self.lower_band = average(moving_average_type, f"{self.name}_LowerBand", self.period)
        self.upper_band = average(moving_average_type, f"{self.name}_UpperBand", self.period)

    @property
    def is_ready(self) -> bool:
        bands = (self.middle_band, self.lower_band, self.upper_band)
        return all(band.is_ready for band in bands)

    def _next_bar(self, bar: Any) -> float:
        both, time = bar.high + bar.low, bar.end_time
        reach = self._width * (bar.high - bar.low) / both if both else 0.0
        self.lower_band.feed(time, bar.low * (1 - reach))
        self.upper_band.feed(time, bar.high * (1 + reach))
        self.middle_band.feed(time, bar.close)
        return self.middle_band.value


class RegressionChannel(IndicatorBase):
    """The least-squares line, and k standard deviations of the values around it."""

    SHORT = "RC"

    def _set_up(self, period: Period, k: float) -> None:
        self.period = self.warm_up_period = int(period)
        name = self.name
        self._spread = StandardDeviation(f"{name}_StandardDeviation", self.period)
        self.linear_regression = LeastSquaresMovingAverage(f"{name}_LinearRegression", self.period)
        times, minus, plus = (
            IndicatorExtensions.times, IndicatorExtensions.minus, IndicatorExtensions.plus
        )  # fmt: skip
        reach = times(self._spread, float(k))
        self.lower_channel = minus(self.linear_regression, reach, f"{name}_LowerChannel")
        self.upper_channel = plus(self.linear_regression, reach, f"{name}_UpperChannel")

    @property
    def intercept(self) -> IndicatorBase:
        return self.linear_regression.intercept

    @property
    def slope(self) -> IndicatorBase:
        return self.linear_regression.slope

    @property
    def is_ready(self) -> bool:
        return self._spread.is_ready and self.linear_regression.is_ready

    def _next(self, time: datetime, value: float) -> float:
        self._spread.feed(time, value)
        self.linear_regression.feed(time, value)
        return self.linear_regression.value


class ChandeKrollStop(BarIndicator):
    """Stops for long and short positions, in true ranges from the extremes."""

    SHORT = "CKS"

    def _set_up(
        self,
        atr_period: Period,
        atr_mult: float,
        period: Period,
        moving_average_type: MovingAverageType = WILDERS,
    ) -> None:
        self.warm_up_period = int(atr_period) + int(period) - 1
        self._reach = float(atr_mult)
        self._atr = AverageTrueRange(f"{self.name}_ATR", atr_period, moving_average_type)
        self._highest = Maximum(f"{self.name}_Max", atr_period)
        self._lowest = Minimum(f"{self.name}_Min", atr_period)
        self.short_stop = Maximum(f"{self.name}_Short", period)
        self.long_stop = Minimum(f"{self.name}_Long", period)

    @property
    def is_ready(self) -> bool:
        return self.short_stop.is_ready and self.long_stop.is_ready

    def _next_bar(self, bar: Any) -> float:
        time = bar.end_time
        self._atr.feed_bar(bar)
        self._lowest.feed(time, bar.low)
        if self._highest.feed(time, bar.high):
            reach = self._atr.value * self._reach
            self.short_stop.feed(time, self._highest.value - reach)
            self.long_stop.feed(time, self._lowest.value + reach)
        close: float = bar.close
        return close
