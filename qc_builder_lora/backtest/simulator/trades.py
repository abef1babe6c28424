"""Closed trades out of fills: LEAN's TradeBuilder with fill-to-fill grouping, first in, first out.

That is LEAN's default; grouping flat to flat is not offered.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from qc_builder_lora.backtest.simulator.calendar import utc_datetime


@dataclass
class _Entry:
    utc: int
    price: float
    quantity: float
    fees: float


@dataclass
class TradeBuilder:
    """Matches every closing fill with the oldest open entries."""

    trades: list[dict[str, Any]] = field(default_factory=list)
    _open: dict[str, deque[_Entry]] = field(default_factory=dict)

    def add(self, ticker: str, quantity: float, price: float, fee: float, utc: int) -> None:
        """Take one fill; `fee` is charged to the first trade it closes."""
        entries = self._open.setdefault(ticker, deque())
        left = quantity
        while entries and left and (entries[0].quantity > 0) != (left > 0):
            left, fee = self._match(ticker, entries, left, price, fee, utc)
        if left:
            entries.append(_Entry(utc, price, left, fee))

    def _match(
        self, ticker: str, entries: deque[_Entry], left: float, price: float, fee: float, utc: int
    ) -> tuple[float, float]:
        entry = entries[0]
        closed = min(abs(left), abs(entry.quantity))
        sign = 1.0 if entry.quantity > 0 else -1.0
        self.trades.append(
            {
                "symbol": ticker,
                "direction": "long" if sign > 0 else "short",
                "quantity": closed,
                "entry_time": _iso(entry.utc),
                "entry_price": entry.price,
                "exit_time": _iso(utc),
                "exit_price": price,
                "profit": round((price - entry.price) * closed * sign, 2),
                "fees": entry.fees + fee,
            }
        )
        entry.fees = 0.0
        entry.quantity -= closed * sign
        if entry.quantity == 0:
            entries.popleft()
        return left + closed * sign, 0.0

    def split(self, ticker: str, factor: float) -> None:
        """Raw prices: entries are counted in new shares from here on."""
        for entry in self._open.get(ticker, ()):
            entry.quantity /= factor
            entry.price *= factor


def _iso(utc: int) -> str:
    return utc_datetime(utc).isoformat().replace("+00:00", "Z")
