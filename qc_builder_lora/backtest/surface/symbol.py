"""Symbols: dictionary keys that are equal to their ticker, as LEAN's lookups are."""

from __future__ import annotations

from typing import Any

from .alias import both_styles
from .enums import SecurityType
from .known import Lean, LeanType, missing, not_modelled


@both_styles
class SecurityIdentifier(str):
    """The identity behind a Symbol: ticker at listing, market and security type."""

    __slots__ = ()

    @property
    def symbol(self) -> str:
        return str(self).split(" ", maxsplit=1)[0]

    @property
    def market(self) -> str:
        return "usa"

    @property
    def security_type(self) -> Any:
        return SecurityType.EQUITY

    def __getattr__(self, name: str) -> Any:
        return missing("SecurityIdentifier", name, self)


@both_styles
class Symbol(str, metaclass=LeanType):
    """A US equity. A `str` of its ticker: `data["SPY"]` and `data[symbol]` are one lookup."""

    __slots__ = ("number",)
    number: int
    """The simulator's number for it; -1 where it is not subscribed."""

    def __new__(cls, ticker: str, number: int = -1) -> Symbol:
        made = super().__new__(cls, ticker.upper())
        made.number = number
        return made

    @staticmethod
    def create(ticker: str, security_type: Any, market: str, *rest: Any, **more: Any) -> Symbol:
        """`Symbol.Create("SPY", SecurityType.Equity, Market.USA)`."""
        if security_type != SecurityType.EQUITY:
            not_modelled(f"SecurityType.{security_type!s}".upper(), ticker)
        return Symbol(ticker)

    @property
    def value(self) -> str:
        return str(self)

    @property
    def id(self) -> SecurityIdentifier:
        return SecurityIdentifier(str(self))

    @property
    def security_type(self) -> Any:
        return SecurityType.EQUITY

    @property
    def has_underlying(self) -> bool:
        return False

    def to_string(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return str.__str__(self)

    def __getattr__(self, name: str) -> Any:
        return missing("Symbol", name, self)


Symbol.Empty = Symbol("")  # type: ignore[attr-defined]
Symbol.EMPTY = Symbol.Empty  # type: ignore[attr-defined]


def ticker_of(thing: Any) -> str:
    """The ticker that a Symbol, a ticker string or a Security names."""
    if isinstance(thing, str):
        return thing
    symbol = getattr(thing, "symbol", None)
    if isinstance(symbol, str):
        return symbol
    raise TypeError(
        f"No method matches given arguments: expected a Symbol or a ticker, got {type(thing)!s}"
    )


@both_styles
class KeyValuePair(Lean):
    """What iterating a C# dictionary gives: `.key` and `.value`, not to be unpacked."""

    __slots__ = ("key", "value")

    def __init__(self, key: Any, value: Any) -> None:
        self.key = key
        self.value = value


class SymbolDict(dict[Any, Any]):
    """A dictionary by Symbol with LEAN's C# names; a ticker in lower case finds its Symbol."""

    LEAN = "Dictionary"

    def __missing__(self, key: Any) -> Any:
        ticker = ticker_of(key).upper()
        if dict.__contains__(self, ticker):
            return dict.__getitem__(self, ticker)
        # LEAN makes a symbol of an unknown ticker, and prints it so.
        raise KeyError(self._absent(f"{ticker} 0" if type(key) is str else ticker))

    def _absent(self, ticker: str) -> str:
        return f"{ticker.partition(' ')[0]!r} wasn't found in the {type(self).__name__} object"

    def __contains__(self, key: object) -> bool:
        if dict.__contains__(self, key):
            return True
        return isinstance(key, str) and dict.__contains__(self, key.upper())

    def __iter__(self) -> Any:
        return iter([KeyValuePair(key, value) for key, value in self.items()])

    def contains_key(self, key: Any) -> bool:
        """Whether there is an entry for a Symbol or ticker."""
        return ticker_of(key) in self

    def get(self, key: Any, default: Any = None) -> Any:
        """The entry, or `default`."""
        if key in self:
            return self[key]
        return default

    def get_value(self, key: Any) -> Any:
        """The entry; KeyError without."""
        return self[key]

    def try_get_value(self, key: Any, *rest: Any) -> tuple[bool, Any]:
        """As pythonnet renders C#'s out parameter: found, value."""
        return (True, self[key]) if key in self else (False, None)

    @property
    def count(self) -> int:
        return len(self)

    @property
    def Keys(self) -> list[Any]:  # noqa: N802
        return list(self.keys())

    @property
    def Values(self) -> list[Any]:  # noqa: N802
        return list(self.values())

    ContainsKey = contains_key
    TryGetValue = try_get_value
    Count = count

    def __getattr__(self, name: str) -> Any:
        return missing(self.LEAN, name, self)
