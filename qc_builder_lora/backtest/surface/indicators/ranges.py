"""The range of bars: true range and its averages, Rogers-Satchell, choppiness, mass."""

from __future__ import annotations

from math import log, log10, sqrt
from typing import Any

from .arguments import Period
from .averages import ExponentialMovingAverage, SimpleMovingAverage
from .chosen import WILDERS, average
from .derived import BarIndicator, Derived, TradeBarIndicator
from .running import Running
from .windowed import Maximum, Minimum, Sum

MovingAverageType = Any
LEAST_DECIMAL = -7.922816251426434e28
"""C#'s smallest decimal: LEAN's answer to a price of nothing."""


def true_range(before: Any, bar: Any) -> float:
    """The bar's range, widened to the close before it."""
    span: float = bar.high - bar.low
    if before is None:
        return span
    close: float = before.close
    above, below = abs(bar.high - close), abs(bar.low - close)
    found: float = max(span, above, below)
    return found


class TrueRange(BarIndicator):
    """The bar's range, widened to the close before it; 0 of the first bar."""

    SHORT = "TR"
    warm_up_period = 2

    def _label(self, values: list[Any]) -> str:
        return "TR"

    def _set_up(self) -> None:
        self._bar: Any = None

    @property
    def is_ready(self) -> bool:
        return self.samples > 1

    def _next_bar(self, bar: Any) -> float:
        before, self._bar = self._bar, bar
        return true_range(before, bar) if before is not None else 0.0


class AverageTrueRange(BarIndicator):
    """The true range, smoothed; the first bar counts with its own range."""

    SHORT = "ATR"

    def _label(self, values: list[Any]) -> str:
        return super()._label(values[:1])

    def _set_up(self, period: Period, moving_average_type: MovingAverageType = WILDERS) -> None:
        self.period = self.warm_up_period = int(period)
        self._smoother = average(moving_average_type, f"{self.name}_Smoothed", self.period)
        self.true_range = Derived(f"{self.name}_TrueRange", self._begun)
        self._bar: Any = None

    def _begun(self) -> bool:
        return self.samples >= 1

    @staticmethod
    def compute_true_range(previous: Any, current: Any) -> float:
        return true_range(previous, current)

    @property
    def is_ready(self) -> bool:
        return self._smoother.is_ready

    def _next_bar(self, bar: Any) -> float:
        span = true_range(self._bar, bar)
        self._bar = bar
        self.true_range.feed(bar.end_time, span)
        self._smoother.feed(bar.end_time, span)
        return self._smoother.value


class NormalizedAverageTrueRange(BarIndicator):
    """Wilder's average true range in percent of the close, begun with a simple average."""

    SHORT = "NATR"

    def _set_up(self, period: Period) -> None:
        self.period = int(period)
        self.warm_up_period = self.period + 1
        self._mean = Running(self.period)
        self._bar: Any = None
        self._smoothed = 0.0

    @property
    def is_ready(self) -> bool:
        return self.samples > self.period

    def _next_bar(self, bar: Any) -> float:
        span = true_range(self._bar, bar)
        self._bar = bar
        if self.samples <= self.period + 1:
            self._smoothed = self._mean.add(span) / len(self._mean.values)
        else:
            self._smoothed = (self._smoothed * (self.period - 1) + span) / self.period
        return self._smoothed / bar.close * 100 if bar.close else 0.0


class AverageRange(BarIndicator):
    """The simple average of high less low."""

    SHORT = "AR"

    def _set_up(self, period: Period) -> None:
        self.period = self.warm_up_period = int(period)
        self._mean = SimpleMovingAverage(f"{self.name}_SMA", self.period)

    @property
    def is_ready(self) -> bool:
        return self._mean.is_ready

    def _next_bar(self, bar: Any) -> float:
        self._mean.feed(bar.end_time, bar.high - bar.low)
        return self._mean.value


class RogersSatchellVolatility(BarIndicator):
    """Volatility from open, high, low and close, whatever the drift."""

    SHORT = "RSVol"

    def _set_up(self, period: Period) -> None:
        self.period = self.warm_up_period = int(period)
        self._parts = Running(self.period)

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.period

    def _next_bar(self, bar: Any) -> float:
        if not (bar.open and bar.high and bar.low and bar.close):
            return LEAST_DECIMAL
        up = log(bar.high / bar.close) * log(bar.high / bar.open)
        total = self._parts.add(up + log(bar.low / bar.close) * log(bar.low / bar.open))
        return sqrt(max(total, 0.0) / self.period) if self.is_ready else 0.0


class ChoppinessIndex(BarIndicator):
    """100 where the bars go nowhere, 0 where they go one way."""

    SHORT = "CHOP"

    def _set_up(self, period: Period) -> None:
        self.period = self.warm_up_period = int(period)
        self._ranges = Running(self.period)
        self._highest = Maximum(f"{self.name}_Max", self.period)
        self._lowest = Minimum(f"{self.name}_Min", self.period)
        self._bar: Any = None

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.period

    def _next_bar(self, bar: Any) -> float:
        total = self._ranges.add(true_range(self._bar, bar))
        self._bar = bar
        self._highest.feed(bar.end_time, bar.high)
        self._lowest.feed(bar.end_time, bar.low)
        if not self.is_ready:
            return 0.0
        span = self._highest.value - self._lowest.value
        return 100 * log10(total / span) / log10(self.period) if span else 100.0


class MassIndex(TradeBarIndicator):
    """Sum of the ratios of the range's average to the average of that average."""

    SHORT = "MASS"

    def _set_up(self, ema_period: Period = 9, sum_period: Period = 25) -> None:
        self.warm_up_period = 2 * (int(ema_period) - 1) + int(sum_period)
        self._first = ExponentialMovingAverage(f"{self.name}_1", ema_period)
        self._second = ExponentialMovingAverage(f"{self.name}_2", ema_period)
        self._sum = Sum(f"{self.name}_Sum", sum_period)

    @property
    def is_ready(self) -> bool:
        return self._sum.is_ready

    def _next_bar(self, bar: Any) -> float:
        time = bar.end_time
        if self._first.feed(time, bar.high - bar.low):
            ready = self._second.feed(time, self._first.value)
            if ready and self._second.value:
                self._sum.feed(time, self._first.value / self._second.value)
        return self._sum.value if self._sum.is_ready else float(self._sum.period)


class InternalBarStrength(BarIndicator):
    """Where in its own range a bar closes, 0 to 1."""

    SHORT = "IBS"
    warm_up_period = 1

    def _label(self, values: list[Any]) -> str:
        return "IBS"

    def _next_bar(self, bar: Any) -> float:
        span: float = bar.high - bar.low
        found: float = (bar.close - bar.low) / span if span else 0.0
        return found


class BalanceOfPower(BarIndicator):
    """Close less open, over the range."""

    SHORT = "BOP"
    warm_up_period = 1

    def _label(self, values: list[Any]) -> str:
        return "BOP"

    def _next_bar(self, bar: Any) -> float:
        span: float = bar.high - bar.low
        found: float = (bar.close - bar.open) / span if span else 0.0
        return found


class MidPrice(BarIndicator):
    """Half way between the highest high and the lowest low."""

    SHORT = "MIDPRICE"

    def _set_up(self, period: Period) -> None:
        self.period = self.warm_up_period = int(period)
        self._highest = Maximum(f"{self.name}_Max", self.period)
        self._lowest = Minimum(f"{self.name}_Min", self.period)

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.period

    def _next_bar(self, bar: Any) -> float:
        self._highest.feed(bar.end_time, bar.high)
        self._lowest.feed(bar.end_time, bar.low)
        return (self._highest.value + self._lowest.value) / 2


class HeikinAshi(TradeBarIndicator):
    """Averaged candles: open, high, low, close and volume, each an indicator."""

    SHORT = "HA"
    warm_up_period = 2

    def _label(self, values: list[Any]) -> str:
        return "HA"

    def _set_up(self) -> None:
        names = ("open", "high", "low", "close", "volume")
        made = [Derived(f"{self.name}_{part.title()}", self._begun) for part in names]
        self.open, self.high, self.low, self.close, self.volume = made

    def _begun(self) -> bool:
        return self.samples > 0

    @property
    def is_ready(self) -> bool:
        return self.samples > 1

    def _next_bar(self, bar: Any) -> float:
        time = bar.end_time
        close = (bar.open + bar.high + bar.low + bar.close) / 4
        first = self.samples == 1
        opened = (bar.open + bar.close) / 2 if first else (self.open.value + self.close.value) / 2
        high = bar.high if first else max(bar.high, opened, close)
        low = bar.low if first else min(bar.low, opened, close)
        for part, value in zip(
            (self.open, self.high, self.low, self.close, self.volume),
            (opened, high, low, close, getattr(bar, "volume", 0.0)),
            strict=True,
        ):
            part.feed(time, value)
        return self.close.value
