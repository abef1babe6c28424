"""Which of LEAN's classes an expression is, where that is plain from the source.

Far less than mypy sees, but with no stubs, in both spellings, and never wrong by guessing: an
expression whose class is not certain has the class "". A class of the strategy's own is `@Name`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cached_property

from qc_builder_lora.backtest.check import api
from qc_builder_lora.backtest.check.api import Member
from qc_builder_lora.backtest.check.reading import argument
from qc_builder_lora.backtest.check.tree import FUNCTIONS, Code, Function
from qc_builder_lora.backtest.surface.alias import snake

_MOST_STEPS = 12
_LIKE_ALGORITHM = re.compile(r"algo|strategy|owner|parent|^qc$|^context$", re.IGNORECASE)
# What LEAN hands to the methods of an algorithm, by position after `self`.
_HANDED = {
    "on_data": "Slice",
    "on_order_event": "OrderEvent",
    "on_securities_changed": "SecurityChanges",
}
# Those of the framework's models are handed the algorithm first.
_OF_MODELS = frozenset(
    {"update", "execute", "manage_risk", "on_securities_changed", "create_targets",
     "create_universes", "determine_target_percent", "should_create_target_for_insight"}
)  # fmt: skip


class Types:
    """Answers for one source."""

    def __init__(self, code: Code) -> None:
        self._code = code
        self._known: dict[ast.AST, str] = {}
        self._algorithms = {node.name for node in code.algorithms}

    def of(self, node: ast.AST | None, steps: int = 0) -> str:
        """LEAN's class of an expression, `@Name` for one of the source's own, or ""."""
        if node is None or steps > _MOST_STEPS:
            return ""
        if node not in self._known:
            self._known[node] = ""  # while it is being asked, so that a circle ends
            self._known[node] = self._find(node, steps + 1)
        return self._known[node]

    def lean(self, node: ast.AST | None) -> str:
        """As `of`, with LEAN's class for an algorithm of the source's own."""
        found = self.of(node)
        return "QCAlgorithm" if found[1:] in self._algorithms and found[:1] == "@" else found

    def member(self, node: ast.Attribute) -> Member | None:
        """LEAN's member that an attribute names, None where it is not certainly one."""
        base = self.of(node.value)
        if base.startswith("@"):
            if node.attr in self.own(base[1:]):
                return None
            base = self.lean(node.value)
        return api.members(base).get(snake(node.attr)) if api.has_class(base) else None

    def is_self(self, node: ast.AST) -> bool:
        """Whether it is the algorithm itself."""
        return self.lean(node) == "QCAlgorithm"

    def reads_elsewhere(self, name: str) -> bool:
        """Whether the source reads an attribute of what looks like the algorithm from outside it:
        `algorithm.name`, or one of an algorithm under another name than self."""
        for node in self._code.all(ast.Attribute):
            if node.attr != name:
                continue
            base = node.value
            last = base.id if isinstance(base, ast.Name) else getattr(base, "attr", "")
            if last != "self" and (self.is_self(base) or _LIKE_ALGORITHM.search(last)):
                return True
        return False

    def calls(self, *names: str) -> Iterator[ast.Call]:
        """Calls of QCAlgorithm's methods of these names, in snake case."""
        for call in self._code.all(ast.Call):
            function = call.func
            if isinstance(function, ast.Subscript):
                function = function.value  # self.history[TradeBar](…)
            if (
                isinstance(function, ast.Attribute)
                and snake(function.attr) in names
                and self.is_self(function.value)
                and self.member(function) is not None
            ):
                yield call

    def given(self, node: ast.Name) -> list[ast.expr | None]:
        """What a local name is given in its function; None for what cannot be followed."""
        scope = self._code.scope(node)
        return self._assigned(scope, node.id) if scope is not None else []

    def _find(self, node: ast.AST, steps: int) -> str:
        match node:
            case ast.Name():
                return self._name(node, steps)
            case ast.Attribute():
                return self._attribute(node, steps)
            case ast.Call():
                return self._call(node, steps)
            case ast.Subscript():
                return "" if isinstance(node.slice, ast.Slice) else self._item(node, steps)
            case ast.Await() | ast.NamedExpr():
                return self.of(node.value, steps)
            case ast.List() | ast.ListComp() | ast.Tuple():
                return "list"
            case ast.Dict() | ast.DictComp():
                return "dict"
        return ""

    def _item(self, node: ast.Subscript, steps: int) -> str:
        base = self.of(node.value, steps)
        return api.item(base) if api.has_class(base) else ""

    def _call(self, node: ast.Call, steps: int) -> str:
        function = node.func
        if isinstance(function, ast.Subscript):
            inner = function.value
            name = inner.id if isinstance(inner, ast.Name) else ""
            return name if api.has_class(name) else ""
        if isinstance(function, ast.Name):
            if function.id in self._classes and not self._bound(function):
                return f"@{function.id}"
            return function.id if api.has_class(function.id) and not self._bound(function) else ""
        if isinstance(function, ast.Attribute):
            member = self._member(function, steps)
            return member.gives if member and member.is_method else ""
        return ""

    def _member(self, node: ast.Attribute, steps: int) -> Member | None:
        self.of(node.value, steps)
        return self.member(node)

    def _attribute(self, node: ast.Attribute, steps: int) -> str:
        base = self.of(node.value, steps)
        if base.startswith("@") and node.attr in self.own(base[1:]):
            return self._agreed(self.own(base[1:])[node.attr], steps)
        member = self.member(node)
        return "" if member is None or member.is_method else member.gives

    def _agreed(self, values: list[ast.expr | None], steps: int) -> str:
        """The one class of all that is assigned; None does not count, the unknown does."""
        found = set()
        for value in values:
            if isinstance(value, ast.Constant) and value.value is None:
                continue
            found.add(self.of(value, steps))
        return found.pop() if len(found) == 1 else ""

    def _name(self, node: ast.Name, steps: int) -> str:
        scope: ast.AST | None = self._code.scope(node)
        while scope is not None:
            if isinstance(scope, FUNCTIONS):
                if node.id in _parameters(scope):
                    known = self._assigned(scope, node.id)
                    return "" if known else self._parameter(scope, node.id)
                if values := self._assigned(scope, node.id):
                    return self._agreed(values, steps)
            elif isinstance(scope, ast.Lambda) and node.id in _parameters(scope):
                return ""
            scope = self._code.scope(scope)
        return ""

    def _bound(self, node: ast.Name) -> bool:
        """Whether a name is something of the source's own rather than a class."""
        if node.id in self._rebound:
            return True
        scope = self._code.scope(node)
        return scope is not None and (
            node.id in _parameters(scope) or bool(self._assigned(scope, node.id))
        )

    @cached_property
    def _classes(self) -> dict[str, ast.ClassDef]:
        return {node.name: node for node in self._code.all(ast.ClassDef)}

    @cached_property
    def _rebound(self) -> set[str]:
        """Names that the module itself gives another meaning."""
        own = {node.name for node in self._code.all(ast.FunctionDef)}
        for node in self._code.all(ast.Name):
            if isinstance(node.ctx, ast.Store) and self._code.scope(node) is None:
                own.add(node.id)
        return own

    def _parameter(self, function: Function, name: str) -> str:
        """By its annotation, or by what LEAN hands to a method of that name."""
        method = self._code.parent(function)
        names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
        cls = method if isinstance(method, ast.ClassDef) else None
        static = any(ast.unparse(mark) == "staticmethod" for mark in function.decorator_list)
        if cls is not None and names and name == names[0] and not static:
            return f"@{cls.name}"
        for one in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs):
            if one.arg == name and one.annotation is not None:
                return self._annotation(one.annotation)
        if cls is not None and function.name == "__init__" and name in names:
            return self._made_with(cls, names.index(name) - 1, name)
        if cls is None or len(names) < 2 or name != names[1]:
            return ""
        if cls.name in self._algorithms:
            return _HANDED.get(snake(function.name), "")
        named = name in ("algorithm", "algo")
        return "QCAlgorithm" if named and snake(function.name) in _OF_MODELS else ""

    def _made_with(self, cls: ast.ClassDef, position: int, name: str) -> str:
        """The algorithm's class, where every object of a class is made with the algorithm there."""
        given = {self.of(argument(call, position, name)) for call in self._made.get(cls.name, ())}
        found = given.pop() if len(given) == 1 else ""
        return found if found[1:] in self._algorithms and found[:1] == "@" else ""

    @cached_property
    def _made(self) -> dict[str, list[ast.Call]]:
        """Calls of a plain name, by it."""
        found: dict[str, list[ast.Call]] = {}
        for call in self._code.all(ast.Call):
            if isinstance(call.func, ast.Name):
                found.setdefault(call.func.id, []).append(call)
        return found

    def _annotation(self, node: ast.expr) -> str:
        name = node.id if isinstance(node, ast.Name) else ""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value
        if name in self._classes:
            return f"@{name}"
        return name if api.has_class(name) else ""

    def _assigned(self, scope: ast.AST, name: str) -> list[ast.expr | None]:
        """What a local name is given in a function; None for what cannot be followed."""
        return self._locals.get(scope, {}).get(name, [])

    @cached_property
    def _locals(self) -> dict[ast.AST, dict[str, list[ast.expr | None]]]:
        found: dict[ast.AST, dict[str, list[ast.expr | None]]] = {}
        for node in self._code.all(ast.Name):
            if not isinstance(node.ctx, ast.Store):
                continue
            scope = self._code.scope(node)
            if scope is not None:
                given = self._given(node) or self._gone_through(node)
                found.setdefault(scope, {}).setdefault(node.id, []).append(given)
        return found

    def _gone_through(self, target: ast.Name) -> ast.expr | None:
        """`portfolio[…]` for the h of `for h in portfolio.values()` and `for s, h in …items()`."""
        loop, wanted = self._code.parent(target), "values"
        if isinstance(loop, ast.Tuple) and len(loop.elts) == 2 and loop.elts[1] is target:
            loop, wanted = self._code.parent(loop), "items"
        view = loop.iter if isinstance(loop, ast.For | ast.comprehension) else None
        if isinstance(view, ast.Call) and not view.args:
            view = view.func
        if not isinstance(view, ast.Attribute) or snake(view.attr) != wanted:
            return None
        return ast.Subscript(view.value, ast.Constant("every"), ast.Load())

    def _given(self, target: ast.expr) -> ast.expr | None:
        parent = self._code.parent(target)
        if isinstance(parent, ast.Assign | ast.AnnAssign | ast.NamedExpr):
            return parent.value if target is not parent.value else None
        return None

    def own(self, name: str) -> dict[str, list[ast.expr | None]]:
        """Attributes of one of the source's classes with what they are given, inherited ones too;
        None stands for what cannot be followed: a method, a loop's variable."""
        return self._owned.get(name, {})

    @cached_property
    def _owned(self) -> dict[str, dict[str, list[ast.expr | None]]]:
        table: dict[str, dict[str, list[ast.expr | None]]] = {}
        for name, node in self._classes.items():
            table[name] = self._of_class(node)
        for name, node in self._classes.items():
            for base in self._lineage(node):
                for attribute, values in self._of_class(base).items():
                    table[name].setdefault(attribute, []).extend(values)
        return table

    def _lineage(self, node: ast.ClassDef) -> Iterator[ast.ClassDef]:
        waiting, seen = [node], {node.name}
        while waiting:
            for base in waiting.pop().bases:
                name = base.id if isinstance(base, ast.Name) else ""
                if name in self._classes and name not in seen:
                    seen.add(name)
                    waiting.append(self._classes[name])
                    yield self._classes[name]

    def _of_class(self, cls: ast.ClassDef) -> dict[str, list[ast.expr | None]]:
        found: dict[str, list[ast.expr | None]] = {}
        for statement in cls.body:
            if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
                found.setdefault(statement.name, []).append(None)
            elif isinstance(statement, ast.Assign | ast.AnnAssign):
                targets = (
                    statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                )
                for target in targets:
                    if isinstance(target, ast.Name):
                        found.setdefault(target.id, []).append(statement.value)
        for target in self._stored.get(cls, ()):
            found.setdefault(target.attr, []).append(self._given(target))
        return found

    @cached_property
    def _stored(self) -> dict[ast.ClassDef, list[ast.Attribute]]:
        """`self.x = …` in the methods of each class."""
        found: dict[ast.ClassDef, list[ast.Attribute]] = {}
        for node in self._code.all(ast.Attribute):
            if not isinstance(node.ctx, ast.Store) or not isinstance(node.value, ast.Name):
                continue
            method = self._code.method_of(node)
            cls = self._code.parent(method) if method else None
            if isinstance(cls, ast.ClassDef) and method and _first(method) == node.value.id:
                found.setdefault(cls, []).append(node)
        return found


def _first(function: Function) -> str:
    names = (*function.args.posonlyargs, *function.args.args)
    return names[0].arg if names else ""


def _parameters(function: Function | ast.Lambda) -> set[str]:
    arguments = function.args
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    extra = [one.arg for one in (arguments.vararg, arguments.kwarg) if one]
    return {*(one.arg for one in every), *extra}
