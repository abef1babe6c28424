"""A strategy as the compile check reads it: LEAN's script's imports, and one spelling of names."""

from __future__ import annotations

import ast
import re
import typing
from dataclasses import dataclass, replace
from functools import cache

from qc_builder_lora.backtest.check.parsing import tree_of
from qc_builder_lora.backtest.check.result import TypeFault
from qc_builder_lora.backtest.check.spelling import Change, changed, changes_to_snake_case
from qc_builder_lora.backtest.surface.known import enums, exported

_IMPORT = "from AlgorithmImports import *"
# What AlgorithmImports gives in LEAN beside LEAN's own names; a star import of a stub hides it.
_ALONG = (
    ";from datetime import date, time, datetime, timedelta;import pandas as pd;"
    "import numpy as np;import math;import json;import os"
)
_WORD = re.compile(r"[A-Za-z_]\w*")
_SWITCH = re.compile(r"^# mypy:", re.MULTILINE)
_IGNORE_ALL = re.compile(r"^(\s*)#\s*type:\s*ignore", re.MULTILINE)


@dataclass(frozen=True)
class Prepared:
    """The text for mypy; its lines are the code's own."""

    text: str
    changes: dict[int, list[Change]]

    def placed(self, fault: TypeFault) -> TypeFault:
        """The same fault at the column where it stands in the code."""
        column = fault.column
        for start, end, text in sorted(self.changes.get(fault.line, ())):
            if start + 1 >= column:
                break
            column -= min(len(text) - (end - start), column - start - 1)
        return replace(fault, column=column)


def prepare(code: str) -> Prepared:
    """What mypy is to read for a code that parses."""
    tree = tree_of(code)
    assert not isinstance(tree, str)
    changes = changes_to_snake_case(code, tree)
    text = changed(code, changes)
    text = _SWITCH.sub("# mypi:", _without_ignoring_all(text, tree))
    text = _without_hidden_modules(text, tree)
    return Prepared(text.replace(_IMPORT, _imported(text, tree) + _ALONG), changes)


def _without_hidden_modules(text: str, tree: ast.Module) -> str:
    """`import datetime` above the star import is the class below it: mypy would keep the module."""
    stars = [node.lineno for node in tree.body if _is_star(node)]
    hidden = [
        node for node in tree.body
        if isinstance(node, ast.Import) and stars and node.lineno < stars[-1]
        and [(one.name, one.asname) for one in node.names] in ([("datetime", None)],
                                                              [("time", None)])
    ]  # fmt: skip
    changes: dict[int, list[Change]] = {}
    for node in hidden:
        end = node.end_col_offset or node.col_offset
        changes[node.lineno] = [(node.col_offset, end, "pass".ljust(end - node.col_offset))]
    return changed(text, changes) if changes else text


def _imported(text: str, tree: ast.Module) -> str:
    """The star import, or what of it the code names where a class of its own has one of LEAN's
    names: to Python the later one counts, to mypy the first."""
    stars = [node.lineno for node in tree.body if _is_star(node)]
    if len(stars) != 1:
        return _IMPORT
    known = _given_by_star()
    own = {name for node in tree.body if node.lineno > stars[0] for name in _bound_by(node)}
    if not own & known:
        return _IMPORT
    named = sorted((set(_WORD.findall(text)) & known) - own)
    return f"from AlgorithmImports import {', '.join(named)}" if named else "pass"


def _is_star(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "AlgorithmImports" and any(
        one.name == "*" for one in node.names
    )  # fmt: skip


def _bound_by(node: ast.stmt) -> list[str]:
    """The names that a class, a function or an import of the module brings."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [one.asname or one.name for one in node.names]
    return []


@cache
def _given_by_star() -> frozenset[str]:
    return exported() | frozenset(enums()) | frozenset(typing.__all__) | {"QCAlgorithmFramework"}


def _without_ignoring_all(code: str, tree: ast.Module) -> str:
    """`# type: ignore` above the first statement is the whole file's: taken out."""
    if "type:" not in code:
        return code
    lines = code.split("\n")
    first = tree.body[0].lineno - 1 if tree.body else len(lines)
    return "\n".join([*(_IGNORE_ALL.sub(r"\1# -", line) for line in lines[:first]), *lines[first:]])
