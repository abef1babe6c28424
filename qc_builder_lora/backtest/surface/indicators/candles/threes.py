"""Patterns of three candles that turn or go on in one direction."""

from __future__ import annotations

from .pattern import (
    BLACK,
    BODY_DOJI,
    BODY_LONG,
    BODY_SHORT,
    EQUAL,
    FAR,
    NEAR,
    SHADOW_LONG,
    SHADOW_SHORT,
    SHADOW_VERY_SHORT,
    WHITE,
    Candle,
    CandlestickPattern,
    gap_down,
    gap_up,
)


class _Three(CandlestickPattern):
    BARS = 3

    def _found(self) -> int:
        return self._sign(*self._last(3))

    def _sign(self, a: Candle, b: Candle, c: Candle) -> int:
        raise NotImplementedError

    def _long(self, item: Candle, back: int) -> bool:
        return item.body > self._size(BODY_LONG, back)

    def _opens_near(self, new: Candle, old: Candle, back: int) -> bool:
        """Above the last open and not far above the last close."""
        return old.open < new.open <= round(old.close + self._size(NEAR, back), 9)


def _colors(*candles: Candle) -> tuple[int, ...]:
    return tuple(item.color for item in candles)


ALL_WHITE, ALL_BLACK = (WHITE,) * 3, (BLACK,) * 3


class TwoCrows(_Three):
    """Two black candles over a long white one, the second into its body."""

    SETTINGS = (BODY_LONG,)

    def _sign(self, a: Candle, b: Candle, c: Candle) -> int:
        if _colors(a, b, c) != (WHITE, BLACK, BLACK) or not gap_up(b, a):
            return 0
        falls = b.close < c.open < b.open and a.open < c.close < a.close
        return -1 if falls and self._long(a, 2) else 0


class UpsideGapTwoCrows(_Three):
    """Two black candles over a long white one, the second holding the first."""

    SETTINGS = (BODY_LONG, BODY_SHORT)

    def _sign(self, a: Candle, b: Candle, c: Candle) -> int:
        if _colors(a, b, c) != (WHITE, BLACK, BLACK) or not gap_up(b, a):
            return 0
        holds = c.open > b.open and a.close < c.close < b.close
        small = holds and b.body <= self._size(BODY_SHORT, 1)
        return -1 if small and self._long(a, 2) else 0


class ThreeInside(_Three):
    """A harami, and a candle that confirms it."""

    SETTINGS = (BODY_LONG, BODY_SHORT)

    def _sign(self, a: Candle, b: Candle, c: Candle) -> int:
        if b.top >= a.top or b.bottom <= a.bottom or a.color == c.color:
            return 0
        beyond = c.close < a.open if a.color == WHITE else c.close > a.open
        small = beyond and b.body <= self._size(BODY_SHORT, 1)
        return -a.color if small and self._long(a, 2) else 0


class ThreeOutside(CandlestickPattern):
    """An engulfing, and a candle that confirms it."""

    BARS = 3

    def _found(self) -> int:
        a, b, c = self._last(3)
        holds = b.top > a.top and b.bottom < a.bottom and a.color != b.color
        further = c.close > b.close if b.color == WHITE else c.close < b.close
        return b.color if holds and further else 0


class ThreeStarsInSouth(_Three):
    """Three black candles, each smaller and higher in its low."""

    SETTINGS = (BODY_LONG, SHADOW_LONG, SHADOW_VERY_SHORT, BODY_SHORT)

    def _sign(self, a: Candle, b: Candle, c: Candle) -> int:
        if _colors(a, b, c) != ALL_BLACK or b.body >= a.body:
            return 0
        if not (a.close < b.open <= a.high and a.low <= b.low < a.close):
            return 0
        if not (c.low > b.low and c.high < b.high):
            return 0
        last = self._size(SHADOW_VERY_SHORT)
        small = c.body < self._size(BODY_SHORT) and max(c.upper, c.lower) < last
        shadows = a.lower > self._size(SHADOW_LONG, 2)
        shadows = shadows and b.lower > self._size(SHADOW_VERY_SHORT, 1)
        return 1 if small and shadows and self._long(a, 2) else 0


class ThreeWhiteSoldiers(_Three):
    """Three white candles that rise evenly, with hardly a shadow above."""

    SETTINGS = (SHADOW_VERY_SHORT, BODY_SHORT, FAR, NEAR)

    def _sign(self, a: Candle, b: Candle, c: Candle) -> int:
        if _colors(a, b, c) != ALL_WHITE or not a.close < b.close < c.close:
            return 0
        if not (self._opens_near(b, a, 2) and self._opens_near(c, b, 1)):
            return 0
        if any(
            item.upper >= self._size(SHADOW_VERY_SHORT, back)
            for item, back in ((a, 2), (b, 1), (c, 0))
        ):
            return 0
        even = b.body > round(a.body - self._size(FAR, 2), 9)
        even = even and c.body > round(b.body - self._size(FAR, 1), 9)
        return 1 if even and c.body > self._size(BODY_SHORT) else 0


class AdvanceBlock(_Three):
    """Three white candles that rise more and more weakly."""

    SETTINGS = (SHADOW_SHORT, SHADOW_LONG, NEAR, FAR, BODY_LONG)

    def _sign(self, a: Candle, b: Candle, c: Candle) -> int:
        if _colors(a, b, c) != ALL_WHITE or not a.close < b.close < c.close:
            return 0
        if not (self._opens_near(b, a, 2) and self._opens_near(c, b, 1)):
            return 0
        begins = self._long(a, 2) and a.upper < self._size(SHADOW_SHORT, 2)
        return -1 if begins and self._weakens(a, b, c) else 0

    def _weakens(self, a: Candle, b: Candle, c: Candle) -> bool:
        if b.body < round(a.body - self._size(FAR, 2), 9) and c.body < round(
            b.body + self._size(NEAR, 1), 9
        ):
            return True
        if c.body < round(b.body - self._size(FAR, 1), 9):
            return True
        smaller = c.body < b.body < a.body
        if smaller and (
            c.upper > self._size(SHADOW_SHORT) or b.upper > self._size(SHADOW_SHORT, 1)
        ):
            return True
        return c.body < b.body and c.upper > self._size(SHADOW_LONG)


class StalledPattern(_Three):
    """Two long white candles, and a small one at or above the second's close."""

    SETTINGS = (BODY_LONG, BODY_SHORT, SHADOW_VERY_SHORT, NEAR)

    def _sign(self, a: Candle, b: Candle, c: Candle) -> int:
        if _colors(a, b, c) != ALL_WHITE or not a.close < b.close < c.close:
            return 0
        if not self._opens_near(b, a, 2) or c.body >= self._size(BODY_SHORT):
            return 0
        if c.open < round(b.close - c.body - self._size(NEAR, 1), 9):
            return 0
        short = b.upper < self._size(SHADOW_VERY_SHORT, 1)
        return -1 if short and self._long(a, 2) and self._long(b, 1) else 0


class GapSideBySideWhite(_Three):
    """Two like white candles side by side, after a gap."""

    SETTINGS = (NEAR, EQUAL)

    def _sign(self, a: Candle, b: Candle, c: Candle) -> int:
        up = gap_up(b, a) and gap_up(c, a)
        down = gap_down(b, a) and gap_down(c, a)
        if not (up or down) or _colors(b, c) != (WHITE, WHITE):
            return 0
        like = abs(round(c.body - b.body, 9)) <= self._size(NEAR, 1)
        level = abs(round(c.open - b.open, 9)) <= self._size(EQUAL, 1)
        return (1 if up else -1) if like and level else 0


class IdenticalThreeCrows(_Three):
    """Three black candles, each opening where the one before closed."""

    SETTINGS = (SHADOW_VERY_SHORT, EQUAL)

    def _sign(self, a: Candle, b: Candle, c: Candle) -> int:
        if _colors(a, b, c) != ALL_BLACK or not a.close > b.close > c.close:
            return 0
        level = abs(round(b.open - a.close, 9)) <= self._size(EQUAL, 2)
        if not level or abs(round(c.open - b.close, 9)) > self._size(EQUAL, 1):
            return 0
        pairs = ((a, 2), (b, 1), (c, 0))
        short = all(item.lower < self._size(SHADOW_VERY_SHORT, back) for item, back in pairs)
        return -1 if short else 0


class StickSandwich(_Three):
    """A white candle between two black ones that close together."""

    SETTINGS = (EQUAL,)

    def _sign(self, a: Candle, b: Candle, c: Candle) -> int:
        if _colors(a, b, c) != (BLACK, WHITE, BLACK) or b.low <= a.close:
            return 0
        return 1 if abs(round(c.close - a.close, 9)) <= self._size(EQUAL, 2) else 0


class TasukiGap(_Three):
    """A gap, and a candle of the other colour that does not close it."""

    SETTINGS = (NEAR,)

    def _sign(self, a: Candle, b: Candle, c: Candle) -> int:
        if b.color == c.color or not b.bottom < c.open < b.top:
            return 0
        if b.color == WHITE:
            fills = gap_up(b, a) and a.top < c.close < b.open
        else:
            fills = gap_down(b, a) and b.open < c.close < a.bottom
        like = fills and abs(round(b.body - c.body, 9)) < self._size(NEAR, 1)
        return b.color if like else 0


class Tristar(_Three):
    """Three dojis, the middle one apart."""

    SETTINGS = (BODY_DOJI,)

    def _sign(self, a: Candle, b: Candle, c: Candle) -> int:
        # One size for all three, as in TA-Lib and LEAN.
        if max(a.body, b.body, c.body) > self._size(BODY_DOJI, 2):
            return 0
        if gap_up(b, a) and c.top < b.top:
            return -1
        return 1 if gap_down(b, a) and c.bottom > b.bottom else 0


class UniqueThreeRiver(_Three):
    """A long black candle, a black hammer within it, a small white one below."""

    SETTINGS = (BODY_LONG, BODY_SHORT)

    def _sign(self, a: Candle, b: Candle, c: Candle) -> int:
        if _colors(a, b, c) != (BLACK, BLACK, WHITE) or c.open <= b.low:
            return 0
        within = b.close > a.close and b.open <= a.open and b.low < a.low
        small = within and c.body < self._size(BODY_SHORT)
        return 1 if small and self._long(a, 2) else 0


class UpDownGapThreeMethods(_Three):
    """A gap between two candles of a colour, closed by one of the other."""

    def _sign(self, a: Candle, b: Candle, c: Candle) -> int:
        if a.color != b.color or b.color == c.color:
            return 0
        gap = gap_up(b, a) if a.color == WHITE else gap_down(b, a)
        closes = b.bottom < c.open < b.top and a.bottom < c.close < a.top
        return a.color if gap and closes else 0
