"""What the names of a strategy's own stand for: what they were given, where that is one thing."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence

Meaning = tuple[tuple[str, str], ast.AST | None, str, bool]
"""Which name; what it was given (None: several things, or nothing to be known); where that stands;
whether it is only a short-cut."""
_LONGEST = 2000


def plain(name: str) -> str:
    """LEAN's two spellings as one: `SetHoldings`, `set_holdings`; `Resolution.Daily`, `DAILY`."""
    return name.replace("_", "").casefold()


def _nothing(_: ast.AST) -> object | None:
    return None


def folded(node: ast.AST, named: Callable[[ast.AST], object | None] = _nothing) -> object | None:
    """The value of what is a constant in other words (`"AA" + "PL"`, `25 * 2`, `-1`), or None;
    `named` says that of a name."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name | ast.Attribute):
        return named(node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = folded(node.operand, named)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return -value if isinstance(node.op, ast.USub) else value
    elif isinstance(node, ast.BinOp):
        return _combined(node, named)
    elif isinstance(node, ast.JoinedStr):
        parts = [
            folded(one.value if isinstance(one, ast.FormattedValue) else one, named)
            for one in node.values
        ]
        if all(isinstance(one, str) for one in parts):
            return "".join(map(str, parts))[:_LONGEST]
    return None


def _combined(node: ast.BinOp, named: Callable[[ast.AST], object | None]) -> object | None:
    if not isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div):
        return None
    left, right = folded(node.left, named), folded(node.right, named)
    if isinstance(left, str) and isinstance(right, str) and isinstance(node.op, ast.Add):
        return (left + right)[:_LONGEST]
    if not all(isinstance(one, int | float) and abs(one) < 1e15 for one in (left, right)):
        return None
    assert isinstance(left, int | float)
    assert isinstance(right, int | float)
    if isinstance(node.op, ast.Add):
        return left + right
    if isinstance(node.op, ast.Sub):
        return left - right
    if isinstance(node.op, ast.Mult):
        return left * right
    return left / right if right else None


class Definitions:
    """Every name that the code gives something, and what."""

    def __init__(self, tree: ast.Module) -> None:
        self.called: set[str] = set()
        """Methods and functions of its own that it calls by name."""
        self.methods: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = {}
        """The same in one spelling, with what they do."""
        self._given: dict[tuple[str, str], list[ast.AST | None]] = {}
        self._where: dict[tuple[str, str], str] = {}
        self._around: dict[str, str] = {}
        defined: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = {}
        mentioned: set[str] = set()
        # A stack, for a chain of operators is a deep tree.
        waiting: list[tuple[ast.AST, str]] = [(tree, "")]
        while waiting:
            node, scope = waiting.pop()
            self._note(node, scope, defined, mentioned)
            inner = scope
            if isinstance(node, _FUNCTIONS):
                inner = self.scope_of(node)
                self._around[inner] = scope
            waiting.extend((child, inner) for child in ast.iter_child_nodes(node))
        self.called = defined.keys() & mentioned
        self.methods = {plain(name): defined[name] for name in sorted(self.called)}

    def scope_of(self, node: ast.AST) -> str:
        """The name of what stands within a function."""
        where = getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
        return f"{getattr(node, 'name', 'lambda')} {where}"

    def _note(
        self,
        node: ast.AST,
        scope: str,
        defined: dict[str, ast.FunctionDef | ast.AsyncFunctionDef],
        mentioned: set[str],
    ) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            defined[node.name] = node
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and _of_self(node):
            mentioned.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            mentioned.add(node.id)
        for target, value in _gifts(node):
            key = _key(target, scope)
            if key is not None:
                self._given.setdefault(key, []).append(value)
                self._where[key] = scope

    def meaning(self, node: ast.Name | ast.Attribute, scope: str) -> Meaning | None:
        """What it stands for; None for a name that is not the code's own."""
        key = _key(node, scope)
        if key is None:
            return None
        while key not in self._given and isinstance(node, ast.Name) and scope:
            scope = self._around.get(scope, "")
            key = (scope, node.id)
        if key not in self._given and isinstance(node, ast.Attribute):
            # A constant of the class: self.FAST.
            key = ("", node.attr)
        if key not in self._given:
            own = isinstance(node, ast.Attribute) and node.attr in self.called
            own = own or (isinstance(node, ast.Name) and node.id in self.called)
            return (key, None, "", False) if own else None
        given = self._given[key]
        if len(given) != 1 or given[0] is None:
            return key, None, "", False
        return key, given[0], self._where[key], _is_shortcut(given[0])

    def constant(self, node: ast.AST, scope: str) -> object | None:
        """The constant that a name stands for, if it stands for one."""
        found = self.meaning(node, scope) if isinstance(node, ast.Name | ast.Attribute) else None
        return None if found is None or found[1] is None else folded(found[1])

    def is_own(self, target: ast.AST, scope: str) -> bool:
        """Whether the target is a name of the code's own."""
        if isinstance(target, ast.Tuple | ast.List):
            return all(self.is_own(one, scope) for one in target.elts)
        return _key(target, scope) in self._given

    def stands_for(self, targets: Sequence[ast.AST], value: ast.AST, scope: str) -> bool:
        """Whether all targets are names that stand for nothing but this short-cut."""
        return _is_shortcut(value) and all(
            self._given.get(_key(one, scope) or ("", ""), []) == [value] for one in targets
        )


_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def _gifts(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST | None]]:
    """What the node gives to which targets; None where that is not to be known."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _spread(target, node.value)
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
        if node.value is not None:
            yield from _spread(node.target, node.value)
    elif isinstance(node, ast.AugAssign | ast.For | ast.AsyncFor | ast.comprehension):
        yield from _spread(node.target, None)
    elif isinstance(node, ast.withitem):
        yield from _spread(node.optional_vars, None) if node.optional_vars else ()
    elif isinstance(node, ast.arg):
        yield ast.Name(id=node.arg), None
    elif isinstance(node, ast.ClassDef | ast.ExceptHandler) and node.name:
        yield ast.Name(id=node.name), None


def _spread(target: ast.AST, value: ast.AST | None) -> Iterator[tuple[ast.AST, ast.AST | None]]:
    if isinstance(target, ast.Tuple | ast.List):
        same = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)
        values = value.elts if same and isinstance(value, ast.Tuple | ast.List) else None
        for at, one in enumerate(target.elts):
            yield from _spread(one, None if values is None else values[at])
    elif isinstance(target, ast.Starred):
        yield from _spread(target.value, None)
    else:
        yield target, value


def _key(node: ast.AST, scope: str) -> tuple[str, str] | None:
    if isinstance(node, ast.Name):
        return None if node.id == "self" else (scope, node.id)
    if isinstance(node, ast.Attribute) and _of_self(node):
        return "self", node.attr
    return None


def _of_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"


def _is_shortcut(value: ast.AST) -> bool:
    """Whether it is a constant or another name for something, rather than something new."""
    if folded(value) is not None:
        return True
    while isinstance(value, ast.Attribute | ast.Subscript):
        value = value.value
    return isinstance(value, ast.Name)
