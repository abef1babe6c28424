"""Closed trades out of fills: LEAN's TradeBuilder with fill-to-fill grouping, first in, first out.

That is LEAN's default; grouping flat to flat is not offered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from qc_builder_lora.backtest.simulator.calendar import utc_datetime


@dataclass(frozen=True)
class Trade:
    """One closed trade; money in USD, times in UTC seconds."""

    ticker: str
    entered: int
    entry: float
    long: bool
    quantity: float
    left: int
    exit: float
    fees: float
    worst: float
    """Maximum adverse excursion, at most 0."""
    best: float
    """Maximum favourable excursion."""
    orders: tuple[int, ...]

    @property
    def profit(self) -> float:
        """Without fees, to the cent, as LEAN."""
        change = (self.exit - self.entry) * self.quantity
        return round(change if self.long else -change, 2)

    @property
    def seconds(self) -> int:
        """How long it was open."""
        return self.left - self.entered

    @property
    def given_back(self) -> float:
        """LEAN's end trade drawdown: profit less the best that there was."""
        return self.profit - self.best

    def plain(self) -> dict[str, Any]:
        """As a result's closed trades have it."""
        return {
            "symbol": self.ticker,
            "direction": "long" if self.long else "short",
            "quantity": self.quantity,
            "entry_time": _iso(self.entered),
            "entry_price": self.entry,
            "exit_time": _iso(self.left),
            "exit_price": self.exit,
            "profit": self.profit,
            "fees": self.fees,
            "mae": self.worst,
            "mfe": self.best,
            "duration_s": self.seconds,
            "end_trade_drawdown": round(self.given_back, 2),
            "is_win": self.profit > 0,
            "order_ids": list(self.orders),
        }


@dataclass
class _Entry:
    utc: int
    price: float
    quantity: float
    """Signed, what is still open."""
    fees: float
    orders: tuple[int, ...]


@dataclass
class _Position:
    entries: list[_Entry]
    lowest: float
    highest: float

    def see(self, price: float) -> None:
        """Widen the range of prices that the position has seen."""
        if price > self.highest:
            self.highest = price
        elif price < self.lowest:
            self.lowest = price


@dataclass
class TradeBuilder:
    """Matches every closing fill with the oldest open entries."""

    trades: list[Trade] = field(default_factory=list)
    _open: dict[str, _Position] = field(default_factory=dict)
    _charged: set[int] = field(default_factory=set)

    def see(self, prices: Callable[[str], float]) -> None:
        """Take the present price of everything that is held."""
        for ticker, position in self._open.items():
            position.see(prices(ticker))

    def add(
        self, ticker: str, quantity: float, price: float, fee: float, utc: int, number: int
    ) -> None:
        """Take one fill of an order; its fee is charged to the order's first fill alone."""
        fee = 0.0 if number in self._charged else fee
        self._charged.add(number)
        position = self._open.get(ticker)
        entry = _Entry(utc, price, quantity, fee, (number,))
        if position is None:
            self._open[ticker] = _Position([entry], price, price)
            return
        position.see(price)
        if (position.entries[0].quantity > 0) == (quantity > 0):
            position.entries.append(entry)
            return
        left = self._close(ticker, position, entry)
        if not position.entries:
            del self._open[ticker]
        if left:
            self._open[ticker] = _Position([replace(entry, quantity=left, fees=0.0)], price, price)

    def _close(self, ticker: str, position: _Position, exit_: _Entry) -> float:
        """Match a fill against the open entries; the quantity that is left of it."""
        left, fee = exit_.quantity, exit_.fees
        while position.entries and left:
            entry = position.entries[0]
            closed = min(abs(left), abs(entry.quantity))
            sign = 1.0 if entry.quantity > 0 else -1.0
            self.trades.append(_trade(ticker, position, entry, exit_, closed, entry.fees + fee))
            entry.fees = fee = 0.0
            entry.quantity -= closed * sign
            left += closed * sign
            if entry.quantity == 0:
                position.entries.pop(0)
            else:
                entry.orders = (*entry.orders, *exit_.orders)
        return left

    def split(self, ticker: str, factor: float) -> None:
        """Raw prices: entries are counted in new shares from here on."""
        position = self._open.get(ticker)
        if position is None:
            return
        position.lowest *= factor
        position.highest *= factor
        for entry in position.entries:
            entry.quantity /= factor
            entry.price *= factor


def _trade(
    ticker: str, position: _Position, entry: _Entry, exit_: _Entry, closed: float, fees: float
) -> Trade:
    long = entry.quantity > 0
    worst = position.lowest - entry.price if long else entry.price - position.highest
    best = position.highest - entry.price if long else entry.price - position.lowest
    return Trade(
        ticker, entry.utc, entry.price, long, closed, exit_.utc, exit_.price, fees,
        round(worst * closed, 2), round(best * closed, 2), (*entry.orders, *exit_.orders),
    )  # fmt: skip


def _iso(utc: int) -> str:
    return utc_datetime(utc).isoformat().replace("+00:00", "Z")
