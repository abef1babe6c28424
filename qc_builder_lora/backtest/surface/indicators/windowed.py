"""Indicators over the last `period` values: extremes, differences, rates, dispersion."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from math import sqrt
from typing import Any

from .base import IndicatorBase, named, whole


class WindowIndicator(IndicatorBase):
    """Keeps the last `period` values, and the one that fell out of them."""

    SHORT = ""

    def __init__(self, *args: Any) -> None:
        kind = type(self).__name__
        name, rest = named("", args)
        if len(rest) != 1:
            raise TypeError(f"No method matches given arguments for {kind}: {rest}")
        self.period = whole(rest[0], "period", kind)
        super().__init__(name or f"{self.SHORT}({self.period})")
        self.warm_up_period = self.period
        self._values: deque[float] = deque(maxlen=self.period)
        self._fallen = 0.0

    def _next(self, time: datetime, value: float) -> float:
        values = self._values
        if len(values) == self.period:
            self._fallen = values[0]
        values.append(value)
        return self._over(values, value)

    def _over(self, values: deque[float], value: float) -> float:
        raise NotImplementedError

    def _first(self, values: deque[float]) -> float:
        """The value `period` inputs ago; the oldest there is while the window fills."""
        return values[0] if self.samples <= self.period else self._fallen

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.period


class Maximum(WindowIndicator):
    """The highest of the last `period` values."""

    SHORT = "MAX"

    def _over(self, values: deque[float], value: float) -> float:
        if self.samples == 1 or value >= self.value:
            self.periods_since_maximum = 0
            return value
        self.periods_since_maximum += 1
        if self.periods_since_maximum < self.period:
            return self.value
        return self._search(values)

    def _search(self, values: deque[float]) -> float:
        best = max(values)
        newest_first = list(values)[::-1]
        self.periods_since_maximum = newest_first.index(best)
        return best

    periods_since_maximum = 0


class Minimum(WindowIndicator):
    """The lowest of the last `period` values."""

    SHORT = "MIN"

    def _over(self, values: deque[float], value: float) -> float:
        if self.samples == 1 or value <= self.value:
            self.periods_since_minimum = 0
            return value
        self.periods_since_minimum += 1
        if self.periods_since_minimum < self.period:
            return self.value
        best = min(values)
        self.periods_since_minimum = list(values)[::-1].index(best)
        return best

    periods_since_minimum = 0


class Sum(WindowIndicator):
    """The sum of the last `period` values."""

    SHORT = "SUM"
    _total = 0.0

    def _over(self, values: deque[float], value: float) -> float:
        self._total += value
        if self.samples > self.period:
            self._total -= self._fallen
        return self._total


class Momentum(WindowIndicator):
    """The change over `period` values."""

    SHORT = "MOM"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.warm_up_period = self.period + 1

    def _over(self, values: deque[float], value: float) -> float:
        return value - self._first(values)

    @property
    def is_ready(self) -> bool:
        return self.samples > self.period


class RateOfChange(WindowIndicator):
    """The relative change over `period` values, as a fraction."""

    SHORT = "ROC"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.warm_up_period = self.period + 1

    def _over(self, values: deque[float], value: float) -> float:
        first = self._first(values)
        return value / first - 1 if first else 0.0

    @property
    def is_ready(self) -> bool:
        return self.samples > self.period


class RateOfChangePercent(RateOfChange):
    """The relative change over `period` values, in percent."""

    SHORT = "ROCP"

    def _over(self, values: deque[float], value: float) -> float:
        return 100 * super()._over(values, value)


class MomentumPercent(RateOfChangePercent):
    """As RateOfChangePercent."""

    SHORT = "MOMP"


class Delay(WindowIndicator):
    """The value of `period` inputs ago."""

    SHORT = "DELAY"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.warm_up_period = self.period + 1

    def _over(self, values: deque[float], value: float) -> float:
        return self._first(values)

    @property
    def is_ready(self) -> bool:
        return self.samples > self.period


class Variance(WindowIndicator):
    """The population variance of the last `period` values."""

    SHORT = "VAR"

    def _over(self, values: deque[float], value: float) -> float:
        count = len(values)
        if count < 2:
            return 0.0
        mean = sum(values) / count
        return sum((item - mean) ** 2 for item in values) / count


class StandardDeviation(Variance):
    """The population standard deviation of the last `period` values."""

    SHORT = "STD"

    def _over(self, values: deque[float], value: float) -> float:
        return sqrt(super()._over(values, value))


class MeanAbsoluteDeviation(WindowIndicator):
    """The mean distance of the last `period` values from their mean."""

    SHORT = "MAD"

    def _over(self, values: deque[float], value: float) -> float:
        count = len(values)
        if count < 2:
            return 0.0
        mean = sum(values) / count
        return sum(abs(item - mean) for item in values) / count


class Identity(IndicatorBase):
    """The input itself."""

    def __init__(self, name: str = "Identity") -> None:
        super().__init__(name)
        self.warm_up_period = 1

    def _next(self, time: datetime, value: float) -> float:
        return value
