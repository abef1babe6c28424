"""Oscillators of single values: MACD, rates of change smoothed and summed, cycles."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .arguments import Period
from .averages import (
    ExponentialMovingAverage,
    LinearWeightedMovingAverage,
    SimpleMovingAverage,
)
from .base import IndicatorBase
from .chosen import EXPONENTIAL, SIMPLE, average
from .derived import Derived
from .windowed import Delay, Maximum, Minimum, RateOfChange, RateOfChangePercent

MovingAverageType = Any


class MovingAverageConvergenceDivergence(IndicatorBase):
    """A fast average less a slow one, with a signal line and their difference."""

    SHORT = "MACD"

    def _label(self, values: list[Any]) -> str:
        return super()._label(values[:3])

    def _set_up(
        self,
        fast_period: Period,
        slow_period: Period,
        signal_period: Period,
        type: MovingAverageType = EXPONENTIAL,  # noqa: A002
    ) -> None:
        if fast_period >= slow_period:
            raise ValueError(
                "MovingAverageConvergenceDivergence: fastPeriod must be less than slowPeriod"
            )
        self.fast = average(type, f"{self.name}_Fast", fast_period)
        self.slow = average(type, f"{self.name}_Slow", slow_period)
        self.signal = average(type, f"{self.name}_Signal", signal_period)
        self.histogram = Derived(f"{self.name}_Histogram", self._signal_ready)
        self.warm_up_period = int(slow_period) + int(signal_period) - 1

    def _signal_ready(self) -> bool:
        return self.signal.is_ready

    @property
    def is_ready(self) -> bool:
        return self.signal.is_ready

    def _next(self, time: datetime, value: float) -> float:
        fast_ready = self.fast.feed(time, value)
        slow_ready = self.slow.feed(time, value)
        macd = self.fast.value - self.slow.value
        if fast_ready and slow_ready and self.signal.feed(time, macd):
            self.histogram.feed(time, macd - self.signal.value)
        return macd


class AbsolutePriceOscillator(MovingAverageConvergenceDivergence):
    """The MACD with a signal of nine."""

    SHORT = "APO"

    def _set_up(  # type: ignore[override]
        self,
        fast_period: Period,
        slow_period: Period,
        moving_average_type: MovingAverageType = SIMPLE,
    ) -> None:
        super()._set_up(fast_period, slow_period, 9, moving_average_type)


class PercentagePriceOscillator(AbsolutePriceOscillator):
    """The same in percent of the slow average."""

    SHORT = "PPO"

    def _next(self, time: datetime, value: float) -> float:
        apart = super()._next(time, value)
        return apart / self.slow.value * 100 if self.slow.value else 0.0


class TrueStrengthIndex(IndicatorBase):
    """The double-smoothed change over the double-smoothed size of the change."""

    SHORT = "TSI"

    def _label(self, values: list[Any]) -> str:
        return super()._label(values[:2])

    def _set_up(
        self,
        long_term_period: Period = 25,
        short_term_period: Period = 13,
        signal_period: Period = 7,
        signal_type: MovingAverageType = EXPONENTIAL,
    ) -> None:
        self._long = [ExponentialMovingAverage(long_term_period) for _ in range(2)]
        self._short = [ExponentialMovingAverage(short_term_period) for _ in range(2)]
        self.signal = average(signal_type, f"{self.name}_Signal", signal_period)
        self.warm_up_period = int(long_term_period) + int(short_term_period)
        self._last = 0.0

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.warm_up_period

    def _next(self, time: datetime, value: float) -> float:
        change, self._last = value - self._last, value
        if self.samples == 1:
            return 0.0
        for long, short, item in zip(self._long, self._short, (change, abs(change)), strict=True):
            if long.feed(time, item):
                short.feed(time, long.value)
        if not self.is_ready:
            return 0.0
        directed, size = (short.value for short in self._short)
        found = directed / size * 100 if size else self.value
        self.signal.feed(time, found)
        return found


class Trix(IndicatorBase):
    """The one-step change, in percent, of a triple-smoothed average."""

    SHORT = "TRIX"

    def _set_up(self, period: Period) -> None:
        self._chain = [ExponentialMovingAverage(f"{self.name}_{n}", period) for n in (1, 2, 3)]
        self._change = RateOfChangePercent(f"{self.name}_ROCP1", 1)
        self.period = int(period)
        self.warm_up_period = 3 * (self.period - 1) + 2

    @property
    def is_ready(self) -> bool:
        return self._change.is_ready

    def _next(self, time: datetime, value: float) -> float:
        for part in self._chain:
            if not part.feed(time, value):
                return self._change.value
            value = part.value
        self._change.feed(time, value)
        return self._change.value


class CoppockCurve(IndicatorBase):
    """A weighted average of two rates of change in percent, a short and a long one."""

    SHORT = "CC"

    def _set_up(
        self,
        short_roc_period: Period = 11,
        long_roc_period: Period = 14,
        lwma_period: Period = 10,
    ) -> None:
        self._short = RateOfChangePercent(short_roc_period)
        self._long = RateOfChangePercent(long_roc_period)
        self._mean = LinearWeightedMovingAverage(lwma_period)
        self.warm_up_period = max(int(short_roc_period), int(long_roc_period)) + int(lwma_period)

    @property
    def is_ready(self) -> bool:
        return self._mean.is_ready

    def _next(self, time: datetime, value: float) -> float:
        short, long = self._short.feed(time, value), self._long.feed(time, value)
        if not (short and long):
            return 0.0
        self._mean.feed(time, self._short.value + self._long.value)
        return self._mean.value


class KnowSureThing(IndicatorBase):
    """Pring's sum of four smoothed rates of change, with its signal line."""

    SHORT = "KST"

    def _set_up(
        self,
        roc_1_period: Period,
        roc_1_ma_period: Period,
        roc_2_period: Period,
        roc_2_ma_period: Period,
        roc_3_period: Period,
        roc_3_ma_period: Period,
        roc_4_period: Period,
        roc_4_ma_period: Period,
        signal_period: Period,
        moving_average_type: MovingAverageType = SIMPLE,
    ) -> None:
        changes = (roc_1_period, roc_2_period, roc_3_period, roc_4_period)
        means = (roc_1_ma_period, roc_2_ma_period, roc_3_ma_period, roc_4_ma_period)
        self.moving_average_type = kind = moving_average_type
        self._changes = [RateOfChange(period) for period in changes]
        self._means = [
            average(kind, f"{self.name}_ROC{n}MA", period) for n, period in enumerate(means, 1)
        ]
        self.roc_1, self.roc_2, self.roc_3, self.roc_4 = self._changes
        self.roc_1_ma, self.roc_2_ma, self.roc_3_ma, self.roc_4_ma = self._means
        self.signal_line = average(kind, f"{self.name}_SignalLine", signal_period)
        self.warm_up_period = max(a + b for a, b in zip(changes, means, strict=True))

    @property
    def is_ready(self) -> bool:
        return all(mean.is_ready for mean in [*self._means, self.signal_line])

    def _next(self, time: datetime, value: float) -> float:
        total = 0.0
        for weight, (change, mean) in enumerate(zip(self._changes, self._means, strict=True), 1):
            if change.feed(time, value):
                mean.feed(time, 100 * change.value)
            total += weight * mean.value
        # The line takes every sum, also those of averages that are still filling.
        return total if self.signal_line.feed(time, total) else 0.0


class DetrendedPriceOscillator(IndicatorBase):
    """The value of half a period and one ago, less the simple average."""

    SHORT = "DPO"

    def _set_up(self, period: Period) -> None:
        self.period = self.warm_up_period = int(period)
        self._mean = SimpleMovingAverage(self.period)
        self._past = Delay(self.period // 2 + 1)
        self.warm_up_period = max(self.period, self._past.warm_up_period)

    @property
    def is_ready(self) -> bool:
        return self._mean.is_ready and self._past.is_ready

    def _next(self, time: datetime, value: float) -> float:
        self._past.feed(time, value)
        self._mean.feed(time, value)
        return self._past.value - self._mean.value if self.is_ready else 0.0


class SchaffTrendCycle(IndicatorBase):
    """The stochastic of the stochastic of a MACD."""

    SHORT = "SchaffTrendCycle"

    def _set_up(
        self,
        cycle_period: Period = 10,
        fast_period: Period = 23,
        slow_period: Period = 50,
        type: MovingAverageType = EXPONENTIAL,  # noqa: A002
    ) -> None:
        self._macd = MovingAverageConvergenceDivergence(
            fast_period, slow_period, cycle_period, type
        )
        self._first = _Position(cycle_period)
        self._second = _Position(cycle_period)
        self._d = average(type, f"{self.name}_D", 3)
        self._pff = average(type, f"{self.name}_PFF", 3)
        self.warm_up_period = self._macd.warm_up_period

    @property
    def is_ready(self) -> bool:
        return self._macd.is_ready

    def _next(self, time: datetime, value: float) -> float:
        self._macd.feed(time, value)
        self._d.feed(time, self._first.of(time, self._macd.value))
        self._pff.feed(time, self._second.of(time, self._d.value))
        return self._pff.value


class _Position(IndicatorBase):
    """Where a value lies in the range of the last ones, in percent."""

    def _set_up(self, period: Period) -> None:
        self._highest, self._lowest = Maximum(period), Minimum(period)

    def of(self, time: datetime, value: float) -> float:
        self._highest.feed(time, value)
        self._lowest.feed(time, value)
        low = self._lowest.value
        span = self._highest.value - low
        return (value - low) / span * 100 if span > 0 else 0.0


class MidPoint(IndicatorBase):
    """Half way between the highest and the lowest value."""

    SHORT = "MIDPOINT"

    def _set_up(self, period: Period) -> None:
        self.period = self.warm_up_period = int(period)
        self._highest, self._lowest = Maximum(self.period), Minimum(self.period)

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.period

    def _next(self, time: datetime, value: float) -> float:
        self._highest.feed(time, value)
        self._lowest.feed(time, value)
        return (self._highest.value + self._lowest.value) / 2
