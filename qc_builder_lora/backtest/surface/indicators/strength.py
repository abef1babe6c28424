"""Wilder's relative strength index, and what is built on it."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import Any

from .arguments import Period
from .averages import ExponentialMovingAverage, SimpleMovingAverage
from .base import IndicatorBase
from .chosen import SIMPLE, WILDERS, average

MovingAverageType = Any


class RelativeStrengthIndex(IndicatorBase):
    """Average gain against average loss, 0 to 100."""

    SHORT = "RSI"

    def _label(self, values: list[Any]) -> str:
        return super()._label(values[:1])

    def _set_up(self, period: Period, moving_average_type: MovingAverageType = WILDERS) -> None:
        self.period = int(period)
        self.warm_up_period = self.period + 1
        self.moving_average_type = moving_average_type
        self.average_gain = average(moving_average_type, f"{self.name}Up", self.period)
        self.average_loss = average(moving_average_type, f"{self.name}Down", self.period)
        self._last: float | None = None

    @property
    def is_ready(self) -> bool:
        return self.average_gain.is_ready and self.average_loss.is_ready

    def _next(self, time: datetime, value: float) -> float:
        last, self._last = self._last, value
        if last is not None:
            change = value - last
            self.average_gain.feed(time, change if change >= 0 else 0.0)
            self.average_loss.feed(time, -change if change < 0 else 0.0)
        # Rounded as in LEAN, where 10 digits of nothing count as no loss at all.
        if round(self.average_loss.value, 10) == 0:
            return 100.0
        strength = self.average_gain.value / self.average_loss.value
        return 100 - 100 / (1 + strength)


class StochasticRelativeStrengthIndex(IndicatorBase):
    """Where the RSI lies in its own range, %K, and that smoothed, %D."""

    SHORT = "SRSI"

    def _set_up(
        self,
        rsi_period: Period,
        stoch_period: Period,
        k_smoothing_period: Period,
        d_smoothing_period: Period,
        moving_average_type: MovingAverageType = SIMPLE,
    ) -> None:
        self._rsi = RelativeStrengthIndex(rsi_period)
        self._recent: deque[float] = deque(maxlen=int(stoch_period))
        kind = moving_average_type
        self.k = average(kind, f"{self.name}_K_{kind}", k_smoothing_period)
        self.d = average(kind, f"{self.name}_D_{kind}", d_smoothing_period)
        longer = max(int(k_smoothing_period), int(d_smoothing_period))
        self.warm_up_period = int(rsi_period) + int(stoch_period) + longer

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.warm_up_period

    def _next(self, time: datetime, value: float) -> float:
        self._rsi.feed(time, value)
        recent = self._recent
        recent.append(self._rsi.value)
        if len(recent) < (recent.maxlen or 0):
            return 0.0
        high, low = max(recent), min(recent)
        self.k.feed(time, 100 * (self._rsi.value - low) / (high - low) if high != low else 100.0)
        self.d.feed(time, self.k.value)
        return value


class ConnorsRelativeStrengthIndex(IndicatorBase):
    """The mean of an RSI, an RSI of the streak, and the percent rank of the last change."""

    SHORT = "CRSI"
    SET_UPS: tuple[str, ...] = ("_set_up", "_set_up_nameless")

    def _set_up_nameless(
        self, rsi_period: Period, rsi_period_streak: Period, roc_period: Period
    ) -> None:
        self._set_up(rsi_period, rsi_period_streak, roc_period)

    def _set_up(
        self, rsi_period: Period, rsi_period_streak: Period, look_back_period: Period
    ) -> None:
        self._rsi = RelativeStrengthIndex(rsi_period)
        self._streaks = RelativeStrengthIndex(rsi_period_streak)
        self._changes: deque[float] = deque(maxlen=int(look_back_period))
        longer = max(int(rsi_period), int(rsi_period_streak))
        self.warm_up_period = max(int(look_back_period), 1 + longer)
        self._streak = 0
        self._last: float | None = None

    @property
    def is_ready(self) -> bool:
        full = len(self._changes) == self._changes.maxlen
        return self._rsi.is_ready and self._streaks.is_ready and full

    def _next(self, time: datetime, value: float) -> float:
        self._rsi.feed(time, value)
        last, self._last = self._last, value
        self._count(0.0 if last is None else value - last)
        self._streaks.feed(time, self._streak)
        if not last:
            self._changes.append(0.0)
            return 0.0
        change, before = (value - last) / last, self._changes
        full = len(before) == before.maxlen
        rank = 100 * sum(item < change for item in before) / len(before) if full else 0.0
        before.append(change)
        return (self._rsi.value + self._streaks.value + rank) / 3 if self.is_ready else 0.0

    def _count(self, change: float) -> None:
        """How many steps in a row went up (or, negative, down)."""
        if self._streak * change < 0:
            self._streak = 0
        self._streak += (change > 0) - (change < 0)


class DerivativeOscillator(IndicatorBase):
    """A double-smoothed RSI less its own simple average."""

    SHORT = "DO"

    def _set_up(
        self,
        rsi_period: Period,
        smoothing_rsi_period: Period,
        double_smoothing_rsi_period: Period,
        signal_line_period: Period,
    ) -> None:
        self._rsi = RelativeStrengthIndex(rsi_period)
        self._first = ExponentialMovingAverage(smoothing_rsi_period)
        self._second = ExponentialMovingAverage(double_smoothing_rsi_period)
        self._line = SimpleMovingAverage(signal_line_period)
        periods = (rsi_period, smoothing_rsi_period, double_smoothing_rsi_period)
        self.warm_up_period = int(sum(periods)) + int(signal_line_period) - 2

    @property
    def is_ready(self) -> bool:
        return self._line.is_ready

    def _next(self, time: datetime, value: float) -> float:
        for part in (self._rsi, self._first, self._second):
            if not part.feed(time, value):
                return 0.0
            value = part.value
        return self._second.value - self._line.value if self._line.feed(time, value) else 0.0
