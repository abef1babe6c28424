"""Indicators over the last `period` values: sums, extremes, differences, rates, delays."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from math import log

from .arguments import Period
from .base import IndicatorBase


class WindowIndicator(IndicatorBase):
    """Keeps the last `period` values, oldest first, and the one that fell out of them."""

    def _set_up(self, period: Period) -> None:
        self.period = int(period)
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


class LaterWindowIndicator(WindowIndicator):
    """Needs one value more than the window holds."""

    def _set_up(self, period: Period) -> None:
        super()._set_up(period)
        self.warm_up_period = self.period + 1

    @property
    def is_ready(self) -> bool:
        return self.samples > self.period


class Maximum(WindowIndicator):
    """The highest of the last `period` values."""

    SHORT = "MAX"

    def _set_up(self, period: Period) -> None:
        super()._set_up(period)
        self.periods_since_maximum = 0

    def _over(self, values: deque[float], value: float) -> float:
        if self.samples == 1 or value >= self.value:
            self.periods_since_maximum = 0
            return value
        self.periods_since_maximum += 1
        if self.periods_since_maximum < self.period:
            return self.value
        best = max(values)
        self.periods_since_maximum = list(values)[::-1].index(best)
        return best


class Minimum(WindowIndicator):
    """The lowest of the last `period` values."""

    SHORT = "MIN"

    def _set_up(self, period: Period) -> None:
        super()._set_up(period)
        self.periods_since_minimum = 0

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


class Sum(IndicatorBase):
    """The sum of the last `period` values."""

    SHORT = "SUM"

    def _set_up(self, period: Period) -> None:
        self.period = int(period)
        self.warm_up_period = self.period
        self._values: deque[float] = deque()
        self._total = self._lost = 0.0

    def _next(self, time: datetime, value: float) -> float:
        # As in running.Running, without another call on the hot path.
        values, total = self._values, self._total
        if len(values) == self.period:
            gone = -values.popleft()
            found = total + gone
            part = found - total
            self._lost += (total - (found - part)) + (gone - part)
            total = found
        values.append(value)
        self._total = found = total + value
        part = found - total
        self._lost += (total - (found - part)) + (value - part)
        return found + self._lost

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.period


class Momentum(LaterWindowIndicator):
    """The change over `period` values."""

    SHORT = "MOM"

    def _over(self, values: deque[float], value: float) -> float:
        return value - self._first(values)


class RateOfChange(LaterWindowIndicator):
    """The relative change over `period` values, as a fraction."""

    SHORT = "ROC"

    def _over(self, values: deque[float], value: float) -> float:
        first = self._first(values)
        return (value - first) / first if first else 0.0


class RateOfChangePercent(RateOfChange):
    """The relative change over `period` values, in percent."""

    SHORT = "ROCP"

    def _over(self, values: deque[float], value: float) -> float:
        return 100 * super()._over(values, value)


class MomentumPercent(RateOfChangePercent):
    """As RateOfChangePercent."""

    SHORT = "MOMP"


class RateOfChangeRatio(RateOfChange):
    """The value as a multiple of the one `period` values ago."""

    SHORT = "ROCR"

    def _over(self, values: deque[float], value: float) -> float:
        first = self._first(values)
        return value / first if first else 0.0


class LogReturn(LaterWindowIndicator):
    """The natural logarithm of the ratio to the value `period` values ago."""

    SHORT = "LOGR"

    def _over(self, values: deque[float], value: float) -> float:
        first = self._first(values)
        return log(value / first) if first and value / first > 0 else 0.0


class Delay(LaterWindowIndicator):
    """The value of `period` inputs ago."""

    SHORT = "DELAY"

    def _over(self, values: deque[float], value: float) -> float:
        return self._first(values)


class Identity(IndicatorBase):
    """The input itself."""

    warm_up_period = 1

    def _label(self, values: list[object]) -> str:
        return type(self).__name__

    def _next(self, time: datetime, value: float) -> float:
        return value


class WindowIdentity(WindowIndicator):
    """The input itself; ready once `period` of them have come."""

    SHORT = "WIN-ID"

    def _over(self, values: deque[float], value: float) -> float:
        return value
