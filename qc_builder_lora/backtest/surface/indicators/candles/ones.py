"""Patterns of one candle."""

from __future__ import annotations

from .pattern import (
    BLACK,
    BODY_DOJI,
    BODY_LONG,
    BODY_SHORT,
    NEAR,
    SHADOW_LONG,
    SHADOW_SHORT,
    SHADOW_VERY_LONG,
    SHADOW_VERY_SHORT,
    WHITE,
    Candle,
    CandlestickPattern,
)


class _One(CandlestickPattern):
    def _found(self) -> int:
        now = self._candles[-1]
        return self._sign(now) if self._is(now) else 0

    def _is(self, now: Candle) -> bool:
        raise NotImplementedError

    def _sign(self, now: Candle) -> int:
        return now.color


class _Doji(_One):
    def _sign(self, now: Candle) -> int:
        return 1


class BeltHold(_One):
    """A long body that begins at its end of the range."""

    SETTINGS = (BODY_LONG, SHADOW_VERY_SHORT)

    def _is(self, now: Candle) -> bool:
        behind = now.lower if now.color == WHITE else now.upper
        return now.body > self._size(BODY_LONG) and behind < self._size(SHADOW_VERY_SHORT)


class ClosingMarubozu(_One):
    """A long body that closes at its end of the range."""

    SETTINGS = (BODY_LONG, SHADOW_VERY_SHORT)

    def _is(self, now: Candle) -> bool:
        ahead = now.lower if now.color == BLACK else now.upper
        return now.body > self._size(BODY_LONG) and ahead < self._size(SHADOW_VERY_SHORT)


class Doji(_Doji):
    """Hardly a body."""

    SETTINGS = (BODY_DOJI,)

    def _is(self, now: Candle) -> bool:
        return now.body <= self._size(BODY_DOJI)


class DragonflyDoji(_Doji):
    """Hardly a body, at the top of the range."""

    SETTINGS = (BODY_DOJI, SHADOW_VERY_SHORT)

    def _is(self, now: Candle) -> bool:
        short = self._size(SHADOW_VERY_SHORT)
        return now.body <= self._size(BODY_DOJI) and now.upper < short < now.lower


class GravestoneDoji(_Doji):
    """Hardly a body, at the bottom of the range."""

    SETTINGS = (BODY_DOJI, SHADOW_VERY_SHORT)

    def _is(self, now: Candle) -> bool:
        short = self._size(SHADOW_VERY_SHORT)
        return now.body <= self._size(BODY_DOJI) and now.lower < short < now.upper


class HighWaveCandle(_One):
    """A short body between very long shadows."""

    SETTINGS = (BODY_SHORT, SHADOW_VERY_LONG)

    def _is(self, now: Candle) -> bool:
        shorter = min(now.upper, now.lower)
        return now.body < self._size(BODY_SHORT) and shorter > self._size(SHADOW_VERY_LONG)


class LongLeggedDoji(_Doji):
    """Hardly a body, and a long shadow."""

    SETTINGS = (BODY_DOJI, SHADOW_LONG)

    def _is(self, now: Candle) -> bool:
        longer = max(now.upper, now.lower)
        return now.body <= self._size(BODY_DOJI) and longer > self._size(SHADOW_LONG)


class LongLineCandle(_One):
    """A long body between short shadows."""

    SETTINGS = (BODY_LONG, SHADOW_SHORT)

    def _is(self, now: Candle) -> bool:
        longer = max(now.upper, now.lower)
        return now.body > self._size(BODY_LONG) and longer < self._size(SHADOW_SHORT)


class Marubozu(_One):
    """A long body with hardly a shadow."""

    SETTINGS = (BODY_LONG, SHADOW_VERY_SHORT)

    def _is(self, now: Candle) -> bool:
        longer = max(now.upper, now.lower)
        return now.body > self._size(BODY_LONG) and longer < self._size(SHADOW_VERY_SHORT)


class RickshawMan(_Doji):
    """Hardly a body, near the middle of long shadows."""

    SETTINGS = (BODY_DOJI, SHADOW_LONG, NEAR)

    def _is(self, now: Candle) -> bool:
        if now.body > self._size(BODY_DOJI):
            return False
        if min(now.upper, now.lower) <= self._size(SHADOW_LONG):
            return False
        middle, near = round(now.low + now.span / 2, 9), self._size(NEAR)
        return now.bottom <= round(middle + near, 9) and now.top >= round(middle - near, 9)


class ShortLineCandle(_One):
    """A short body between short shadows."""

    SETTINGS = (BODY_SHORT, SHADOW_SHORT)

    def _is(self, now: Candle) -> bool:
        longer = max(now.upper, now.lower)
        return now.body < self._size(BODY_SHORT) and longer < self._size(SHADOW_SHORT)


class SpinningTop(_One):
    """A short body between shadows longer than it."""

    SETTINGS = (BODY_SHORT,)

    def _is(self, now: Candle) -> bool:
        return now.body < self._size(BODY_SHORT) and min(now.upper, now.lower) > now.body


class Takuri(_Doji):
    """A dragonfly with a very long shadow below."""

    SETTINGS = (BODY_DOJI, SHADOW_VERY_SHORT, SHADOW_VERY_LONG)

    def _is(self, now: Candle) -> bool:
        if now.body > self._size(BODY_DOJI):
            return False
        below = now.lower > self._size(SHADOW_VERY_LONG)
        return below and now.upper < self._size(SHADOW_VERY_SHORT)
