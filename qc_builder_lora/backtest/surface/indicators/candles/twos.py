"""Patterns of two candles."""

from __future__ import annotations

from .pattern import (
    BLACK,
    BODY_DOJI,
    BODY_LONG,
    BODY_SHORT,
    EQUAL,
    NEAR,
    SHADOW_LONG,
    SHADOW_VERY_SHORT,
    WHITE,
    Candle,
    CandlestickPattern,
    PenetratingPattern,
    gap_down,
    gap_up,
)


class _Two(CandlestickPattern):
    BARS = 2

    def _found(self) -> int:
        return self._sign(*self._last(2))

    def _sign(self, old: Candle, new: Candle) -> int:
        raise NotImplementedError

    def _long(self, item: Candle, back: int) -> bool:
        return item.body > self._size(BODY_LONG, back)

    def _level(self, value: float, other: float, back: int = 1) -> bool:
        """Whether two prices are equal, as candles go."""
        return abs(round(value - other, 9)) <= self._size(EQUAL, back)


class Counterattack(_Two):
    """Two long candles of opposite colours that close together."""

    SETTINGS = (EQUAL, BODY_LONG)

    def _sign(self, old: Candle, new: Candle) -> int:
        if old.color == new.color or not self._level(new.close, old.close):
            return 0
        return new.color if self._long(old, 1) and self._long(new, 0) else 0


class DarkCloudCover(PenetratingPattern):
    """A black candle from above a long white one deep into its body."""

    SETTINGS = (BODY_LONG,)
    BARS = 2
    PENETRATION = 0.5

    def _found(self) -> int:
        old, new = self._last(2)
        if old.color != WHITE or new.color != BLACK or new.open <= old.high:
            return 0
        reached = old.open < new.close < round(old.close - old.body * self._penetration, 9)
        return -1 if reached and old.body > self._size(BODY_LONG, 1) else 0


class DojiStar(_Two):
    """A doji that leaves a gap to a long candle."""

    SETTINGS = (BODY_LONG, BODY_DOJI)

    def _sign(self, old: Candle, new: Candle) -> int:
        gap = gap_up(new, old) if old.color == WHITE else gap_down(new, old)
        if not gap or new.body > self._size(BODY_DOJI):
            return 0
        return -old.color if self._long(old, 1) else 0


class Engulfing(CandlestickPattern):
    """A body that holds the one before, of the other colour."""

    BARS = 3

    def _found(self) -> int:
        old, new = self._last(2)
        holds = new.top > old.top and new.bottom < old.bottom
        return new.color if holds and old.color != new.color else 0


class _Hammer(_Two):
    SETTINGS = (BODY_SHORT, SHADOW_LONG, SHADOW_VERY_SHORT, NEAR)

    def _hammer(self, new: Candle) -> bool:
        if new.body >= self._size(BODY_SHORT) or new.lower <= self._size(SHADOW_LONG):
            return False
        return new.upper < self._size(SHADOW_VERY_SHORT)


class Hammer(_Hammer):
    """A short body over a long shadow, near or below the low before."""

    def _sign(self, old: Candle, new: Candle) -> int:
        near = new.bottom <= round(old.low + self._size(NEAR, 1), 9)
        return 1 if near and self._hammer(new) else 0


class HangingMan(_Hammer):
    """A short body over a long shadow, near or above the high before."""

    def _sign(self, old: Candle, new: Candle) -> int:
        near = new.bottom >= round(old.high - self._size(NEAR, 1), 9)
        return -1 if near and self._hammer(new) else 0


class Harami(_Two):
    """A short body within a long one."""

    SETTINGS = (BODY_LONG, BODY_SHORT)
    WITHIN = BODY_SHORT

    def _sign(self, old: Candle, new: Candle) -> int:
        if new.top >= old.top or new.bottom <= old.bottom:
            return 0
        small = new.body <= self._size(self.WITHIN)
        return -old.color if small and self._long(old, 1) else 0


class HaramiCross(Harami):
    """A doji within a long body."""

    SETTINGS = (BODY_LONG, BODY_DOJI)
    WITHIN = BODY_DOJI


class HomingPigeon(_Two):
    """A short black body within a long black one."""

    SETTINGS = (BODY_LONG, BODY_SHORT)

    def _sign(self, old: Candle, new: Candle) -> int:
        if old.color != BLACK or new.color != BLACK:
            return 0
        within = new.open < old.open and new.close > old.close
        small = within and new.body <= self._size(BODY_SHORT)
        return 1 if small and self._long(old, 1) else 0


class _Neck(_Two):
    SETTINGS = (EQUAL, BODY_LONG)

    def _sign(self, old: Candle, new: Candle) -> int:
        if old.color != BLACK or new.color != WHITE or new.open >= old.low:
            return 0
        return -1 if self._closes(old, new) and self._long(old, 1) else 0

    def _closes(self, old: Candle, new: Candle) -> bool:
        raise NotImplementedError


class InNeck(_Neck):
    """A white candle from below that closes just within a long black one."""

    def _closes(self, old: Candle, new: Candle) -> bool:
        return new.close >= old.close and self._level(new.close, old.close)


class OnNeck(_Neck):
    """A white candle from below that closes at the low of a long black one."""

    def _closes(self, old: Candle, new: Candle) -> bool:
        return self._level(new.close, old.low)


class Thrusting(_Neck):
    """A white candle from below that closes within the lower half of a long black one."""

    def _closes(self, old: Candle, new: Candle) -> bool:
        above = new.close > round(old.close + self._size(EQUAL, 1), 9)
        return above and new.close <= round(old.close + old.body * 0.5, 9)


class InvertedHammer(_Two):
    """A short body under a long shadow, with a gap down."""

    SETTINGS = (BODY_SHORT, SHADOW_LONG, SHADOW_VERY_SHORT)

    def _sign(self, old: Candle, new: Candle) -> int:
        return 1 if gap_down(new, old) and self._inverted(new) else 0

    def _inverted(self, new: Candle) -> bool:
        if new.body >= self._size(BODY_SHORT) or new.upper <= self._size(SHADOW_LONG):
            return False
        return new.lower < self._size(SHADOW_VERY_SHORT)


class ShootingStar(InvertedHammer):
    """A short body under a long shadow, with a gap up."""

    def _sign(self, old: Candle, new: Candle) -> int:
        return -1 if gap_up(new, old) and self._inverted(new) else 0


class Kicking(_Two):
    """Two marubozus of opposite colours with a gap between."""

    SETTINGS = (SHADOW_VERY_SHORT, BODY_LONG)

    def _sign(self, old: Candle, new: Candle) -> int:
        gap = new.low > old.high if old.color == BLACK else new.high < old.low
        if old.color == new.color or not gap:
            return 0
        both = self._marubozu(old, 1) and self._marubozu(new, 0)
        return self._winner(old, new) if both else 0

    def _marubozu(self, item: Candle, back: int) -> bool:
        short = max(item.upper, item.lower) < self._size(SHADOW_VERY_SHORT, back)
        return short and self._long(item, back)

    def _winner(self, old: Candle, new: Candle) -> int:
        return new.color


class KickingByLength(Kicking):
    """The same, for the longer of the two."""

    def _winner(self, old: Candle, new: Candle) -> int:
        return new.color if new.body > old.body else old.color


class MatchingLow(_Two):
    """Two black candles that close together."""

    SETTINGS = (EQUAL,)

    def _sign(self, old: Candle, new: Candle) -> int:
        black = old.color == BLACK and new.color == BLACK
        return 1 if black and self._level(new.close, old.close) else 0


class Piercing(_Two):
    """A long white candle from below a long black one into the upper half of its body."""

    SETTINGS = (BODY_LONG,)

    def _sign(self, old: Candle, new: Candle) -> int:
        if old.color != BLACK or new.color != WHITE or new.open >= old.low:
            return 0
        reached = round(old.close + old.body * 0.5, 9) < new.close < old.open
        return 1 if reached and self._long(old, 1) and self._long(new, 0) else 0


class SeparatingLines(_Two):
    """Two candles of opposite colours that open together, the new one a long belt hold."""

    SETTINGS = (SHADOW_VERY_SHORT, BODY_LONG, EQUAL)

    def _sign(self, old: Candle, new: Candle) -> int:
        if old.color == new.color or not self._level(new.open, old.open):
            return 0
        behind = new.lower if new.color == WHITE else new.upper
        short = behind < self._size(SHADOW_VERY_SHORT)
        return new.color if short and self._long(new, 0) else 0
