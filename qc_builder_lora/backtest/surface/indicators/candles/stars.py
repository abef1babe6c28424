"""Stars: a small candle apart from a long one, and a third that turns back."""

from __future__ import annotations

from typing import Any

from .pattern import (
    BLACK,
    BODY_DOJI,
    BODY_LONG,
    BODY_SHORT,
    WHITE,
    Candle,
    PenetratingPattern,
    gap_down,
    gap_up,
)


class _Star(PenetratingPattern):
    BARS = 3
    MIDDLE: Any = BODY_SHORT
    FIRST = WHITE

    def _found(self) -> int:
        a, b, c = self._last(3)
        if a.color != self.FIRST or c.color != -self.FIRST or not self._apart(a, b, c):
            return 0
        reach = round(a.close - self.FIRST * a.body * self._penetration, 9)
        turned = c.close < reach if self.FIRST == WHITE else c.close > reach
        sized = turned and b.body <= self._size(self.MIDDLE, 1)
        sized = sized and c.body > self._size(BODY_SHORT)
        return c.color if sized and a.body > self._size(BODY_LONG, 2) else 0

    def _apart(self, a: Candle, b: Candle, c: Candle) -> bool:
        return gap_up(b, a) if self.FIRST == WHITE else gap_down(b, a)


class EveningStar(_Star):
    """Long white, small above, black back down."""

    SETTINGS = (BODY_LONG, BODY_SHORT)


class EveningDojiStar(_Star):
    """Long white, doji above, black back down."""

    SETTINGS = (BODY_LONG, BODY_DOJI, BODY_SHORT)
    MIDDLE = BODY_DOJI


class MorningStar(_Star):
    """Long black, small below, white back up."""

    SETTINGS = (BODY_LONG, BODY_SHORT)
    FIRST = BLACK


class MorningDojiStar(_Star):
    """Long black, doji below, white back up."""

    SETTINGS = (BODY_LONG, BODY_DOJI, BODY_SHORT)
    MIDDLE = BODY_DOJI
    FIRST = BLACK


class AbandonedBaby(PenetratingPattern):
    """A doji whose whole range is apart from both neighbours."""

    SETTINGS = (BODY_LONG, BODY_DOJI, BODY_SHORT)
    BARS = 3

    def _found(self) -> int:
        a, b, c = self._last(3)
        if a.color == c.color:
            return 0
        reach = round(a.close - a.color * a.body * self._penetration, 9)
        if a.color == WHITE:
            turned = c.close < reach and b.low > a.high and c.high < b.low
        else:
            turned = c.close > reach and b.high < a.low and c.low > b.high
        sized = turned and b.body <= self._size(BODY_DOJI, 1)
        sized = sized and c.body > self._size(BODY_SHORT)
        return c.color if sized and a.body > self._size(BODY_LONG, 2) else 0
