"""Both of LEAN's spellings from one definition: `set_holdings` and `SetHoldings`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")


def pascal(name: str) -> str:
    """`is_ready` → `IsReady`, the C# spelling."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


@lru_cache(maxsize=4096)
def snake(name: str) -> str:
    """`IsReady` → `is_ready`; `MACD` → `macd`; a name already in snake case stays."""
    if name.isupper():
        return name.lower()
    out = []
    for index, char in enumerate(name):
        before, after = name[index - 1 : index], name[index + 1 : index + 2]
        if char.isupper() and index and before != "_" and (before.islower() or after.islower()):
            out.append("_")
        out.append(char.lower())
    return "".join(out)


def spelled(thing: object, name: str) -> Any:
    """A method in the spelling that a strategy's own class used: the most derived class wins."""
    for cls in type(thing).__mro__:
        for spelling in (name, pascal(name)):
            if spelling in cls.__dict__:
                return getattr(thing, spelling)
    raise AttributeError(name)


def both_styles(cls: type[T]) -> type[T]:
    """Add the PascalCase name of every public member; `UPPER` names acronyms such as `rsi` → `RSI`.

    Plain class attributes, so that neither reading nor setting one costs anything extra and a
    strategy may keep attributes of its own under any name.
    """
    upper: Iterable[str] = cls.__dict__.get("UPPER", ())
    for name, member in list(cls.__dict__.items()):
        if name.startswith("_") or not name[0].islower():
            continue
        alias = name.upper() if name in upper else pascal(name)
        if alias not in cls.__dict__:
            setattr(cls, alias, member)
    return cls
