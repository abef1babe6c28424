"""Bands around a price: Bollinger, Keltner, Donchian."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..enums import MovingAverageType
from .averages import average
from .base import IndicatorBase, named, whole
from .derived import BarIndicator, Derived
from .trend import AverageTrueRange
from .windowed import Maximum, Minimum, StandardDeviation


class BollingerBands(IndicatorBase):
    """A moving average, and k standard deviations above and below it."""

    def __init__(self, *args: Any) -> None:
        name, rest = named("", args)
        period, k, *kind = rest
        self.period = whole(period, "period", "BollingerBands")
        self.k = float(k)
        super().__init__(name or f"BB({self.period},{k})")
        self.warm_up_period = self.period
        self.moving_average_type = kind[0] if kind else MovingAverageType.SIMPLE
        self.standard_deviation = StandardDeviation(f"{self.name}_StandardDeviation", self.period)
        self.middle_band = average(self.moving_average_type, f"{self.name}_MiddleBand", self.period)
        self.upper_band = Derived(f"{self.name}_UpperBand", self._ready)
        self.lower_band = Derived(f"{self.name}_LowerBand", self._ready)
        self.band_width = Derived(f"{self.name}_BandWidth", self._ready)
        self.percent_b = Derived(f"{self.name}_%B", self._ready)
        self.price = Derived(f"{self.name}_Close", self._ready)

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
        self.band_width.feed(time, width / middle * 100 if middle else 0.0)
        self.price.feed(time, value)
        self.percent_b.feed(time, (value - lower) / width if width else 0.0)
        return value


class KeltnerChannels(BarIndicator):
    """An average of the typical price, and k simple average true ranges around it."""

    def __init__(self, *args: Any) -> None:
        name, rest = named("", args)
        period, k, *kind = rest
        self.period = whole(period, "period", "KeltnerChannels")
        self._k = float(k)
        super().__init__(name or f"KC({self.period},{k})")
        self.warm_up_period = self.period
        self.average_true_range = AverageTrueRange(
            f"{self.name}_AverageTrueRange", self.period, MovingAverageType.SIMPLE
        )
        self.middle_band = average(
            kind[0] if kind else MovingAverageType.SIMPLE, f"{self.name}_MiddleBand", self.period
        )
        self.upper_band = Derived(f"{self.name}_UpperBand", self._ready)
        self.lower_band = Derived(f"{self.name}_LowerBand", self._ready)

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

    def __init__(self, *args: Any) -> None:
        name, rest = named("", args)
        upper = whole(rest[0], "upper period", "DonchianChannel")
        lower = whole(rest[1], "lower period", "DonchianChannel") if len(rest) > 1 else upper
        super().__init__(name or f"DCH({upper},{lower})")
        self.warm_up_period = max(upper, lower)
        self.upper_band = Maximum(f"{self.name}_UpperBand", upper)
        self.lower_band = Minimum(f"{self.name}_LowerBand", lower)

    @property
    def is_ready(self) -> bool:
        return self.upper_band.is_ready and self.lower_band.is_ready

    def _next_bar(self, bar: Any) -> float:
        self.upper_band.feed(bar.end_time, bar.high)
        self.lower_band.feed(bar.end_time, bar.low)
        return (self.upper_band.value + self.lower_band.value) / 2
