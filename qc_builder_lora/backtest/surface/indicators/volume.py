"""Indicators of volume: on-balance, accumulation, money flow, weighted prices."""

from __future__ import annotations

from collections import deque
from datetime import date, datetime, time
from itertools import pairwise
from typing import Any

from .arguments import Period
from .averages import ExponentialMovingAverage, SimpleMovingAverage
from .base import IndicatorBase
from .chosen import EXPONENTIAL, SIMPLE, average
from .derived import Derived, TradeBarIndicator
from .running import Running
from .windowed import Identity, Sum

MovingAverageType = Any


class OnBalanceVolume(TradeBarIndicator):
    """Volume of rising bars less that of falling ones; begins with the first bar's."""

    SHORT = "OBV"
    warm_up_period = 1

    def _label(self, values: list[Any]) -> str:
        return "OBV"

    def _set_up(self) -> None:
        self._close: float | None = None

    def _next_bar(self, bar: Any) -> float:
        before, self._close = self._close, bar.close
        if before is None:
            first: float = bar.volume
            return first
        moved: float = self.value + ((bar.close > before) - (bar.close < before)) * bar.volume
        return moved


class SmoothedOnBalanceVolume(TradeBarIndicator):
    """An average of the on-balance volume."""

    SHORT = "SOBV"

    def _set_up(self, period: Period, moving_average_type: MovingAverageType = SIMPLE) -> None:
        self.on_balance_volume = OnBalanceVolume(f"{self.name}_OBV")
        self._smoother = average(moving_average_type, f"{self.name}_Smoothed", period)
        self.period = self.warm_up_period = int(period)

    @property
    def is_ready(self) -> bool:
        return self._smoother.is_ready

    def _next_bar(self, bar: Any) -> float:
        self.on_balance_volume.feed_bar(bar)
        self._smoother.feed(bar.end_time, self.on_balance_volume.value)
        return self._smoother.value


def money_flow(bar: Any) -> float:
    """Volume by where the bar closed in its range, -volume to volume."""
    span = bar.high - bar.low
    if span <= 0:
        return 0.0
    found: float = ((bar.close - bar.low) - (bar.high - bar.close)) / span * bar.volume
    return found


class AccumulationDistribution(TradeBarIndicator):
    """The running sum of the money flow."""

    SHORT = "AD"
    warm_up_period = 1

    def _label(self, values: list[Any]) -> str:
        return "AD"

    def _next_bar(self, bar: Any) -> float:
        return self.value + money_flow(bar)


class AccumulationDistributionOscillator(TradeBarIndicator):
    """A fast average of that sum less a slow one."""

    SHORT = "ADOSC"

    def _set_up(self, fast_period: Period, slow_period: Period) -> None:
        self._line = AccumulationDistribution(f"{self.name}_AD")
        self._fast = ExponentialMovingAverage(f"{self.name}_Fast", fast_period)
        self._slow = ExponentialMovingAverage(f"{self.name}_Slow", slow_period)
        self.period = self.warm_up_period = max(int(fast_period), int(slow_period))

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.period

    def _next_bar(self, bar: Any) -> float:
        self._line.feed_bar(bar)
        self._fast.feed(bar.end_time, self._line.value)
        self._slow.feed(bar.end_time, self._line.value)
        return self._fast.value - self._slow.value if self.is_ready else 0.0


class ChaikinOscillator(AccumulationDistributionOscillator):
    """As AccumulationDistributionOscillator."""

    SHORT = "CO"


class ChaikinMoneyFlow(TradeBarIndicator):
    """The money flow of `period` bars over their volume."""

    SHORT = "CMF"

    def _set_up(self, period: Period) -> None:
        self.period = self.warm_up_period = int(period)
        self._flow, self._volume = Running(self.period), Running(self.period)

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.period

    def _next_bar(self, bar: Any) -> float:
        flow, volume = self._flow.add(money_flow(bar)), self._volume.add(bar.volume)
        return flow / volume if self.is_ready and volume else 0.0


class MoneyFlowIndex(TradeBarIndicator):
    """The share of money traded at a rising typical price, in percent."""

    SHORT = "MFI"

    def _set_up(self, period: Period) -> None:
        self.period = self.warm_up_period = int(period)
        self.positive_money_flow = Sum(f"{self.name}_PositiveMoneyFlow", self.period)
        self.negative_money_flow = Sum(f"{self.name}_NegativeMoneyFlow", self.period)
        self.previous_typical_price = 0.0

    @property
    def is_ready(self) -> bool:
        return self.positive_money_flow.is_ready

    def _next_bar(self, bar: Any) -> float:
        # Rounded, so that prices which are equal in LEAN's decimals are equal here.
        typical, before = round((bar.high + bar.low + bar.close) / 3, 9), 0.0
        before, self.previous_typical_price = self.previous_typical_price, typical
        flow = typical * bar.volume
        self.positive_money_flow.feed(bar.end_time, flow if typical > before else 0.0)
        self.negative_money_flow.feed(bar.end_time, flow if typical < before else 0.0)
        both = self.positive_money_flow.value + self.negative_money_flow.value
        return 100 * self.positive_money_flow.value / both if both else 100.0


class ForceIndex(TradeBarIndicator):
    """The change of the close times the volume, smoothed."""

    SHORT = "FI"

    def _label(self, values: list[Any]) -> str:
        return super()._label(values[:1])

    def _set_up(self, period: Period, moving_average_type: MovingAverageType = EXPONENTIAL) -> None:
        self._smoother = average(moving_average_type, f"{self.name}_Smoothed", period)
        self.warm_up_period = int(period) + 1
        self._close = 0.0

    @property
    def is_ready(self) -> bool:
        return self._smoother.is_ready

    def _next_bar(self, bar: Any) -> float:
        before, self._close = self._close, bar.close
        if self.samples < 2:
            return 0.0
        self._smoother.feed(bar.end_time, (bar.close - before) * bar.volume)
        return self._smoother.value


class EaseOfMovementValue(TradeBarIndicator):
    """How far the middle moved for the volume it took."""

    SHORT = "EMV"

    def _set_up(self, period: Period = 1, scale: int = 10000) -> None:
        self.warm_up_period = int(period)
        self._scale = int(scale)
        self._mean = SimpleMovingAverage(f"{self.name}_SMA", period)
        self._high = self._low = 0.0

    @property
    def is_ready(self) -> bool:
        return self._mean.is_ready

    def _next_bar(self, bar: Any) -> float:
        if self._high == 0 and self._low == 0:
            self._high, self._low = bar.high, bar.low
        if bar.volume == 0 or bar.high == bar.low:
            self._mean.feed(bar.end_time, 0.0)
            return self._mean.value
        moved = (bar.high + bar.low) / 2 - (self._high + self._low) / 2
        ratio = bar.volume / self._scale / (bar.high - bar.low)
        self._high, self._low = bar.high, bar.low
        self._mean.feed(bar.end_time, moved / ratio)
        return self._mean.value


class KlingerVolumeOscillator(TradeBarIndicator):
    """Volume force by the trend of the typical price, fast average less slow one."""

    SHORT = "KVO"

    def _set_up(self, fast_period: Period, slow_period: Period, signal_period: Period = 13) -> None:
        self._fast = ExponentialMovingAverage(f"{self.name}_FastEma", fast_period)
        self._slow = ExponentialMovingAverage(f"{self.name}_SlowEma", slow_period)
        self.signal = ExponentialMovingAverage(f"{self.name}_Signal", signal_period)
        self.warm_up_period = max(int(fast_period), int(slow_period), int(signal_period)) + 2
        self._price = self._span = self._cumulated = 0.0
        self._trend = 0

    @property
    def is_ready(self) -> bool:
        return self._fast.is_ready and self._slow.is_ready and self.signal.is_ready

    def _next_bar(self, bar: Any) -> float:
        price = round((bar.high + bar.low + bar.close) / 3, 9)
        span = bar.high - bar.low
        before, self._price = self._price, price
        range_before, self._span = self._span, span
        if self.samples == 1:
            return 0.0
        trend_before, self._trend = self._trend, 1 if price > before else -1
        if trend_before == 0:
            return 0.0
        fresh = self._cumulated == 0 or self._trend != trend_before
        self._cumulated = span + (range_before if fresh else self._cumulated)
        force = self._force(bar.volume, span)
        fast, slow = self._fast.feed(bar.end_time, force), self._slow.feed(bar.end_time, force)
        found = self._fast.value - self._slow.value if fast and slow else 0.0
        self.signal.feed(bar.end_time, found)
        return found

    def _force(self, volume: float, span: float) -> float:
        if self._cumulated == 0:
            return 0.0
        return volume * abs(2 * (span / self._cumulated - 1)) * self._trend * 100


class VolumeWeightedAveragePriceIndicator(TradeBarIndicator):
    """The mean of open, high, low and close over `period` bars, weighted by volume."""

    SHORT = "VWAP"

    def _set_up(self, period: Period) -> None:
        self.period = self.warm_up_period = int(period)
        self.price = Identity(f"{self.name}_Price")
        self.volume = Identity(f"{self.name}_Volume")
        self.vwap = Derived(f"{self.name}_VWAP", self._full)
        self._products, self._volumes = Running(self.period), Running(self.period)

    @property
    def VWAP(self) -> IndicatorBase:  # noqa: N802
        return self.vwap

    def _full(self) -> bool:
        return self._volumes.full

    @property
    def is_ready(self) -> bool:
        return self._full()

    @staticmethod
    def get_time_weighted_average_price(input: Any) -> float:  # noqa: A002
        found: float = (input.open + input.high + input.low + input.close) / 4
        return found

    def _next_bar(self, bar: Any) -> float:
        price, moment = self.get_time_weighted_average_price(bar), bar.end_time
        self.price.feed(moment, price)
        self.volume.feed(moment, bar.volume)
        product, volume = self._products.add(price * bar.volume), self._volumes.add(bar.volume)
        if volume:
            self.vwap.feed(moment, product / volume)
        return self.vwap.value


class VolumeWeightedMovingAverage(TradeBarIndicator):
    """The mean close over `period` bars, weighted by volume."""

    SHORT = "VWMA"

    def _set_up(self, period: Period) -> None:
        self.period = self.warm_up_period = int(period)
        self._products, self._volumes = Running(self.period), Running(self.period)

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.period

    def _next_bar(self, bar: Any) -> float:
        product, volume = self._products.add(bar.close * bar.volume), self._volumes.add(bar.volume)
        return product / volume if volume else self.value


class IntradayVwap(IndicatorBase):
    """The day's volume-weighted price so far, of bars that are not filled forward."""

    def _label(self, values: list[Any]) -> str:
        return "VWAP"

    def _set_up(self) -> None:
        self._day = date.min
        self._volume = self._products = 0.0

    @property
    def is_ready(self) -> bool:
        return self._volume > 0

    def feed_bar(self, bar: Any) -> bool:
        """Take one bar or tick."""
        if bar.end_time < self._ib_latest or bar is self._ib_bar:
            return self.is_ready
        self._ib_latest, self._ib_bar = bar.end_time, bar
        self.samples += 1
        self._moved(bar.end_time, self._of_day(bar))
        return self.is_ready

    def _update(self, item: Any) -> bool:
        return self.feed_bar(item)

    def _of_day(self, bar: Any) -> float | None:
        volume = getattr(bar, "volume", None)
        if volume is None or bar.is_fill_forward:
            return None
        if bar.end_time.date() != self._day:
            self._day = bar.end_time.date()
            self._volume = self._products = 0.0
        self._volume += volume
        self._products += volume * (bar.high + bar.low + bar.close) / 3
        return self._products / self._volume if self._volume else float(bar.value)


class RelativeDailyVolume(TradeBarIndicator):
    """The day's volume so far, over the mean at this time of the last `period` days."""

    SHORT = "RDV"

    def _set_up(self, period: Period = 2) -> None:
        self.period = int(period)
        self.warm_up_period = self.period + 1
        self._past: dict[time, deque[float]] = {}
        self._today: list[tuple[datetime, float]] = []
        self._day = self._days = -1

    @property
    def is_ready(self) -> bool:
        return self._days >= self.period

    def _next_bar(self, bar: Any) -> float:
        if bar.time.day != self._day:
            self._close_day()
            self._day = bar.time.day
            self._days += 1
        self._today.append((bar.time, bar.volume))
        usual = self._usual(bar.time.time()) if self.is_ready else 0.0
        return sum(volume for _, volume in self._today) / usual if usual else 0.0

    def _close_day(self) -> None:
        total = 0.0
        for moment, volume in self._today:
            total += volume
            days = self._past.setdefault(moment.time(), deque(maxlen=self.period))
            days.append(total)
        self._today = []

    def _usual(self, moment: time) -> float:
        """The mean at this time of day; LEAN takes the last time but one where it has none."""
        if moment in self._past:
            return _mean(self._past[moment])
        times, found = sorted(self._past), 0.0
        for before, after in pairwise(times):
            if after > moment:
                found = _mean(self._past[before])
        return found


def _mean(values: deque[float]) -> float:
    return sum(values) / len(values)
