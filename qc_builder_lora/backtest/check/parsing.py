"""Does it parse, and does it hold exactly one strategy? Nothing is imported, nothing runs.

Python's parser guards its own stack: deep nesting comes back as an error, never as a crash (a test
tries two dozen ways). Size is bounded here.
"""

from __future__ import annotations

import ast
import hashlib
import warnings
from collections.abc import Iterator

from qc_builder_lora.backtest.check.result import PASSED, CheckResult, failed
from qc_builder_lora.errors import InputError

MOST_CHARACTERS = 10_000_000
_BASES = frozenset({"QCAlgorithm", "QCAlgorithmFramework", "QCAlgorithmFrameworkBridge"})
_RENAMED = "Strategy"


def parses(code: str) -> CheckResult:
    """PASS for code that parses and has one class deriving from QCAlgorithm."""
    tree = tree_of(code)
    if isinstance(tree, str):
        return failed(tree)
    classes = strategy_classes(tree)
    if not classes:
        return failed("no class derives from QCAlgorithm")
    if len(classes) > 1:
        names = ", ".join(f"{item.name} (line {item.lineno})" for item in classes)
        return failed(f"more than one class derives from QCAlgorithm: {names}")
    return PASSED


def tree_of(code: str) -> ast.Module | str:
    """The syntax tree, or the sentence that says why there is none."""
    if len(code) > MOST_CHARACTERS:
        return f"the source has {len(code)} characters, more than {MOST_CHARACTERS}"
    try:
        with warnings.catch_warnings():
            # A strategy's invalid escapes are no business of our standard error.
            warnings.simplefilter("ignore")
            return ast.parse(code)
    except SyntaxError as error:
        where = f"line {error.lineno}: " if error.lineno else ""
        return f"{where}{type(error).__name__}: {error.msg}"
    except (RecursionError, MemoryError):
        return "nested too deeply for Python's parser"
    except (ValueError, OverflowError) as error:
        return f"not Python source: {error}"


def strategy_classes(tree: ast.Module) -> list[ast.ClassDef]:
    """Classes that derive from QCAlgorithm, by themselves or through another, less those that
    others derive from: the ones LEAN would have to choose between."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    strategies = set(_BASES)
    found: list[ast.ClassDef] = []
    bases_used: set[str] = set()
    for node in classes:
        bases = {_last_name(base) for base in node.bases}
        if bases & strategies:
            strategies.add(node.name)
            found.append(node)
            bases_used |= bases
    return [node for node in found if node.name not in bases_used]


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def strategy_hash(code: str) -> str:
    """SHA-256 of the syntax tree without docstrings, comments, formatting and the class's name.

    Equal for two texts that are the same strategy. Raises InputError for code that does not parse.
    """
    tree = tree_of(code)
    if isinstance(tree, str):
        raise InputError(f"A strategy's identity is its syntax tree, and this has none: {tree}.")
    classes = strategy_classes(tree)
    name = classes[0].name if len(classes) == 1 else ""
    digest = hashlib.sha256()
    for token in _tokens(tree, name):
        digest.update(token.encode("utf-8", "surrogatepass"))
        digest.update(b"\0")
    return digest.hexdigest()


def _tokens(tree: ast.Module, name: str) -> Iterator[str]:
    """The tree in prefix order, iteratively: a long chain of operators is a deep tree."""
    stack: list[object] = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, ast.AST):
            yield f"({type(item).__name__}"
            stack.append(")")
            for field in reversed(item._fields):
                value = getattr(item, field, None)
                if field == "body" and isinstance(value, list) and _has_docstring(item, value):
                    value = value[1:]
                stack.extend((value, f".{field}"))
        elif isinstance(item, list):
            yield "["
            stack.append("]")
            stack.extend(reversed(item))
        elif isinstance(item, str):
            yield _RENAMED if name and item == name else item
        else:
            yield f"{type(item).__name__} {item!r}"


def _has_docstring(node: ast.AST, body: list[object]) -> bool:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    first = body[0] if body else None
    return (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
