"""LEAN's classes and members as facts to check against; see `lean_api.py` for where they are from.

Names are in snake case. What is not listed is unknown, never wrong: `None` says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from qc_builder_lora.backtest.surface.known import enums

# .NET gives these to every object, and LEAN's Python layer more to some.
_OF_ALL = frozenset(
    {"get_type", "equals", "get_hash_code", "to_string", "memberwise_clone", "reference_equals",
     "get_enumerator", "as_managed_object", "overloads"}
)  # fmt: skip
# A strategy may hang attributes of its own on these and what derives from them (.NET's dynamic
# objects), and what is said to be one of the others may be any class derived from it.
_DYNAMIC = frozenset({"Security", "DynamicData", "PythonData"})
_ABSTRACT = frozenset({"BaseData", "object", "Type", "Order"})


@dataclass(frozen=True)
class Call:
    """One way to call a method: names in order, how many are needed, whether more may follow.

    `loose` has the positions that take a Resolution under another name, or anything at all.
    """

    names: tuple[str, ...]
    needed: int
    more: bool
    loose: frozenset[int] = frozenset()

    def __str__(self) -> str:
        shown = [*self.names[: self.needed], *(f"{name}=…" for name in self.names[self.needed :])]
        return ", ".join([*shown, *(["*…"] if self.more else [])])


@dataclass(frozen=True)
class Member:
    """`gives` is the class of what comes of it, or empty where that is not known."""

    name: str
    kind: str
    gives: str = ""
    calls: tuple[Call, ...] = ()
    settable: bool = False

    @property
    def is_method(self) -> bool:
        return self.kind == "method"


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(Path(__file__).with_name("lean_api.json").read_text("utf-8"))
    return table


def has_class(name: str) -> bool:
    """Whether the class is listed."""
    return not name.startswith("_") and name in _table()


def lineage(name: str) -> Iterator[str]:
    """The class and all its listed bases, each once."""
    waiting, seen = [name], set()
    while waiting:
        one = waiting.pop(0)
        if one not in seen and has_class(one):
            seen.add(one)
            yield one
            waiting += _table()[one]["bases"]


@cache
def members(cls: str) -> dict[str, Member]:
    """All members, inherited ones too."""
    found: dict[str, Member] = {}
    for name in lineage(cls):
        for member, facts in _table()[name]["members"].items():
            if member not in found:
                found[member] = _member(member, facts)
    return found


def _member(name: str, facts: dict[str, Any]) -> Member:
    calls = tuple(_call(text) for text in facts.get("calls", ()))
    return Member(name, facts["kind"], facts.get("gives", ""), calls, bool(facts.get("set")))


def _call(text: str) -> Call:
    parts = [part for part in text.split(",") if part]
    plain = [part for part in parts if not part.startswith("*")]
    needed = sum(1 for part in plain if not part.endswith("?"))
    names = tuple(part.rstrip("?").rstrip("^~") for part in plain)
    loose = frozenset(index for index, part in enumerate(plain) if {"^", "~"} & {*part})
    return Call(names, needed, len(plain) < len(parts), loose)


def item(cls: str) -> str:
    """The class of what subscripting gives, or empty."""
    for name in lineage(cls):
        found = _table()[name].get("item")
        if found is not None:
            return str(found)
    return ""


def is_closed(cls: str) -> bool:
    """Whether a member that is not listed certainly does not exist."""
    names = list(lineage(cls))
    interface = cls[:1] == "I" and cls[1:2].isupper()
    if not names or interface or cls in _ABSTRACT:
        return False
    return not any(name in _DYNAMIC or _table()[name].get("open") for name in names)


def lacks(cls: str, name: str) -> bool:
    """Whether LEAN's class certainly has no such member, in snake case."""
    return is_closed(cls) and name not in members(cls) and name not in _OF_ALL


def is_indicator(cls: str) -> bool:
    """Whether it is one of LEAN's indicators."""
    return "IndicatorBase" in lineage(cls)


@cache
def enum_members(enum: str) -> frozenset[str]:
    """All names of an enum's members, in capitals; empty for what is none."""
    known = enums().get(enum, {})
    return frozenset(known) | frozenset(_table()["_aliases"].get(enum, ()) if known else ())


@cache
def constants(cls: str) -> dict[str, str]:
    """A class's constants by their name without underscores in lower case: `usa` → `USA`."""
    return {
        name.replace("_", "").lower(): name
        for name, member in members(cls).items()
        if member.kind == "field"
    }
