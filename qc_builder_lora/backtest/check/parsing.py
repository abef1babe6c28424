"""Does it parse, and does it hold exactly one strategy? Nothing is imported, nothing runs.

Python's parser guards its own stack: deep nesting comes back as an error, never as a crash (a test
tries two dozen ways). Size is bounded here.
"""

from __future__ import annotations

import ast
import hashlib
import re
import warnings
from collections.abc import Iterator

from qc_builder_lora.backtest.check.result import PASSED, CheckResult, failed
from qc_builder_lora.errors import InputError

MOST_CHARACTERS = 500_000
"""Twice the largest file that QuantConnect takes; a syntax tree needs a kilobyte a character."""
_BASES = frozenset({"QCAlgorithm", "QCAlgorithmFramework", "QCAlgorithmFrameworkBridge"})
_RENAMED = "Strategy"
_BARE = frozenset(
    {ast.Load, ast.Store, ast.Add, ast.Sub, ast.Mult, ast.Gt, ast.Lt, ast.And, ast.Not}
)
"""Frequent nodes without fields."""
_YOUNGER = frozenset({"type_params", "default_value"})
"""Fields that later Pythons have added: where empty they do not count, so that an id is the same
on every Python."""


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
    found = syntax_of(code)
    if not isinstance(found, SyntaxError):
        return found
    where = f"line {found.lineno}: " if found.lineno else ""
    return f"{where}{type(found).__name__}: {found.msg}"


def syntax_of(code: str) -> ast.Module | SyntaxError | str:
    """The syntax tree; Python's own error; or a sentence where Python has no place to point at."""
    if len(code) > MOST_CHARACTERS:
        return f"the source has {len(code)} characters, more than {MOST_CHARACTERS}"
    try:
        with warnings.catch_warnings():
            # A strategy's invalid escapes are no business of our standard error.
            warnings.simplefilter("ignore")
            return ast.parse(code)
    except SyntaxError as error:
        return error
    except (RecursionError, MemoryError):
        return "nested too deeply for Python's parser"
    except (ValueError, OverflowError) as error:
        return f"not Python source: {error}"


_HINTS = (
    (r"^\s*(?:```|~~~)", "Take the Markdown fence out"),
    (r"[\u201c\u201d\u2018\u2019]", "Write straight quotes"),
    (r"&&|\|\|", "Write and, or"),
    (r"\bnew\s+\w+\s*\(", "Python makes objects without new"),
    (r"\b(?:var|const|let)\s+\w+\s*=", "Python's names need no var"),
    (r"\d[mMfF]\b", "Python's numbers have no suffix"),
    (r";\s*$", "Take the semicolon out"),
    (r"^\s*(?:else if)\b", "Write elif"),
    (r"\+\+|--", "Write += 1"),
    (r"^\s*(?:if|for|while|def|class|else|elif|try|with)\b[^#:]*$", "End the line with a colon"),
)


def hint_of(error: SyntaxError, code: str) -> str:
    """What to do about an error of Python's, by what stands in its line."""
    lines = re.split(r"\r\n|\r|\n", code)
    line = lines[error.lineno - 1] if error.lineno and error.lineno <= len(lines) else ""
    for pattern, hint in _HINTS:
        if re.search(pattern, line):
            return hint
    if "never closed" in error.msg or "EOF" in error.msg or error.lineno == len(lines):
        return "Finish it: the text seems to be cut off"
    if "indent" in error.msg:
        return "Indent the line as its block is, with spaces"
    return "Correct the line as Python 3.11 reads it"


def algorithm_classes(tree: ast.Module) -> list[ast.ClassDef]:
    """All classes at the top of the module, in any branch of it, that derive from QCAlgorithm, by
    themselves or through another: those that LEAN makes an object of."""
    strategies = set(_BASES)
    found: list[ast.ClassDef] = []
    for node in _top_level(tree):
        if isinstance(node, ast.ImportFrom):
            strategies |= {one.asname for one in node.names if one.asname and one.name in _BASES}
        if (
            isinstance(node, ast.ClassDef)
            and {_last_name(base) for base in node.bases} & strategies
        ):
            strategies.add(node.name)
            found.append(node)
    return found


def _top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements of the module and of its `if`, `try` and `with`, in the order of the source."""
    waiting: list[ast.stmt] = list(reversed(tree.body))
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With | ast.For | ast.While):
            inner = [*node.body, *getattr(node, "orelse", []), *getattr(node, "finalbody", [])]
            for handler in getattr(node, "handlers", []):
                inner += handler.body
            waiting.extend(reversed(inner))


def strategy_classes(tree: ast.Module) -> list[ast.ClassDef]:
    """Of those classes the ones that no other derives from: those LEAN has to choose between."""
    found = {node.name: node for node in algorithm_classes(tree)}
    bases = {_last_name(base) for node in found.values() for base in node.bases}
    return [node for name, node in found.items() if name not in bases]


def lean_choice(tree: ast.Module) -> ast.ClassDef | None:
    """The class that LEAN runs: it makes an object of each in the order of their names and keeps
    the last (AlgorithmPythonWrapper.cs)."""
    found = {node.name: node for node in algorithm_classes(tree)}
    return found[max(found)] if found else None


def imported_modules(tree: ast.Module) -> set[str]:
    """Top-level names of all modules that are imported anywhere, those beside the file too."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(item.name.partition(".")[0] for item in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


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
    text = "\0".join([*_tokens(tree, name), ""])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _tokens(tree: ast.Module, name: str) -> list[str]:
    """The tree in prefix order, iteratively: a long chain of operators is a deep tree."""
    tokens: list[str] = []
    stack: list[object] = [tree]
    while stack:
        item = stack.pop()
        kind = type(item)
        if isinstance(item, str):
            tokens.append(_RENAMED if name and item == name else item)
        elif isinstance(item, list):
            tokens.append("[")
            stack.append("]")
            stack.extend(item[::-1])
        elif kind in _BARE:
            tokens += (f"({kind.__name__}", ")")
        elif isinstance(item, ast.AST):
            tokens.append(f"({kind.__name__}")
            stack.append(")")
            for field in reversed(item._fields):
                value = getattr(item, field, None)
                if field in _YOUNGER and not value:
                    continue
                if field == "body" and isinstance(value, list) and _has_docstring(item, value):
                    value = value[1:]
                stack.append(value)
                stack.append(f".{field}")
        else:
            tokens.append(f"{kind.__name__} {item!r}")
    return tokens


def _has_docstring(node: ast.AST, body: list[object]) -> bool:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    first = body[0] if body else None
    return (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
