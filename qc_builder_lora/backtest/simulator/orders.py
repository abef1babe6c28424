"""Orders, their fills by daily bars, and the book that keeps them: the rules of LEAN's
EquityFillModel and BacktestingBrokerage.

An order never fills with a bar that had ended when it was placed, nor, but for market orders, at
the very moment it is placed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from qc_builder_lora.backtest.simulator.calendar import DAY, Hours


class Kind(IntEnum):
    """LEAN's OrderType."""

    MARKET = 0
    LIMIT = 1
    STOP_MARKET = 2
    STOP_LIMIT = 3
    MARKET_ON_OPEN = 4
    MARKET_ON_CLOSE = 5
    LIMIT_IF_TOUCHED = 7


class Status(IntEnum):
    """LEAN's OrderStatus."""

    NEW = 0
    SUBMITTED = 1
    FILLED = 3
    CANCELED = 5
    INVALID = 7
    UPDATE_SUBMITTED = 9


CLOSED = frozenset({Status.FILLED, Status.CANCELED, Status.INVALID})


@dataclass
class Bar:
    """The last bar of a security; times are the exchange's."""

    start: int
    end: int
    open: float
    high: float
    low: float
    close: float


@dataclass
class Order:
    """One order; prices in USD, quantity signed, times in seconds."""

    number: int
    index: int
    kind: Kind
    quantity: float
    limit: float | None
    stop: float | None
    trigger: float | None
    tag: str
    utc: int
    local: int
    """New York time at which it was placed."""
    status: Status = Status.NEW
    triggered: bool = False
    message: str = ""
    price: float = 0.0
    """Average fill price."""
    fills: list[dict[str, object]] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether it can still fill."""
        return self.status not in CLOSED


def round_price(price: float | None) -> float | None:
    """To the tick of a US equity, as LEAN's transaction handler rounds what is submitted."""
    if price is None:
        return None
    tick = 0.01 if price >= 1 else 0.0001
    return round(round(price / tick) * tick, 4)


def fill_price(order: Order, bar: Bar | None, local: int, hours: Hours) -> float | None:
    """The price at which an order fills now, before slippage; None where it does not.

    `local` is New York's time. A daily bar counts as an open market on the day it ends.
    """
    if bar is None:
        return None
    if order.kind is Kind.MARKET:
        return bar.close if _market_is_open(bar, local, hours) else None
    if not _market_is_open(bar, local, hours):
        return None
    if order.kind is Kind.MARKET_ON_OPEN:
        return bar.open if bar.start >= order.local else None
    if order.kind is Kind.MARKET_ON_CLOSE:
        return bar.close if local >= hours.next_close(order.local) else None
    if bar.end <= order.local:
        return None
    return _BY_BAR[order.kind](order, bar)


def _market_is_open(bar: Bar, local: int, hours: Hours) -> bool:
    return hours.is_open(local) or local // DAY == bar.end // DAY


def _limit(order: Order, bar: Bar) -> float | None:
    price = order.limit or 0.0
    if order.quantity > 0:
        # Penetrated, not touched: ours is taken to be the last order in the queue at its price.
        return min(bar.open, price) if bar.low < price else None
    return max(bar.open, price) if bar.high > price else None


def _stop(order: Order, bar: Bar) -> float | None:
    price = order.stop or 0.0
    if order.quantity > 0:
        return max(bar.open, price) if bar.high >= price else None
    return min(bar.open, price) if bar.low <= price else None


def _stop_limit(order: Order, bar: Bar) -> float | None:
    stop, limit = order.stop or 0.0, order.limit or 0.0
    if order.quantity > 0:
        order.triggered = order.triggered or bar.high > stop
        return min(bar.high, limit) if order.triggered and bar.close < limit else None
    order.triggered = order.triggered or bar.low < stop
    return max(bar.low, limit) if order.triggered and bar.close > limit else None


def _if_touched(order: Order, bar: Bar) -> float | None:
    trigger, limit = order.trigger or 0.0, order.limit or 0.0
    if order.quantity > 0:
        order.triggered = order.triggered or bar.low <= trigger
        return min(bar.close, limit) if order.triggered and bar.close <= limit else None
    order.triggered = order.triggered or bar.high >= trigger
    return max(bar.close, limit) if order.triggered and bar.close >= limit else None


_BY_BAR = {
    Kind.LIMIT: _limit,
    Kind.STOP_MARKET: _stop,
    Kind.STOP_LIMIT: _stop_limit,
    Kind.LIMIT_IF_TOUCHED: _if_touched,
}
_SLIPS = frozenset({Kind.MARKET, Kind.MARKET_ON_OPEN, Kind.MARKET_ON_CLOSE, Kind.STOP_MARKET})


def slipped(order: Order, price: float, last: float, share: float) -> float:
    """The price after slippage, a share of the last price, against the order."""
    if not share or order.kind not in _SLIPS:
        return price
    return price + share * last * (1 if order.quantity > 0 else -1)
