"""Bars by price or volume instead of time: Renko, range and volume bars, as LEAN builds them.

Prices are rounded to ten digits before they are compared: LEAN's are decimal numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from math import ceil, floor
from typing import Any

from ..alias import both_styles
from ..bars import TradeBar
from ..enums import enum
from .base import ConsolidatorBase

Selector = Callable[[Any], Any]
TICK = 0.01
"""Minimum price variation of a US equity."""


def _exact(value: float) -> float:
    return round(value, 10)


@both_styles
class Brick(TradeBar):
    """A bar of a fixed height; `is_closed` once it is full."""

    __slots__ = ("brick_size", "is_closed")

    def __init__(
        self, symbol: Any, time: datetime, size: float, open_: float, volume: float = 0.0
    ) -> None:
        super().__init__(time, symbol, open_, open_, open_, open_, volume)
        self.end_time = time
        self.brick_size = size
        self.is_closed = False

    @property
    def start(self) -> datetime:
        return self.time

    @property
    def spread(self) -> float:
        return abs(self.close - self.open)

    @property
    def direction(self) -> Any:
        directions = enum("BarDirection")
        if self.open == self.close:
            return directions.NO_DELTA
        return directions.RISING if self.open < self.close else directions.FALLING

    def _move(self, time: datetime, value: float, volume: float, low: float, high: float) -> None:
        """Take a price; the close stays between the two at which the bar is full."""
        if self.is_closed:
            return
        low, high, value = _exact(low), _exact(high), _exact(value)
        self.end_time = time
        self.close = min(high, max(low, value))
        self.volume += volume
        self.is_closed = value <= low or value >= high
        self.high = max(self.high, self.close)
        self.low = min(self.low, self.close)


class RenkoBar(Brick):
    """Full when the close is a brick away from the open."""

    LEAN = "RenkoBar"

    @property
    def type(self) -> Any:
        return enum("RenkoType").CLASSIC

    def update(self, time: datetime, value: float, volume: float) -> None:
        """Take a price."""
        size = self.brick_size
        self._move(time, value, volume, self.open - size, self.open + size)


class RangeBar(Brick):
    """Full when high and low are a range apart."""

    LEAN = "RangeBar"

    @property
    def range_size(self) -> float:
        return self.brick_size

    def update(self, time: datetime, value: float, volume: float) -> None:
        """Take a price."""
        size = self.brick_size
        self._move(time, value, volume, self.high - size, self.low + size)


class VolumeRenkoBar(Brick):
    """Full when its volume is reached."""

    LEAN = "VolumeRenkoBar"

    def update(self, time: datetime, high: float, low: float, close: float, volume: float) -> float:
        """Take prices and a volume; what of the volume is left, negative while there is room."""
        left = self.volume + volume - self.brick_size
        self.volume += volume if left <= 0 else volume - left
        self.end_time = time
        self.close = close
        self.high, self.low = max(self.high, high), min(self.low, low)
        self.is_closed = self.volume >= self.brick_size
        return left

    def rollover(self) -> VolumeRenkoBar:
        """The bar that follows."""
        return VolumeRenkoBar(self.symbol, self.end_time, self.brick_size, self.close)


def _positive(size: Any, owner: str) -> float:
    if isinstance(size, bool) or not hasattr(size, "__float__"):
        raise TypeError(f"No method matches given arguments for {owner}: {size!r}")
    if float(size) <= 0:
        raise ValueError(f"{owner} bar size must be strictly greater than zero")
    return float(size)


class TimelessConsolidator(ConsolidatorBase):
    """Bars that close by what is traded, not by the clock: LEAN's BaseTimelessConsolidator."""

    def __init__(self, selector: Selector | None, volume_selector: Selector | None) -> None:
        super().__init__()
        self._select = selector or (lambda bar: bar.value)
        self._volume = volume_selector or (lambda bar: getattr(bar, "volume", 0.0))
        if selector is not None and volume_selector is None:
            self._volume = lambda bar: 0.0

    def update(self, bar: Any) -> None:
        value, volume = float(self._select(bar)), float(self._volume(bar))
        if self.working_data is not None:
            self._grow(bar.end_time, value, volume)
        if self.working_data is None:
            self.working_data = self._begin(bar, value, volume)

    def _grow(self, time: datetime, value: float, volume: float) -> None:
        self.working_data.update(time, value, volume)
        if self.working_data.is_closed:
            done, self.working_data = self.working_data, None
            self.emit(done)

    def _begin(self, bar: Any, value: float, volume: float) -> Brick:
        raise NotImplementedError


class ClassicRenkoConsolidator(TimelessConsolidator):
    """`ClassicRenkoConsolidator(bar_size, selector, volume_selector, even_bars)`."""

    LEAN = "ClassicRenkoConsolidator"

    def __init__(self, bar_size: Any, *rest: Any, **named: Any) -> None:
        functions = [item for item in rest if callable(item)]
        flags = [item for item in rest if isinstance(item, bool)]
        selector = named.get("selector", functions[0] if functions else None)
        volume = named.get("volume_selector", functions[1] if len(functions) > 1 else None)
        super().__init__(selector, volume)
        self.bar_size = _positive(bar_size, type(self).__name__)
        self._even = bool(named.get("even_bars", flags[0] if flags else True))
        self._last: float | None = None

    def emit(self, bar: Any) -> None:
        # The next brick begins where this one ended.
        self._last = bar.close
        super().emit(bar)

    def _begin(self, bar: Any, value: float, volume: float) -> Brick:
        size = self.bar_size
        opened = value if self._last is None else self._last
        if self._even and self._last is None:
            opened = ceil(_exact(value / size)) * size
        return RenkoBar(bar.symbol, bar.time, size, _exact(opened), volume)


class RangeConsolidator(TimelessConsolidator):
    """`RangeConsolidator(range, selector, volume_selector)`; the range is in ticks."""

    LEAN = "RangeConsolidator"

    def __init__(
        self, range: Any, selector: Any = None, volume_selector: Any = None  # noqa: A002
    ) -> None:  # fmt: skip
        super().__init__(selector, volume_selector)
        self.range = range
        self.range_size = _exact(_positive(range, type(self).__name__) * TICK)
        self._first = True

    def _begin(self, bar: Any, value: float, volume: float) -> Brick:
        if self._first:
            self._first = False
            value = ceil(_exact(value / self.range_size)) * self.range_size
        return RangeBar(bar.symbol, bar.time, self.range_size, _exact(value), volume)

    def _grow(self, time: datetime, value: float, volume: float) -> None:
        bar = self.working_data
        rises = value > bar.high
        bar.update(time, value, volume)
        while bar.is_closed:
            self.emit(bar)
            edge = bar.high + TICK if rises else bar.low - TICK
            bar = RangeBar(bar.symbol, bar.end_time, self.range_size, _exact(edge))
            # The bars between have no volume.
            between = abs(bar.low - value) > self.range_size
            bar.update(time, value, 0.0 if between else volume)
            self.working_data = bar


class ClassicRangeConsolidator(RangeConsolidator):
    """As RangeConsolidator, without the bars between."""

    LEAN = "ClassicRangeConsolidator"

    def _grow(self, time: datetime, value: float, volume: float) -> None:
        TimelessConsolidator._grow(self, time, value, volume)


class VolumeRenkoConsolidator(ConsolidatorBase):
    """Bars of a fixed volume."""

    LEAN = "VolumeRenkoConsolidator"

    def __init__(self, bar_size: Any) -> None:
        super().__init__()
        self.bar_size = _positive(bar_size, type(self).__name__)

    def _volume_of(self, bar: Any) -> float:
        return float(bar.volume)

    def update(self, bar: Any) -> None:
        if not isinstance(bar, TradeBar):
            raise TypeError(f"{type(self).__name__} must be used with TradeBar or Tick data.")
        if self.working_data is None:
            made = VolumeRenkoBar(bar.symbol, bar.time, self.bar_size, bar.open)
            made.high, made.low, made.close = bar.high, bar.low, bar.close
            self.working_data = made
        prices = (bar.end_time, bar.high, bar.low, bar.close)
        left = self.working_data.update(*prices, self._volume_of(bar))
        while left >= 0:
            done = self.working_data
            self.emit(done)
            self.working_data = done.rollover()
            left = self.working_data.update(*prices, left)


class DollarVolumeRenkoConsolidator(VolumeRenkoConsolidator):
    """Bars of a fixed turnover in US dollars."""

    LEAN = "DollarVolumeRenkoConsolidator"

    def _volume_of(self, bar: Any) -> float:
        return float(bar.volume) * float(bar.close)


@both_styles
class WickedRenkoBar(Brick):
    """A brick with its wick."""

    LEAN = "RenkoBar"
    __slots__ = ()

    @property
    def type(self) -> Any:
        return enum("RenkoType").WICKED


class RenkoConsolidator(ConsolidatorBase):
    """Bricks with wicks: a turn needs two bricks."""

    LEAN = "RenkoConsolidator"

    def __init__(self, bar_size: Any) -> None:
        super().__init__()
        self.bar_size = _positive(bar_size, type(self).__name__)
        self._open = self._high = self._low = self._close = 0.0
        self._opened: datetime | None = None
        self._closed = datetime.min
        self._last: Brick | None = None

    def update(self, bar: Any) -> None:
        rate = _exact(float(bar.price))
        self._closed = bar.time
        if self._opened is None:
            self._opened = bar.time
            size = self.bar_size
            steps = floor(_exact(rate / size))
            # LEAN rounds halves to even, as Python does.
            rate = _exact(size * (steps + round(_exact((rate - size * steps) / size))))
            self._open = self._high = self._low = self._close = rate
            return
        self._high, self._low, self._close = max(self._high, rate), min(self._low, rate), rate
        if rate > self._open:
            self._turn_or_go(bar.symbol, 1)
        elif rate < self._open:
            self._turn_or_go(bar.symbol, -1)

    def _turn_or_go(self, symbol: Any, sign: int) -> None:
        last = self._last
        if last is None or (last.close - last.open) * sign > 0:
            self._go(symbol, sign)
            return
        limit = _exact(last.open + sign * self.bar_size)
        if (self._close - limit) * sign > 0:
            self._brick(symbol, last.open, limit, sign)
            self._go(symbol, sign)

    def _go(self, symbol: Any, sign: int) -> None:
        while (self._close - (limit := _exact(self._open + sign * self.bar_size))) * sign > 0:
            self._brick(symbol, self._open, limit, sign)

    def _brick(self, symbol: Any, opened: float, limit: float, sign: int) -> None:
        made = WickedRenkoBar(symbol, self._opened or self._closed, self.bar_size, opened)
        made.end_time, made.close, made.is_closed = self._closed, limit, True
        made.high = limit if sign > 0 else self._high
        made.low = self._low if sign > 0 else limit
        self._last = made
        self.emit(made)
        self._opened, self._open = self._closed, limit
        if sign > 0:
            self._low = limit
        else:
            self._high = limit
