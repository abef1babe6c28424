"""Quote bars: what was bid and asked over a time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from .alias import both_styles
from .enums import enum
from .known import Lean
from .symbol import Symbol, SymbolDict

EPOCH = datetime(1970, 1, 1)


@both_styles
class Bar(Lean):
    """Open, high, low and close of one side."""

    __slots__ = ("close", "high", "low", "open")

    def __init__(
        self, open: float = 0.0, high: float = 0.0, low: float = 0.0, close: float = 0.0  # noqa: A002
    ) -> None:  # fmt: skip
        self.open, self.high, self.low, self.close = open, high, low, close

    def update(self, value: float) -> None:
        """Move on to a price; 0 is none."""
        if not value:
            return
        if not self.open:
            self.open = self.high = self.low = value
        self.high, self.low, self.close = max(self.high, value), min(self.low, value), value

    def __repr__(self) -> str:
        return f"O: {self.open:g} H: {self.high:g} L: {self.low:g} C: {self.close:g}"


@both_styles
class QuoteBar(Lean):
    """Bid and ask; its own prices are the middle, or the one side there is, as in LEAN."""

    __slots__ = (
        "ask",
        "bid",
        "end_time",
        "is_fill_forward",
        "last_ask_size",
        "last_bid_size",
        "symbol",
        "time",
    )

    def __init__(
        self,
        time: datetime = datetime.min,
        symbol: Any = None,
        bid: Bar | None = None,
        last_bid_size: float = 0.0,
        ask: Bar | None = None,
        last_ask_size: float = 0.0,
        period: timedelta | None = None,
    ) -> None:
        self.time = time
        self.symbol = symbol
        self.bid, self.ask = bid, ask
        self.last_bid_size, self.last_ask_size = last_bid_size, last_ask_size
        self.end_time = time + (period or timedelta(minutes=1)) if time != datetime.min else time
        self.is_fill_forward = False

    def update(
        self, last_trade: float, bid_price: float, ask_price: float, volume: float,
        bid_size: float, ask_size: float,
    ) -> None:  # fmt: skip
        """Move on to new quotes; of a trade there is nothing to keep."""
        for name, price, size in (("bid", bid_price, bid_size), ("ask", ask_price, ask_size)):
            side = getattr(self, name)
            if side is None and price:
                side = Bar()
                setattr(self, name, side)
            if side is not None:
                side.update(price)
            if size > 0:
                setattr(self, f"last_{name}_size", size)

    def _middle(self, name: str) -> float:
        sides = [getattr(side, name) for side in (self.bid, self.ask) if side is not None]
        return sum(sides) / len(sides) if sides else 0.0

    @property
    def open(self) -> float:
        return self._middle("open")

    @property
    def high(self) -> float:
        return self._middle("high")

    @property
    def low(self) -> float:
        return self._middle("low")

    @property
    def close(self) -> float:
        return self._middle("close")

    @property
    def value(self) -> float:
        return self.close

    @property
    def price(self) -> float:
        return self.close

    @property
    def period(self) -> timedelta:
        return self.end_time - self.time

    @property
    def data_type(self) -> Any:
        return enum("MarketDataType").QUOTE_BAR

    def __repr__(self) -> str:
        return f"{self.symbol}: Bid: {self.bid!r} Ask: {self.ask!r}"


def make_quote(
    symbol: Symbol, start: datetime, end: datetime, row: list[float], filled: bool
) -> QuoteBar:
    """A quote bar from a row: bid's prices and size, ask's prices and size; 0 is no quote."""
    bar = QuoteBar.__new__(QuoteBar)
    bar.symbol = symbol
    bar.time = start
    bar.end_time = end
    bar.bid = Bar(*row[:4]) if row[3] else None
    bar.last_bid_size = row[4]
    bar.ask = Bar(*row[5:9]) if row[8] else None
    bar.last_ask_size = row[9]
    bar.is_fill_forward = filled
    return bar


def quote_bars(symbol: Symbol, columns: list[list[Any]]) -> list[QuoteBar]:
    """Quote bars out of the columns of a history."""
    return [
        make_quote(
            symbol, EPOCH + timedelta(seconds=start), EPOCH + timedelta(seconds=end), row,
            bool(filled),
        )
        for start, end, filled, *row in zip(*columns, strict=True)
    ]  # fmt: skip


@both_styles
class QuoteBars(SymbolDict):
    """Quote bars by Symbol."""

    LEAN = "QuoteBars"
