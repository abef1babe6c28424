"""Moving averages whose pace follows the market: KAMA, VIDYA, McGinley, FRAMA, MAMA."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from math import atan, degrees, exp, log
from typing import Any

from .arguments import Period
from .derived import BarIndicator
from .running import Running
from .windowed import Identity, LaterWindowIndicator, WindowIndicator


class KaufmanEfficiencyRatio(WindowIndicator):
    """The change over `period` steps against the sum of the steps."""

    SHORT = "KER"

    def _set_up(self, period: Period) -> None:
        super()._set_up(period + 1)
        self._steps = Running(int(period))

    def _over(self, values: deque[float], value: float) -> float:
        if self.samples > 1:
            self._steps.add(abs(value - values[-2]))
        if self.samples < self.period:
            return value
        change, way = value - values[0], self._steps.value
        return 1.0 if way <= change or way == 0 else abs(change / way)


class KaufmanAdaptiveMovingAverage(KaufmanEfficiencyRatio):
    """An exponential average, quick where the market is efficient and slow where it is noisy."""

    SHORT = "KAMA"

    def _set_up(
        self, period: Period, fast_ema_period: Period = 2, slow_ema_period: Period = 30
    ) -> None:
        super()._set_up(period)
        self._slow = 2 / (slow_ema_period + 1)
        self._reach = 2 / (fast_ema_period + 1) - self._slow

    def _over(self, values: deque[float], value: float) -> float:
        ratio = super()._over(values, value)
        if self.samples < self.period:
            return value
        before = values[-2] if self.samples == self.period else self.value
        pace = (ratio * self._reach + self._slow) ** 2
        return before + (value - before) * pace


class ChandeMomentumOscillator(LaterWindowIndicator):
    """Gains less losses, in percent of both, smoothed as Wilder's averages are."""

    SHORT = "CMO"

    def _set_up(self, period: Period) -> None:
        super()._set_up(period)
        self._gain = self._loss = 0.0

    def _over(self, values: deque[float], value: float) -> float:
        if self.samples == 1:
            self._last = value
            return 0.0
        change, self._last = value - self._last, value
        if self.samples > self.period + 1:
            self._gain *= self.period - 1
            self._loss *= self.period - 1
        if change < 0:
            self._loss -= change
        else:
            self._gain += change
        if not self.is_ready:
            return 0.0
        self._gain /= self.period
        self._loss /= self.period
        both = self._gain + self._loss
        return 100 * (self._gain - self._loss) / both if both else 0.0


class VariableIndexDynamicAverage(LaterWindowIndicator):
    """Chande's VIDYA: an exponential average paced by the momentum oscillator."""

    SHORT = "VIDYA"

    def _set_up(self, period: Period) -> None:
        super()._set_up(period)
        self._oscillator = ChandeMomentumOscillator(f"{self.name}_CMO", self.period)
        self._average = 0.0

    def _next(self, time: datetime, value: float) -> float:
        self._oscillator.feed(time, value)
        if not self.is_ready:
            self._average = value
            return 0.0
        pace = 2 / (self.period + 1) * abs(self._oscillator.value / 100)
        self._average = value * pace + self._average * (1 - pace)
        return self._average


class McGinleyDynamic(WindowIndicator):
    """Begins as a simple average; then steps by distance over period · ratio⁴."""

    SHORT = "MGD"

    def _over(self, values: deque[float], value: float) -> float:
        if self.samples < self.period:
            return 0.0
        if self.samples == self.period:
            return sum(values) / self.period
        if self.value == 0 or value == 0:
            return self.value
        ratio: float = (value / self.value) ** 4.0
        return self.value + (value - self.value) / (self.period * ratio)


class FractalAdaptiveMovingAverage(BarIndicator):
    """Ehlers' FRAMA: an exponential average paced by the fractal dimension of the range."""

    SHORT = "FRAMA"

    def _set_up(self, n: Period, long_period: Period = 198) -> None:
        if n % 2:
            raise ValueError(f"{self.name}: N must be even, N = {n}")
        self._n = self.period = self.warm_up_period = int(n)
        self._w = log(2 / (1 + long_period))
        self._highs: deque[float] = deque(maxlen=self._n)
        self._lows: deque[float] = deque(maxlen=self._n)

    def _next_bar(self, bar: Any) -> float:
        price: float = (bar.high + bar.low) / 2
        self._highs.append(bar.high)
        self._lows.append(bar.low)
        # One bar later than it is ready, as in LEAN.
        if self.samples <= self._n:
            return price
        alpha = min(max(exp(self._w * (self._dimension() - 1)), 0.01), 1.0)
        return alpha * price + (1 - alpha) * self.value

    def _dimension(self) -> float:
        half = self._n // 2
        highs, lows = list(self._highs), list(self._lows)
        newer = (max(highs[half:]) - min(lows[half:])) / half
        older = (max(highs[:half]) - min(lows[:half])) / half
        whole = (max(highs) - min(lows)) / self._n
        return log((newer + older) / whole) / log(2) if newer + older > 0 and whole > 0 else 0.0

    @property
    def is_ready(self) -> bool:
        return self.samples >= self._n


class MesaAdaptiveMovingAverage(BarIndicator):
    """Ehlers' MAMA and FAMA, paced by the phase of the dominant cycle."""

    SHORT = "MAMA"
    warm_up_period = 33

    def _label(self, values: list[object]) -> str:
        return "MAMA"

    def _set_up(self, fast_limit: float = 0.5, slow_limit: float = 0.05) -> None:
        self._fast, self._slow = float(fast_limit), float(slow_limit)
        self.fama = Identity(f"{self.name}_Fama")
        self._prices: deque[float] = deque(maxlen=4)
        self._smooth = _Past()
        self._detrended = _Past()
        self._in_phase = _Past()
        self._quadrature = _Past()
        self._mama = self._i2 = self._q2 = self._re = self._im = 0.0
        self._cycle = self._phase = 0.0

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.warm_up_period

    def _next_bar(self, bar: Any) -> float:
        price = (bar.high + bar.low) / 2
        self._prices.append(price)
        # LEAN begins with the thirteenth price.
        if self.samples < 13:
            return 0.0
        alpha = self._alpha()
        self._mama = alpha * price + (1 - alpha) * self._mama
        half = 0.5 * alpha
        self.fama.feed(bar.end_time, half * self._mama + (1 - half) * self.fama.value)
        return self._mama if self.is_ready else 0.0

    def _alpha(self) -> float:
        older, old, new, newest = self._prices
        scale = 0.075 * self._cycle + 0.54
        smooth = (4 * newest + 3 * new + 2 * old + older) / 10
        detrended = self._smooth.hilbert(smooth) * scale
        q1 = self._detrended.hilbert(detrended) * scale
        i1 = self._detrended.items[3]
        i2 = i1 - self._quadrature.hilbert(q1) * scale
        q2 = q1 + self._in_phase.hilbert(i1) * scale
        self._turn(0.2 * i2 + 0.8 * self._i2, 0.2 * q2 + 0.8 * self._q2)
        phase = degrees(atan(q1 / i1)) if i1 else 0.0
        moved, self._phase = max(self._phase - phase, 1.0), phase
        return max(self._fast / moved, self._slow)

    def _turn(self, i2: float, q2: float) -> None:
        """Follow the dominant cycle's length by the turn of the phasor."""
        self._re = 0.2 * (i2 * self._i2 + q2 * self._q2) + 0.8 * self._re
        self._im = 0.2 * (i2 * self._q2 - q2 * self._i2) + 0.8 * self._im
        self._i2, self._q2 = i2, q2
        cycle = 0.0
        if self._im and self._re:
            angle = degrees(atan(self._im / self._re))
            cycle = 360 / angle if angle > 0 else 0.0
        cycle = max(min(cycle, 1.5 * self._cycle), 0.67 * self._cycle)
        cycle = min(max(cycle, 6.0), 50.0)
        self._cycle = 0.2 * cycle + 0.8 * self._cycle


class _Past:
    """Seven values, newest first, under Ehlers' truncated Hilbert transform."""

    __slots__ = ("items",)

    def __init__(self) -> None:
        self.items: deque[float] = deque([0.0] * 7, maxlen=7)

    def hilbert(self, value: float) -> float:
        items = self.items
        items.appendleft(value)
        return 0.0962 * value + 0.5769 * items[2] - 0.5769 * items[4] - 0.0962 * items[6]
