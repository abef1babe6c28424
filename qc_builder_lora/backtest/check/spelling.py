"""PascalCase code in the snake_case that quantconnect-stubs knows; LEAN itself takes both.

Without this every strategy in LEAN's older spelling would fail a check it passes in LEAN.
"""

from __future__ import annotations

import ast
from functools import cache

from qc_builder_lora.backtest.surface.alias import snake
from qc_builder_lora.backtest.surface.known import all_members, enums, members


@cache
def _enum_members() -> dict[str, dict[str, str]]:
    """Enum → member in any spelling without underscores, in lower case → member."""
    return {
        name: {member.replace("_", "").lower(): member for member in members}
        for name, members in enums().items()
    }


def in_snake_case(code: str, tree: ast.Module) -> str:
    """The code with LEAN's names in snake case; every line stays where it is.

    A name that the code itself defines is left alone, but for the methods that override LEAN's.
    """
    own = _own_names(tree)
    hidden = _hidden(tree)
    changes: dict[int, list[tuple[int, int, str]]] = {}
    for node in ast.walk(tree):
        change = _attribute(node, own, hidden) or _override(node, code)
        if change is not None:
            line, start, end, text = change
            changes.setdefault(line, []).append((start, end, text))
    lines = code.splitlines(keepends=True)
    for number, found in changes.items():
        # Offsets of the tree count bytes.
        raw = lines[number - 1].encode()
        for start, end, text in sorted(found, reverse=True):
            raw = raw[:start] + text.encode() + raw[end:]
        lines[number - 1] = raw.decode()
    return "".join(lines)


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
        members = _enum_members().get(node.value.id, {})
        text = members.get(node.attr.replace("_", "").lower())
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


def _override(node: ast.AST, code: str) -> tuple[int, int, int, str] | None:
    if not isinstance(node, ast.FunctionDef) or snake(node.name) not in _OVERRIDES:
        return None
    if node.name == snake(node.name):
        return None
    raw = code.splitlines()[node.lineno - 1].encode()
    start = raw.find(node.name.encode(), node.col_offset)
    if start < 0:
        return None
    return node.lineno, start, start + len(node.name.encode()), snake(node.name)


def is_only_spelling(name: str) -> bool:
    """Whether a missing attribute is one of LEAN's in its other spelling."""
    return name[:1].isupper() and snake(name) in all_members()
