"""What `self.history` can be of: trades, quotes, corporate actions; of any ticker there is.

A symbol that is not subscribed comes as the universe settings would add it, as in LEAN.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .actions import made
from .bars import EPOCH, Slice, TradeBars, trade_bars
from .desk import Desk
from .enums import Resolution
from .frames import actions_frame, bars_frame, quotes_frame
from .known import not_modelled
from .quotes import QuoteBars, quote_bars
from .subscriptions import SECONDS
from .symbol import Symbol, SymbolDict, ticker_of

_HOUR = 3600
ACTIONS = {
    "Dividend": ("dividend",),
    "Split": ("split",),
    "Delisting": ("delisting_warning", "delisted"),
    "SymbolChangedEvent": ("renamed",),
}
"""The types of corporate actions, and what the simulator calls them."""


@dataclass
class Wanted:
    """One symbol, and how its past is asked for."""

    symbol: Symbol
    subject: int | str
    """The simulator's number for it, or the ticker where it is not subscribed."""
    seconds: int
    """Of a bar; 0 for the subscription's own."""
    quotes: bool
    how: dict[str, Any]


def wanted_of(desk: Desk, things: list[Any], seconds: int, how: dict[str, Any]) -> list[Wanted]:
    """Each symbol, ticker or security, with what of its subscription or the universe applies."""
    return [_wanted(desk, thing, seconds, how) for thing in things]


def _wanted(desk: Desk, thing: Any, seconds: int, how: dict[str, Any]) -> Wanted:
    ticker = ticker_of(thing)
    security = desk.securities.get(ticker)
    if security is not None and security.subscriptions:
        length = seconds or min(item.increment.total_seconds() for item in security.subscriptions)
        quotes = length < _HOUR and any(not item.is_trade for item in security.subscriptions)
        return Wanted(security.symbol, security.symbol.number, seconds, quotes, how)
    universe = desk.universe
    resolution = Resolution(universe.resolution)
    if not seconds and resolution not in SECONDS:
        not_modelled(f"Resolution.{resolution.name}", f"in history of {ticker}")
    standard = {
        "fill": universe.fill_forward,
        "extended": universe.extended_market_hours,
        "mode": int(universe.data_normalization_mode),
    }
    chosen = {key: standard[key] if how[key] is None else how[key] for key in standard}
    symbol = security.symbol if security is not None else Symbol(ticker)
    length = seconds or SECONDS[resolution]
    return Wanted(symbol, str(symbol), length, length < _HOUR, chosen)


def _columns(desk: Desk, wanted: list[Wanted], span: list[Any], kind: str) -> list[list[Any]]:
    """The simulator's answer for each; those that are asked for alike go together."""
    found: list[list[Any]] = [[]] * len(wanted)
    alike: dict[str, list[int]] = {}
    for place, item in enumerate(wanted):
        alike.setdefault(repr((item.seconds, item.how)), []).append(place)
    for places in alike.values():
        first = wanted[places[0]]
        subjects = [wanted[place].subject for place in places]
        rows = desk.rows(subjects, span, kind=kind, seconds=first.seconds, **first.how)
        for place, row in zip(places, rows, strict=True):
            found[place] = row
    return found


def trades_of(desk: Desk, wanted: list[Wanted], span: list[Any]) -> list[list[Any]]:
    """Trade bars of each symbol."""
    rows = _columns(desk, wanted, span, "trade")
    return [trade_bars(item.symbol, row) for item, row in zip(wanted, rows, strict=True)]


def quotes_of(desk: Desk, wanted: list[Wanted], span: list[Any]) -> list[list[Any]]:
    """Quote bars of each symbol; none of daily and hourly bars, and of symbols without quotes."""
    asked = [item for item in wanted if item.quotes]
    rows = iter(_columns(desk, asked, span, "quote"))
    return [quote_bars(item.symbol, next(rows)) if item.quotes else [] for item in wanted]


def of_type(
    desk: Desk, wanted: list[Wanted], span: list[Any], kind: Any, *, typed: bool, many: bool
) -> Any:
    """Of one type of data: a list (`history[T]`), of dictionaries for many symbols; or a frame."""
    name = str(getattr(kind, "__name__", None) or getattr(kind, "_name", kind))
    holder: Any
    frame: Any
    if name == "TradeBar":
        rows, holder, frame = trades_of(desk, wanted, span), TradeBars, bars_frame
    elif name == "QuoteBar":
        rows, holder, frame = quotes_of(desk, wanted, span), QuoteBars, quotes_frame
    elif name in ACTIONS:
        rows, holder, frame = _actions_of(desk, wanted, span, name), SymbolDict, actions_frame
    else:
        not_modelled("history of a type", name)
    if not typed:
        return frame(rows)
    return by_time(rows, holder) if many else rows[0]


def _actions_of(desk: Desk, wanted: list[Wanted], span: list[Any], name: str) -> list[list[Any]]:
    told = desk.rows([item.subject for item in wanted], span, kind="action")
    return [
        [
            made(item.symbol, EPOCH + timedelta(seconds=moment), *action)
            for moment, *action in actions
            if action[0] in ACTIONS[name]
        ]
        for item, actions in zip(wanted, told, strict=True)
    ]


def by_time(rows: list[list[Any]], holder: Any) -> list[Any]:
    """A dictionary by symbol for each moment."""
    found: dict[datetime, Any] = {}
    for row in rows:
        for item in row:
            dict.__setitem__(found.setdefault(item.end_time, holder()), item.symbol, item)
    return [found[time] for time in sorted(found)]


def slices(trades: list[list[Any]], quotes: list[list[Any]]) -> list[Slice]:
    """A slice for each moment."""
    found: dict[datetime, tuple[TradeBars, QuoteBars]] = {}
    for place, rows in enumerate((trades, quotes)):
        for row in rows:
            for bar in row:
                both = found.setdefault(bar.end_time, (TradeBars(), QuoteBars()))
                dict.__setitem__(both[place], bar.symbol, bar)
    return [Slice(time, time, *found[time]) for time in sorted(found)]
