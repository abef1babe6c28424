"""`self.history` in its overloads."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from .desk import EPOCH, Desk
from .enums import LeanEnum, Resolution
from .frames import bars_frame
from .known import not_modelled
from .past_kinds import of_type, quotes_of, slices, trades_of, wanted_of
from .security import Security
from .subscriptions import SECONDS


def history(desk: Desk, args: tuple[Any, ...], named: dict[str, Any], kind: Any = None) -> Any:
    """A data frame; with `history[TradeBar]` a list of bars, of dictionaries for many symbols."""
    rest, typed = list(args), kind is not None
    if not typed:
        kind = named.pop("type", None)
        if kind is None and rest and _is_type(rest[0]):
            kind = rest.pop(0)
    what = _pop(rest, named, ("symbol", "symbols", "tickers", "securities"), _is_symbols)
    many = what is None or isinstance(what, list | tuple | set | dict)
    span = _span(rest, named)
    seconds, how = _options(rest, named)
    wanted = wanted_of(desk, _things(desk, what), seconds, how)
    if kind is not None:
        return of_type(desk, wanted, span, kind, typed=typed, many=many)
    trades, quotes = trades_of(desk, wanted, span), quotes_of(desk, wanted, span)
    return slices(trades, quotes) if what is None else bars_frame(trades, quotes)


def _is_type(thing: Any) -> bool:
    return isinstance(thing, type) or type(thing).__name__ == "StandIn"


def _things(desk: Desk, what: Any) -> list[Any]:
    if what is None:
        return list(desk.by_index)
    if isinstance(what, dict):
        return list(what.keys())
    return [what] if isinstance(what, str | Security) else list(what)


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
    found = []
    for thing in _things(desk, what):
        if thing not in desk.securities and not isinstance(thing, Security):
            not_modelled("an indicator over a symbol that is not subscribed", str(thing))
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
