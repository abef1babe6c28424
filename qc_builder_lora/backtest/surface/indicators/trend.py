"""Trend and its strength: directional movement, Aroon, vortex, SuperTrend, Ichimoku."""

from __future__ import annotations

from collections import deque
from typing import Any

from .arguments import Period
from .averages import WilderMovingAverage
from .chosen import WILDERS
from .derived import BarIndicator, Derived
from .ranges import AverageTrueRange, true_range
from .windowed import Delay, Maximum, Minimum, Sum

MovingAverageType = Any


class AverageDirectionalIndex(BarIndicator):
    """Strength of a trend, whichever its direction; with +DI and -DI (Wilder)."""

    SHORT = "ADX"

    def _set_up(self, period: Period) -> None:
        self.period = int(period)
        self.warm_up_period = 2 * self.period
        self.positive_directional_index = Derived(f"{self.name}_PDI", self._moving)
        self.negative_directional_index = Derived(f"{self.name}_NDI", self._moving)
        self._average = WilderMovingAverage(f"{self.name}_ADX", self.period)
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


class AverageDirectionalMovementIndexRating(BarIndicator):
    """The mean of the directional index now and period - 1 bars ago."""

    SHORT = "ADXR"

    def _set_up(self, period: Period) -> None:
        self.period = int(period)
        self.warm_up_period = 3 * self.period - 1
        self.adx = AverageDirectionalIndex(f"{self.name}_ADX", self.period)
        self._past: deque[float] = deque(maxlen=self.period)

    @property
    def ADX(self) -> AverageDirectionalIndex:  # noqa: N802
        return self.adx

    @property
    def is_ready(self) -> bool:
        return len(self._past) == self.period

    def _next_bar(self, bar: Any) -> float:
        if self.adx.feed_bar(bar):
            self._past.append(self.adx.value)
        return (self.adx.value + self._past[0]) / 2 if self.is_ready else 50.0


class AroonOscillator(BarIndicator):
    """Aroon up less Aroon down: which of high and low is the fresher."""

    SHORT = "AROON"
    SET_UPS = ("_set_up", "_set_up_same")

    def _set_up(self, up_period: Period, down_period: Period) -> None:
        self.warm_up_period = 1 + max(int(up_period), int(down_period))
        self._up, self._down = int(up_period), int(down_period)
        self._highest = Maximum(f"{self.name}_Max", self._up + 1)
        self._lowest = Minimum(f"{self.name}_Min", self._down + 1)
        self.aroon_up = Derived(f"{self.name}_AroonUp", self._up_ready)
        self.aroon_down = Derived(f"{self.name}_AroonDown", self._down_ready)

    def _set_up_same(self, period: Period) -> None:
        self._set_up(period, period)

    def _up_ready(self) -> bool:
        return self._highest.is_ready

    def _down_ready(self) -> bool:
        return self._lowest.is_ready

    @property
    def is_ready(self) -> bool:
        return self._highest.is_ready and self._lowest.is_ready

    def _next_bar(self, bar: Any) -> float:
        time = bar.end_time
        self._highest.feed(time, bar.high)
        self._lowest.feed(time, bar.low)
        up = 100 * (self._up - self._highest.periods_since_maximum) / self._up
        down = 100 * (self._down - self._lowest.periods_since_minimum) / self._down
        self.aroon_up.feed(time, up)
        self.aroon_down.feed(time, down)
        return up - down


class Vortex(BarIndicator):
    """Upward and downward movement, each over the true range."""

    SHORT = "VTX"

    def _set_up(self, period: Period) -> None:
        self.period = self.warm_up_period = int(period)
        self._ranges = Sum("ATR_Sum", self.period)
        self._plus = Sum("PlusVM_Sum", self.period)
        self._minus = Sum("MinusVM_Sum", self.period)
        self.plus_vortex = Derived("PlusVortex", self._both_ready)
        self.minus_vortex = Derived("MinusVortex", self._both_ready)
        self._bar: Any = None

    def _both_ready(self) -> bool:
        return self._plus.is_ready and self._ranges.is_ready

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.period

    def _next_bar(self, bar: Any) -> float:
        before, self._bar = self._bar, bar
        time = bar.end_time
        self._ranges.feed(time, true_range(before, bar))
        if before is not None:
            self._plus.feed(time, abs(bar.high - before.low))
            self._minus.feed(time, abs(bar.low - before.high))
            if self._ranges.value:
                self.plus_vortex.feed(time, self._plus.value / self._ranges.value)
                self.minus_vortex.feed(time, self._minus.value / self._ranges.value)
        return (self.plus_vortex.value + self.minus_vortex.value) / 2 if self.is_ready else 0.0


class SuperTrend(BarIndicator):
    """A trailing band that changes sides when the close crosses it."""

    SHORT = "SuperTrend"

    def _label(self, values: list[Any]) -> str:
        return super()._label(values[:2])

    def _set_up(
        self, period: Period, multiplier: float, moving_average_type: MovingAverageType = WILDERS
    ) -> None:
        self.period = self.warm_up_period = int(period)
        self._reach = float(multiplier)
        self._atr = AverageTrueRange(f"{self.name}_ATR", self.period, moving_average_type)
        self.basic_upper_band = self.basic_lower_band = 0.0
        self.current_trailing_upper_band = self.current_trailing_lower_band = 0.0
        self._close = self._trend = 0.0
        self._last = -1.0

    @property
    def is_ready(self) -> bool:
        return self._atr.is_ready

    def _next_bar(self, bar: Any) -> float:
        before, self._close = self._close, bar.close
        if not self._atr.feed_bar(bar):
            return 0.0
        reach, middle = self._reach * self._atr.value, (bar.high + bar.low) / 2
        self.basic_lower_band, self.basic_upper_band = middle - reach, middle + reach
        lower, upper = self.current_trailing_lower_band, self.current_trailing_upper_band
        if self.basic_lower_band > lower or before < lower:
            self.current_trailing_lower_band = self.basic_lower_band
        if self.basic_upper_band < upper or before > upper:
            self.current_trailing_upper_band = self.basic_upper_band
        self._turn(bar.close, lower, upper)
        return self._trend

    def _turn(self, close: float, lower: float, upper: float) -> None:
        """Stay on the band of before, or cross to the other."""
        low, high = self.current_trailing_lower_band, self.current_trailing_upper_band
        if self._last in (-1, upper):
            self._trend = high if close <= high else low
        elif self._last == lower:
            self._trend = low if close >= low else high
        self._last = self._trend


class IchimokuKinkoHyo(BarIndicator):
    """The five lines of Ichimoku; the spans are those drawn ahead, so now they are old."""

    SHORT = "ICHIMOKU"

    def _set_up(
        self,
        tenkan_period: Period = 9,
        kijun_period: Period = 26,
        senkou_a_period: Period = 26,
        senkou_b_period: Period = 52,
        senkou_a_delay_period: Period = 26,
        senkou_b_delay_period: Period = 26,
    ) -> None:
        name = self.name
        ahead = max(int(tenkan_period), int(kijun_period)) + int(senkou_a_delay_period)
        self.warm_up_period = max(ahead, int(senkou_b_period) + int(senkou_b_delay_period))
        self.tenkan_maximum = Maximum(f"{name}_TenkanMax", tenkan_period)
        self.tenkan_minimum = Minimum(f"{name}_TenkanMin", tenkan_period)
        self.kijun_maximum = Maximum(f"{name}_KijunMax", kijun_period)
        self.kijun_minimum = Minimum(f"{name}_KijunMin", kijun_period)
        self.senkou_b_maximum = Maximum(f"{name}_SenkouBMaximum", senkou_b_period)
        self.senkou_b_minimum = Minimum(f"{name}_SenkouBMinimum", senkou_b_period)
        self.delayed_tenkan_senkou_a = Delay(f"{name}DelayedTenkan", senkou_a_delay_period)
        self.delayed_kijun_senkou_a = Delay(f"{name}DelayedKijun", senkou_a_delay_period)
        self.delayed_maximum_senkou_b = Delay(f"{name}DelayedMax", senkou_b_delay_period)
        self.delayed_minimum_senkou_b = Delay(f"{name}DelayedMin", senkou_b_delay_period)
        self.chikou = Delay(f"{name}_Chikou", senkou_a_delay_period)
        self.tenkan = _Middle(f"{name}_Tenkan", self.tenkan_maximum, self.tenkan_minimum)
        self.kijun = _Middle(f"{name}_Kijun", self.kijun_maximum, self.kijun_minimum)
        self.senkou_a = _Middle(
            f"{name}_SenkouA", self.delayed_tenkan_senkou_a, self.delayed_kijun_senkou_a
        )
        self.senkou_b = _Middle(
            f"{name}_SenkouB", self.delayed_maximum_senkou_b, self.delayed_minimum_senkou_b
        )

    @property
    def is_ready(self) -> bool:
        lines = (self.tenkan, self.kijun, self.senkou_a, self.senkou_b)
        return all(line.is_ready for line in lines)

    def _next_bar(self, bar: Any) -> float:
        time = bar.end_time
        self.tenkan_maximum.feed(time, bar.high)
        self.tenkan_minimum.feed(time, bar.low)
        if self.tenkan.feed(time, bar.close):
            self.delayed_tenkan_senkou_a.feed(time, self.tenkan.value)
        self.kijun_maximum.feed(time, bar.high)
        self.kijun_minimum.feed(time, bar.low)
        if self.kijun.feed(time, bar.close):
            self.delayed_kijun_senkou_a.feed(time, self.kijun.value)
        self.senkou_a.feed(time, bar.close)
        # Before its parts move, as in LEAN: this span is one bar older than the other.
        self.senkou_b.feed(time, bar.close)
        if self.senkou_b_maximum.feed(time, bar.high):
            self.delayed_maximum_senkou_b.feed(time, self.senkou_b_maximum.value)
        if self.senkou_b_minimum.feed(time, bar.low):
            self.delayed_minimum_senkou_b.feed(time, self.senkou_b_minimum.value)
        self.chikou.feed(time, bar.close)
        close: float = bar.close
        return close


class _Middle(Derived):
    """Half way between two others; 0 until both are ready."""

    def __init__(self, name: str, one: Any, other: Any) -> None:
        super().__init__(name, lambda: one.is_ready and other.is_ready)
        self._sides = (one, other)

    def _next(self, time: Any, value: float) -> float:
        one, other = self._sides
        return float(one.value + other.value) / 2 if self.is_ready else 0.0
