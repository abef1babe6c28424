"""`Field.CLOSE` and its like: what an indicator is fed of a bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .known import Lean

Selector = Callable[[Any], float]


def _of_bar(compute: Selector, default: Selector | None = None) -> Selector:
    """Of a bar; of what is none, its value."""

    def select(item: Any) -> float:
        if hasattr(item, "close"):
            return compute(item)
        return default(item) if default is not None else float(item.value)

    return select


def _of_quote(side: str, name: str) -> Selector:
    """Of one side of a quote bar; of what is none, its value."""

    def select(item: Any) -> float:
        if not hasattr(item, "ask"):
            return float(item.value)
        quote = getattr(item, side)
        return float(getattr(quote, name)) if quote is not None else 0.0

    return select


class Field(Lean):
    """LEAN's selectors; some of them say as well which kind of bars is wanted."""

    OPEN = Open = _of_bar(lambda bar: bar.open)
    HIGH = High = _of_bar(lambda bar: bar.high)
    LOW = Low = _of_bar(lambda bar: bar.low)
    CLOSE = Close = _of_bar(lambda bar: bar.close)
    AVERAGE = Average = _of_bar(lambda bar: (bar.open + bar.high + bar.low + bar.close) / 4)
    MEDIAN = Median = _of_bar(lambda bar: (bar.high + bar.low) / 2)
    TYPICAL = Typical = _of_bar(lambda bar: (bar.high + bar.low + bar.close) / 3)
    WEIGHTED = Weighted = _of_bar(lambda bar: (bar.high + bar.low + 2 * bar.close) / 4)
    SEVEN_BAR = SevenBar = _of_bar(
        lambda bar: (2 * bar.open + bar.high + bar.low + 3 * bar.close) / 7
    )
    VOLUME = Volume = _of_bar(lambda bar: getattr(bar, "volume", 0.0), lambda item: 0.0)
    BID_OPEN = BidOpen = _of_quote("bid", "open")
    BID_HIGH = BidHigh = _of_quote("bid", "high")
    BID_LOW = BidLow = _of_quote("bid", "low")
    BID_CLOSE = BidClose = BID_PRICE = BidPrice = _of_quote("bid", "close")
    ASK_OPEN = AskOpen = _of_quote("ask", "open")
    ASK_HIGH = AskHigh = _of_quote("ask", "high")
    ASK_LOW = AskLow = _of_quote("ask", "low")
    ASK_CLOSE = AskClose = ASK_PRICE = AskPrice = _of_quote("ask", "close")


QUOTE_FIELDS = frozenset(
    value for name, value in vars(Field).items() if name.startswith(("BID_", "ASK_"))
)


def wants_quotes(selector: Any) -> bool:
    """Whether a selector is one of the bid's or the ask's."""
    return any(selector is field for field in QUOTE_FIELDS)
