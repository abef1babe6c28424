"""`self.history` in its overloads."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from .bars import Slice, TradeBar, TradeBars
from .desk import EPOCH, Desk
from .enums import LeanEnum, Resolution
from .frames import bars_frame
from .known import not_modelled
from .quotes import QuoteBars
from .security import Security
from .subscriptions import SECONDS


def history(desk: Desk, args: tuple[Any, ...], named: dict[str, Any], kind: Any = None) -> Any:
    """A data frame; with `history[TradeBar]` a list of bars, of dictionaries for many symbols."""
    rest = list(args)
    if rest and isinstance(rest[0], type):
        kind = rest.pop(0)
    if kind is not None and kind is not TradeBar:
        not_modelled("history of a type", getattr(kind, "__name__", str(kind)))
    what = _pop(rest, named, ("symbol", "symbols", "tickers", "securities"), _is_symbols)
    many = what is None or isinstance(what, list | tuple | set)
    securities = _securities(desk, what)
    span = _span(rest, named)
    seconds, how = _options(rest, named)
    rows = desk.bars(securities, span, seconds=seconds, **how)
    if kind is TradeBar:
        return rows[0] if not many else _by_time(rows)
    if what is None:
        return _slices(desk, rows)
    return bars_frame(rows)


def _pop(rest: list[Any], named: dict[str, Any], names: tuple[str, ...], accept: Any) -> Any:
    for name in names:
        if name in named:
            return named.pop(name)
    return rest.pop(0) if rest and accept(rest[0]) else None


def _is_symbols(thing: Any) -> bool:
    if isinstance(thing, int | float | timedelta | date):
        return False
    return thing is not None


def _securities(desk: Desk, what: Any) -> list[Security]:
    if what is None:
        return list(desk.by_index)
    if isinstance(what, dict):
        what = list(what.keys())
    things = list(what) if not isinstance(what, str | Security) else [what]
    found = []
    for thing in things:
        if thing not in desk.securities and not isinstance(thing, Security):
            not_modelled("history of a symbol that is not subscribed", str(thing))
        found.append(desk.security(thing))
    return found


def _is_moment(thing: Any) -> bool:
    return isinstance(thing, date)


def _span(rest: list[Any], named: dict[str, Any]) -> list[Any]:
    if "periods" in named or (rest and _is_count(rest[0])):
        return ["count", int(named.pop("periods") if "periods" in named else rest.pop(0))]
    if "span" in named or (rest and isinstance(rest[0], timedelta)):
        length = named.pop("span") if "span" in named else rest.pop(0)
        return ["seconds", int(length.total_seconds())]
    start = _pop(rest, named, ("start",), _is_moment)
    end = _pop(rest, named, ("end",), _is_moment)
    if start is None:
        raise TypeError("No method matches given arguments for History")
    return ["range", _seconds(start), None if end is None else _seconds(end)]


def _is_count(thing: Any) -> bool:
    return (
        hasattr(thing, "__index__") and not isinstance(thing, bool | LeanEnum)
    )  # fmt: skip


def _seconds(moment: date) -> int:
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    return int((moment.replace(tzinfo=None) - EPOCH).total_seconds())


_HARMLESS = frozenset({"flatten", "data_mapping_mode", "contract_depth_offset"})


def _options(rest: list[Any], named: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Seconds of a bar, 0 for the security's own, and what else differs from its subscription."""
    resolution = named.pop("resolution", None)
    if rest and (rest[0] is None or isinstance(rest[0], type(Resolution.DAILY))):
        resolution = rest.pop(0)
    if resolution is not None and resolution not in SECONDS:
        not_modelled(f"Resolution.{Resolution(resolution).name}", "in history")
    names = ("fill_forward", "extended_market_hours", "data_mapping_mode",
             "data_normalization_mode")  # fmt: skip
    found = {name: rest.pop(0) if rest else named.pop(name, None) for name in names}
    mode = found["data_normalization_mode"]
    for name in _HARMLESS:
        if named.pop(name, None) not in (None, True, False):
            not_modelled(f"history with {name}")
    if named:
        raise TypeError(f"history() got an unexpected keyword argument {next(iter(named))!r}")
    if any(item is not None for item in rest):
        not_modelled("an overload of history", ", ".join(type(i).__name__ for i in rest))
    return SECONDS.get(resolution, 0), {
        "fill": found["fill_forward"],
        "extended": found["extended_market_hours"],
        "mode": None if mode is None else int(mode),
    }


def _by_time(rows: list[list[TradeBar]]) -> list[TradeBars]:
    found: dict[datetime, TradeBars] = {}
    for row in rows:
        for bar in row:
            dict.__setitem__(found.setdefault(bar.end_time, TradeBars()), bar.symbol, bar)
    return [found[time] for time in sorted(found)]


def _slices(desk: Desk, rows: list[list[TradeBar]]) -> list[Slice]:
    made = []
    for bars in _by_time(rows):
        time = next(iter(bars.values())).end_time
        made.append(Slice(time, time, bars, QuoteBars()))
    return made
