"""Oscillators of whole bars: where the close lies in the range, and what is built on that."""

from __future__ import annotations

from math import exp, log
from typing import Any

from .arguments import Period
from .averages import ExponentialMovingAverage, SimpleMovingAverage
from .bands import BollingerBands
from .base import IndicatorBase
from .chosen import SIMPLE, average
from .derived import BarIndicator, Derived
from .ranges import AverageTrueRange, true_range
from .statistics import MeanAbsoluteDeviation
from .windowed import Maximum, Minimum, Sum

MovingAverageType = Any


class Stochastic(BarIndicator):
    """Where the close lies in the range of `period` bars, and that smoothed twice."""

    SHORT = "STO"
    SET_UPS = ("_set_up", "_set_up_same")

    def _set_up(self, period: Period, k_period: Period, d_period: Period) -> None:
        self.period = int(period)
        self.warm_up_period = self.period + int(k_period) + int(d_period) - 2
        self._k, self._d = int(k_period), int(d_period)
        self._highest = Maximum(f"{self.name}_Max", self.period)
        self._lowest = Minimum(f"{self.name}_Min", self.period)
        self._sum_fast = Sum(f"{self.name}_SumFastK", self._k)
        self._sum_slow = Sum(f"{self.name}_SumD", self._d)
        self.fast_stoch = Derived(f"{self.name}_FastStoch", self._fast_ready)
        self.stoch_k = Derived(f"{self.name}_StochK", self._k_ready)
        self.stoch_d = Derived(f"{self.name}_StochD", self._d_ready)

    def _set_up_same(self, period: Period) -> None:
        self._set_up(period, period, period)

    def _fast_ready(self) -> bool:
        return self._highest.is_ready

    def _k_ready(self) -> bool:
        return self._sum_fast.is_ready

    def _d_ready(self) -> bool:
        return self._sum_slow.is_ready

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
        # A bar without a range gives 0 and is left out of the sum, as in LEAN.
        if span == 0 or not self._highest.is_ready:
            return 0.0
        fast: float = (bar.close - self._lowest.value) / span
        self._sum_fast.feed(bar.end_time, fast)
        return fast


class WilliamsPercentR(BarIndicator):
    """How far the close lies below the highest high, -100 to 0."""

    SHORT = "WILR"

    def _set_up(self, period: Period) -> None:
        self.period = self.warm_up_period = int(period)
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


class CommodityChannelIndex(BarIndicator):
    """The typical price's distance from its average, in mean deviations over 0.015."""

    SHORT = "CCI"

    def _label(self, values: list[Any]) -> str:
        return super()._label(values[:1])

    def _set_up(self, period: Period, moving_average_type: MovingAverageType = SIMPLE) -> None:
        self.period = self.warm_up_period = int(period)
        self.moving_average_type = moving_average_type
        self.typical_price_average = average(
            moving_average_type, f"{self.name}_TypicalPriceAvg", self.period
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
        # Below a billionth it is rounding of what is nothing in decimals.
        if weighted < 1e-11:
            return 0.0
        return (typical - self.typical_price_average.value) / weighted


class UltimateOscillator(BarIndicator):
    """Buying pressure over the true range, of three lengths."""

    SHORT = "ULTOSC"

    def _set_up(self, period_1: Period, period_2: Period, period_3: Period) -> None:
        periods = (int(period_1), int(period_2), int(period_3))
        self.period = max(periods)
        self.warm_up_period = self.period + 1
        self._pressures = [Sum(f"{self.name}_BP{n}", p) for n, p in enumerate(periods, 1)]
        self._ranges = [Sum(f"{self.name}_TR{n}", p) for n, p in enumerate(periods, 1)]
        self._bar: Any = None

    @property
    def is_ready(self) -> bool:
        return self.samples > self.period

    def _next_bar(self, bar: Any) -> float:
        before, self._bar = self._bar, bar
        if before is None:
            return 50.0
        pressure, span = bar.close - min(bar.low, before.close), true_range(before, bar)
        total = 0.0
        for weight, bought, ranged in zip((4, 2, 1), self._pressures, self._ranges, strict=True):
            bought.feed(bar.end_time, pressure)
            ranged.feed(bar.end_time, span)
            if self.is_ready:
                total += weight * bought.value / ranged.value
        return 100 * total / 7 if self.is_ready else 50.0


class AwesomeOscillator(BarIndicator):
    """A fast average of the bars' middles less a slow one."""

    SHORT = "AO"

    def _set_up(
        self,
        fast_period: Period,
        slow_period: Period,
        type: MovingAverageType = SIMPLE,  # noqa: A002
    ) -> None:
        self.slow_ao = average(type, f"{self.name}_Slow", slow_period)
        self.fast_ao = average(type, f"{self.name}_Fast", fast_period)
        self.warm_up_period = max(int(slow_period), int(fast_period))

    @property
    def is_ready(self) -> bool:
        return self.slow_ao.is_ready and self.fast_ao.is_ready

    def _next_bar(self, bar: Any) -> float:
        middle = (bar.high + bar.low) / 2
        self.slow_ao.feed(bar.end_time, middle)
        self.fast_ao.feed(bar.end_time, middle)
        return self.fast_ao.value - self.slow_ao.value if self.is_ready else 0.0


class RelativeVigorIndexSignal(IndicatorBase):
    """The last four values, weighted 1, 2, 2, 1."""

    warm_up_period = 3

    def _set_up(self) -> None:
        self._past: list[float] = []

    @property
    def is_ready(self) -> bool:
        return len(self._past) == 3

    def _next(self, time: Any, value: float) -> float:
        past = self._past
        found = (value + 2 * (past[2] + past[1]) + past[0]) / 6 if len(past) == 3 else 0.0
        self._past = [*past, value][-3:]
        return found


class RelativeVigorIndex(BarIndicator):
    """Smoothed close less open, over smoothed high less low; with its signal."""

    SHORT = "RVI"

    def _label(self, values: list[Any]) -> str:
        return super()._label(values[:1])

    def _set_up(
        self,
        period: Period,
        type: MovingAverageType = SIMPLE,  # noqa: A002
    ) -> None:
        self.warm_up_period = int(period) + 3
        self._closes = average(type, f"{self.name}_closingBand", period)
        self._ranges = average(type, f"{self.name}_rangeBand", period)
        self.signal = RelativeVigorIndexSignal(f"{self.name}_S")
        self._bars: list[Any] = []

    @property
    def is_ready(self) -> bool:
        return self._closes.is_ready and self._ranges.is_ready

    def _next_bar(self, bar: Any) -> float:
        self._bars = [*self._bars, bar][-4:]
        if len(self._bars) < 4:
            return 0.0
        weights = (1, 2, 2, 1)
        closes = sum(w * (b.close - b.open) for w, b in zip(weights, self._bars, strict=True))
        ranges = sum(w * (b.high - b.low) for w, b in zip(weights, self._bars, strict=True))
        self._closes.feed(bar.end_time, closes / 6)
        self._ranges.feed(bar.end_time, ranges / 6)
        if not self.is_ready or self._ranges.value == 0:
            return 0.0
        found = self._closes.value / self._ranges.value
        self.signal.feed(bar.end_time, found)
        return found


class FisherTransform(BarIndicator):
    """Ehlers' transform of the bars' middles to a normal distribution."""

    SHORT = "FISH"

    def _set_up(self, period: Period) -> None:
        self.period = self.warm_up_period = int(period)
        self._highest = Maximum("MedianMax", self.period)
        self._lowest = Minimum("MedianMin", self.period)
        self._smoothed = 0.0

    @property
    def is_ready(self) -> bool:
        return self._highest.is_ready

    def _next_bar(self, bar: Any) -> float:
        price = (bar.low + bar.high) / 2
        self._lowest.feed(bar.end_time, price)
        if not self._highest.feed(bar.end_time, price):
            return 0.0
        low, span = self._lowest.value, self._highest.value - self._lowest.value
        x = 0.33 * 2 * ((price - low) / span - 0.5) + 0.67 * self._smoothed if span else 0.0
        self._smoothed = x
        x = min(max(x, -0.999), 0.999)
        return 0.5 * log((1 + x) / (1 - x)) + 0.5 * self.value


class PremierStochasticOscillator(BarIndicator):
    """A double-smoothed stochastic, bent into -1 to 1."""

    SHORT = "PSO"

    def _set_up(self, period: Period, ema_period: Period) -> None:
        self.warm_up_period = int(period) + 2 * (int(ema_period) - 1)
        self._stochastic = Stochastic(f"{self.name}_STO", period, period, period)
        self._first = ExponentialMovingAverage(f"{self.name}_1", ema_period)
        self._second = ExponentialMovingAverage(f"{self.name}_2", ema_period)

    @property
    def is_ready(self) -> bool:
        return self._second.is_ready

    def _next_bar(self, bar: Any) -> float:
        time = bar.end_time
        self._stochastic.feed_bar(bar)
        if not self._stochastic.fast_stoch.is_ready:
            return 0.0
        if not self._first.feed(time, 0.1 * (self._stochastic.fast_stoch.value - 50)):
            return 0.0
        if not self._second.feed(time, self._first.value):
            return 0.0
        bent = exp(self._second.value)
        return (bent - 1) / (bent + 1)


class DeMarkerIndicator(BarIndicator):
    """Higher highs over higher highs and lower lows, averaged."""

    SHORT = "DEM"

    def _set_up(
        self,
        period: Period,
        type: MovingAverageType = SIMPLE,  # noqa: A002
    ) -> None:
        self.period = self.warm_up_period = int(period)
        self._highs = average(type, f"{self.name}_Max", self.period)
        self._lows = average(type, f"{self.name}_Min", self.period)
        self._bar: Any = None

    @property
    def is_ready(self) -> bool:
        return self._highs.is_ready and self._lows.is_ready

    def _next_bar(self, bar: Any) -> float:
        before, self._bar = self._bar or bar, bar
        self._highs.feed(bar.end_time, max(bar.high - before.high, 0.0))
        self._lows.feed(bar.end_time, max(before.low - bar.low, 0.0))
        both = self._highs.value + self._lows.value
        return self._highs.value / both if self.is_ready and both > 0 else 0.0


class WaveTrendOscillator(BarIndicator):
    """The channel index, smoothed; with its signal."""

    SHORT = "WTO"

    def _set_up(
        self, channel_period: Period, average_period: Period, signal_period: Period
    ) -> None:
        name = self.name
        self.channel_average = ExponentialMovingAverage(f"{name}_ChannelEMA", channel_period)
        self.channel_deviation = ExponentialMovingAverage(
            f"{name}_MeanDeviationEMA", channel_period
        )
        self.channel_index_average = ExponentialMovingAverage(
            f"{name}_ChannelIndexEMA", average_period
        )
        self.signal = SimpleMovingAverage(f"{name}_Signal", signal_period)
        channel, rest = int(channel_period), int(average_period) + int(signal_period)
        self.warm_up_period = 2 * channel + rest - 3

    @property
    def is_ready(self) -> bool:
        return self.signal.is_ready

    def _next_bar(self, bar: Any) -> float:
        time, typical = bar.end_time, (bar.high + bar.low + bar.close) / 3
        if not self.channel_average.feed(time, typical):
            return 0.0
        apart = typical - self.channel_average.value
        if not self.channel_deviation.feed(time, abs(apart)):
            return 0.0
        weighted = 0.015 * self.channel_deviation.value
        if not weighted:
            return self.value
        if self.channel_index_average.feed(time, apart / weighted):
            self.signal.feed(time, self.channel_index_average.value)
        return self.channel_index_average.value


class SqueezeMomentum(BarIndicator):
    """1 while the Bollinger bands lie within Keltner's channel, else -1."""

    SHORT = "SM"

    def _set_up(
        self,
        bollinger_period: Period = 20,
        bollinger_multiplier: float = 2.0,
        keltner_period: Period = 20,
        keltner_multiplier: float = 1.5,
    ) -> None:
        self._bands = BollingerBands(bollinger_period, float(bollinger_multiplier))
        self._atr = AverageTrueRange(keltner_period, SIMPLE)
        self._reach = float(keltner_multiplier)
        self.warm_up_period = self._bands.warm_up_period

    @property
    def is_ready(self) -> bool:
        return self._bands.is_ready and self._atr.is_ready

    def _next_bar(self, bar: Any) -> float:
        self._bands.feed(bar.end_time, bar.close)
        self._atr.feed_bar(bar)
        if not self.is_ready:
            return 0.0
        middle, reach = self._bands.middle_band.value, self._reach * self._atr.value
        above = middle + reach > self._bands.upper_band.value
        return 1.0 if above and middle - reach < self._bands.lower_band.value else -1.0
