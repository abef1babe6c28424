"""True range and directional movement (Wilder, New Concepts in Technical Trading Systems)."""

from __future__ import annotations

from typing import Any

from ..enums import MovingAverageType
from .averages import WilderMovingAverage, average
from .base import named, whole
from .derived import BarIndicator, Derived


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
    """The bar's range, widened to the close before it."""

    def __init__(self, name: str = "TR") -> None:
        super().__init__(name)
        self.warm_up_period = 2
        self._bar: Any = None

    @property
    def is_ready(self) -> bool:
        return self.samples > 1

    def _next_bar(self, bar: Any) -> float:
        found = true_range(self._bar, bar) if self._bar is not None else 0.0
        self._bar = bar
        return found


class AverageTrueRange(BarIndicator):
    """The true range, smoothed."""

    def __init__(self, *args: Any) -> None:
        name, rest = named("", args)
        period, *kind = rest
        self.period = whole(period, "period", "AverageTrueRange")
        super().__init__(name or f"ATR({self.period})")
        self.warm_up_period = self.period
        self._smoother = average(
            kind[0] if kind else MovingAverageType.WILDERS, f"{self.name}_Smoothed", self.period
        )
        self.true_range = Derived(f"{self.name}_TrueRange", lambda: self.samples >= 1)
        self._bar: Any = None

    @property
    def is_ready(self) -> bool:
        return self._smoother.is_ready

    def _next_bar(self, bar: Any) -> float:
        span = true_range(self._bar, bar)
        self._bar = bar
        self.true_range.feed(bar.end_time, span)
        self._smoother.feed(bar.end_time, span)
        return self._smoother.value


class AverageDirectionalIndex(BarIndicator):
    """Strength of a trend, whichever its direction; with +DI and -DI."""

    def __init__(self, *args: Any) -> None:
        name, rest = named("", args)
        self.period = whole(rest[0], "period", "AverageDirectionalIndex")
        super().__init__(name or f"ADX({self.period})")
        self.warm_up_period = 2 * self.period
        self.positive_directional_index = Derived(f"{self.name}_PDI", self._moving)
        self.negative_directional_index = Derived(f"{self.name}_NDI", self._moving)
        self._average = WilderMovingAverage(self.period)
        self._bar: Any = None
        self._range = self._plus = self._minus = 0.0

    def _moving(self) -> bool:
        return self.samples > self.period

    @property
    def is_ready(self) -> bool:
        return self._average.is_ready

    def _next_bar(self, bar: Any) -> float:
        before, self._bar = self._bar, bar
        if before is not None:
            self._accumulate(before, bar)
        ready = self._moving() and self._range != 0
        plus = 100 * self._plus / self._range if ready else 0.0
        minus = 100 * self._minus / self._range if ready else 0.0
        self.positive_directional_index.feed(bar.end_time, plus)
        self.negative_directional_index.feed(bar.end_time, minus)
        if plus + minus == 0:
            return 50.0
        self._average.feed(bar.end_time, 100 * abs(plus - minus) / (plus + minus))
        return self._average.value

    def _accumulate(self, before: Any, bar: Any) -> None:
        up, down = bar.high - before.high, before.low - bar.low
        # Wilder's sums: filled over `period` bars; from then on each drops one part in `period`.
        keep = 1 - 1 / self.period if self.samples > self.period + 1 else 1.0
        self._range = self._range * keep + true_range(before, bar)
        self._plus = self._plus * keep + (up if up > 0 and up >= down else 0.0)
        self._minus = self._minus * keep + (down if down > 0 and down > up else 0.0)
