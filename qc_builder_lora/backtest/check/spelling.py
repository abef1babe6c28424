"""PascalCase code in the snake_case that quantconnect-stubs knows; LEAN itself takes both.

Without this every strategy in LEAN's older spelling would fail a check it passes in LEAN.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache

from qc_builder_lora.backtest.check.api import constants, enum_members
from qc_builder_lora.backtest.check.api import members as of_class
from qc_builder_lora.backtest.check.parsing import algorithm_classes
from qc_builder_lora.backtest.surface.alias import snake
from qc_builder_lora.backtest.surface.known import all_members, enums, exported, members


@cache
def _enum_members() -> dict[str, dict[str, str]]:
    """Enum → member in any spelling without underscores, in lower case → member."""
    return {
        name: {member.replace("_", "").lower(): member for member in enum_members(name)}
        for name in enums()
    }


Change = tuple[int, int, str]
"""Columns of a line, from 0 and in bytes, and what stands there instead."""


@dataclass(frozen=True)
class Respelling:
    """A name in LEAN's older spelling, where it stands, and the newer one.

    `kind` is "name", "enum" for a member of an enum or a constant, "own" for an attribute of the
    strategy that would collide with the newer name of one of LEAN's.
    """

    node: ast.Attribute | ast.FunctionDef
    line: int
    start: int
    end: int
    text: str
    kind: str


def in_snake_case(code: str, tree: ast.Module) -> str:
    """The code with LEAN's names in snake case; every line stays where it is.

    A name that the code itself defines is left alone, but for the methods that override LEAN's.
    """
    return changed(code, changes_to_snake_case(code, tree))


def changes_to_snake_case(code: str, tree: ast.Module) -> dict[int, list[Change]]:
    """By line what `in_snake_case` writes."""
    changes: dict[int, list[Change]] = {}
    for one in respellings(code, tree):
        changes.setdefault(one.line, []).append((one.start, one.end, one.text))
    return changes


def respellings(code: str, tree: ast.Module) -> list[Respelling]:
    """Every name in the older spelling, in no set order."""
    own = _own_names(tree)
    hidden = _hidden(tree)
    of_algorithms = {node for cls in algorithm_classes(tree) for node in ast.walk(cls)}
    lines = lines_of(code)
    modules = _modules(tree)
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name) and node.value.id in modules:
                continue  # pd.Series is not LEAN's
            mine = hidden if node in of_algorithms else frozenset()
            one = _attribute(node, own, mine, node in called)
        else:
            one = _override(node, lines) if isinstance(node, ast.FunctionDef) else None
        if one is not None:
            found.append(one)
    return found


def changed(code: str, changes: dict[int, list[Change]]) -> str:
    """The code with the changes made."""
    lines = lines_of(code)
    for number, found in changes.items():
        # Offsets of the tree count bytes.
        raw = lines[number - 1].encode("utf-8", "surrogatepass")
        for start, end, text in sorted(found, reverse=True):
            raw = raw[:start] + text.encode() + raw[end:]
        lines[number - 1] = raw.decode("utf-8", "surrogatepass")
    return "".join(lines)


def lines_of(code: str) -> list[str]:
    """Lines as the parser counts them: a form feed or U+2028 ends none."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$", code)


def _own_names(tree: ast.Module) -> set[str]:
    own = set()
    classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Attribute) and (_is_stored(node) or _is_kept_in(node, classes)):
            own.add(node.attr)
        if isinstance(node, ast.ClassDef):
            own |= {
                name.id for one in node.body if isinstance(one, ast.Assign | ast.AnnAssign)
                for name in ast.walk(one)
                if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
            }  # fmt: skip
    return {name for name in own if snake(name) not in OVERRIDES}


def _is_kept_in(node: ast.Attribute, classes: set[str]) -> bool:
    base = node.value.id if isinstance(node.value, ast.Name) else ""
    return isinstance(node.ctx, ast.Store) and base in classes


def _modules(tree: ast.Module) -> set[str]:
    names = {"pd", "np", "math", "json", "os"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {one.asname or one.name.partition(".")[0] for one in node.names}
    return names


def _hidden(tree: ast.Module) -> frozenset[str]:
    """Own attributes of a strategy in the older spelling that LEAN's newer one would collide with.

    `self.sma = self.SMA(…)` is two names in such a strategy; in snake case it would be one.
    """
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    if "Initialize" not in names:
        return frozenset()
    # `self.insights_generated += heard` speaks of LEAN's own.
    augmented = {node.target for node in ast.walk(tree) if isinstance(node, ast.AugAssign)}
    stored = {
        node.attr for cls in algorithm_classes(tree) for node in ast.walk(cls)
        if isinstance(node, ast.Attribute) and _is_stored(node) and node not in augmented
    }  # fmt: skip
    return frozenset(name for name in stored if name.islower() and name in members("QCAlgorithm"))


def _is_stored(node: ast.Attribute) -> bool:
    """Whether it is an assignment to an attribute of `self`."""
    return isinstance(node.ctx, ast.Store) and _of_self(node)


def _of_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"


def _attribute(
    node: ast.Attribute, own: set[str], hidden: frozenset[str], called: bool
) -> Respelling | None:
    text, kind = None, "name"
    if isinstance(node.value, ast.Attribute) and snake(node.value.attr) in _TIMES:
        return None  # Python's own datetime: it has hour, and no Hour
    if node.attr in hidden and _of_self(node):
        text, kind = f"{node.attr}_own", "own"
    elif not node.attr[:1].isupper() or node.attr in own:
        return None
    elif isinstance(node.value, ast.Name):
        members_of = _enum_members().get(node.value.id)
        known = members_of or constants(node.value.id)
        text, kind = known.get(node.attr.replace("_", "").lower()), "enum"
        if text == node.attr or (text is None and not _may_be_respelt(node.value.id, node.attr)):
            return None  # a constant in capitals, or none that LEAN has
    if text is None and snake(node.attr) in all_members():
        text, kind = snake(node.attr), "name"
        if node.attr in ("Keys", "Values") and not called:
            text += "()"  # .NET's property; in the newer spelling it is Python's method
    if text is None or node.end_lineno is None or node.end_col_offset is None:
        return None
    start = node.end_col_offset - len(node.attr.encode())
    return Respelling(node, node.end_lineno, start, node.end_col_offset, text, kind)


def _may_be_respelt(base: str, name: str) -> bool:
    """Whether a name asked of `base` is in snake case in the newer spelling: of LEAN's classes only
    what is known to be no constant, whose newer spelling is in capitals."""
    if _enum_members().get(base):
        return False
    return base not in exported() or snake(name) in of_class(base)


_TIMES = frozenset({"time", "utc_time", "end_time", "start_date", "end_date"})
OVERRIDES = frozenset(
    {"initialize", "on_data", "on_order_event", "on_end_of_algorithm", "on_end_of_day",
     "on_securities_changed", "on_warmup_finished", "on_margin_call", "on_margin_call_warning",
     "on_splits", "on_dividends", "on_delistings", "on_symbol_changed_events", "post_initialize",
     "on_end_of_time_step", "on_brokerage_message"}
)  # fmt: skip
"""The methods of an algorithm that LEAN calls."""


def _override(node: ast.FunctionDef, lines: list[str]) -> Respelling | None:
    text = snake(node.name)
    if text not in OVERRIDES or node.name == text:
        return None
    raw = lines[node.lineno - 1].encode("utf-8", "surrogatepass")
    start = raw.find(node.name.encode(), node.col_offset)
    if start < 0:
        return None
    return Respelling(node, node.lineno, start, start + len(node.name.encode()), text, "name")


_MISSING = re.compile(r'"([^"]*)" has no attribute "(\w+)"')
# What LEAN hands over as Python's own; these have one spelling.
_PYTHONS = re.compile(r"^(?:datetime|date|time|timedelta|float|int|str|bool|list|dict|tuple|set)\b")


def is_only_spelling(message: str) -> bool:
    """Whether mypy misses an attribute that is one of LEAN's in its other spelling."""
    missing = _MISSING.search(message)
    if missing is None or _PYTHONS.match(missing.group(1)):
        return False
    name = missing.group(2)
    members_of = _enum_members().get(missing.group(1).removeprefix("type[").removesuffix("]"))
    if members_of:
        return name.replace("_", "").lower() in members_of
    return name[:1].isupper() and snake(name) in all_members()
