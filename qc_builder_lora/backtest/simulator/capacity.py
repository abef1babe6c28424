"""How much money a strategy could hold: LEAN's estimate out of the volume its markets trade.

Formulas: CapacityEstimate and SymbolCapacity of LEAN. A security is watched from a fill until the
period of its bars is over; once a week the least liquid one sets the figure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Held = Callable[[], dict[int, float]]
"""USD of each position there is, absolute."""
DAY, HOUR = 86400, 3600
_EFFECT_S = 30 * DAY
"""A security without a position is forgotten so long after its last fill."""
_DOLLARS_A_MINUTE = 6_000_000


@dataclass
class Traded:
    """One bar as the estimate sees it: its length in seconds and what was traded in it."""

    period: int
    close: float
    volume: float


class Market:
    """The volume one security's market traded around our fills."""

    def __init__(self) -> None:
        self.trades = 0
        self.sales = 0.0
        self.filled_at: int | None = None
        self._dollars = 0.0
        self._scale = 0.0
        self._discount = 1.0
        self._stale = False
        self._seen_at: int | None = None
        self._volume_before = 0.0
        self._dollars_a_minute = 0.0

    @property
    def dollars(self) -> float:
        """US dollars a day that this market could take."""
        return self._dollars * self._scale

    def fill(self, utc: int, price: float, quantity: float) -> None:
        """Take one fill of ours; fast trading counts less volume."""
        self.sales += price * abs(quantity)
        before = utc - DAY if self.filled_at is None else self.filled_at
        share = 2 * ((utc - before) / 60) / 390
        self._discount = 1.0 if share > 1 else max(0.2, share)
        if self._stale:
            self._dollars, self.trades, self._stale = 0.0, 0, False
        self.trades += 1
        self.filled_at = utc

    def trade(self, utc: int, bar: Traded) -> bool:
        """Take the market's bar of this moment; whether it has been watched long enough."""
        if not bar.volume:
            return False
        minutes = 0.0 if self._seen_at is None else (utc - self._seen_at) / 60
        if minutes == 0:
            self._dollars_a_minute = bar.close * bar.volume
        else:
            self._dollars_a_minute = bar.close * (bar.volume + self._volume_before) / minutes
        self._seen_at, self._volume_before = utc, bar.volume
        if not self._counts(utc, bar.period):
            return True
        self._scale = _scale(bar.period)
        self._dollars += bar.close * self._discount * bar.volume
        return False

    def _counts(self, utc: int, period: int) -> bool:
        filled = self.filled_at or 0
        if period >= DAY:
            return utc == filled or utc // DAY * DAY == _up(filled, DAY)
        if period >= HOUR:
            return utc == _up(filled, HOUR)
        dollars = _DOLLARS_A_MINUTE if period >= 60 else _DOLLARS_A_MINUTE // 60
        least = 1 if period >= 60 else 5
        # A quotient of integers in LEAN as well: the dollars of a minute over those traded.
        ratio = dollars / self._dollars_a_minute if self._dollars_a_minute else 10.0
        minutes = 120 if ratio > 120 else int(max(least, ratio))
        return utc <= filled + minutes * 60

    def reset(self) -> None:
        """Begin the next week; the volume stands until the next fill."""
        self._stale = True
        self.sales = 0.0


def _up(utc: int, step: int) -> int:
    return -(-utc // step) * step


def _scale(period: int) -> float:
    if period >= DAY:
        return 0.02
    if period >= HOUR:
        return 0.05
    return 0.2 if period >= 60 else 0.5


class Capacity:
    """The estimate over all securities; they go by their number."""

    def __init__(self) -> None:
        self._markets: dict[int, Market] = {}
        self._watched: list[int] = []
        self._next = 0
        self._period = DAY
        self._value = 0.0
        self.lowest: int | None = None
        """The security that set the figure last."""

    @property
    def value(self) -> float:
        """US dollars, to the thousand."""
        return float(int(self._value / 1000 + 0.5) * 1000)

    def begin(self, start: int, end: int) -> None:
        """Days since 1970 of the first and the last day."""
        # LEAN's end lies a tick before midnight, so a period of whole days ends a tick early too.
        days = max(min(end - start, 7), 1)
        self._period = days * DAY
        self._next = start * DAY + self._period

    def fill(self, number: int, utc: int, price: float, quantity: float) -> None:
        """Take one fill."""
        self._markets.setdefault(number, Market()).fill(utc, price, quantity)
        if number not in self._watched:
            self._watched.append(number)

    def due(self, utc: int) -> bool:
        """Whether `step` has anything to do; it is called at every moment."""
        return bool(self._watched) or (bool(self._markets) and utc // DAY * DAY >= self._next)

    def step(
        self, utc: int, bars: dict[int, Traded], held: Held, value: float, *, last: bool = False
    ) -> None:
        """Close a moment: bars that ended in it, the positions, the portfolio's value."""
        for number in reversed(self._watched[:]):
            bar = bars.get(number)
            if bar is not None and self._markets[number].trade(utc, bar):
                self._watched.remove(number)
        self.look(utc, held, value, last=last)

    def look(self, utc: int, held: Held, value: float, *, last: bool = False) -> None:
        """Take the week's figure where one is due."""
        day = utc // DAY * DAY
        if self._markets and value and (last or day >= self._next):
            positions = held()
            self._measure(positions, value)
            self._forget(utc, positions)
            self._next = day + self._period

    def _measure(self, held: dict[int, float], value: float) -> None:
        sales = sum(market.sales for market in self._markets.values())
        traded = [
            (market.dollars, number)
            for number, market in self._markets.items()
            if market.trades and market.dollars > 0
        ]
        if not traded:
            return
        dollars, number = min(traded, key=lambda pair: pair[0])
        market = self._markets[number]
        self.lowest = number
        share = max(market.sales / sales if sales else 0.0, held.get(number, 0.0) / value)
        found = dollars / market.trades / share if share else self._value
        self._value = 0.33 * found + 0.66 * self._value if self._value else found

    def _forget(self, utc: int, held: dict[int, float]) -> None:
        for number, market in list(self._markets.items()):
            if number in held or utc < (market.filled_at or 0) + _EFFECT_S:
                market.reset()
                continue
            del self._markets[number]
            if number in self._watched:
                self._watched.remove(number)
