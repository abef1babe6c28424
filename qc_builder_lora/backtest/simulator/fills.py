"""Whether an order fills now, and at which price: LEAN's EquityFillModel.

An order never fills with a bar that had ended when it was placed. Market orders pay the ask or
take the bid where quotes are had, else the last trade; limits and stops look at trades alone; the
stop of a stop limit and of a trailing stop looks at quotes first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from qc_builder_lora.backtest.simulator.calendar import DAY, Hours, date_of
from qc_builder_lora.backtest.simulator.orders import Bar, Kind, Order
from qc_builder_lora.backtest.surface.margin import first_stop

STALE_S = 3600
"""LEAN's StalePriceTimeSpan: older quotes fill too, with a warning."""
_HOUR = 3600
_ZONE = "America/New_York"


class Priced(Protocol):
    """A security as the fill model sees it: its last trades and quotes that are no copies."""

    @property
    def bar(self) -> Bar | None: ...
    @property
    def extended(self) -> bool: ...
    @property
    def period(self) -> int: ...
    def quoted(self, *, ask: bool) -> Bar | None: ...


@dataclass(frozen=True)
class Fill:
    """What the model says: a price before slippage, and how much of the order; a warning."""

    price: float
    quantity: float
    message: str = ""
    slips: bool = True
    """Whether slippage comes on top."""
    worst: float | None = None
    """With slippage the price is no better than this."""
    fee: float = 0.0
    done: bool = True
    """Whether the order is filled with it, as far as the model says."""


@dataclass(frozen=True)
class Market:
    """The moment of a fill: the exchange's clock and calendar."""

    now: int
    hours: Hours
    stale_s: float = STALE_S

    def is_open(self, item: Priced, extended: bool = False) -> bool:
        """Whether the exchange is open, or the last bar ended today and spans open hours."""
        if self.hours.is_open(self.now, extended):
            return True
        bar = item.bar
        if bar is None or self.now // DAY != bar.end // DAY:
            return False
        return self.hours.open_during(bar.start, bar.end, extended)


_LATE_TOO = frozenset({Kind.LIMIT, Kind.STOP_LIMIT, Kind.LIMIT_IF_TOUCHED})
"""Filled before the opening and after the close too, where the security has bars from then."""


def equity_fill(order: Order, item: Priced, market: Market) -> Fill | None:
    """The fill of an order at this moment; None where it rests on."""
    if order.kind is Kind.MARKET_ON_OPEN:
        return _on_open(order, item, market)
    if order.kind is Kind.MARKET_ON_CLOSE and market.now < market.hours.next_close(order.local):
        return None
    if not market.is_open(item, item.extended and order.kind in _LATE_TOO):
        return None
    return _BY_KIND[order.kind](order, item, market)


def base_fill(order: Order, item: Priced, market: Market, kind: Kind | None = None) -> Fill | None:
    """The same by LEAN's FillModel, which looks at quotes where the equity's looks at trades.

    `kind` is another than the order's for a leg of several, which fills as that would.
    """
    kind = order.kind if kind is None else kind
    if kind in _BASE:
        if not market.is_open(item, item.extended and kind in _LATE_TOO):
            return None
        return _BASE[kind](order, item, market)
    found = equity_fill(order, item, market)
    if found is None or order.kind not in (Kind.MARKET_ON_OPEN, Kind.MARKET_ON_CLOSE):
        return found
    side = item.quoted(ask=order.quantity > 0) or item.bar
    assert side is not None
    return Fill(side.open if order.kind is Kind.MARKET_ON_OPEN else side.close, order.quantity)


def _market(order: Order, item: Priced, market: Market) -> Fill | None:
    price, ended, message = best_price(order, item, market)
    if not price or _waits(order, item, ended, market):
        return None
    bar = item.bar
    if item.period >= _HOUR and bar is not None and order.local <= bar.start:
        # It rested from before the bar: what it would have paid is the opening.
        price = bar.open
    return Fill(price, order.quantity, message)


def _waits(order: Order, item: Priced, ended: int, market: Market) -> bool:
    """Whether the price is stale and a fresh bar is to be expected."""
    if ended >= order.local - market.stale_s:
        return False
    return item.period >= _HOUR or ended + item.period < order.local


def _on_close(order: Order, item: Priced, market: Market) -> Fill | None:
    if item.bar is None:
        return None
    return Fill(item.bar.close, order.quantity)


def _on_open(order: Order, item: Priced, market: Market) -> Fill | None:
    bar, hours = item.bar, market.hours
    if bar is None or bar.start < order.local or order.local >= bar.end:
        return None
    if bar.end - bar.start < _HOUR and not hours.is_open(bar.start):
        return None
    if hours.is_open(order.local) and order.local // DAY == bar.end // DAY:
        return None
    return Fill(bar.open, order.quantity) if market.is_open(item) else None


def best_price(order: Order, item: Priced, market: Market) -> tuple[float, int, str]:
    """The ask for a buyer, the bid for a seller, the last trade where neither is newer.

    Price, New York second at which its bar ended, and LEAN's warning.
    """
    cut_off = order.local - market.stale_s
    ended, price, message = -1, 0.0, ""
    quote, bar = item.quoted(ask=order.quantity > 0), item.bar
    if quote is not None:
        price, ended = quote.close, quote.end
        if ended >= cut_off:
            return price, ended, ""
        message = f"Warning: fill at stale price ({_moment(ended)}), using QuoteBar data."
    if bar is not None and bar.end > ended:
        message = (
            f"Warning: No quote information available at {_moment(bar.end)}, "
            "order filled using TradeBar data"
        )
        price, ended = bar.close, bar.end
    return price, ended, message


def _moment(local: int) -> str:
    """As .NET prints a time where no culture is asked for."""
    day, second = divmod(local, DAY)
    clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    return f"{date_of(day):%m/%d/%Y} {clock} {_ZONE}"


def _fresh_bar(order: Order, item: Priced) -> Bar | None:
    bar = item.bar
    return bar if bar is not None and bar.end > order.local else None


def side_of(order: Order, item: Priced) -> Bar | None:
    """The quotes of the order's side, else the trades."""
    return item.quoted(ask=order.quantity > 0) or item.bar


def _range(order: Order, item: Priced) -> Bar | None:
    """The same; None where they are older than the order."""
    bar = side_of(order, item)
    return bar if bar is not None and bar.end > order.local else None


def _gap(bar: Bar, kind: str) -> str:
    return (
        f"Due to {kind} gap at {_moment(bar.end)}, order filled using the open price ({bar.open!r})"
    )


def _limit(order: Order, item: Priced, market: Market) -> Fill | None:
    bar, limit = _fresh_bar(order, item), order.limit or 0.0
    # Penetrated, not touched: ours is taken to be the last order in the queue at its price.
    if bar is None or not (bar.low < limit if order.quantity > 0 else bar.high > limit):
        return None
    if bar.open < limit if order.quantity > 0 else bar.open > limit:
        return Fill(bar.open, order.quantity, _gap(bar, "a favorable"), slips=False)
    return Fill(limit, order.quantity, slips=False)


def _stop(order: Order, item: Priced, market: Market) -> Fill | None:
    bar, stop = _fresh_bar(order, item), order.stop or 0.0
    if bar is None or not (bar.high >= stop if order.quantity > 0 else bar.low <= stop):
        return None
    if bar.open >= stop if order.quantity > 0 else bar.open <= stop:
        return Fill(bar.open, order.quantity, _gap(bar, "an unfavorable"))
    return Fill(stop, order.quantity)


def _trailing(order: Order, item: Priced, market: Market) -> Fill | None:
    bar, stop = _range(order, item), order.stop or 0.0
    if bar is None:
        return None
    if bar.high >= stop if order.quantity > 0 else bar.low <= stop:
        return Fill(bar.close, order.quantity, worst=stop)
    # Only after the fill was tried: else the same bar could both move the stop and hit it.
    moved = trailed_stop(order, bar.low if order.quantity > 0 else bar.high)
    order.stop = stop if moved is None else moved
    return None


def trailed_stop(order: Order, price: float) -> float | None:
    """Where a price moves the stop of a trailing order; None where it stays."""
    stop, distance = order.stop or 0.0, order.trailing or 0.0
    buys = order.quantity > 0
    wanted = price * distance if order.by_share else distance
    if (stop - price if buys else price - stop) <= wanted:
        return None
    return first_stop(price, distance, order.by_share, buys)


def _stop_limit(order: Order, item: Priced, market: Market) -> Fill | None:
    bar, stop, limit = _range(order, item), order.stop or 0.0, order.limit or 0.0
    if bar is None:
        return None
    buys = order.quantity > 0
    order.triggered = order.triggered or (bar.high > stop if buys else bar.low < stop)
    if not order.triggered or not (bar.close < limit if buys else bar.close > limit):
        return None
    price = min(bar.high, limit) if buys else max(bar.low, limit)
    return Fill(price, order.quantity, slips=False)


def _if_touched(order: Order, item: Priced, market: Market) -> Fill | None:
    bar, trigger, limit = _fresh_bar(order, item), order.trigger or 0.0, order.limit or 0.0
    if bar is None:
        return None
    buys = order.quantity > 0
    order.triggered = order.triggered or (bar.low <= trigger if buys else bar.high >= trigger)
    if not order.triggered:
        return None
    price, _, message = best_price(order, item, market)
    if not (price <= limit if buys else price >= limit):
        return None
    return Fill(min(price, limit) if buys else max(price, limit), order.quantity, message,
                slips=False)  # fmt: skip


def _base_market(order: Order, item: Priced, market: Market) -> Fill | None:
    side = item.quoted(ask=order.quantity > 0) or item.bar
    if side is None:
        return None
    stale = side.end < order.local - market.stale_s
    message = f"Warning: fill at stale price ({_moment(side.end)})" if stale else ""
    return Fill(side.close, order.quantity, message)


def _base_limit(order: Order, item: Priced, market: Market) -> Fill | None:
    bar, limit = _range(order, item), order.limit or 0.0
    buys = order.quantity > 0
    if bar is None or not (bar.low < limit if buys else bar.high > limit):
        return None
    price = min(bar.high, limit) if buys else max(bar.low, limit)
    return Fill(price, order.quantity, slips=False)


def _base_stop(order: Order, item: Priced, market: Market) -> Fill | None:
    bar, stop = _range(order, item), order.stop or 0.0
    if bar is None or not (bar.high > stop if order.quantity > 0 else bar.low < stop):
        return None
    return Fill(bar.close, order.quantity, worst=stop)


_BASE: dict[Kind, Callable[[Order, Priced, Market], Fill | None]] = {
    Kind.MARKET: _base_market,
    Kind.LIMIT: _base_limit,
    Kind.STOP_MARKET: _base_stop,
}
_BY_KIND: dict[Kind, Callable[[Order, Priced, Market], Fill | None]] = {
    Kind.MARKET: _market,
    Kind.MARKET_ON_CLOSE: _on_close,
    Kind.LIMIT: _limit,
    Kind.STOP_MARKET: _stop,
    Kind.TRAILING_STOP: _trailing,
    Kind.STOP_LIMIT: _stop_limit,
    Kind.LIMIT_IF_TOUCHED: _if_touched,
}
