"""LEAN's own Python algorithms, out of a checkout of QuantConnect/Lean: Apache-2.0.

An algorithm's summary, else its docstring, is the request. Left out, each counted by its reason:
what tests the engine (by its name, its tag, or because it raises where a figure is not expected)
or measures its speed, what trades options, futures, indices and CFDs, and files that need another
one beside them. The licence header goes from the code; its copyright notice stays in each example's
version.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

from qc_builder_lora.errors import InputError
from qc_builder_lora.harvest.corpus.candidate import Candidate, LeftOut
from qc_builder_lora.harvest.corpus.public.commit import commit_of
from qc_builder_lora.harvest.corpus.public.describe import algorithm_class, without_header
from qc_builder_lora.harvest.corpus.public.licence import contradicts, stated_licence
from qc_builder_lora.harvest.corpus.public.reading import said, text_of
from qc_builder_lora.harvest.corpus.public.taking import Origin, Taking, slug
from qc_builder_lora.harvest.sources.piece import read_code

SOURCE = "lean"
LICENCE = "Apache-2.0"
NOTICE = "Copyright QuantConnect Corporation"
_FOLDER = "Algorithm.Python"
_LICENCE_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md")
_META = re.compile(r'<meta\s+name="tag"\s+content="([^"]+)"')
# A strategy may fit a regression; a test of LEAN is one.
_REGRESSION = re.compile(
    r"(?<!linear)(?<!logistic)(?<!ridge)(?<!lasso)(?<!polynomial)(?<!vector)(?<!quantile)regression",
    re.IGNORECASE,
)
_SUMMARY = re.compile(r"<summary>(.*?)</summary>", re.DOTALL)
_EXOTIC = re.compile(
    r"\.(?:add_?(?:option|future|index|cfd|crypto_?future)\w*|AddOption\w*|option_chain\w*)\s*\(|"
    r"\b(?:SecurityType|SecurityType\.)\.?(?:OPTION|FUTURE|CFD|INDEX|Option|Future|Cfd|Index)\b",
    re.IGNORECASE,
)


def origin(checkout: Path) -> Origin:
    """What each example of a checkout says; InputError unless its licence is Apache-2.0."""
    if not checkout.is_dir():
        raise InputError(f"{checkout}: no such folder. {_CURE}")
    if not (checkout / _FOLDER).is_dir():
        raise InputError(f"{checkout}: has no folder {_FOLDER!r}. {_CURE}")
    path = next((p for name in _LICENCE_FILES if (p := checkout / name).is_file()), None)
    if path is None:
        raise InputError(
            f"{checkout}: has no LICENSE file, so nothing says that its code may be used. {_CURE}"
        )
    text = " ".join(read_code(path).split())
    if "Apache License" not in text or "Version 2.0" not in text:
        raise InputError(
            f"{path}: is not the Apache License 2.0 that LEAN has. If it is another project, take "
            "it with: qc-lora corpus add folder DIR --licence SPDX"
        )
    commit = commit_of(checkout)
    version = f"LEAN {commit}" if commit else "LEAN, commit unknown"
    return Origin(source=SOURCE, licence=LICENCE, version=f"{version}; {NOTICE}")


_CURE = "Name the top of a checkout of https://github.com/QuantConnect/Lean."


def total(checkout: Path) -> int:
    """How many files there are, for a progress bar."""
    return sum(1 for _ in (checkout / _FOLDER).rglob("*.py"))


def candidates(checkout: Path, taking: Taking) -> Iterator[Candidate | LeftOut]:
    """Each Python file of `Algorithm.Python` as a candidate, or why it is none."""
    folder = checkout / _FOLDER
    for path in sorted(folder.rglob("*.py")):
        place = path.relative_to(checkout).as_posix()
        try:
            text = text_of(checkout, path)
        except (InputError, OSError) as error:
            yield taking.left_out(place, "cannot be read as code", place, said(error))
            continue
        stated = stated_licence(text)
        if contradicts(stated, LICENCE):
            told = f"it says {str(stated).rstrip('-')}, LEAN is {LICENCE}"
            yield taking.left_out(place, "says another licence", place, told)
            continue
        yield _taken(path, place, text, taking)


def _taken(path: Path, place: str, text: str, taking: Taking) -> Candidate | LeftOut:
    why = why_not_taught(path.stem, text)
    if why is not None:
        return taking.left_out(f"{place} {why}", why, place)
    tags = _META.findall(text)
    summary = _SUMMARY.search("\n".join(line.lstrip("# ") for line in text.splitlines()))
    siblings = {p.stem for p in path.parent.glob("*.py")} - {path.stem}
    return taking.take(
        _without_markup(without_header(text)),
        place,
        f"lean_{slug(tags[0])}" if tags else "lean",
        about=summary[1] if summary else None,
        siblings=siblings,
    )


def _without_markup(code: str) -> str:
    """Without the comments that LEAN's own pages are made from: `### <summary>`, `### <meta …>`."""
    return "".join(line for line in code.splitlines(True) if not line.startswith("###"))


def why_not_taught(name: str, text: str) -> str | None:
    """Why an algorithm of LEAN is no example of a strategy; None if it may be one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    node = algorithm_class(tree)
    if node is None:
        return "no class derives from QCAlgorithm"
    if any(_REGRESSION.search(one) for one in (name, node.name)):
        return "regression test by its name"
    if name.endswith("Benchmark") or node.name.endswith(("Benchmark", "BenchmarkAlgorithm")):
        return "measures the engine's speed"
    if any("regression" in tag.lower() for tag in _META.findall(text)):
        return "regression test by its tag"
    if _asserts(tree):
        return "asserts about the engine"
    return "options, futures, indices or CFDs" if _EXOTIC.search(text) else None


def _asserts(tree: ast.Module) -> bool:
    """Whether it raises: a strategy has no reason to, a test of the engine has no other.

    A model beside it that checks the arguments it is made with is no test.
    """
    return any(
        (isinstance(node, ast.Raise) and node.exc is not None and not _is_left_open(node.exc))
        or isinstance(node, ast.Assert)
        for node in _outside_constructors(tree)
    )


def _outside_constructors(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.FunctionDef) and child.name == "__init__"):
            yield child
            yield from _outside_constructors(child)


def _is_left_open(error: ast.expr) -> bool:
    """`raise NotImplementedError`: a method for others to fill in."""
    return "NotImplementedError" in ast.unparse(error)
