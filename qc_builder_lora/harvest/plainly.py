"""A strategy's tree with what can be said in several ways said in one.

`self` whatever it is called, settings kept in a table or a class of constants, `get_parameter`'s
defaults, `float(x)`, `"aapl".upper()`, `getattr(self, "x")`, negations of comparisons, guards that
leave early. Meaning for a comparison of texts, not for running: nothing is executed, and what is
said in yet another way stays as it stands.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping, Sequence

from qc_builder_lora.harvest.naming import folded, plain
from qc_builder_lora.harvest.settled import Kept, called_class, last_name

_OPPOSITE: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Gt: ast.LtE, ast.LtE: ast.Gt, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_CASES = frozenset({"upper", "lower", "strip", "title", "capitalize"})
_SILENT = frozenset({
    "log", "debug", "error", "print", "plot", "plotindicator", "setruntimestatistic", "addchart",
    "setsummarystatistic", "notify", "email", "sms", "web", "telegram", "info", "warning",
    "setbenchmark", "setbrokeragemodel", "settimezone", "setname", "addtag", "settags",
    "addseries", "basicconfig",
})  # fmt: skip
_SIGNS = ast.expr_context | ast.operator | ast.unaryop | ast.boolop | ast.cmpop
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def plainly(tree: ast.Module) -> ast.Module:
    """The same tree, changed in place."""
    _without_notes(tree)
    nodes = _nodes(tree)
    _name_selves(nodes)
    _inline(nodes)
    kept = Kept(nodes)
    plainer = _Plainer(kept)
    plainer.visit(tree)
    kept.drop(tree)
    return tree


def _nodes(tree: ast.AST) -> list[ast.AST]:
    """All nodes but signs, which say nothing by themselves; three times as fast as `ast.walk`."""
    found = [tree]
    for node in found:
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                found += [one for one in value if isinstance(one, ast.AST)]
            elif isinstance(value, ast.AST) and not isinstance(value, _SIGNS):
                found.append(value)
    return found


def _without_notes(tree: ast.Module) -> None:
    """Logs mention names, and would count as uses of them."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        waiting += getattr(node, "handlers", ())
        for part in ("body", "orelse", "finalbody"):
            body = getattr(node, part, None)
            if isinstance(body, list):
                left = [_unannotated(one) for one in body if not is_silent(one)]
                setattr(node, part, left or ([ast.Pass()] if part == "body" else []))
                waiting += left


def _unannotated(node: ast.stmt) -> ast.stmt:
    if not isinstance(node, ast.AnnAssign):
        return node
    if node.value is None:
        return ast.copy_location(ast.Pass(), node)
    return ast.copy_location(ast.Assign(targets=[node.target], value=node.value), node)


def _name_selves(nodes: Sequence[ast.AST]) -> None:
    for owner in nodes:
        if not isinstance(owner, ast.ClassDef):
            continue
        for method in owner.body:
            if isinstance(method, _FUNCTIONS) and method.args.args and not method.decorator_list:
                first = method.args.args[0].arg
                if first not in ("self", "cls"):
                    for node in ast.walk(method):
                        if isinstance(node, ast.Name) and node.id == first:
                            node.id = "self"
                        elif isinstance(node, ast.arg) and node.arg == first:
                            node.arg = "self"


def _inline(nodes: Sequence[ast.AST]) -> None:
    """What a function names once and uses once stands where it is used."""
    for function in nodes:
        if not isinstance(function, _FUNCTIONS):
            continue
        loads: Counter[str] = Counter()
        stores: Counter[str] = Counter()
        values: dict[str, ast.expr] = {}
        named = False
        for node in _nodes(function):
            named = named or isinstance(node, ast.NamedExpr)
            if isinstance(node, ast.Name):
                (loads if isinstance(node.ctx, ast.Load) else stores)[node.id] += 1
            elif isinstance(node, ast.arg):
                stores[node.arg] += 1
            elif isinstance(node, ast.Global | ast.Nonlocal):
                stores.update(node.names * 2)
            elif isinstance(node, ast.Assign) and len(node.targets) == 1:
                values.update({node.targets[0].id: node.value}
                              if isinstance(node.targets[0], ast.Name) else {})  # fmt: skip
        passing = {
            name: value for name, value in values.items() if stores[name] == 1 and loads[name] == 1
        }
        if passing or named:
            _Inlining(passing, loads).visit(function)


class _Inlining(ast.NodeTransformer):
    def __init__(self, passing: Mapping[str, ast.expr], loads: Mapping[str, int]) -> None:
        self._passing, self._loads = passing, loads
        self._open: set[str] = set()

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        target = node.targets[0]
        if len(node.targets) == 1 and isinstance(target, ast.Name) and target.id in self._passing:
            return ast.copy_location(ast.Pass(), node)
        self.generic_visit(node)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        value = self._passing.get(node.id) if isinstance(node.ctx, ast.Load) else None
        if value is None or node.id in self._open:
            return node
        self._open.add(node.id)
        found: ast.AST = self.visit(value)
        self._open.discard(node.id)
        return found

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.AST:
        self.generic_visit(node)
        return node if self._loads[node.target.id] else node.value


class _Plainer(ast.NodeTransformer):
    """From the leaves up."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        key = folded(node.slice)
        found = self._kept.of(node.value, key)
        if found is None and last_name(node.value) == "Resolution" and isinstance(key, str):
            return ast.copy_location(ast.Attribute(node.value, key, ast.Load()), node)
        return found or node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        found = self._kept.of(node.value, node.attr) if isinstance(node.ctx, ast.Load) else None
        return found or node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name, args = plain(called_class(node)), node.args
        if name == "getparameter" and len(args) == 2:
            return args[1]
        if isinstance(node.func, ast.Name):
            return _of_builtin(node.func.id, node)
        if isinstance(node.func, ast.Attribute):
            if name == "get" and args:
                found = self._kept.of(node.func.value, folded(args[0]))
                return found or node
            return _of_text(node.func, args) or node
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return _negated(node.operand) if isinstance(node.op, ast.Not) else node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        # int(self.get_parameter("days") or 20)
        first = node.values[0]
        if isinstance(node.op, ast.Or) and plain(called_class(first)) == "getparameter":
            return self.visit(node.values[-1])  # type: ignore[no-any-return]
        self.generic_visit(node)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        self.generic_visit(node)
        call = node.value
        if called_class(call) == "setattr" and isinstance(call, ast.Call) and len(call.args) == 3:
            key = folded(call.args[1])
            if isinstance(key, str):
                target = ast.Attribute(value=call.args[0], attr=key, ctx=ast.Store())
                return ast.copy_location(ast.Assign(targets=[target], value=call.args[2]), node)
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        if node.orelse and _is_negative(node.test):
            node.test, node.body, node.orelse = _negated(node.test), node.orelse, node.body
        node.body = _without_guards(node.body, ast.Return)
        node.orelse = _without_guards(node.orelse, ast.Return)
        return node

    def _block(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        node.body = _without_guards(node.body, ast.Return)  # type: ignore[attr-defined]
        return node

    def _loop(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        node.body = _without_guards(node.body, ast.Continue)  # type: ignore[attr-defined]
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Try = visit_With = _block  # noqa: N815
    visit_For = visit_While = _loop  # noqa: N815


def _is_negative(test: ast.expr) -> bool:
    """Of a test and its negation one."""
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        return isinstance(test.ops[0], ast.LtE | ast.GtE | ast.NotEq | ast.NotIn | ast.IsNot)
    if isinstance(test, ast.BoolOp):
        return isinstance(test.op, ast.Or)
    return isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)


def _of_builtin(name: str, node: ast.Call) -> ast.AST:
    if len(node.args) != 1 or node.keywords:
        if name == "getattr" and len(node.args) == 2 and isinstance(folded(node.args[1]), str):
            key = str(folded(node.args[1]))
            return ast.copy_location(
                ast.Attribute(value=node.args[0], attr=key, ctx=ast.Load()), node
            )
        return node
    value = folded(node.args[0])
    if name == "float" and not isinstance(value, str):
        return node.args[0]
    whole = name in ("int", "round") and isinstance(value, int | float) and value == int(value)
    return node.args[0] if whole or (name == "str" and isinstance(value, str)) else node


def _of_text(func: ast.Attribute, args: list[ast.expr]) -> ast.AST | None:
    """`"aapl".upper()`, and the list that `"AAPL MSFT".split()` is."""
    value = folded(func.value)
    if not isinstance(value, str):
        return None
    if func.attr in _CASES and not args:
        return ast.copy_location(ast.Constant(getattr(value, func.attr)()), func)
    by = folded(args[0]) if args else None
    if func.attr == "split" and (not args or (isinstance(by, str) and by)):
        parts = [ast.Constant(one) for one in value.split(by if isinstance(by, str) else None)]
        return ast.copy_location(ast.List(elts=list(parts), ctx=ast.Load()), func)
    return None


def _negated(node: ast.expr) -> ast.expr:
    """`not node`, the negation as far inside as it goes."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return node.operand
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        sign = _OPPOSITE[type(node.ops[0])]()
        found: ast.expr = ast.Compare(left=node.left, ops=[sign], comparators=node.comparators)
    elif isinstance(node, ast.BoolOp):
        op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        found = ast.BoolOp(op=op, values=[_negated(one) for one in node.values])
    else:
        found = ast.UnaryOp(op=ast.Not(), operand=node)
    return ast.copy_location(found, node)


def _without_guards(body: list[ast.stmt], leaves: type[ast.stmt]) -> list[ast.stmt]:
    """`if a: return` and what follows as what it is: `if not a:` and what follows in it."""
    found: list[ast.stmt] = []
    for at, one in enumerate(body):
        if _leaves(one, leaves) and isinstance(one, ast.If) and body[at + 1 :]:
            rest = _without_guards(body[at + 1 :], leaves)
            guarded = ast.If(test=_negated(one.test), body=rest, orelse=[])
            return [*found, ast.copy_location(guarded, one)]
        found.append(one)
    if len(found) > 1 and _is_bare(found[-1], leaves):
        found.pop()
    return found


def _leaves(node: ast.stmt, leaves: type[ast.stmt]) -> bool:
    return (
        isinstance(node, ast.If)
        and not node.orelse
        and len(node.body) == 1
        and _is_bare(node.body[0], leaves)
    )


def _is_bare(node: ast.stmt, leaves: type[ast.stmt]) -> bool:
    return isinstance(node, leaves) and getattr(node, "value", None) is None


def called_name(node: ast.AST) -> str:
    """The last part of the name of what is called, in one spelling."""
    func = node.func if isinstance(node, ast.Call) else None
    if isinstance(func, ast.Attribute):
        return plain(func.attr)
    return plain(func.id) if isinstance(func, ast.Name) else ""


def is_silent(node: ast.stmt) -> bool:
    """Whether it trades nothing: notes, and what holds nothing else."""
    if isinstance(node, ast.Pass | ast.Assert | ast.Global | ast.Nonlocal):
        return True
    if isinstance(node, ast.Expr):
        return folded(node.value) is not None or called_name(node.value) in _SILENT
    if isinstance(node, ast.If):
        return all(map(is_silent, (*node.body, *node.orelse)))
    if isinstance(node, ast.FunctionDef | ast.For):
        return all(map(is_silent, node.body))
    return False
