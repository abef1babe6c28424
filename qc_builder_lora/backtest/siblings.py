"""The other files of a strategy's project: modules beside it that it imports, and theirs.

Read where a strategy comes from a file. Nothing of them is run here, and LEAN's own modules, the
standard library and installed libraries are no concern of this: what has no file is left out.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from qc_builder_lora.backtest.check.handed_in import read
from qc_builder_lora.errors import InputError

_LEANS = frozenset({"AlgorithmImports", "QuantConnect", "System", "clr"}) | sys.stdlib_module_names
"""Never a file of the strategy's, though LEAN's own folder of algorithms has the first."""
Files = dict[str, str]
"""Sources by module name."""


def siblings(path: Path, code: str) -> Files:
    """Sources of the modules beside `path` that `code` imports, and of those that they import.

    Raises InputError for one of them that cannot be read as text.
    """
    found: Files = {}
    waiting = _imported(code)
    while waiting:
        name = waiting.pop()
        beside = path.parent / f"{name}.py"
        if name in found or name in _LEANS or beside == path:
            continue
        if beside.is_file():
            found[name] = _source(beside)
            waiting += _imported(found[name])
    return found


def _source(path: Path) -> str:
    found = read(path)
    if not found.decoded:
        raise InputError(f"{path}: {found.refused}.")
    return found.text


def _imported(code: str) -> list[str]:
    """Top-level modules that a source names; none where it does not parse."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [item.name.partition(".")[0] for item in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module.partition(".")[0])
    return sorted(set(names), reverse=True)
