"""What all candlestick patterns share: candles, LEAN's settings, averages of the candles before.

Sizes are rounded to nine digits, so that what is equal in LEAN's decimals is equal here.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from ...alias import both_styles
from ...enums import enum
from ...known import Lean
from ..derived import BarIndicator

Type = enum("CandleSettingType")
Range = enum("CandleRangeType")
Color = enum("CandleColor")
WHITE, BLACK = 1, -1


class Candle(NamedTuple):
    """One bar, with the sizes that patterns ask for."""

    open: float
    high: float
    low: float
    close: float
    color: int
    body: float
    span: float
    upper: float
    lower: float
    top: float
    bottom: float


def candle(bar: Any) -> Candle:
    """The candle of a bar."""
    opened, high, low, close = bar.open, bar.high, bar.low, bar.close
    top, bottom = (close, opened) if close >= opened else (opened, close)
    color = WHITE if close >= opened else BLACK
    sizes = (top - bottom, high - low, high - top, bottom - low)
    body, span, upper, lower = (round(size, 9) for size in sizes)
    return Candle(opened, high, low, close, color, body, span, upper, lower, top, bottom)


def gap_up(newer: Candle, older: Candle) -> bool:
    """Whether the bodies leave a gap upwards."""
    return newer.bottom > older.top


def gap_down(newer: Candle, older: Candle) -> bool:
    """Whether the bodies leave a gap downwards."""
    return newer.top < older.bottom


@both_styles
class CandleSetting(Lean):
    """A size of candles: what is measured, over how many of them, times what."""

    def __init__(self, range_type: Any, average_period: int, factor: float) -> None:
        self.range_type = range_type
        self.average_period = int(average_period)
        self.factor = float(factor)


_SETTINGS: dict[int, CandleSetting] = {
    int(kind): CandleSetting(measured, period, factor)
    for kind, measured, period, factor in (
        (Type.BODY_LONG, Range.REAL_BODY, 10, 1.0),
        (Type.BODY_VERY_LONG, Range.REAL_BODY, 10, 3.0),
        (Type.BODY_SHORT, Range.REAL_BODY, 10, 1.0),
        (Type.BODY_DOJI, Range.HIGH_LOW, 10, 0.1),
        (Type.SHADOW_LONG, Range.REAL_BODY, 0, 1.0),
        (Type.SHADOW_VERY_LONG, Range.REAL_BODY, 0, 2.0),
        (Type.SHADOW_SHORT, Range.SHADOWS, 10, 1.0),
        (Type.SHADOW_VERY_SHORT, Range.HIGH_LOW, 10, 0.1),
        (Type.NEAR, Range.HIGH_LOW, 5, 0.2),
        (Type.FAR, Range.HIGH_LOW, 5, 0.6),
        (Type.EQUAL, Range.HIGH_LOW, 5, 0.05),
    )
}
BODY_LONG, BODY_SHORT, BODY_DOJI = Type.BODY_LONG, Type.BODY_SHORT, Type.BODY_DOJI
SHADOW_LONG, SHADOW_VERY_LONG = Type.SHADOW_LONG, Type.SHADOW_VERY_LONG
SHADOW_SHORT, SHADOW_VERY_SHORT = Type.SHADOW_SHORT, Type.SHADOW_VERY_SHORT
NEAR, FAR, EQUAL = Type.NEAR, Type.FAR, Type.EQUAL


@both_styles
class CandleSettings(Lean):
    """The sizes that the patterns made from now on go by."""

    @staticmethod
    def get(type: Any) -> CandleSetting:  # noqa: A002
        return _SETTINGS[int(type)]

    @staticmethod
    def set(type: Any, setting: CandleSetting) -> None:  # noqa: A002
        _SETTINGS[int(type)] = setting


def _measured(item: Candle, kind: Any) -> float:
    if kind == Range.REAL_BODY:
        return item.body
    return item.span if kind == Range.HIGH_LOW else item.upper + item.lower


class CandlestickPattern(BarIndicator):
    """1 where a bullish pattern ends, -1 where a bearish one does, else 0."""

    SETTINGS: tuple[Any, ...] = ()
    BARS = 1
    """How many candles the pattern has; averages look further back."""

    def _label(self, values: list[Any]) -> str:
        return type(self).__name__.upper()

    def _set_up(self) -> None:
        self._sizes = {int(kind): CandleSettings.get(kind) for kind in self.SETTINGS}
        longest = max((size.average_period for size in self._sizes.values()), default=0)
        self.period = self.warm_up_period = longest + self.BARS
        self._candles: deque[Candle] = deque(maxlen=self.period)

    @property
    def is_ready(self) -> bool:
        return self.samples >= self.period

    def _next_bar(self, bar: Any) -> float:
        self._candles.append(candle(bar))
        return float(self._found()) if self.samples >= self.period else 0.0

    def _found(self) -> int:
        raise NotImplementedError

    def _last(self, count: int) -> list[Candle]:
        """The last candles, oldest first."""
        return [self._candles[index] for index in range(-count, 0)]

    def _size(self, kind: Any, back: int = 0) -> float:
        """The size that candles before the one `back` candles ago set."""
        setting = self._sizes[int(kind)]
        count, measured = setting.average_period, setting.range_type
        candles = self._candles
        if count:
            newest = len(candles) - 1 - back
            before = (candles[index] for index in range(newest - count, newest))
            mean = sum(_measured(item, measured) for item in before) / count
        else:
            mean = _measured(candles[-1 - back], measured)
        halved = 2.0 if measured == Range.SHADOWS else 1.0
        return round(setting.factor * mean / halved, 9)


class PenetratingPattern(CandlestickPattern):
    """A pattern in which one candle reaches a share of another's body."""

    PENETRATION = 0.3
    SET_UPS = ("_set_up_plain", "_set_up_penetration")

    def _set_up_plain(self) -> None:
        self._set_up_penetration(self.PENETRATION)

    def _set_up_penetration(self, penetration: float) -> None:
        self._penetration = float(penetration)
        super()._set_up()
