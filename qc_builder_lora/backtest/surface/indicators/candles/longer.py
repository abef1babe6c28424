"""Patterns of four and five candles, and the two Hikkakes."""

from __future__ import annotations

from .pattern import (
    BLACK,
    BODY_LONG,
    BODY_SHORT,
    NEAR,
    SHADOW_VERY_SHORT,
    WHITE,
    Candle,
    CandlestickPattern,
    PenetratingPattern,
    gap_down,
    gap_up,
)


class ThreeBlackCrows(CandlestickPattern):
    """Three black candles that fall with hardly a shadow, after a white one."""

    SETTINGS = (SHADOW_VERY_SHORT,)
    BARS = 4

    def _found(self) -> int:
        first, a, b, c = self._last(4)
        if (first.color, a.color, b.color, c.color) != (WHITE, BLACK, BLACK, BLACK):
            return 0
        if not (a.close < b.open < a.open and b.close < c.open < b.open):
            return 0
        if not first.high > a.close > b.close > c.close:
            return 0
        pairs = ((a, 2), (b, 1), (c, 0))
        short = all(item.lower < self._size(SHADOW_VERY_SHORT, back) for item, back in pairs)
        return -1 if short else 0


class ThreeLineStrike(CandlestickPattern):
    """Three candles one way, and a fourth that takes it all back."""

    SETTINGS = (NEAR,)
    BARS = 4

    def _found(self) -> int:
        a, b, c, last = self._last(4)
        if not a.color == b.color == c.color == -last.color:
            return 0
        if not (self._opens_near(b, a, 3) and self._opens_near(c, b, 2)):
            return 0
        if c.color == WHITE:
            struck = a.close < b.close < c.close < last.open and last.close < a.open
        else:
            struck = a.close > b.close > c.close > last.open and last.close > a.open
        return c.color if struck else 0

    def _opens_near(self, new: Candle, old: Candle, back: int) -> bool:
        near = self._size(NEAR, back)
        return round(old.bottom - near, 9) <= new.open <= round(old.top + near, 9)


class ConcealedBabySwallow(CandlestickPattern):
    """Four black candles: two marubozus, one with a shadow upwards, one that holds it."""

    SETTINGS = (SHADOW_VERY_SHORT,)
    BARS = 4

    def _found(self) -> int:
        a, b, c, last = self._last(4)
        if any(item.color != BLACK for item in (a, b, c, last)) or not gap_down(c, b):
            return 0
        holds = last.high > c.high > b.close and last.low < c.low
        if not holds or c.upper <= self._size(SHADOW_VERY_SHORT, 1):
            return 0
        pairs = ((a, 3), (b, 2))
        return int(
            all(max(i.lower, i.upper) < self._size(SHADOW_VERY_SHORT, back) for i, back in pairs)
        )


class Breakaway(CandlestickPattern):
    """A long candle, a gap, two more the same way, and one back into the gap."""

    SETTINGS = (BODY_LONG,)
    BARS = 5

    def _found(self) -> int:
        a, b, c, d, e = self._last(5)
        if not a.color == b.color == d.color == -e.color:
            return 0
        if a.color == BLACK:
            on = gap_down(b, a) and b.high > c.high > d.high and b.low > c.low > d.low
            back = b.open < e.close < a.close
        else:
            on = gap_up(b, a) and b.high < c.high < d.high and b.low < c.low < d.low
            back = a.close < e.close < b.open
        return e.color if on and back and a.body > self._size(BODY_LONG, 4) else 0


class LadderBottom(CandlestickPattern):
    """Three black candles down, one with a shadow upwards, and a white one above."""

    SETTINGS = (SHADOW_VERY_SHORT,)
    BARS = 5

    def _found(self) -> int:
        a, b, c, d, e = self._last(5)
        if any(item.color != BLACK for item in (a, b, c, d)) or e.color != WHITE:
            return 0
        falls = a.open > b.open > c.open and a.close > b.close > c.close
        rises = e.open > d.open and e.close > d.high
        return 1 if falls and rises and d.upper > self._size(SHADOW_VERY_SHORT, 1) else 0


class MatHold(PenetratingPattern):
    """A long white candle, three small ones that hold its level, and a new high."""

    SETTINGS = (BODY_SHORT, BODY_LONG)
    BARS = 5
    PENETRATION = 0.5

    def _found(self) -> int:
        a, b, c, d, e = self._last(5)
        if (a.color, b.color, e.color) != (WHITE, BLACK, WHITE) or not gap_up(b, a):
            return 0
        floor = round(a.close - a.body * self._penetration, 9)
        if not (floor < c.bottom < a.close and floor < d.bottom < a.close):
            return 0
        if not (c.top < b.open and d.top < c.top):
            return 0
        if not (e.open > d.close and e.close > max(b.high, c.high, d.high)):
            return 0
        small = all(i.body < self._size(BODY_SHORT, n) for i, n in ((b, 3), (c, 2), (d, 1)))
        return 1 if small and a.body > self._size(BODY_LONG, 4) else 0


class RiseFallThreeMethods(CandlestickPattern):
    """A long candle, three small ones back within it, and a long one on."""

    SETTINGS = (BODY_SHORT, BODY_LONG)
    BARS = 5

    def _found(self) -> int:
        a, b, c, d, e = self._last(5)
        if not a.color == e.color == -b.color or not b.color == c.color == d.color:
            return 0
        if any(item.bottom >= a.high or item.top <= a.low for item in (b, c, d)):
            return 0
        way = a.color
        if not way * b.close > way * c.close > way * d.close < way * e.open:
            return 0
        if way * e.close <= way * a.close:
            return 0
        small = all(i.body < self._size(BODY_SHORT, n) for i, n in ((b, 3), (c, 2), (d, 1)))
        long = a.body > self._size(BODY_LONG, 4) and e.body > self._size(BODY_LONG)
        return way if small and long else 0


class Hikkake(CandlestickPattern):
    """An inside bar broken one way (1 or -1), then the other way within three bars (2 or -2)."""

    BARS = 6

    def _set_up(self) -> None:
        super()._set_up()
        self._way = 0
        self._age = 4
        self._level = 0.0

    def _next_bar(self, bar: float) -> float:
        super_value = super()._next_bar(bar)
        # The pattern is looked for some bars before it is told.
        if self.samples < self.period and len(self._candles) >= self._needed():
            self._found()
        return super_value

    def _needed(self) -> int:
        return 3

    def _found(self) -> int:
        self._age += 1
        way = self._broken()
        if way:
            self._way, self._age = way, 0
            inside = self._candles[-2]
            self._level = inside.high if way > 0 else inside.low
            return way
        close = self._candles[-1].close
        confirmed = self._age <= 3 and self._way * close > self._way * self._level
        if self._way and confirmed:
            found, self._way, self._age = 2 * self._way, 0, 4
            return found
        return 0

    def _broken(self) -> int:
        a, b, c = self._last(3)
        if not (b.high < a.high and b.low > a.low):
            return 0
        if c.high < b.high and c.low < b.low:
            return 1
        return -1 if c.high > b.high and c.low > b.low else 0


class HikkakeModified(Hikkake):
    """The same of two inside bars, the first of which closes near its end."""

    SETTINGS = (NEAR,)
    BARS = 6

    def _needed(self) -> int:
        return self._sizes[int(NEAR)].average_period + 3

    def _broken(self) -> int:
        a, b, c, d = self._last(4)
        if not (a.high > b.high > c.high and a.low < b.low < c.low):
            return 0
        near = self._size(NEAR, 2)
        if d.high < c.high and d.low < c.low and b.close <= round(b.low + near, 9):
            return 1
        up = d.high > c.high and d.low > c.low
        return -1 if up and b.close >= round(b.high - near, 9) else 0
