"""Models that a strategy may derive from, or replace by any object with the right methods.

An override counts in either spelling: `update` and `Update` are one method, `super()` included.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ..alias import pascal, snake
from ..known import Lean, not_modelled
from ..symbol import Symbol


class Overridable(Lean):
    """Base of the framework's models."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        for name, member in list(cls.__dict__.items()):
            other = _twin(name)
            if other != name and other not in cls.__dict__ and _inherited(cls, other):
                setattr(cls, other, member)
        if cls.__module__.startswith(_HERE) and "__init__" in cls.__dict__:
            setattr(cls, "__init__", _in_any_case(cls.__dict__["__init__"]))  # noqa: B010


_HERE = __name__.rpartition(".")[0]


def _in_any_case(initialize: Callable[..., None]) -> Callable[..., None]:
    """LEAN's names of arguments may be written as in C#: `maximumDrawdownPercent=0.1`."""

    @wraps(initialize)
    def made(self: Any, *args: Any, **named: Any) -> None:
        initialize(self, *args, **plain_names(named))

    return made


def setting(name: str, default: float) -> Any:
    """A property of a model that a strategy may set in either spelling."""
    key = f"_{name}"

    def get(self: Any) -> float:
        found: float = self.__dict__.get(key, default)
        return found

    def put(self: Any, value: float) -> None:
        self.__dict__[key] = float(value)

    return property(get, put)


def _twin(name: str) -> str:
    if name.startswith("_"):
        return name
    return snake(name) if name[0].isupper() else pascal(name)


def _inherited(cls: type, name: str) -> bool:
    return any(name in base.__dict__ for base in cls.__mro__[1:])


def method(model: Any, name: str) -> Callable[..., Any] | None:
    """A method of a strategy's own object, in the spelling that it has; None where it has none."""
    for spelling in (name, pascal(name)):
        found = getattr(model, spelling, None)
        if callable(found):
            return found  # type: ignore[no-any-return]
    return None


def adopt(model: Any, base: type, interface: str, required: tuple[str, ...]) -> Any:
    """The model itself, or a wrapper around an object that only looks like one, as in LEAN."""
    if isinstance(model, base):
        return model
    name = getattr(model, "_name", "")
    if type(model).__name__ == "StandIn":
        not_modelled(name)
    for wanted in required:
        if method(model, wanted) is None:
            raise NotImplementedError(
                f"{interface}.{pascal(wanted)} must be implemented. Please implement this missing "
                f"method on {type(model)}"
            )
    return _wrapped(base, model)


def _wrapped(base: type, model: Any) -> Any:
    made = base()
    own = getattr(model, "name", None) or getattr(model, "Name", None)
    made.__dict__["_name"] = str(own or type(model).__name__)
    for name in _METHODS:
        found = method(model, name)
        if found is not None:
            made.__dict__[name] = found
    return made


_METHODS = (
    "update", "create_targets", "execute", "manage_risk", "create_universes",
    "get_next_refresh_time_utc", "on_securities_changed", "on_order_event",
)  # fmt: skip


def symbol_of(thing: Any) -> Any:
    """The Symbol that a Symbol, a ticker or a Security names."""
    if isinstance(thing, Symbol):
        return thing
    if isinstance(thing, str):
        return Symbol(thing)
    found = getattr(thing, "symbol", None)
    if found is None:
        raise TypeError(f"No method matches given arguments: expected a Symbol, got {type(thing)}")
    return found


def plain_names(named: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments in snake case, however they were written."""
    return {snake(key): value for key, value in named.items()}
