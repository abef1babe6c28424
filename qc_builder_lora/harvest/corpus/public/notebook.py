"""Strategies in Jupyter notebooks: each code cell with a QCAlgorithm class is one.

The imports of the cells before it come along, for a class rests on them; nothing else does. Lines
for IPython alone (`%matplotlib`, `!pip`) are left out. What stands in the Markdown cell before it
says what it is for.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from qc_builder_lora.errors import InputError

_FOR_IPYTHON = re.compile(r"^\s*(?:%|!|\?)")
_CLASS = re.compile(r"^\s*class\s+\w+\s*\([^)]*QCAlgorithm", re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """A strategy of a notebook: the number of its cell from 1, its code, and the text before."""

    number: int
    code: str
    about: str | None


def cells_of(text: str) -> Iterator[Cell]:
    """The strategies of a notebook's JSON, in order; InputError for what is no notebook."""
    imports: dict[str, None] = {}
    about: str | None = None
    for number, cell in enumerate(_cells(text), 1):
        source = _source(cell)
        if cell.get("cell_type") == "markdown":
            about = _prose(source) or about
        if cell.get("cell_type") != "code":
            continue
        code = "\n".join(line for line in source.split("\n") if not _FOR_IPYTHON.match(line))
        if _CLASS.search(code):
            before = "\n".join(one for one in imports if one not in code)
            yield Cell(number, f"{before}\n\n\n{code}" if before else code, about)
            about = None
        imports.update(dict.fromkeys(_imports(code)))


def _cells(text: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not a notebook: {error}") from error
    cells = found.get("cells") if isinstance(found, dict) else None
    if cells is None and isinstance(found, dict) and isinstance(found.get("worksheets"), list):
        # Format 3 had sheets of cells.
        sheets = [one for one in found["worksheets"] if isinstance(one, dict)]
        cells = [cell for one in sheets for cell in one.get("cells") or ()]
    if not isinstance(cells, list):
        raise InputError("not a notebook of format 3 or 4: it has no list of cells")
    return [cell for cell in cells if isinstance(cell, dict)]


def _source(cell: dict[str, Any]) -> str:
    # Format 3 calls a code cell's text its input.
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        return "".join(part for part in source if isinstance(part, str))
    return source if isinstance(source, str) else ""


def _imports(code: str) -> list[str]:
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return [
        ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)
    ]


def _prose(text: str) -> str:
    """Markdown without its headings' signs, links and pictures."""
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", " ", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return " ".join(re.sub(r"^[#>*\-\s]+|[*_`]", "", line) for line in text.split("\n")).strip()
