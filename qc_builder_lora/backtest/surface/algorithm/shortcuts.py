"""`self.sma(...)` and its like: make the indicator, keep it fed, warm it up where that is asked.

Overloads are tried in LEAN's order; arguments that fit none are refused as LEAN does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

from .. import indicators as ind
from ..alias import snake
from ..bars import TradeBar
from ..enums import LeanEnum, Resolution, enum
from ..feeding import register
from ..indicators.arguments import REQUIRED, Parameter, matched
from ..interest import InterestRateProvider
from ..known import not_modelled
from ..security import Security
from ..warming import warm_up
from .shortcut_table import MANY, ONE, PAIR, UNKNOWN

TAIL = (
    Parameter("resolution", "Resolution | None", None),
    Parameter("selector", "Any", None),
)
_ENUMS = {"average": "MovingAverageType", "resolution": "Resolution"}
_KINDS = {
    "average": "MovingAverageType", "int?": "int | None", "float?": "float | None",
    "resolution": "Resolution | None",
}  # fmt: skip


def _of_trades(field: str) -> Callable[[Any], float]:
    """A field of bars of trades; of what is none, its value."""

    def select(item: Any) -> float:
        return float(getattr(item, field) if isinstance(item, TradeBar) else item.value)

    return select


# LEAN's MAX and MIN look at highs and lows where nobody says what; all others at the value.
_OWN_SELECTORS = {"max": _of_trades("high"), "min": _of_trades("low")}


class Shortcut(NamedTuple):
    """One method: the class it makes, how many symbols it takes, and its overloads."""

    name: str
    cls: type[Any]
    symbols: str
    overloads: tuple[tuple[Parameter, ...], ...]


def _default(kind: str, text: str) -> Any:
    if kind in ("average", "CorrelationType", "resolution"):
        return getattr(enum(_ENUMS.get(kind, kind)), text)
    plain: dict[str, Any] = {"None": None, "True": True, "False": False}
    if text in plain:
        return plain[text]
    return float(text) if kind.startswith("float") else int(text)


def _parameter(text: str) -> Parameter:
    name, _, rest = text.partition(":")
    kind, equals, default = rest.partition("=")
    value = _default(kind, default) if equals else REQUIRED
    return Parameter(name, _KINDS.get(kind, kind), value)


def _overload(own: list[Parameter]) -> tuple[Parameter, ...]:
    """Resolution and selector come last, unless the resolution has a default of its own."""
    names = {item.name for item in own}
    return (*own, *(item for item in TAIL if item.name not in names))


def _shortcut(line: str, symbols: str) -> Shortcut:
    name, cls, *rest = line.split(" ", 2)
    overloads = [part.split() for part in (rest[0] if rest else "").split("|")]
    made = tuple(_overload([_parameter(item) for item in items]) for items in overloads)
    made_by: type[Any] = ind.CLASSES[cls]
    return Shortcut(name, made_by, symbols, made)


def _table() -> dict[str, Shortcut]:
    found = {}
    for symbols, text in (("one", ONE), ("pair", PAIR), ("many", MANY)):
        for line in text.strip().replace("\n    ", " ").splitlines():
            shortcut = _shortcut(line, symbols)
            found[shortcut.name] = shortcut
    return found


TABLE = _table()
UPPER_NAMES = frozenset(TABLE) | UNKNOWN


def refused(name: str, args: tuple[Any, ...], named: dict[str, Any]) -> TypeError:
    """LEAN's answer to arguments that fit no overload."""
    shown = ", ".join([*(type(item).__name__ for item in args), *named])
    return TypeError(f"No method matches given arguments for {name.upper()}: ({shown})")


def bound(
    overloads: tuple[tuple[Parameter, ...], ...], args: tuple[Any, ...], named: dict[str, Any]
) -> list[Any] | None:
    """The values, resolution and selector last; None where nothing fits."""
    named = {snake(key): value for key, value in named.items()}
    for overload in overloads:
        values = matched(overload, args, named)
        if values is not None and (values[-1] is None or callable(values[-1])):
            return values
    return None


def _symbols(
    shortcut: Shortcut, args: tuple[Any, ...], named: dict[str, Any]
) -> tuple[list[Any], tuple[Any, ...]]:
    """The symbols of a call, taken out of its arguments."""
    keys = {"one": ("symbol",), "pair": ("target", "reference"), "many": ("symbols",)}
    found, rest = [], list(args)
    for key in keys[shortcut.symbols]:
        if key in named:
            found.append(named.pop(key))
        elif rest:
            found.append(rest.pop(0))
        else:
            raise refused(shortcut.name, args, named)
    return (list(found[0]) if shortcut.symbols == "many" else found), tuple(rest)


def method(name: str) -> Callable[..., Any]:
    """The method `self.<name>(symbol, …)`."""
    if name in UNKNOWN:
        return _unknown(name)
    shortcut = TABLE[name]

    def make(self: Any, *args: Any, **named: Any) -> Any:
        symbols, rest = _symbols(shortcut, args, named)
        values = bound(shortcut.overloads, rest, named)
        if values is None:
            raise refused(name, args, named)
        *values, resolution, selector = values
        securities = [self._desk.security(symbol) for symbol in symbols]
        label = _label(shortcut, values, securities, resolution)
        indicator = _made(shortcut, label, values, securities)
        selector = selector or _OWN_SELECTORS.get(name)
        return attach(self._desk, securities, indicator, resolution, selector)

    make.__name__ = name
    make.__doc__ = f"{shortcut.cls.__name__} of a subscribed security."
    return make


def _unknown(name: str) -> Callable[..., Any]:
    def refuse(self: Any, *args: Any, **named: Any) -> Any:
        not_modelled(f"QCAlgorithm.{name}")

    refuse.__name__ = name
    return refuse


def _made(shortcut: Shortcut, label: str, values: list[Any], securities: list[Security]) -> Any:
    if shortcut.symbols == "pair":
        target, reference = (security.symbol for security in securities)
        return shortcut.cls(label, target, reference, *values)
    if shortcut.name == "sr" and values[1] is None:
        values = [values[0], InterestRateProvider()]
    indicator = shortcut.cls(label, *values)
    if shortcut.symbols == "many":
        for security in securities:
            indicator.add(security.symbol)
    return indicator


def _label(
    shortcut: Shortcut, values: list[Any], securities: list[Security], resolution: Any
) -> str:
    short = {"heikin_ashi": "HA", "t_3": "T3"}.get(shortcut.name, shortcut.name.upper())
    # Of the enums only the RSI's is in LEAN's name.
    told = [v for v in values if not isinstance(v, LeanEnum) or shortcut.name == "rsi"]
    shown = ",".join(f"{v:g}" if isinstance(v, float) else str(v) for v in told)
    symbol = None if shortcut.symbols == "many" else securities[0].symbol
    return indicator_name(securities[0], symbol, f"{short}({shown})" if told else short, resolution)


_SUFFIXES = {"TICK": "tick", "SECOND": "sec", "MINUTE": "min", "HOUR": "hr", "DAILY": "day"}


def indicator_name(security: Any, symbol: Any, kind: str, resolution: Any) -> str:
    """`SMA(20,SPY_day)`: LEAN's name of an indicator."""
    if resolution is None:
        resolution = getattr(security, "resolution", Resolution.DAILY)
    suffix = _SUFFIXES[Resolution(resolution).name]
    parts = [str(symbol), suffix] if symbol else [suffix]
    return f"{kind}({'_'.join(parts)})".replace(")(", ",")


def attach(
    desk: Any, securities: list[Security], indicator: Any, resolution: Any, selector: Any
) -> Any:
    """Keep a shortcut's indicator fed, warmed up where the settings ask for it."""
    indicator._ib_symbol = securities[0].symbol
    for security in securities:
        register(desk, security, indicator, resolution, selector)
    # LEAN warms those of a resolution up, not those of another length.
    if desk.settings.automatic_indicator_warm_up and not isinstance(resolution, timedelta):
        warm_up(desk, securities, indicator, resolution, selector)
    return indicator
