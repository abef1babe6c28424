"""Many symbols together: advances and declines, new highs and lows, McClellan, Arms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from ..symbol import ticker_of
from .arguments import Period
from .averages import ExponentialMovingAverage
from .base import IndicatorDataPoint
from .derived import BarIndicator, Derived, TradeBarIndicator
from .windowed import Maximum, Minimum

Asset = Any


class BreadthIndicator(TradeBarIndicator):
    """Bars of many symbols at one moment; each symbol's clock goes forward by itself."""

    def feed_bar(self, bar: Any) -> bool:
        """Take a bar of any symbol."""
        key = ticker_of(bar.symbol)
        before = self._last_bars.get(key)
        if before is not None and (bar is before or bar.end_time < before.end_time):
            return self.is_ready
        self._last_bars[key] = bar
        self.samples += 1
        self._moved(bar.end_time, self._next_bar(bar))
        return self.is_ready

    def _begin(self, name: str) -> None:
        super()._begin(name)
        self._last_bars: dict[str, Any] = {}


class AdvanceDeclineIndicator(BreadthIndicator):
    """Joins what is counted of the symbols that rose with the same of those that fell."""

    warm_up_period = 2

    def _set_up(
        self,
        compute_sub: Callable[[list[Any]], float],
        compute_main: Callable[[float, float], float],
    ) -> None:
        self._count, self._join = compute_sub, compute_main
        self._now: dict[str, Any] = {}
        self._then: dict[str, Any] = {}
        self._time: datetime | None = None

    def add(self, asset: Asset) -> None:
        """Watch one more symbol."""
        self._now.setdefault(ticker_of(asset), None)

    def remove(self, asset: Asset) -> None:
        """Watch it no more."""
        self._now.pop(ticker_of(asset), None)

    def add_stock(self, asset: Asset) -> None:
        self.add(asset)

    def remove_stock(self, asset: Asset) -> None:
        self.remove(asset)

    @property
    def is_ready(self) -> bool:
        return bool(self._then)

    def reset(self) -> None:
        """The watched symbols stay."""
        watched = list(self._now)
        super().reset()
        self._now = dict.fromkeys(watched)

    def _next_bar(self, bar: Any) -> float | None:
        self._take(bar)
        if not self._then or any(item is None for item in self._now.values()):
            return None
        known = [
            (bar, self._then[key]) for key, bar in self._now.items() if self._then.get(key)
        ]  # fmt: skip
        rising = [bar for bar, before in known if bar.close > before.close]
        falling = [bar for bar, before in known if bar.close < before.close]
        return float(self._join(self._count(rising), self._count(falling)))

    def _take(self, bar: Any) -> None:
        key = ticker_of(bar.symbol)
        if bar.end_time == self._time:
            self._then[key] = bar
            return
        if self._time is not None and bar.time > self._time:
            self._then = dict(self._now)
            self._now = dict.fromkeys(self._now)
            self._time = bar.time
        if key in self._now and (self._time is None or bar.time == self._time):
            self._now[key] = bar
            self._time = bar.time


def _ratio(rising: float, falling: float) -> float:
    return rising / falling if falling else rising


def _volume(bars: list[Any]) -> float:
    total: float = sum(bar.volume for bar in bars)
    return total


class AdvanceDeclineDifference(AdvanceDeclineIndicator):
    """How many rose less how many fell."""

    def _label(self, values: list[Any]) -> str:
        return "ADDIFF"

    def _set_up(self) -> None:  # type: ignore[override]
        super()._set_up(len, lambda rising, falling: rising - falling)


class AdvanceDeclineRatio(AdvanceDeclineIndicator):
    """How many rose over how many fell."""

    def _label(self, values: list[Any]) -> str:
        return "A/D Ratio"

    def _set_up(self) -> None:  # type: ignore[override]
        super()._set_up(len, _ratio)


class AdvanceDeclineVolumeRatio(AdvanceDeclineIndicator):
    """The volume of those that rose over that of those that fell."""

    def _label(self, values: list[Any]) -> str:
        return "A/D Volume Rate"

    def _set_up(self) -> None:  # type: ignore[override]
        super()._set_up(_volume, _ratio)


class ArmsIndex(BreadthIndicator):
    """The ratio of the numbers over the ratio of the volumes (TRIN)."""

    warm_up_period = 2

    def _label(self, values: list[Any]) -> str:
        return "TRIN"

    def _set_up(self) -> None:
        self.ad_ratio = AdvanceDeclineRatio(f"{self.name}_A/D Ratio")
        self.adv_ratio = AdvanceDeclineVolumeRatio(f"{self.name}_A/D Volume Ratio")

    @property
    def ADRatio(self) -> AdvanceDeclineRatio:  # noqa: N802
        return self.ad_ratio

    @property
    def ADVRatio(self) -> AdvanceDeclineVolumeRatio:  # noqa: N802
        return self.adv_ratio

    def add(self, asset: Asset) -> None:
        """Watch one more symbol."""
        self.ad_ratio.add(asset)
        self.adv_ratio.add(asset)

    def remove(self, asset: Asset) -> None:
        """Watch it no more."""
        self.ad_ratio.remove(asset)
        self.adv_ratio.remove(asset)

    def add_stock(self, asset: Asset) -> None:
        self.add(asset)

    def remove_stock(self, asset: Asset) -> None:
        self.remove(asset)

    @property
    def is_ready(self) -> bool:
        return self.ad_ratio.is_ready and self.adv_ratio.is_ready

    def _next_bar(self, bar: Any) -> float:
        moves = self.ad_ratio._ib_moves
        self.ad_ratio.feed_bar(bar)
        self.adv_ratio.feed_bar(bar)
        if self.ad_ratio._ib_moves == moves or self.adv_ratio.value == 0:
            return self.value
        return self.ad_ratio.value / self.adv_ratio.value


class McClellanOscillator(BreadthIndicator):
    """A fast average of the difference less a slow one."""

    def _label(self, values: list[Any]) -> str:
        return "McClellanOscillator"

    def _set_up(self, fast_period: Period = 19, slow_period: Period = 39) -> None:
        if fast_period > slow_period:
            raise ValueError("fastPeriod must be less than slowPeriod.")
        self.ad_difference = AdvanceDeclineDifference("ADD")
        self.ema_fast = ExponentialMovingAverage(f"{self.name}_EMAFast", fast_period)
        self.ema_slow = ExponentialMovingAverage(f"{self.name}_EMASlow", slow_period)
        self.warm_up_period = int(slow_period) + 2

    @property
    def ADDifference(self) -> AdvanceDeclineDifference:  # noqa: N802
        return self.ad_difference

    @property
    def EMAFast(self) -> ExponentialMovingAverage:  # noqa: N802
        return self.ema_fast

    @property
    def EMASlow(self) -> ExponentialMovingAverage:  # noqa: N802
        return self.ema_slow

    def add(self, asset: Asset) -> None:
        """Watch one more symbol."""
        self.ad_difference.add(asset)

    def remove(self, asset: Asset) -> None:
        """Watch it no more."""
        self.ad_difference.remove(asset)

    @property
    def is_ready(self) -> bool:
        return self.ema_slow.is_ready

    def _next_bar(self, bar: Any) -> float:
        moves = self.ad_difference._ib_moves
        self.ad_difference.feed_bar(bar)
        if self.ad_difference._ib_moves != moves and self.ad_difference.is_ready:
            self.ema_fast.feed(bar.end_time, self.ad_difference.value)
            self.ema_slow.feed(bar.end_time, self.ad_difference.value)
        return self.ema_fast.value - self.ema_slow.value


class McClellanSummationIndex(BreadthIndicator):
    """The running sum of the oscillator, one value a moment."""

    def _label(self, values: list[Any]) -> str:
        return "McClellanSummationIndex"

    def _set_up(self, fast_period: Period = 19, slow_period: Period = 39) -> None:
        self.mc_clellan_oscillator = McClellanOscillator(
            f"{self.name}_MO", fast_period, slow_period
        )
        self.summation = IndicatorDataPoint()
        self.warm_up_period = self.mc_clellan_oscillator.warm_up_period

    def add(self, asset: Asset) -> None:
        """Watch one more symbol."""
        self.mc_clellan_oscillator.add(asset)

    def remove(self, asset: Asset) -> None:
        """Watch it no more."""
        self.mc_clellan_oscillator.remove(asset)

    @property
    def is_ready(self) -> bool:
        return self.mc_clellan_oscillator.is_ready

    def _next_bar(self, bar: Any) -> float:
        self.mc_clellan_oscillator.feed_bar(bar)
        # The first bar of a moment adds what the moment before came to.
        if bar.end_time > self.summation.time:
            self.summation.time = bar.end_time
            self.summation.value += self.mc_clellan_oscillator.value
        return self.summation.value


class NewHighsNewLows(BarIndicator):
    """How many made a new high against how many made a new low."""

    def __class_getitem__(cls, kind: Any) -> type[NewHighsNewLows]:
        return cls

    def _set_up(self, period: Period) -> None:
        self.period = int(period)
        self.warm_up_period = self.period + 1
        self._now: dict[str, Any] = {}
        self._past: dict[str, tuple[Maximum, Minimum]] = {}
        self._time: datetime | None = None
        self._highs: list[Any] = []
        self._lows: list[Any] = []
        self.difference = Derived(f"{self.name}_Difference", self._full)
        self.ratio = Derived(f"{self.name}_Ratio", self._full)

    def add(self, asset: Asset) -> None:
        """Watch one more symbol."""
        key = ticker_of(asset)
        if key not in self._now:
            self._now[key] = None
            self._past[key] = (Maximum(self.period), Minimum(self.period))

    def remove(self, asset: Asset) -> None:
        """Watch it no more."""
        self._now.pop(ticker_of(asset), None)
        self._past.pop(ticker_of(asset), None)

    def reset(self) -> None:
        """The watched symbols stay."""
        watched = list(self._now)
        super().reset()
        for key in watched:
            self.add(key)

    def _full(self) -> bool:
        past = self._past.values()
        return bool(past) and all(high.is_ready and low.is_ready for high, low in past)

    @property
    def is_ready(self) -> bool:
        return self._full()

    def feed_bar(self, bar: Any) -> bool:
        """Take a bar of any symbol."""
        self.samples += 1
        self._moved(bar.end_time, self._next_bar(bar))
        return self.is_ready

    def _next_bar(self, bar: Any) -> float | None:
        self._take(bar)
        if any(item is None for item in self._now.values()) or not self._full():
            return None
        past = self._past
        bars = self._now.items()
        self._highs = [item for key, item in bars if item.high > past[key][0].value]
        self._lows = [item for key, item in bars if item.low < past[key][1].value]
        high, low = len(self._highs), len(self._lows)
        self.difference.feed(bar.end_time, high - low)
        self.ratio.feed(bar.end_time, high / low if low else high)
        return self.difference.value

    def _take(self, bar: Any) -> None:
        key = ticker_of(bar.symbol)
        if bar.end_time == self._time:
            self._remember(key, bar)
            return
        if self._time is not None and bar.time > self._time:
            for name, item in self._now.items():
                self._remember(name, item)
            self._now = dict.fromkeys(self._now)
            self._time = bar.time
        if key in self._now and (self._time is None or bar.time == self._time):
            self._now[key] = bar
            self._time = bar.time

    def _remember(self, key: str, bar: Any) -> None:
        if bar is not None and key in self._past and self._time is not None:
            high, low = self._past[key]
            high.feed(self._time, bar.high)
            low.feed(self._time, bar.low)


class NewHighsNewLowsVolume(NewHighsNewLows):
    """The volume of the new highs over that of the new lows."""

    def _set_up(self, period: Period) -> None:
        super()._set_up(period)
        self.volume_ratio = Derived(f"{self.name}_VolumeRatio", self._full)

    def _next_bar(self, bar: Any) -> float | None:
        if super()._next_bar(bar) is None:
            return None
        found = _ratio(_volume(self._highs), _volume(self._lows))
        self.volume_ratio.feed(bar.end_time, found)
        return found
