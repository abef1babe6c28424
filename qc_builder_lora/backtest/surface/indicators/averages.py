"""Moving averages, and the one place that turns a MovingAverageType into one."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import Any

from ..enums import MovingAverageType
from ..known import not_modelled
from .base import IndicatorBase, named, whole
from .windowed import WindowIndicator


class SimpleMovingAverage(WindowIndicator):
    """The mean of the last `period` values."""

    SHORT = "SMA"
    _total = 0.0

    def _over(self, values: deque[float], value: float) -> float:
        self._total += value
        if self.samples > self.period:
            self._total -= self._fallen
        return self._total / len(values)


class LinearWeightedMovingAverage(WindowIndicator):
    """The mean of the last `period` values, the newest weighing most."""

    SHORT = "LWMA"

    def _over(self, values: deque[float], value: float) -> float:
        count = len(values)
        weighted = sum(weight * item for weight, item in enumerate(values, 1))
        return weighted / (count * (count + 1) / 2)


class ExponentialMovingAverage(IndicatorBase):
    """Begins with the mean of the first `period` values, then k·value + (1 - k)·itself."""

    SHORT = "EMA"

    def __init__(self, *args: Any) -> None:
        name, rest = named("", args)
        kind = type(self).__name__
        if not 1 <= len(rest) <= 2:
            raise TypeError(f"No method matches given arguments for {kind}: {rest}")
        self.period = whole(rest[0], "period", kind)
        super().__init__(name or f"{self.SHORT}({self.period})")
        self.warm_up_period = self.period
        self._k = float(rest[1]) if len(rest) == 2 else self._factor()
        self._total = 0.0

    def _factor(self) -> float:
        return 2.0 / (1 + self.period)

    def _next(self, time: datetime, value: float) -> float:
        if self.samples > self.period:
            return value * self._k + self.value * (1 - self._k)
        self._total += value
        return self._total / self.period if self.samples == self.period else 0.0

    @staticmethod
    def smoothing_factor_default(period: int) -> float:
        return 2.0 / (1 + period)

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.period


class WilderMovingAverage(ExponentialMovingAverage):
    """As the exponential one with k = 1/period; the running mean while it fills."""

    SHORT = "WWMA"

    def _factor(self) -> float:
        return 1.0 / self.period

    def _next(self, time: datetime, value: float) -> float:
        if self.samples > self.period:
            return value * self._k + self.value * (1 - self._k)
        self._total += value
        return self._total / self.samples


class DoubleExponentialMovingAverage(IndicatorBase):
    """2·EMA - EMA(EMA)."""

    SHORT = "DEMA"
    STEPS = 2

    def __init__(self, *args: Any) -> None:
        name, rest = named("", args)
        kind = type(self).__name__
        self.period = whole(rest[0], "period", kind)
        super().__init__(name or f"{self.SHORT}({self.period})")
        self.warm_up_period = 1 + self.STEPS * (self.period - 1)
        self._chain = [ExponentialMovingAverage(self.period) for _ in range(self.STEPS)]

    def _next(self, time: datetime, value: float) -> float:
        for average in self._chain:
            if not average.feed(time, value):
                return 0.0
            value = average.value
        return self._combine([average.value for average in self._chain])

    def _combine(self, values: list[float]) -> float:
        return 2 * values[0] - values[1]

    @property
    def is_ready(self) -> bool:
        return self._chain[-1].is_ready


class TripleExponentialMovingAverage(DoubleExponentialMovingAverage):
    """3·EMA - 3·EMA(EMA) + EMA(EMA(EMA))."""

    SHORT = "TEMA"
    STEPS = 3

    def _combine(self, values: list[float]) -> float:
        return 3 * values[0] - 3 * values[1] + values[2]


_AVERAGES: dict[int, Any] = {
    MovingAverageType.SIMPLE: SimpleMovingAverage,
    MovingAverageType.EXPONENTIAL: ExponentialMovingAverage,
    MovingAverageType.WILDERS: WilderMovingAverage,
    MovingAverageType.LINEAR_WEIGHTED_MOVING_AVERAGE: LinearWeightedMovingAverage,
    MovingAverageType.DOUBLE_EXPONENTIAL: DoubleExponentialMovingAverage,
    MovingAverageType.TRIPLE_EXPONENTIAL: TripleExponentialMovingAverage,
}


def average(kind: Any, name: str, period: int) -> IndicatorBase:
    """The moving average that a MovingAverageType names."""
    cls = _AVERAGES.get(int(kind))
    if cls is None:
        not_modelled(f"MovingAverageType.{MovingAverageType(kind).name}")
    made: IndicatorBase = cls(name, period)
    return made
