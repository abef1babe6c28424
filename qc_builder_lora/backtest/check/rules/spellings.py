"""LEAN's two spellings: names, members of enums, and methods that are there in both."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from difflib import get_close_matches

from qc_builder_lora.backtest.check.api import enum_members
from qc_builder_lora.backtest.check.finding import Edit, Found, Rule, Severity
from qc_builder_lora.backtest.check.reading import sentence_list
from qc_builder_lora.backtest.check.spelling import OVERRIDES, Respelling, respellings
from qc_builder_lora.backtest.check.tree import FUNCTIONS, Code
from qc_builder_lora.backtest.surface.alias import snake
from qc_builder_lora.backtest.surface.known import exported

_COLUMNS = frozenset({"Open", "High", "Low", "Close", "Volume"})


def _older_names(code: Code) -> Iterator[Found]:
    found = [one for one in respellings(code.text, code.tree) if one.kind != "enum"]
    strings = {node.value for node in code.all(ast.Constant) if isinstance(node.value, str)}
    # `frame.Close` is a column of the strategy's own where it also writes "Close".
    found = [one for one in found if _name(one) not in _COLUMNS & strings]
    found = _without_shared(code, found)
    if not any(one.kind == "name" for one in found):
        return
    found.sort(key=lambda one: (one.line, one.start))
    names = list(dict.fromkeys(_name(one) for one in found if one.kind == "name"))
    yield Found(
        node=next(one.node for one in found if one.kind == "name"),
        message=f"{_counted(len(names))} in LEAN's older spelling: {sentence_list(names)}",
        cure=f"Write {', '.join(snake(name) for name in names[:2])}: LEAN takes both, "
        "but its documentation and stubs know the newer one",
        edits=tuple(_edit(code, one) for one in found),
    )


def _without_shared(code: Code, found: list[Respelling]) -> list[Respelling]:
    """An attribute of the strategy's that other classes read keeps its name, and so LEAN's member
    that would collide with it keeps its older one."""
    renamed = {
        _name(one) for one in found
        if one.kind == "own" and not code.types.reads_elsewhere(_name(one))
    }  # fmt: skip
    kept = {name for cls in code.algorithms for name in code.types.own(cls.name)} - renamed
    return [
        one for one in found
        if (_name(one) in renamed if one.kind == "own" else not _collides(code, one, kept))
    ]  # fmt: skip


def _collides(code: Code, one: Respelling, kept: set[str]) -> bool:
    node = one.node
    return isinstance(node, ast.Attribute) and one.text in kept and code.types.is_self(node.value)


def _counted(number: int) -> str:
    return "one name" if number == 1 else f"{number} names"


def _name(one: Respelling) -> str:
    return one.node.attr if isinstance(one.node, ast.Attribute) else one.node.name


def _edit(code: Code, one: Respelling) -> Edit:
    text = one.text if one.kind != "own" else code.unused_attribute(_name(one))
    return Edit(code.offset(one.line, one.start), code.offset(one.line, one.end), text)


OLDER_NAMES = Rule(
    id="QC001",
    name="older-spelling",
    severity=Severity.STYLE,
    summary="LEAN's PascalCase spelling of a method or property.",
    why="LEAN runs both spellings, so this is no failure. But a model that reads both in its "
    "examples mixes them, and then self.sma = self.SMA(...) and its like go wrong. The repair "
    "renames all of a file at once, and attributes of the strategy's own that would collide.",
    bad="def Initialize(self):\n    self.SetStartDate(2020, 1, 1)\n",
    good="def initialize(self):\n    self.set_start_date(2020, 1, 1)\n",
    find=_older_names,
    repairs=True,
)


def _enum_case(code: Code) -> Iterator[Found]:
    for one in respellings(code.text, code.tree):
        if one.kind == "enum" and isinstance(one.node, ast.Attribute):
            base = code.source(one.node.value)
            yield Found(
                node=one.node,
                message=f"{base}.{one.node.attr} is the older spelling of a constant",
                cure=f"Write {base}.{one.text}",
                edits=(_edit(code, one),),
            )


ENUM_CASE = Rule(
    id="QC007",
    name="enum-case",
    severity=Severity.STYLE,
    summary="A member of an enum that is not in capitals.",
    why="LEAN runs Resolution.Daily and Resolution.DAILY alike; its documentation and stubs write "
    "members in capitals, and so should what a model learns from.",
    bad='self.add_equity("SPY", Resolution.Daily)',
    good='self.add_equity("SPY", Resolution.DAILY)',
    find=_enum_case,
    repairs=True,
)

_HINTS = {
    ("Resolution", "WEEKLY"): "LEAN's bars go from TICK to DAILY: make weeks with "
    "self.consolidate(symbol, Calendar.WEEKLY, self._on_week)",
    ("Resolution", "MONTHLY"): "LEAN's bars go from TICK to DAILY: make months with "
    "self.consolidate(symbol, Calendar.MONTHLY, self._on_month)",
    ("Resolution", "DAY"): "Write Resolution.DAILY",
    ("Resolution", "HOURLY"): "Write Resolution.HOUR",
}


def _no_such_member(code: Code) -> Iterator[Found]:
    own = {node.name for node in code.all(ast.ClassDef)}
    stored = {node.id for node in code.all(ast.Name) if isinstance(node.ctx, ast.Store)}
    for node in code.all(ast.Attribute):
        if not isinstance(node.value, ast.Name) or node.attr.startswith("_"):
            continue
        enum = node.value.id
        known = enum_members(enum)
        if not known or enum in own | stored or enum in exported():
            continue
        plain = {member.replace("_", "").lower() for member in known}
        lower = node.attr.islower() and node.attr.upper() in known
        if not lower and node.attr.replace("_", "").lower() in plain | {"value", "name", "parse"}:
            continue
        close = get_close_matches(snake(node.attr).upper(), known, n=1, cutoff=0.5)
        instead = f"Did you mean {enum}.{close[0]}?" if close else f"There are: {_members(known)}"
        yield Found(
            node=node,
            message=f"LEAN's {enum} has no member {node.attr}",
            cure=_HINTS.get((enum, snake(node.attr).upper()), instead),
            edits=(code.rename(node, node.attr.upper()),) if lower else (),
        )


def _members(known: frozenset[str]) -> str:
    return sentence_list(sorted(known), most=8)


NO_SUCH_MEMBER = Rule(
    id="QC012",
    name="unknown-enum-member",
    severity=Severity.ERROR,
    summary="A member that LEAN's enum does not have.",
    why="Names such as Resolution.WEEKLY or OrderStatus.COMPLETED sound right and do not exist: the "
    "strategy ends with an AttributeError when the line is reached, which may be years into it. "
    "Members in small letters do not exist either; those are repaired.",
    bad='self.add_equity("SPY", Resolution.daily)',
    good='self.add_equity("SPY", Resolution.DAILY)',
    find=_no_such_member,
    repairs=True,
)


def _both_spellings(code: Code) -> Iterator[Found]:
    for cls in code.algorithms:
        seen: dict[str, str] = {}
        for node in cls.body:
            if not isinstance(node, FUNCTIONS) or snake(node.name) not in OVERRIDES:
                continue
            first = seen.setdefault(snake(node.name), node.name)
            if first != node.name:
                yield Found(
                    node=node,
                    message=f"{cls.name} has both {first} and {node.name}; LEAN calls one of them",
                    cure="Keep one method, in the newer spelling, with what both should do",
                )


BOTH_SPELLINGS = Rule(
    id="QC033",
    name="both-spellings",
    severity=Severity.ERROR,
    summary="One of LEAN's methods overridden in both spellings.",
    why="on_data and OnData are the same method to LEAN. It calls one; what is written in the other "
    "never happens, and no message says so.",
    bad="def on_data(self, data):\n    pass\n\ndef OnData(self, data):\n    self.liquidate()\n",
    good="def on_data(self, data):\n    self.liquidate()\n",
    find=_both_spellings,
)

RULES = (OLDER_NAMES, ENUM_CASE, NO_SUCH_MEMBER, BOTH_SPELLINGS)
