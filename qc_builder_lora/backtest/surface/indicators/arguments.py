"""Which of LEAN's constructors a call means: by number and kind of the arguments.

The name comes first or is left out.

A class says what it takes in the signature of its `_set_up` method; more constructors of the same
class stand in its `SET_UPS`. The kinds are the words of the annotations.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from ..enums import LeanEnum

Period = int
"""A whole number above zero."""
REQUIRED = object()


class Parameter(NamedTuple):
    """One argument: its name, its kind in words, its default."""

    name: str
    kind: str
    default: Any = REQUIRED


def is_whole(value: Any) -> bool:
    """Whether C# takes it for an int: a float never, not even 14.0."""
    return hasattr(value, "__index__") and not isinstance(value, bool | LeanEnum)


def is_number(value: Any) -> bool:
    """Whether C# takes it for a decimal."""
    if isinstance(value, bool | LeanEnum | str):
        return False
    return isinstance(value, int | float) or hasattr(value, "__float__")


def is_symbol(value: Any) -> bool:
    """A Symbol, a ticker, or a security."""
    return isinstance(value, str) or hasattr(value, "symbol")


def fits(value: Any, kind: str) -> bool:
    """Whether a value can be an argument of that kind."""
    if kind == "Any":
        return True
    if kind.endswith(" | None"):
        return value is None or fits(value, kind[:-7])
    if kind in _KINDS:
        return _KINDS[kind](value)
    return isinstance(value, LeanEnum) and type(value).__name__ == kind


_KINDS: dict[str, Callable[[Any], bool]] = {
    "Period": is_whole,
    "int": is_whole,
    "float": is_number,
    "bool": lambda value: isinstance(value, bool),
    "Symbol": is_symbol,
    "callable": callable,
}


@cache
def _parameters(method: Any) -> tuple[Parameter, ...]:
    found = []
    for item in list(inspect.signature(method).parameters.values())[1:]:
        default = REQUIRED if item.default is inspect.Parameter.empty else item.default
        kind = "callable" if str(item.annotation).startswith("Callable") else str(item.annotation)
        found.append(Parameter(item.name, kind, default))
    return tuple(found)


def matched(
    parameters: tuple[Parameter, ...], args: tuple[Any, ...], named: dict[str, Any]
) -> list[Any] | None:
    """The values in order where the arguments fit, else None."""
    if len(args) > len(parameters) or any(p.name in named for p in parameters[: len(args)]):
        return None
    left = dict(named)
    values = list(args)
    for parameter in parameters[len(args) :]:
        value = left.pop(parameter.name, parameter.default)
        if value is REQUIRED:
            return None
        values.append(value)
    if left:
        return None
    pairs = zip(parameters, values, strict=True)
    return values if all(v is p.default or fits(v, p.kind) for p, v in pairs) else None


def bind(
    cls: type, args: tuple[Any, ...], named: dict[str, Any]
) -> tuple[str, Callable[..., None], list[Any]]:
    """The name given (or ""), the set-up method that is meant, and its arguments."""
    for name, rest, keywords in _splits(args, named):
        for method in _set_ups(cls):
            values = matched(_parameters(method), rest, keywords)
            if values is not None:
                _check_periods(cls, method, values)
                return name, method, values
    raise TypeError(_refusal(cls, args, named))


def _splits(
    args: tuple[Any, ...], named: dict[str, Any]
) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """The call read without a leading name, and with one where it begins with text."""
    if "name" in named:
        rest = {key: value for key, value in named.items() if key != "name"}
        return [(str(named["name"]), args, rest)]
    found = [("", args, named)]
    if args and isinstance(args[0], str):
        # A Symbol too: LEAN turns one into text.
        found.append((str(args[0]), args[1:], named))
    return found


@cache
def _set_ups(cls: Any) -> tuple[Callable[..., None], ...]:
    return tuple(getattr(cls, name) for name in cls.SET_UPS)


def _check_periods(cls: type, method: Any, values: list[Any]) -> None:
    for parameter, value in zip(_parameters(method), values, strict=True):
        if parameter.kind == "Period" and value < 1:
            words = parameter.name.replace("_", " ")
            raise ValueError(f"{cls.__name__}: {words} must be greater than zero, got {value}")


def _refusal(cls: Any, args: tuple[Any, ...], named: dict[str, Any]) -> str:
    text = f"No method matches given arguments for {cls.__name__}"
    parameters = _parameters(_set_ups(cls)[0])
    rest = args[1:] if args and isinstance(args[0], str) else args
    if len(rest) <= len(parameters) and not named:
        for parameter, value in zip(parameters, rest, strict=False):
            if not fits(value, parameter.kind):
                words = parameter.name.replace("_", " ")
                return f"{text}: {words} must be {_WORDS.get(parameter.kind, parameter.kind)}, " + (
                    f"got {value!r}"
                )
    shown = ", ".join([*(type(item).__name__ for item in args), *named])
    return f"{text}: ({shown})"


_WORDS = {
    "Period": "a whole number",
    "int": "a whole number",
    "float": "a number",
    "bool": "True or False",
    "Symbol": "a symbol",
}
