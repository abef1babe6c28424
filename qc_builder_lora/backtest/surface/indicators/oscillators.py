"""Indicators that swing in a range: RSI, MACD, stochastics, CCI, Aroon, Williams %R."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..enums import MovingAverageType
from .averages import average
from .base import IndicatorBase, named, whole
from .derived import BarIndicator, Derived
from .windowed import Maximum, MeanAbsoluteDeviation, Minimum, Sum


class RelativeStrengthIndex(IndicatorBase):
    """Average gain against average loss, 0 to 100."""

    def __init__(self, *args: Any) -> None:
        name, rest = named("", args)
        period, *kind = rest
        self.period = whole(period, "period", "RelativeStrengthIndex")
        super().__init__(name or f"RSI({self.period})")
        self.warm_up_period = self.period + 1
        self.moving_average_type = kind[0] if kind else MovingAverageType.WILDERS
        self.average_gain = average(self.moving_average_type, f"{self.name}Up", self.period)
        self.average_loss = average(self.moving_average_type, f"{self.name}Down", self.period)
        self._last: float | None = None

    @property
    def is_ready(self) -> bool:
        return self.average_gain.is_ready and self.average_loss.is_ready

    def _next(self, time: datetime, value: float) -> float:
        if self._last is not None:
            change = value - self._last
            self.average_gain.feed(time, change if change >= 0 else 0.0)
            self.average_loss.feed(time, -change if change < 0 else 0.0)
        self._last = value
        # Rounded as in LEAN, where 10 digits of nothing count as no loss at all.
        if round(self.average_loss.value, 10) == 0:
            return 100.0
        strength = self.average_gain.value / self.average_loss.value
        return 100 - 100 / (1 + strength)


class MovingAverageConvergenceDivergence(IndicatorBase):
    """A fast average less a slow one, with a signal line and their difference."""

    def __init__(self, *args: Any) -> None:
        name, rest = named("", args)
        fast, slow, signal, *kind = rest
        owner = "MovingAverageConvergenceDivergence"
        fast, slow = whole(fast, "fast period", owner), whole(slow, "slow period", owner)
        signal = whole(signal, "signal period", owner)
        if fast >= slow:
            raise ValueError("fastPeriod must be less than slowPeriod")
        super().__init__(name or f"MACD({fast},{slow},{signal})")
        chosen = kind[0] if kind else MovingAverageType.EXPONENTIAL
        self.fast = average(chosen, f"{self.name}_Fast", fast)
        self.slow = average(chosen, f"{self.name}_Slow", slow)
        self.signal = average(chosen, f"{self.name}_Signal", signal)
        self.histogram = Derived(f"{self.name}_Histogram", lambda: self.signal.is_ready)
        self.warm_up_period = slow + signal - 1

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


class Stochastic(BarIndicator):
    """Where the close lies in the range of `period` bars, and that smoothed twice."""

    def __init__(self, *args: Any) -> None:
        name, rest = named("", args)
        period, k, d = (whole(value, "period", "Stochastic") for value in rest)
        self.period, self._k, self._d = period, k, d
        super().__init__(name or f"STO({period},{k},{d})")
        self.warm_up_period = period + k + d - 2
        self._highest = Maximum(period)
        self._lowest = Minimum(period)
        self._sum_fast = Sum(k)
        self._sum_slow = Sum(d)
        self.fast_stoch = Derived(f"{self.name}_FastStoch", lambda: self._highest.is_ready)
        self.stoch_k = Derived(f"{self.name}_StochK", lambda: self._sum_fast.is_ready)
        self.stoch_d = Derived(f"{self.name}_StochD", lambda: self._sum_slow.is_ready)

    @property
    def is_ready(self) -> bool:
        return self._highest.is_ready and self._sum_fast.is_ready and self._sum_slow.is_ready

    def _next_bar(self, bar: Any) -> float:
        time = bar.end_time
        self._highest.feed(time, bar.high)
        self._lowest.feed(time, bar.low)
        self.fast_stoch.feed(time, 100 * self._fast(bar))
        slow = 0.0
        if self._sum_fast.is_ready:
            slow = self._sum_fast.value / self._k
            self._sum_slow.feed(time, slow)
        self.stoch_k.feed(time, 100 * slow)
        ready = self._sum_slow.is_ready
        self.stoch_d.feed(time, 100 * self._sum_slow.value / self._d if ready else 0.0)
        return self.fast_stoch.value

    def _fast(self, bar: Any) -> float:
        span = self._highest.value - self._lowest.value
        if span == 0 or not self._highest.is_ready:
            return 0.0
        fast: float = (bar.close - self._lowest.value) / span
        self._sum_fast.feed(bar.end_time, fast)
        return fast


class CommodityChannelIndex(BarIndicator):
    """The typical price's distance from its average, in mean deviations over 0.015."""

    def __init__(self, *args: Any) -> None:
        name, rest = named("", args)
        period, *kind = rest
        self.period = whole(period, "period", "CommodityChannelIndex")
        super().__init__(name or f"CCI({self.period})")
        self.warm_up_period = self.period
        self.moving_average_type = kind[0] if kind else MovingAverageType.SIMPLE
        self.typical_price_average = average(
            self.moving_average_type, f"{self.name}_TypicalPriceAvg", self.period
        )
        self.typical_price_mean_deviation = MeanAbsoluteDeviation(
            f"{self.name}_TypicalPriceMAD", self.period
        )

    @property
    def is_ready(self) -> bool:
        return self.typical_price_average.is_ready and self.typical_price_mean_deviation.is_ready

    def _next_bar(self, bar: Any) -> float:
        typical: float = (bar.high + bar.low + bar.close) / 3
        self.typical_price_average.feed(bar.end_time, typical)
        self.typical_price_mean_deviation.feed(bar.end_time, typical)
        weighted = 0.015 * self.typical_price_mean_deviation.value
        average_price = self.typical_price_average.value
        return (typical - average_price) / weighted if weighted else 0.0


class WilliamsPercentR(BarIndicator):
    """How far the close lies below the highest high, -100 to 0."""

    def __init__(self, *args: Any) -> None:
        name, rest = named("", args)
        self.period = whole(rest[0], "period", "WilliamsPercentR")
        super().__init__(name or f"WILR({self.period})")
        self.warm_up_period = self.period
        self.maximum = Maximum(f"{self.name}_Max", self.period)
        self.minimum = Minimum(f"{self.name}_Min", self.period)

    @property
    def is_ready(self) -> bool:
        return self.maximum.is_ready and self.minimum.is_ready

    def _next_bar(self, bar: Any) -> float:
        self.minimum.feed(bar.end_time, bar.low)
        self.maximum.feed(bar.end_time, bar.high)
        span = self.maximum.value - self.minimum.value
        if not self.is_ready or span == 0:
            return 0.0
        below: float = self.maximum.value - bar.close
        return -100 * below / span


class AroonOscillator(BarIndicator):
    """Aroon up less Aroon down: which of high and low is the fresher."""

    def __init__(self, *args: Any) -> None:
        name, rest = named("", args)
        up = whole(rest[0], "up period", "AroonOscillator")
        down = whole(rest[1], "down period", "AroonOscillator") if len(rest) > 1 else up
        super().__init__(name or f"AROON({up},{down})")
        self.warm_up_period = 1 + max(up, down)
        self._up, self._down = up, down
        self._highest = Maximum(up + 1)
        self._lowest = Minimum(down + 1)
        self.aroon_up = Derived(f"{self.name}_AroonUp", lambda: self._highest.is_ready)
        self.aroon_down = Derived(f"{self.name}_AroonDown", lambda: self._lowest.is_ready)

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
