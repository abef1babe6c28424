"""LEAN's enums, made when first named: `Resolution.DAILY` and `Resolution.Daily` are one object."""

from __future__ import annotations

import difflib
from typing import Any

from .alias import pascal
from .known import enums


class _EnumType(type):
    """Gives a misspelt member the nearest name, and lets a value be looked up by calling."""

    _members: dict[int, Any]

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        names = [item for item in cls.__dict__ if item[0].isupper()]
        close = difflib.get_close_matches(name, names, n=1)
        hint = f". Did you mean: {close[0]!r}?" if close else ""
        raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}{hint}")

    def __call__(cls, value: Any) -> Any:
        try:
            return cls._members[int(value)]
        except (KeyError, ValueError) as error:
            raise ValueError(f"{value!r} is not a valid {cls.__name__}") from error

    def __iter__(cls) -> Any:
        return iter(cls._members.values())


class LeanEnum(int, metaclass=_EnumType):
    """One member: equal to its number, printed as LEAN prints it (`Daily`)."""

    _members: dict[int, Any] = {}  # noqa: RUF012
    name: str

    @property
    def value(self) -> int:
        """The number."""
        return int(self)

    def __str__(self) -> str:
        return pascal(self.name.lower())

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


_made: dict[str, Any] = {}
# The stubs leave their numbers out.
_SECOND_NAMES = {"BrokerageName": {"QUANT_CONNECT_BROKERAGE": "DEFAULT"}}


def enum(name: str) -> Any:
    """LEAN's enum of that name; KeyError where there is none."""
    if name not in _made:
        _made[name] = _make(name, enums()[name])
    return _made[name]


def _make(name: str, members: dict[str, int]) -> Any:
    cls: Any = _EnumType(name, (LeanEnum,), {"_members": {}, "__module__": "AlgorithmImports"})
    for key, number in members.items():
        member = int.__new__(cls, number)
        member.name = key
        cls._members.setdefault(number, member)
        setattr(cls, key, member)
        setattr(cls, pascal(key.lower()), member)
    for key, meant in _SECOND_NAMES.get(name, {}).items():
        member = getattr(cls, meant)
        setattr(cls, key, member)
        setattr(cls, pascal(key.lower()), member)
    return cls


Resolution = enum("Resolution")
DataNormalizationMode = enum("DataNormalizationMode")
MovingAverageType = enum("MovingAverageType")
OrderType = enum("OrderType")
OrderStatus = enum("OrderStatus")
OrderDirection = enum("OrderDirection")
OrderField = enum("OrderField")
SecurityType = enum("SecurityType")
DayOfWeek = enum("DayOfWeek")
