"""What LEAN has and we do not: told apart from what LEAN does not have at all.

The names come from quantconnect-stubs, written to `lean_names.txt` by
`python -m qc_builder_lora.backtest.check.lean_names`; no stub is read when a strategy runs.
"""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from .alias import snake


class NotModelled(BaseException):
    """LEAN has this, the simulator does not: the backtest is `unknown`.

    Not an Exception: a strategy's own `except Exception` must not turn it into a wrong figure.
    """

    def __init__(self, api: str, detail: str = "") -> None:
        super().__init__(f"{api}: {detail}" if detail else api)
        self.api = api
        self.detail = detail


_reporter: list[Any] = []


def on_not_modelled(report: Any) -> None:
    """Have `report(api, detail)` called before NotModelled is raised: a bare `except` loses."""
    _reporter[:] = [report]


def not_modelled(api: str, detail: str = "") -> NoReturn:
    """Report and raise; never returns."""
    for report in _reporter:
        report(api, detail)
    raise NotModelled(api, detail)


@cache
def _sections() -> dict[str, str]:
    sections = {}
    path = Path(__file__).with_name("lean_names.txt")
    for line in path.read_text("ascii").splitlines():
        if line and not line.startswith("#"):
            head, _, names = line.partition(":")
            sections[head] = names
    return sections


@cache
def exported() -> frozenset[str]:
    """Every class and enum that `from AlgorithmImports import *` gives in LEAN."""
    return frozenset(_sections()["exports"].split())


@cache
def members(cls: str) -> frozenset[str]:
    """Public members of a LEAN class in snake case, inherited ones too; empty if not listed."""
    return frozenset(_sections().get(f"class {cls}", "").lower().split())


@cache
def all_members() -> frozenset[str]:
    """Members of all listed classes together."""
    listed = (head[6:] for head in _sections() if head.startswith("class "))
    return frozenset().union(*(members(name) for name in listed))


@cache
def enums() -> dict[str, dict[str, int]]:
    """Every enum of LEAN with its members' values."""
    found = {}
    for head, names in _sections().items():
        if head.startswith("enum "):
            pairs = (item.partition("=") for item in names.split())
            found[head[5:]] = {name: int(value) for name, _, value in pairs}
    return found


def missing(cls: str, name: str, have: Any) -> Any:
    """An attribute in its other spelling; NotModelled if LEAN has it, else AttributeError."""
    if name.startswith("_"):
        # Python's own protocols ask for many of these; LEAN has none.
        raise AttributeError(f"{type(have).__name__!r} object has no attribute {name!r}")
    plain = snake(name)
    if plain != name:
        # Attributes of an instance have no PascalCase twin on the class.
        try:
            return object.__getattribute__(have, plain)
        except AttributeError:
            pass
    if plain in members(cls):
        not_modelled(f"{cls}.{plain}")
    hint = did_you_mean(cls, name, have)
    raise AttributeError(f"{type(have).__name__!r} object has no attribute {name!r}{hint}")


def did_you_mean(cls: str, name: str, have: Any) -> str:
    """`. Did you mean: 'add_equity'?`, or nothing where no name is close."""
    names = {item for item in dir(have) if not item.startswith("_") and item.islower()}
    names.update(getattr(have, "__dict__", ()))
    close = difflib.get_close_matches(snake(name), sorted(names | members(cls)), n=1, cutoff=0.7)
    return f". Did you mean: {close[0]!r}?" if close else ""


class LeanType(type):
    """Type of the surface's classes: tells an unknown static member apart, as `missing` does."""

    def __getattr__(cls, name: str) -> Any:
        lean = cls.__dict__.get("LEAN") or cls.__name__
        if not name.startswith("_"):
            if snake(name) in members(lean):
                not_modelled(f"{lean}.{name}")
            hint = did_you_mean(lean, name, cls)
            raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}{hint}")
        raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")


class Lean(metaclass=LeanType):
    """Base of the surface's classes: an unknown attribute is told apart by `missing`."""

    __slots__ = ()
    LEAN = ""
    """LEAN's class name, where it differs from ours."""

    def to_string(self, *form: Any) -> str:
        """What every object of .NET has; in Python it is str()."""
        return str(self)

    ToString = to_string

    def equals(self, other: Any) -> bool:
        """What every object of .NET has; in Python it is ==."""
        return bool(self == other)

    Equals = equals

    def __getattr__(self, name: str) -> Any:
        return missing(self.LEAN or type(self).__name__, name, self)
