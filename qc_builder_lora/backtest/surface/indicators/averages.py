"""Moving averages with fixed weights: simple, exponential and what is built of them."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from math import exp, floor, sqrt

from .arguments import Period
from .base import IndicatorBase
from .windowed import Sum, WindowIndicator


class SimpleMovingAverage(Sum):
    """The mean of the last `period` values."""

    SHORT = "SMA"

    def _next(self, time: datetime, value: float) -> float:
        return super()._next(time, value) / len(self._values)

    @property
    def rolling_sum(self) -> IndicatorBase:
        """The sum alone, as it stands now."""
        made = Sum(f"{self.name}_Sum", self.period)
        for value in self._values:
            made.feed(self._ib_time, value)
        return made


class LinearWeightedMovingAverage(WindowIndicator):
    """The mean of the last `period` values, the newest weighing most."""

    SHORT = "LWMA"

    def _set_up(self, period: Period) -> None:
        super()._set_up(period)
        self._weighted = self._total = 0.0

    def _over(self, values: deque[float], value: float) -> float:
        count = len(values)
        if self.samples <= self.period or self.samples % self.period == 0:
            # Taken anew once a window's length, so that rounding does not add up.
            self._weighted = sum(weight * item for weight, item in enumerate(values, 1))
            self._total = sum(values)
        else:
            self._weighted += count * value - self._total
            self._total += value - self._fallen
        return self._weighted / (count * (count + 1) / 2)


class ExponentialMovingAverage(IndicatorBase):
    """Begins with the mean of the first `period` values, then k·value + (1 - k)·itself."""

    SHORT = "EMA"
    SET_UPS: tuple[str, ...] = ("_set_up", "_set_up_factor")

    def _set_up(self, period: Period) -> None:
        self._set_up_factor(period, self._factor(period))

    def _set_up_factor(self, period: Period, smoothing_factor: float) -> None:
        self.period = self.warm_up_period = int(period)
        self._k = float(smoothing_factor)
        self._total = 0.0

    @staticmethod
    def _factor(period: int) -> float:
        return 2.0 / (1 + period)

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
    SET_UPS: tuple[str, ...] = ("_set_up",)

    @staticmethod
    def _factor(period: int) -> float:
        return 1.0 / period

    def _next(self, time: datetime, value: float) -> float:
        if self.samples > self.period:
            return value * self._k + self.value * (1 - self._k)
        self._total += value
        return self._total / self.samples


class DoubleExponentialMovingAverage(IndicatorBase):
    """(1 + v)·EMA - v·EMA(EMA), v being 1 unless given."""

    SHORT = "DEMA"

    def _label(self, values: list[object]) -> str:
        return super()._label(values[:1])

    def _set_up(self, period: Period, volume_factor: float = 1.0) -> None:
        self.period = int(period)
        self.warm_up_period = 2 * self.period - 1
        self._factor = float(volume_factor)
        self._first = ExponentialMovingAverage(f"{self.name}_1", self.period)
        self._second = ExponentialMovingAverage(f"{self.name}_2", self.period)

    def _next(self, time: datetime, value: float) -> float:
        if not self._first.feed(time, value) or not self._second.feed(time, self._first.value):
            return 0.0
        return (self._factor + 1) * self._first.value - self._factor * self._second.value

    @property
    def is_ready(self) -> bool:
        return self._second.is_ready


class TripleExponentialMovingAverage(IndicatorBase):
    """3·EMA - 3·EMA(EMA) + EMA(EMA(EMA))."""

    SHORT = "TEMA"

    def _set_up(self, period: Period) -> None:
        self.period = int(period)
        self.warm_up_period = 3 * self.period - 2
        self._chain = [ExponentialMovingAverage(self.period) for _ in range(3)]

    def _next(self, time: datetime, value: float) -> float:
        for average in self._chain:
            if not average.feed(time, value):
                return 0.0
            value = average.value
        first, second, third = (average.value for average in self._chain)
        return 3 * first - 3 * second + third

    @property
    def is_ready(self) -> bool:
        return self._chain[-1].is_ready


class T3MovingAverage(IndicatorBase):
    """Tillson's T3: three generalised double averages, one after the other."""

    SHORT = "T3"

    def _set_up(self, period: Period, volume_factor: float = 0.7) -> None:
        self.period = int(period)
        self.warm_up_period = 1 + 6 * (self.period - 1)
        self._chain = [
            DoubleExponentialMovingAverage(f"{self.name}_{n}", self.period, float(volume_factor))
            for n in (1, 2, 3)
        ]

    def _next(self, time: datetime, value: float) -> float:
        for average in self._chain:
            if not average.feed(time, value):
                return average.value
            value = average.value
        return value

    @property
    def is_ready(self) -> bool:
        return self._chain[-1].is_ready


class TriangularMovingAverage(IndicatorBase):
    """A simple average of a simple average, together as long as `period`."""

    SHORT = "TRIMA"

    def _set_up(self, period: Period) -> None:
        self.period = self.warm_up_period = int(period)
        half = self.period // 2
        first, second = (half, half + 1) if self.period % 2 == 0 else (half + 1, half + 1)
        self._first = SimpleMovingAverage(f"{self.name}_1", first)
        self._second = SimpleMovingAverage(f"{self.name}_2", second)

    def _next(self, time: datetime, value: float) -> float:
        self._first.feed(time, value)
        self._second.feed(time, self._first.value)
        return self._second.value

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.period


class HullMovingAverage(IndicatorBase):
    """A short weighted average of twice the half-length one less the whole-length one."""

    SHORT = "HMA"

    def _set_up(self, period: Period) -> None:
        if period < 2:
            raise ValueError("HullMovingAverage: period must be greater or equal to 2")
        self.period = int(period)
        self._slow = LinearWeightedMovingAverage(self.period)
        self._fast = LinearWeightedMovingAverage(round(self.period / 2))
        self._hull = LinearWeightedMovingAverage(round(sqrt(self.period)))
        self.warm_up_period = self.period + self._hull.period - 1

    def _next(self, time: datetime, value: float) -> float:
        fast = self._fast.feed(time, value)
        if self._slow.feed(time, value) and fast:
            self._hull.feed(time, 2 * self._fast.value - self._slow.value)
        return self._hull.value

    @property
    def is_ready(self) -> bool:
        return self._hull.is_ready


class ArnaudLegouxMovingAverage(WindowIndicator):
    """Weights in the shape of a bell, whose peak lies at `offset` of the window."""

    SHORT = "ALMA"

    def _set_up(self, period: Period, sigma: int = 6, offset: float = 0.85) -> None:
        super()._set_up(period)
        if not 0 <= offset <= 1:
            raise ValueError(f"Offset parameter range is [0,1]. Value: {offset}")
        middle = floor(offset * (self.period - 1))
        width = self.period / sigma
        bell = [exp(-((i - middle) ** 2) / (2 * width * width)) for i in range(self.period)]
        total = sum(bell)
        self._weights = [weight / total for weight in bell]

    def _over(self, values: deque[float], value: float) -> float:
        if not self.is_ready:
            return value
        return sum(weight * item for weight, item in zip(self._weights, values, strict=True))


class ZeroLagExponentialMovingAverage(WindowIndicator):
    """An exponential average of the value plus its change over half the period."""

    SHORT = "ZLEMA"

    def _set_up(self, period: Period) -> None:
        self.period = int(period)
        self._lag = round((self.period - 1) / 2)
        self.warm_up_period = self.period + self.period // 2
        self._average = ExponentialMovingAverage(f"{self.name}_EMA", self.period)
        self._values = deque(maxlen=self._lag + 1)

    def _next(self, time: datetime, value: float) -> float:
        self._values.append(value)
        if self.samples <= self._lag:
            return 0.0
        ready = self._average.feed(time, 2 * value - self._values[0])
        return self._average.value if ready else 0.0

    @property
    def is_ready(self) -> bool:
        return self._average.is_ready


class RelativeMovingAverage(IndicatorBase):
    """SMA(3 periods) - SMA(2 periods) + SMA(1 period)."""

    SHORT = "RMA"

    def _set_up(self, period: Period) -> None:
        self.short_average = SimpleMovingAverage(f"{self.name}_Short", period)
        self.medium_average = SimpleMovingAverage(f"{self.name}_Medium", 2 * period)
        self.long_average = SimpleMovingAverage(f"{self.name}_Long", 3 * period)
        self.warm_up_period = 3 * int(period)

    def _next(self, time: datetime, value: float) -> float:
        self.short_average.feed(time, value)
        self.medium_average.feed(time, value)
        self.long_average.feed(time, value)
        return self.long_average.value - self.medium_average.value + self.short_average.value

    @property
    def is_ready(self) -> bool:
        return self.long_average.is_ready
