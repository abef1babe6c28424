"""Which functions of a strategy can be reached from what LEAN calls, and which tests never hold.

Names decide, not values: a function counts as reached where any reached code names it, be it called
or handed over. So what is said to be out of reach is; what is said to be within may not be.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator
from functools import cached_property

from qc_builder_lora.backtest.check.reading import is_first, number_of
from qc_builder_lora.backtest.check.tree import FUNCTIONS, Code, Function

Number = int | float
_COMPARE: dict[type[ast.cmpop], Callable[[Number, Number], bool]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
_MOST_STEPS = 8


class Reach:
    """Answers for one source."""

    def __init__(self, code: Code) -> None:
        self._code = code

    @cached_property
    def functions(self) -> set[Function]:
        """All functions within reach."""
        waiting: list[ast.AST] = [*self._code.tree.body]
        waiting = [node for node in waiting if not isinstance(node, (*FUNCTIONS, ast.ClassDef))]
        reached: set[ast.AST] = set()
        for cls in self._code.algorithms:
            waiting += [one for one in cls.body if isinstance(one, FUNCTIONS)
                        and (one in self._code.callbacks.values() or _is_hook(one))]  # fmt: skip
        while waiting:
            node = waiting.pop()
            if node in reached:
                continue
            reached.add(node)
            waiting += self._named_in(node)
        return {node for node in reached if isinstance(node, FUNCTIONS)}

    def _named_in(self, node: ast.AST) -> Iterator[ast.AST]:
        for name in self._code.below(node, ast.AST):
            if isinstance(name, ast.Attribute):
                yield from self._by_name.get(name.attr, ())
            elif isinstance(name, ast.Name):
                yield from self._by_name.get(name.id, ())
            elif isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield from self._by_name.get(name.value, ())  # getattr(self, "name")

    @cached_property
    def _by_name(self) -> dict[str, list[ast.AST]]:
        """Functions by name; a class stands for all of its methods."""
        found: dict[str, list[ast.AST]] = {}
        for node in self._code.functions:
            found.setdefault(node.name, []).append(node)
        for cls in self._code.all(ast.ClassDef):
            if cls not in self._code.algorithms:
                inner = [one for one in cls.body if isinstance(one, FUNCTIONS)]
                found.setdefault(cls.name, []).extend(inner)
        return found

    def is_reached(self, node: ast.AST) -> bool:
        """Whether the function around a node is within reach, and no test before it never holds."""
        function = next(
            (up for up in self._code.ancestors(node) if isinstance(up, FUNCTIONS)), None
        )
        if function is not None and not self._enclosing_reached(function):
            return False
        return self.barrier(node) is None

    def _enclosing_reached(self, function: Function) -> bool:
        if function in self.functions:
            return True
        outer = next(
            (up for up in self._code.ancestors(function) if isinstance(up, FUNCTIONS)), None
        )
        return outer is not None and self._enclosing_reached(outer)

    def barrier(self, node: ast.AST) -> ast.AST | None:
        """What keeps the node from ever being reached, nearest first: a test that never holds, or
        a statement before it that always leaves."""
        inner = node
        for up in self._code.ancestors(node):
            found = self._shut(up, inner)
            if found is not None:
                return found
            if isinstance(up, FUNCTIONS):
                break
            inner = up
        return None

    def _shut(self, up: ast.AST, inner: ast.AST) -> ast.AST | None:
        left = self._left_before(up, inner)
        if left is not None:
            return left
        match up:
            case ast.If(test=test, body=body, orelse=orelse):
                return self._by_test(test, inner in body, inner in orelse)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self._by_test(test, inner is body, inner is orelse)
            case ast.While(test=test, body=body):
                return self._by_test(test, inner in body, False)
            case ast.BoolOp(op=op, values=values) if inner in values:
                ends = isinstance(op, ast.Or)
                for earlier in values[: values.index(inner)]:
                    value = self.value(earlier)
                    if value is not None and bool(value) is ends:
                        return earlier
        return None

    def _left_before(self, up: ast.AST, inner: ast.AST) -> ast.stmt | None:
        for name in ("body", "orelse", "finalbody"):
            block: list[ast.stmt] = getattr(up, name, None) or []
            if isinstance(block, list) and inner in block:
                before = block[: block.index(inner)]
                return next((one for one in before if self._leaves(one)), None)
        return None

    def _by_test(self, test: ast.expr, within: bool, otherwise: bool) -> ast.expr | None:
        value = self.value(test) if within or otherwise else None
        if value is None:
            return None
        return test if (within and not value) or (otherwise and value) else None

    def _leaves(self, node: ast.stmt) -> bool:
        """Whether nothing after a statement of its block is ever reached."""
        if isinstance(node, ast.Return | ast.Raise | ast.Continue | ast.Break):
            return True
        if isinstance(node, ast.If) and self._leaves_block(node.body):
            return bool(self.value(node.test)) or self._leaves_block(node.orelse)
        return False

    def _leaves_block(self, block: list[ast.stmt]) -> bool:
        return any(self._leaves(one) for one in block)

    def value(self, node: ast.expr, steps: int = 0) -> Number | None:
        """What an expression always is, None where that is not plain."""
        if steps > _MOST_STEPS:
            return None
        plain = number_of(node)
        if plain is not None:
            return plain
        match node:
            case ast.Constant(value=value):
                return int(bool(value)) if value is None or isinstance(value, bool) else None
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                a, b = self.value(left, steps + 1), self.value(right, steps + 1)
                known = _COMPARE.get(type(op))
                return None if a is None or b is None or known is None else int(known(a, b))
            case ast.BoolOp(op=op, values=values):
                return _joined(op, [self.value(one, steps + 1) for one in values])
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                found = self.value(inner, steps + 1)
                return None if found is None else int(not found)
            case ast.Name():
                return self._agreed(self._local(node), steps)
            case ast.Attribute(value=ast.Name(), attr=attr):
                cls = self._code.types.of(node.value)
                owned = self._code.types.own(cls[1:]) if cls.startswith("@") else {}
                return self._agreed(owned.get(attr, []), steps) if self._is_own(attr) else None
            case ast.Call(func=ast.Attribute(attr=name)):
                return self._returned(name, steps)
        return None

    def _is_own(self, name: str) -> bool:
        """Whether nothing but `self.name = …` of one class stores the attribute."""
        stores = [
            node for node in self._code.all(ast.Attribute)
            if node.attr == name and not isinstance(node.ctx, ast.Load)
        ]  # fmt: skip
        named = any(
            isinstance(node.value, str) and node.value == name
            for node in self._code.all(ast.Constant)
        )
        return bool(stores) and not named and all(self._is_of_self(node) for node in stores)

    def _is_of_self(self, node: ast.Attribute) -> bool:
        method = self._code.method_of(node)
        if method is None or not isinstance(node.value, ast.Name):
            return False
        return is_first(method, node.value)

    def _local(self, node: ast.Name) -> list[ast.expr | None]:
        scope = self._code.scope(node)
        values: list[ast.expr | None] = []
        for one in self._code.all(ast.Name):
            if one.id != node.id or isinstance(one.ctx, ast.Load):
                continue
            if self._code.scope(one) is not scope:
                return []
            parent = self._code.parent(one)
            values.append(parent.value if isinstance(parent, ast.Assign | ast.AnnAssign) else None)
        arguments = [one for one in self._code.all(ast.arg) if one.arg == node.id]
        return [] if arguments else values

    def _agreed(self, values: list[ast.expr | None], steps: int) -> Number | None:
        found = {None if one is None else self.value(one, steps + 1) for one in values}
        return found.pop() if len(found) == 1 else None

    def _returned(self, name: str, steps: int) -> Number | None:
        """What a method always gives that does nothing else."""
        found = [one for one in self._by_name.get(name, ()) if isinstance(one, FUNCTIONS)]
        if len(found) != 1:
            return None
        body = [one for one in found[0].body if not is_text(one)]
        if len(body) == 1 and isinstance(body[0], ast.Return) and body[0].value is not None:
            given = body[0].value
            return number_of(given) if steps < _MOST_STEPS else None
        return None


def is_text(node: ast.stmt) -> bool:
    """A docstring, or `...`."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_hook(node: Function) -> bool:
    return node.name.startswith(("on_", "On", "__")) or bool(node.decorator_list)


def _joined(op: ast.boolop, values: list[Number | None]) -> Number | None:
    known = [one for one in values if one is not None]
    if isinstance(op, ast.And):
        if any(not one for one in known):
            return 0
    elif any(known):
        return 1
    return None if len(known) < len(values) else int(bool(known and known[-1]))
