"""PascalCase code in the snake_case that quantconnect-stubs knows; LEAN itself takes both.

Without this every strategy in LEAN's older spelling would fail a check it passes in LEAN.
"""

from __future__ import annotations

import ast
import re
from functools import cache

from qc_builder_lora.backtest.check.api import constants
from qc_builder_lora.backtest.surface.alias import snake
from qc_builder_lora.backtest.surface.known import all_members, enums, members


@cache
def _enum_members() -> dict[str, dict[str, str]]:
    """Enum → member in any spelling without underscores, in lower case → member."""
    return {
        name: {member.replace("_", "").lower(): member for member in members}
        for name, members in enums().items()
    }


Change = tuple[int, int, str]
"""Columns of a line, from 0 and in bytes, and what stands there instead."""


def in_snake_case(code: str, tree: ast.Module) -> str:
    """The code with LEAN's names in snake case; every line stays where it is.

    A name that the code itself defines is left alone, but for the methods that override LEAN's.
    """
    return changed(code, changes_to_snake_case(code, tree))


def changes_to_snake_case(code: str, tree: ast.Module) -> dict[int, list[Change]]:
    """By line what `in_snake_case` writes."""
    own = _own_names(tree)
    hidden = _hidden(tree)
    changes: dict[int, list[Change]] = {}
    lines = lines_of(code)
    for node in ast.walk(tree):
        change = _attribute(node, own, hidden) or _override(node, lines)
        if change is not None:
            line, start, end, text = change
            changes.setdefault(line, []).append((start, end, text))
    return changes


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
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Attribute) and _is_stored(node):
            own.add(node.attr)
    return {name for name in own if snake(name) not in _OVERRIDES}


def _hidden(tree: ast.Module) -> set[str]:
    """Own attributes of a strategy in the older spelling that LEAN's newer one would collide with.

    `self.sma = self.SMA(…)` is two names in such a strategy; in snake case it would be one.
    """
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    if "Initialize" not in names:
        return set()
    stored = {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _is_stored(node)
    }
    return {name for name in stored if name.islower() and name in members("QCAlgorithm")}


def _is_stored(node: ast.Attribute) -> bool:
    """Whether it is an assignment to an attribute of `self`."""
    return isinstance(node.ctx, ast.Store) and _of_self(node)


def _of_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"


def _attribute(node: ast.AST, own: set[str], hidden: set[str]) -> tuple[int, int, int, str] | None:
    if not isinstance(node, ast.Attribute):
        return None
    text = None
    if node.attr in hidden and _of_self(node):
        text = f"{node.attr}_own"
    elif not node.attr[:1].isupper() or node.attr in own:
        return None
    elif isinstance(node.value, ast.Name):
        known = _enum_members().get(node.value.id) or constants(node.value.id)
        text = known.get(node.attr.replace("_", "").lower())
    if text is None and snake(node.attr) in all_members():
        text = snake(node.attr)
    if text is None or node.end_lineno is None or node.end_col_offset is None:
        return None
    start = node.end_col_offset - len(node.attr.encode())
    return node.end_lineno, start, node.end_col_offset, text


_OVERRIDES = frozenset(
    {"initialize", "on_data", "on_order_event", "on_end_of_algorithm", "on_end_of_day",
     "on_securities_changed", "on_warmup_finished", "on_margin_call", "on_margin_call_warning",
     "on_splits", "on_dividends", "on_delistings", "on_symbol_changed_events", "post_initialize",
     "on_end_of_time_step", "on_brokerage_message"}
)  # fmt: skip


def _override(node: ast.AST, lines: list[str]) -> tuple[int, int, int, str] | None:
    if not isinstance(node, ast.FunctionDef) or snake(node.name) not in _OVERRIDES:
        return None
    if node.name == snake(node.name):
        return None
    raw = lines[node.lineno - 1].encode("utf-8", "surrogatepass")
    start = raw.find(node.name.encode(), node.col_offset)
    if start < 0:
        return None
    return node.lineno, start, start + len(node.name.encode()), snake(node.name)


_MISSING = re.compile(r'has no attribute "(\w+)"')


def is_only_spelling(message: str) -> bool:
    """Whether mypy misses an attribute that is one of LEAN's in its other spelling."""
    missing = _MISSING.search(message)
    return (
        missing is not None
        and missing.group(1)[:1].isupper()
        and (snake(missing.group(1)) in all_members())
    )
