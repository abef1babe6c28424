"""What a strategy says, apart from how it is written.

Names of its own stand for what they were given, constants and short-cuts are put where they are
used, LEAN's two spellings are one, and what trades nothing (logs, plots, notes, broker and
benchmark) is gone; methods, statements and branches may stand in any order and any nesting. Left
are pieces (runs of words of one statement), the literals that the rules rest on, and dates and
cash. Nothing is executed. Code that does not parse is read as a row of words.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from qc_builder_lora.backtest.check.parsing import syntax_of
from qc_builder_lora.harvest.naming import Definitions, folded, plain
from qc_builder_lora.harvest.plainly import called_name, is_silent, plainly
from qc_builder_lora.ids import text_hash

PIECE = 4
FRAME = frozenset({"setcash", "setstartdate", "setenddate"})
"""Calls that say dates and cash: two codes that differ in them alone have the same rules."""
_ORDERS = frozenset({
    "setholdings", "liquidate", "buy", "sell", "order", "marketorder", "limitorder",
    "stopmarketorder", "stoplimitorder", "trailingstoporder", "limitiftouchedorder",
    "marketonopenorder", "marketoncloseorder",
})  # fmt: skip
_NOTES = frozenset({"tag", "name"})
"""Arguments that say something to people alone."""
_TURNED = {ast.Gt: ast.Lt, ast.GtE: ast.LtE}
_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_FAULTS = 5
"""Lines that are passed over in code that does not parse."""
_OPENING = ("if ", "elif ", "else", "for ", "while ", "def ", "class ", "try", "with ")
_SIGNS = ast.expr_context | ast.operator | ast.unaryop | ast.boolop
_DEEPEST = 60


@dataclass(frozen=True, slots=True)
class Essence:
    """What is left of a code."""

    units: tuple[tuple[str, ...], ...]
    """The words of each statement."""
    literals: tuple[str, ...]
    """Numbers and texts that the rules rest on, sorted, as often as they stand there."""
    frame: tuple[str, ...]
    """Those that say dates and cash."""
    compared: frozenset[tuple[str, str, str]]
    """Comparisons: the sign, what is left of it, what is right of it."""
    branches: frozenset[tuple[str, str, str]] = frozenset()
    """What is asked, the orders if it is so, and those if not."""
    parsed: bool = True

    @property
    def key(self) -> str:
        """Hash of the literals, dates and cash apart."""
        return text_hash("\0".join(self.literals))

    def pieces(self) -> frozenset[str]:
        """Runs of neighbouring words, none across statements."""
        return frozenset(_runs(self.units))

    def turned(self, other: Essence) -> bool:
        """Whether one compares, or decides, the other way round."""
        return any(
            (name, right, left) in theirs and (name, left, right) not in theirs
            for own, theirs in ((self.compared, other.compared), (self.branches, other.branches))
            for name, left, right in own
            if left != right and (name, right, left) not in own
        )


def _runs(units: Iterable[Sequence[str]]) -> Iterator[str]:
    for words in units:
        if len(words) <= PIECE:
            yield " ".join(words)
        for at in range(len(words) - PIECE + 1 if len(words) > PIECE else 0):
            yield " ".join(words[at : at + PIECE])


@lru_cache(maxsize=64)
def essence_of(code: str) -> Essence:
    """What is left of this code."""
    tree, parsed = readable(code)
    if tree is None:
        return text_of(code)
    reader = _Reader(tree)
    try:
        reader.statements(tree, tree.body, "")
    except RecursionError:
        return text_of(code)
    if not any("Call" in unit for unit in reader.units):
        # It does nothing, so nothing but its text can be compared.
        return text_of(code)
    return Essence(
        tuple(reader.units),
        tuple(sorted(reader.literals.elements())),
        tuple(sorted(reader.framed.elements())),
        frozenset(reader.compared),
        frozenset(reader.branches),
        parsed,
    )


def readable(code: str) -> tuple[ast.Module | None, bool]:
    """The syntax tree, if need be without a few lines that are none; whether all of it parses."""
    tree = syntax_of(code)
    if isinstance(tree, ast.Module):
        return _plainly(tree), True
    left = _without_faults(code, tree)
    return None if left is None else _plainly(left), False


def _plainly(tree: ast.Module) -> ast.Module | None:
    try:
        return plainly(tree)
    except RecursionError:
        return None


def _without_faults(code: str, fault: SyntaxError | str) -> ast.Module | None:
    """The tree of what is left without the lines that Python stumbles over, if they are few."""
    lines = code.split("\n")
    for _ in range(_FAULTS):
        at = (fault.lineno or 0) - 1 if isinstance(fault, SyntaxError) else -1
        if not 0 <= at < len(lines):
            return None
        line = lines[at].rstrip()
        indent = line[: len(line) - len(line.lstrip())]
        opens = line.lstrip().startswith(_OPENING)
        lines[at] = f"{indent}if 1:" if opens else f"{indent}pass"
        if line.lstrip().startswith("def ") and not line.endswith(":"):
            lines[at] = f"{line}:"
        found = syntax_of("\n".join(lines))
        if isinstance(found, ast.Module):
            return found
        fault = found
    return None


def text_of(code: str) -> Essence:
    """The code as a row of words, numbers and texts, comments left out."""
    text = re.sub(r"#[^\n]*", "", code)
    units = [
        tuple(plain(word) for word in re.findall(r"\w+(?:\.\d+)?|[^\w\s]", line))
        for line in text.splitlines()
        if line.strip()
    ]
    literals = re.findall(r"\b\d+(?:\.\d+)?\b|\"[^\"\n]*\"|'[^'\n]*'", text)
    found = tuple(sorted(one if one[0].isdigit() else _as_text(one[1:-1]) for one in literals))
    return Essence(tuple(units), found, (), frozenset(), parsed=False)


class _Reader:
    """Goes through the statements; each gives its words, and its literals are counted."""

    def __init__(self, tree: ast.Module) -> None:
        self.units: list[tuple[str, ...]] = []
        self.literals: Counter[str] = Counter()
        self.framed: Counter[str] = Counter()
        self.compared: set[tuple[str, str, str]] = set()
        self.branches: set[tuple[str, str, str]] = set()
        self._names = Definitions(tree)
        self._counting: Counter[str] | None = None
        self._short: dict[tuple[str, str], str] = {}
        self._open: set[tuple[str, str]] = set()

    def statements(self, owner: ast.AST, body: Sequence[ast.stmt], scope: str) -> None:
        for node in body[1:] if _has_docstring(owner, body) else body:
            self._statement(node, scope)

    def _statement(self, node: ast.stmt, scope: str) -> None:
        if is_silent(node):
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name not in self._names.called:
                self.units.append(("def", plain(node.name)))
            self.statements(node, node.body, self._names.scope_of(node))
        elif isinstance(node, ast.ClassDef):
            self._unit("class", node.bases, scope)
            self.statements(node, node.body, scope)
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            self._assigned(node, scope)
        elif isinstance(node, ast.Expr):
            self._call(node.value, scope)
        elif isinstance(node, ast.Return):
            self._unit("return", [node.value] if node.value else [], scope)
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            self._compound(node, scope)

    def _call(self, node: ast.expr, scope: str) -> None:
        called = called_name(node)
        if isinstance(node, ast.Call) and called in FRAME:
            self._counting = self.framed
            for one in (*node.args, *(word.value for word in node.keywords)):
                self._words(one, scope, 0)
            self._counting = None
        elif called not in self._names.methods or (
            isinstance(node, ast.Call) and (node.args or node.keywords)
        ):
            self._unit("", [node], scope)

    def _assigned(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, scope: str) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        pairs = _pairs(targets, node.value)
        if pairs:
            for target, value in pairs:
                self._assigned(ast.Assign(targets=[target], value=value), scope)
            return
        if node.value is None or self._names.stands_for(targets, node.value, scope):
            return
        sign = type(node.op).__name__ if isinstance(node, ast.AugAssign) else "="
        elsewhere = [one for one in targets if not self._names.is_own(one, scope)]
        self._unit(sign, [*elsewhere, node.value], scope)

    def _compound(self, node: ast.stmt, scope: str) -> None:
        """Its own words first (test, range, what is opened), then what stands in it."""
        own: list[ast.expr] = []
        inner: list[ast.stmt] = []
        waiting: list[ast.AST] = [node]
        while waiting:
            for child in ast.iter_child_nodes(waiting.pop(0)):
                if isinstance(child, ast.expr):
                    own.append(child)
                elif isinstance(child, ast.stmt):
                    inner.append(child)
                else:
                    waiting.append(child)
        began = len(self.units)
        for one in _conjuncts(node, own):
            self._unit(type(node).__name__, one, scope)
        if isinstance(node, ast.If):
            asked = " ".join(word for unit in self.units[began:] for word in unit)
            self.branches.add((asked, self._orders(node.body), self._orders(node.orelse)))
        self.statements(node, inner, scope)

    def _orders(self, body: Sequence[ast.stmt]) -> str:
        """The kinds of orders in some statements, and in the methods that they call."""
        found: set[str] = set()
        seen: set[str] = set()
        waiting: list[ast.AST] = list(body)
        while waiting:
            node = waiting.pop()
            waiting.extend(ast.iter_child_nodes(node))
            called = called_name(node)
            if called in _ORDERS:
                found.add(called)
            elif called not in seen and called in self._names.methods:
                seen.add(called)
                waiting.extend(self._names.methods[called].body)
        return " ".join(sorted(found))

    def _unit(self, first: str, nodes: Sequence[ast.expr], scope: str) -> None:
        self._counting = self.literals
        words = [first] if first else []
        for node in nodes:
            words += self._words(node, scope, 0)
        self._counting = None
        if words:
            self.units.append(tuple(words))

    def _words(self, node: ast.AST, scope: str, depth: int) -> list[str]:
        if depth > _DEEPEST:
            return [type(node).__name__]
        if isinstance(node, ast.Lambda):
            scope = self._names.scope_of(node)
        value = folded(node, lambda name: self._names.constant(name, scope))
        if value is not None:
            return self._constant(value)
        if isinstance(node, ast.Name | ast.Attribute):
            return self._named(node, scope, depth)
        if isinstance(node, ast.Compare):
            return self._comparison(node, scope, depth)
        if isinstance(node, ast.NamedExpr):
            return self._words(node.value, scope, depth + 1)
        parts = [
            self._words(child, scope, depth + 1)
            for child in _parts(node)
            if not isinstance(child, _SIGNS)
        ]
        name = type(node).__name__
        if isinstance(node, ast.BoolOp | ast.BinOp | ast.UnaryOp):
            name = type(node.op).__name__
            if isinstance(node, ast.BoolOp) or name in ("Add", "Mult"):
                parts.sort()
        elif isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Dict):
            name = "list"
            parts.sort()
        return [name, *(word for part in parts for word in part)]

    def _constant(self, value: object) -> list[str]:
        if isinstance(value, str):
            word = _as_text(value)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            return [repr(value)[:80]]
        else:
            # 28.9 / 100 is 0.28900000000000003, and meant as 0.289.
            value = float(f"{value:.12g}") if isinstance(value, float) else value
            whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
            word = repr(int(value) if whole else value)[:80]
        if self._counting is not None:
            self._counting[word] += 1
        return [word]

    def _named(self, node: ast.Name | ast.Attribute, scope: str, depth: int) -> list[str]:
        found = self._names.meaning(node, scope)
        if found is None:
            if isinstance(node, ast.Name):
                return [] if node.id == "self" else [plain(node.id)]
            return [plain(node.attr), *self._words(node.value, scope, depth + 1)]
        key, value, where, expand = found
        if value is None or key in self._open:
            return ["$"]
        self._open.add(key)
        try:
            if expand:
                return self._words(value, where, depth + 1)
            if key not in self._short:
                counting, self._counting = self._counting, None
                self._short[key] = "$" + text_hash(" ".join(self._words(value, where, depth)))[:12]
                self._counting = counting
            return [self._short[key]]
        finally:
            self._open.discard(key)

    def _comparison(self, node: ast.Compare, scope: str, depth: int) -> list[str]:
        sides = [self._words(one, scope, depth + 1) for one in (node.left, *node.comparators)]
        words = list(sides[0])
        for at, sign in enumerate(node.ops):
            left, right = sides[at], sides[at + 1]
            turned = _TURNED.get(type(sign))
            if turned is not None:
                left, right = right, left
            name = (turned or type(sign)).__name__
            if name in ("Lt", "LtE"):
                self.compared.add((name, " ".join(left), " ".join(right)))
            words = [name, *left, *right] if len(node.ops) == 1 else [*words, name, *right]
        return words


def _conjuncts(node: ast.stmt, own: list[ast.expr]) -> list[list[ast.expr]]:
    """`if a and b` is asked as one `if` in another is."""
    test = node.test if isinstance(node, ast.If) else None
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return [[one] for one in test.values]
    return [own] if own else []


def _as_text(value: str) -> str:
    return "text " + " ".join(value.casefold().split())[:80]


def _pairs(targets: Sequence[ast.expr], value: ast.AST | None) -> list[tuple[ast.expr, ast.expr]]:
    """`a, b = c, d` as `a = c` and `b = d`."""
    target = targets[0]
    if len(targets) != 1 or not isinstance(target, ast.Tuple) or not isinstance(value, ast.Tuple):
        return []
    same = len(target.elts) == len(value.elts)
    return list(zip(target.elts, value.elts, strict=True)) if same else []


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """What it is made of; an argument is its value, whatever it is called."""
    if not isinstance(node, ast.Call):
        yield from ast.iter_child_nodes(node)
        return
    yield node.func
    yield from node.args
    yield from (word.value for word in node.keywords if word.arg not in _NOTES)


def _has_docstring(owner: ast.AST, body: Sequence[ast.stmt]) -> bool:
    first = body[0] if body and isinstance(owner, _DOCUMENTED) else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
