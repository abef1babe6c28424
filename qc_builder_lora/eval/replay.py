"""What a backtest's fills say of the positions that were held: which, how many, how large."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any


@dataclass(frozen=True)
class Fill:
    """So many shares (negative: sold) of a symbol at a price, US dollars."""

    time: str
    symbol: str
    quantity: float
    price: float

    @property
    def day(self) -> str:
        return self.time[:10]


class Replay:
    """Orders as the engine gives them (`BacktestResult.orders`), gone through once."""

    def __init__(self, orders: Sequence[Mapping[str, Any]]) -> None:
        self.fills = sorted(_fills(orders), key=lambda fill: fill.time)
        self.symbols = frozenset(fill.symbol for fill in self.fills)
        self.types = frozenset(str(order.get("type")) for order in orders)
        self._order_days = sorted({str(order.get("time"))[:10] for order in orders})
        self.lowest: tuple[str, str, float] = ("", "", 0.0)
        """Symbol, day and quantity of the position that was furthest below zero."""
        self.most_at_once: tuple[int, str] = (0, "")
        """Most symbols held at the same time, after the fills of that moment; and its day."""
        self._go_through()

    def _go_through(self) -> None:
        held: dict[str, float] = defaultdict(float)
        for number, fill in enumerate(self.fills):
            held[fill.symbol] += fill.quantity
            if held[fill.symbol] < self.lowest[2] - 1e-6:
                self.lowest = (fill.symbol, fill.day, held[fill.symbol])
            # One is sold and another bought at the same moment: neither order is the first.
            last = number + 1 == len(self.fills) or self.fills[number + 1].time != fill.time
            count = sum(abs(quantity) > 1e-6 for quantity in held.values())
            if last and count > self.most_at_once[0]:
                self.most_at_once = (count, fill.day)

    def largest_weight(self, equity: Mapping[str, float]) -> tuple[float, str, str] | None:
        """Largest position after a fill by that day's equity, with its symbol and day."""
        held: dict[str, float] = defaultdict(float)
        found: tuple[float, str, str] | None = None
        for fill in self.fills:
            held[fill.symbol] += fill.quantity
            worth = equity.get(fill.day)
            if not worth or worth <= 0:
                continue
            weight = abs(held[fill.symbol]) * fill.price / worth
            if found is None or weight > found[0]:
                found = (weight, fill.symbol, fill.day)
        return found

    def days_by(self, period: str) -> dict[str, list[str]]:
        """The days on which orders were placed, by the week, month or quarter they are in."""
        found: dict[str, list[str]] = {}
        for day in self._order_days:
            try:
                found.setdefault(_period_of(date.fromisoformat(day), period), []).append(day)
            except ValueError:
                continue
        return found


def _period_of(day: date, period: str) -> str:
    if period == "week":
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02}"
    if period == "quarter":
        return f"{day.year}-Q{(day.month + 2) // 3}"
    return f"{day.year}-{day.month:02}"


def _fills(orders: Iterable[Mapping[str, Any]]) -> Iterable[Fill]:
    for order in orders:
        for fill in order.get("fills") or ():
            if isinstance(fill, Mapping):
                yield Fill(
                    time=str(fill.get("time")),
                    symbol=str(order.get("symbol")),
                    quantity=float(fill.get("quantity") or 0),
                    price=float(fill.get("price") or 0),
                )
