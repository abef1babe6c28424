"""What a strategy receives: bars, corporate actions and the slice that carries them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from .alias import both_styles
from .enums import enum
from .known import Lean, missing, not_modelled
from .symbol import Symbol, SymbolDict, ticker_of

EPOCH = datetime(1970, 1, 1)


@both_styles
class TradeBar(Lean):
    """One bar; times are local to the exchange, prices in US dollars."""

    __slots__ = (
        "close",
        "end_time",
        "high",
        "is_fill_forward",
        "low",
        "open",
        "symbol",
        "time",
        "volume",
    )

    def __init__(
        self,
        time: datetime = datetime.min,
        symbol: Any = None,
        open: float = 0.0,  # noqa: A002
        high: float = 0.0,
        low: float = 0.0,
        close: float = 0.0,
        volume: float = 0.0,
        period: timedelta | None = None,
    ) -> None:
        self.time = time
        self.symbol = symbol
        self.open = open
        self.high = high
        self.low = low
        self.close = close
        self.volume = volume
        self.end_time = time + (period or timedelta(days=1)) if time != datetime.min else time
        self.is_fill_forward = False

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
        return enum("MarketDataType").TRADE_BAR

    def __repr__(self) -> str:
        return (
            f"{self.symbol}: O: {self.open:g} H: {self.high:g} L: {self.low:g} C: {self.close:g} "
            f"V: {self.volume:g}"
        )


def make_bar(
    symbol: Symbol, start: datetime, end: datetime, row: list[float], filled: bool
) -> TradeBar:
    """A bar from a row of open, high, low, close, volume: the quick way in."""
    bar = TradeBar.__new__(TradeBar)
    bar.symbol = symbol
    bar.time = start
    bar.end_time = end
    bar.open, bar.high, bar.low, bar.close, bar.volume = row
    bar.is_fill_forward = filled
    return bar


def trade_bars(symbol: Symbol, columns: list[list[Any]]) -> list[TradeBar]:
    """Trade bars out of the columns of a history."""
    return [
        make_bar(
            symbol,
            EPOCH + timedelta(seconds=start),
            EPOCH + timedelta(seconds=end),
            prices,
            bool(filled),
        )
        for start, end, filled, *prices in zip(*columns, strict=True)
    ]


@both_styles
class Dividend(Lean):
    """A cash dividend, per share, on its ex-date."""

    __slots__ = ("distribution", "end_time", "reference_price", "symbol", "time")

    def __init__(self, symbol: Any, time: datetime, distribution: float, reference: float) -> None:
        self.symbol = symbol
        self.time = self.end_time = time
        self.distribution = distribution
        self.reference_price = reference

    @property
    def value(self) -> float:
        return self.distribution

    @property
    def price(self) -> float:
        return self.distribution


@both_styles
class Split(Lean):
    """A split: `split_factor` is the old price's multiplier, 0.25 for four new shares a share."""

    __slots__ = ("end_time", "reference_price", "split_factor", "symbol", "time", "type")

    def __init__(
        self, symbol: Any, time: datetime, factor: float, reference: float, kind: int
    ) -> None:
        self.symbol = symbol
        self.time = self.end_time = time
        self.split_factor = factor
        self.reference_price = reference
        self.type = enum("SplitType")(kind)

    @property
    def value(self) -> float:
        return self.split_factor

    @property
    def price(self) -> float:
        return self.split_factor


@both_styles
class Delisting(Lean):
    """A company's end: a warning as its last day begins, then the end itself."""

    __slots__ = ("end_time", "price", "symbol", "ticket", "time", "type")

    def __init__(self, symbol: Any, time: datetime, price: float, kind: Any) -> None:
        self.symbol = symbol
        self.time = self.end_time = time
        self.price = price
        self.type = kind
        self.ticket: Any = None

    @property
    def value(self) -> float:
        return self.price

    def set_order_ticket(self, ticket: Any) -> None:
        self.ticket = ticket

    def __repr__(self) -> str:
        return f"Delisting {self.type}: {self.symbol} {self.end_time}"


@both_styles
class SymbolChangedEvent(Lean):
    """A company's new name."""

    __slots__ = ("end_time", "new_symbol", "old_symbol", "symbol", "time")

    def __init__(self, symbol: Any, time: datetime, old: str, new: str) -> None:
        self.symbol = symbol
        self.time = self.end_time = time
        self.old_symbol = old.upper()
        self.new_symbol = new.upper()

    @property
    def value(self) -> float:
        return 0.0

    @property
    def price(self) -> float:
        return 0.0

    def __repr__(self) -> str:
        return f"{self.time} {self.old_symbol}->{self.new_symbol}"


class Actions:
    """The corporate actions of one moment."""

    def __init__(self) -> None:
        self.dividends = SymbolDict()
        self.splits = SymbolDict()
        self.delistings = SymbolDict()
        self.changes = SymbolDict()

    def __bool__(self) -> bool:
        return bool(self.dividends or self.splits or self.delistings or self.changes)


NO_ACTIONS = Actions()


@both_styles
class TradeBars(SymbolDict):
    """Bars by Symbol."""

    LEAN = "TradeBars"


@both_styles
class Slice(Lean):
    """Everything that arrived at one moment."""

    __slots__ = (
        "_all",
        "bars",
        "delistings",
        "dividends",
        "has_data",
        "quote_bars",
        "splits",
        "symbol_changed_events",
        "time",
        "utc_time",
    )

    def __init__(
        self,
        time: datetime,
        utc_time: datetime,
        bars: TradeBars,
        quote_bars: SymbolDict,
        actions: Actions | None = None,
    ) -> None:
        self.time = time
        self.utc_time = utc_time
        self.bars = bars
        self.quote_bars = quote_bars
        found = actions or NO_ACTIONS
        self.dividends = found.dividends
        self.splits = found.splits
        self.delistings = found.delistings
        self.symbol_changed_events = found.changes
        self.has_data = bool(bars or quote_bars or found)
        self._all: TradeBars | None = None if quote_bars or actions else bars

    def _entries(self) -> TradeBars:
        if self._all is None:
            # A trade bar hides a quote bar of the same moment, and both a corporate action, as in
            # LEAN's indexer.
            self._all = TradeBars(
                {**self.symbol_changed_events, **self.delistings, **self.splits, **self.dividends,
                 **self.quote_bars, **self.bars}
            )  # fmt: skip
        return self._all

    def __getitem__(self, key: Any) -> Any:
        entries = self._entries()
        if key in entries:
            return entries[key]
        raise KeyError(f"'{ticker_of(key)}' wasn't found in the Slice object")

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key in self._entries()

    def __iter__(self) -> Any:
        return iter(self._entries())

    def __len__(self) -> int:
        return len(self._entries())

    def contains_key(self, key: Any) -> bool:
        return ticker_of(key) in self._entries()

    def get(self, key: Any, default: Any = None) -> Any:
        """The entry of a symbol, or all bars where a type is given."""
        if isinstance(key, type):
            found = self._of_type(key)
            return found if default is None else found.get(default)
        return self._entries().get(key, default)

    def _of_type(self, kind: type) -> SymbolDict:
        if kind is TradeBar:
            return self.bars
        if kind.__name__ == "QuoteBar":
            return self.quote_bars
        return not_modelled("Slice.get", kind.__name__)

    def keys(self) -> list[Any]:
        return list(self._entries().keys())

    def values(self) -> list[Any]:
        return list(self._entries().values())

    def items(self) -> list[Any]:
        return list(self._entries().items())

    def try_get_value(self, key: Any, *rest: Any) -> tuple[bool, Any]:
        return self._entries().try_get_value(key)

    @property
    def count(self) -> int:
        return len(self)

    @property
    def ticks(self) -> SymbolDict:
        return SymbolDict()

    @property
    def option_chains(self) -> SymbolDict:
        return SymbolDict()

    @property
    def futures_chains(self) -> SymbolDict:
        return SymbolDict()

    @property
    def all_data(self) -> list[Any]:
        return self.values()

    # LEAN renders these two as properties in its C# spelling.
    @property
    def Keys(self) -> list[Any]:  # noqa: N802
        return self.keys()

    @property
    def Values(self) -> list[Any]:  # noqa: N802
        return self.values()

    def __getattr__(self, name: str) -> Any:
        return missing("Slice", name, self)
