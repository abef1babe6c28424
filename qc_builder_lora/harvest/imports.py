"""Part of G1: what a strategy imports, held against the list of modules; and what is not ASCII.

The list has what LEAN's names come from, the parts of Python's own library that compute, and the
libraries of LEAN's image. Not on it: the network, processes, files, and whatever finds modules by
name at run time. QuantConnect's API refuses text that is not ASCII.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from qc_builder_lora.backtest.check.parsing import tree_of
from qc_builder_lora.backtest.surface.libraries import LEAN_ONLY, LIBRARIES

_LEAN = frozenset({"AlgorithmImports", "QuantConnect", "System", "clr", "Python"})
_COMPUTING = (
    "__future__ abc array ast base64 bisect calendar cmath collections contextlib copy csv "
    "dataclasses datetime decimal difflib enum fractions functools gc hashlib heapq io itertools "
    "json logging math numbers operator pprint queue random re statistics string struct sys "
    "textwrap time traceback types typing unittest uuid warnings weakref zlib zoneinfo "
)
_COMPUTES = frozenset(_COMPUTING.split())
_REACHES_OUT = frozenset({"requests", "yfinance", "openai"})
"""In LEAN's image, and yet no source of what was known at the time."""
_ALLOWED = (
    _LEAN | _COMPUTES | LIBRARIES | frozenset({"typing_extensions"}) | (LEAN_ONLY - _REACHES_OUT)
)
_PARTS = frozenset({"urllib.parse"})
"""Modules that compute, of packages that are not on the list."""
_BY_NAME = ("__import__", "import_module")


def strange_imports(code: str, more: Collection[str] = ()) -> list[tuple[int, str]]:
    """Line and name of each imported module that is on no list, in the order of the file."""
    tree = tree_of(code)
    if isinstance(tree, str):
        return []
    allowed = _ALLOWED | set(more)
    found = {
        (line, name)
        for line, name in _imported(tree)
        if name.partition(".")[0] not in allowed and name not in _PARTS
    }
    return sorted(found)


def _imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, one.name) for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")
        elif isinstance(node, ast.Call) and _called(node.func) in _BY_NAME:
            # A module that is found by name may be any.
            first = node.args[0] if node.args else None
            named = first.value if isinstance(first, ast.Constant) else "a module by name"
            yield node.lineno, str(named)


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def first_odd(code: str) -> tuple[int, str] | None:
    """Line and code point of the first character that is not ASCII; None where all are."""
    if code.isascii():
        return None
    for number, line in enumerate(code.split("\n"), 1):
        for character in line:
            if not character.isascii():
                return number, f"U+{ord(character):04X}"
    return None
