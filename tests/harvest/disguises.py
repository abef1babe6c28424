"""The same strategy, written as somebody would who wants it to look like his own."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

_HOOKS = ("initialize", "update", "__init__")


def renamed(code: str) -> str:
    """Every name of its own is another one."""
    tree = ast.parse(code)
    own = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name) and node.value.id == "self"
    }  # fmt: skip
    local = {
        node.id for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }  # fmt: skip

    class Renaming(ast.NodeTransformer):
        def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
            self.generic_visit(node)
            if isinstance(node.value, ast.Name) and node.value.id == "self" and node.attr in own:
                node.attr = f"_my_{node.attr.strip('_')}"
            return node

        def visit_Name(self, node: ast.Name) -> ast.AST:
            node.id = f"the_{node.id}" if node.id in local else node.id
            return node

        def visit_arg(self, node: ast.arg) -> ast.AST:
            node.arg = f"the_{node.arg}" if node.arg in local else node.arg
            return node

        def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
            self.generic_visit(node)
            node.name = "Mine" if len(node.bases) == 1 else node.name
            return node

    return ast.unparse(Renaming().visit(tree))


def turned_round(code: str) -> str:
    """Its methods stand in the other order."""
    tree = ast.parse(code)
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            node.body.reverse()
    return ast.unparse(tree)


def logged(code: str) -> str:
    """Every method says that it was called."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            said = ast.parse(f'self.debug(f"{node.name} at {{self.time}}, 17 of 23")').body
            node.body = [*said, *node.body]
    return ast.unparse(ast.fix_missing_locations(tree))


def pascal(code: str) -> str:
    """LEAN's other spelling."""
    tree = ast.parse(code)
    own = {node.attr for node in ast.walk(tree)
           if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}  # fmt: skip
    own |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr not in own:
            node.attr = "".join(word.capitalize() for word in node.attr.split("_"))
        elif isinstance(node, ast.FunctionDef) and node.name in ("initialize", "on_data"):
            node.name = {"initialize": "Initialize", "on_data": "OnData"}[node.name]
    return ast.unparse(tree)


def hoisted(code: str) -> str:
    """Its numbers and texts are constants of the class."""
    tree = ast.parse(code)
    constants: list[str] = []

    class Hoisting(ast.NodeTransformer):
        def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
            return node

        def visit_Expr(self, node: ast.Expr) -> ast.AST:
            return node if isinstance(node.value, ast.Constant) else self.generic_visit(node)

        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
            node.body = [self.visit(one) for one in node.body]
            return node

        def visit_Constant(self, node: ast.Constant) -> ast.AST:
            if isinstance(node.value, bool) or not isinstance(node.value, int | float | str):
                return node
            constants.append(f"CONSTANT_{len(constants)} = {node.value!r}")
            return ast.parse(f"self.CONSTANT_{len(constants) - 1}", mode="eval").body

    for node in tree.body:
        if isinstance(node, ast.ClassDef) and len(tree.body) == 2:
            node.body = [Hoisting().visit(one) if isinstance(one, ast.FunctionDef) else one
                         for one in node.body]  # fmt: skip
            node.body = [*ast.parse("\n".join(constants)).body, *node.body]
    return ast.unparse(ast.fix_missing_locations(tree))


def wrapped(code: str) -> str:
    """What each hook does is done by a method of its own."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for method in [one for one in node.body if isinstance(one, ast.FunctionDef)]:
                if method.name in _HOOKS or any(isinstance(one, ast.Return) and one.value
                                                for one in ast.walk(method)):  # fmt: skip
                    continue
                inner = ast.parse(ast.unparse(method)).body[0]
                assert isinstance(inner, ast.FunctionDef)
                inner.name = f"_do_{method.name.strip('_')}"
                names = ", ".join(one.arg for one in method.args.args[1:])
                method.body = ast.parse(f"self.{inner.name}({names})").body
                method.args.defaults = []
                node.body.append(inner)
    return ast.unparse(ast.fix_missing_locations(tree))


def put_together(code: str) -> str:
    """Its texts are put together from two halves."""

    class Halving(ast.NodeTransformer):
        def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
            return node

        def visit_Constant(self, node: ast.Constant) -> ast.AST:
            if not isinstance(node.value, str) or len(node.value) < 2:
                return node
            return ast.parse(f"{node.value[:1]!r} + {node.value[1:]!r}", mode="eval").body

    return ast.unparse(ast.fix_missing_locations(Halving().visit(ast.parse(code))))


def embedded(code: str) -> str:
    """It stands in a longer file."""
    return f'''import math

WEEK = 5


def annualised(daily):
    """Returns of a year."""
    return (1 + daily) ** 252 - 1


class Journal:
    def __init__(self, size):
        self.lines, self.size = [], size

    def add(self, line):
        self.lines.append(line)
        if len(self.lines) > self.size:
            self.lines = self.lines[-self.size:]

    def mean(self):
        return sum(len(line) for line in self.lines) / max(1, len(self.lines) * 7)


{code}

def by_week(values):
    """In rows of five."""
    return [values[at : at + WEEK] for at in range(0, len(values), 5)]
'''


def other_dates(code: str) -> str:
    """Of other years, with other money."""
    code = re.sub(
        r"set_(start|end)_date\((\d+)",
        lambda found: f"set_{found[1]}_date({int(found[2]) + 1}",
        code,
    )
    return re.sub(r"set_cash\(.*?\)", "set_cash(77_000)", code)


def commented(code: str) -> str:
    """With notes in another language, on every line."""
    lines = [f"{line}  # Zeile {number}, völlig anders" if line.strip() and '"""' not in line
             and not line.strip().startswith('"') else line
             for number, line in enumerate(ast.unparse(ast.parse(code)).splitlines())]  # fmt: skip
    return "\n".join(lines)


def _with_numbers(code: str, written: Callable[[int, object], str]) -> tuple[str, list[object]]:
    """Its numbers written otherwise, and what they were."""
    numbers: list[object] = []

    class Numbers(ast.NodeTransformer):
        def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
            return node

        def visit_Constant(self, node: ast.Constant) -> ast.AST:
            if isinstance(node.value, bool) or not isinstance(node.value, int | float):
                return node
            numbers.append(node.value)
            return ast.parse(written(len(numbers) - 1, node.value), mode="eval").body

    return ast.unparse(ast.fix_missing_locations(Numbers().visit(ast.parse(code)))), numbers


def asked_for(code: str) -> str:
    """Its numbers are the defaults of LEAN's parameters."""
    return _with_numbers(code, lambda at, one: f"self.get_parameter('p{at}', {one!r})")[0]


def in_a_table(code: str) -> str:
    """Its numbers stand in a table above it."""
    text, numbers = _with_numbers(code, lambda at, one: f"SETTINGS['k{at}']")
    table = ", ".join(f"'k{at}': {one!r}" for at, one in enumerate(numbers))
    return text.replace("\n", f"\nSETTINGS = {{{table}}}\n", 1)


def in_a_class(code: str) -> str:
    """Its numbers are those of a class of settings."""
    text, numbers = _with_numbers(code, lambda at, one: f"self.settings.k{at}")
    lines = "".join(f"    k{at}: float = {one!r}\n" for at, one in enumerate(numbers))
    settings = f"\n@dataclass\nclass Settings:\n{lines or '    pass'}\n\n"
    head = "def initialize(self):\n"
    return text.replace("\n", settings, 1).replace(
        head, f"{head}        self.settings = Settings()\n", 1
    )


def of_another_self(code: str) -> str:
    """`self` is called otherwise, attributes are asked for by name, texts are in lower case."""
    code = re.sub(r"\bself\b", "algorithm", ast.unparse(ast.parse(code)))
    code = code.replace("algorithm.portfolio", "getattr(algorithm, 'portfolio')")
    return re.sub(r"'([A-Z]{2,5})'", lambda found: f"'{found[1].lower()}'.upper()", code)


def _is_return(body: list[ast.stmt]) -> bool:
    return isinstance(body[0], ast.Return) and body[0].value is None


def guarded_otherwise(code: str) -> str:
    """What leaves early does not, comparisons are negated, and the branches change places."""
    opposite = {ast.Gt: ast.LtE, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.LtE: ast.Gt}

    class Turning(ast.NodeTransformer):
        def visit_Compare(self, node: ast.Compare) -> ast.AST:
            self.generic_visit(node)
            if len(node.ops) != 1 or type(node.ops[0]) not in opposite:
                return node
            node.ops = [opposite[type(node.ops[0])]()]
            return ast.UnaryOp(ast.Not(), node)

        def visit_If(self, node: ast.If) -> ast.AST:
            self.generic_visit(node)
            if node.orelse:
                node.test = ast.UnaryOp(ast.Not(), node.test)
                node.body, node.orelse = node.orelse, node.body
            return node

        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
            self.generic_visit(node)
            for at, one in enumerate(node.body[:-1]):
                if isinstance(one, ast.If) and not one.orelse and _is_return(one.body):
                    test = ast.UnaryOp(ast.Not(), one.test)
                    rest = ast.If(test=test, body=node.body[at + 1 :], orelse=[])
                    node.body = [*node.body[:at], rest]
                    break
            return node

    return ast.unparse(ast.fix_missing_locations(Turning().visit(ast.parse(code))))


def step_by_step(code: str) -> str:
    """Every argument and every test has a name of its own first."""

    class Steps(ast.NodeTransformer):
        count = 0

        def _named(self, value: ast.expr) -> tuple[ast.stmt, ast.expr]:
            self.count += 1
            name = f"step_{self.count}"
            return ast.parse(f"{name} = {ast.unparse(value)}").body[0], ast.Name(name, ast.Load())

        def visit_Expr(self, node: ast.Expr) -> list[ast.stmt] | ast.Expr:
            if not isinstance(node.value, ast.Call):
                return node
            named = [self._named(one) for one in node.value.args]
            node.value.args = [name for _, name in named]
            return [*(step for step, _ in named), node]

        def visit_If(self, node: ast.If) -> list[ast.stmt]:
            self.generic_visit(node)
            step, node.test = self._named(node.test)
            return [step, node]

    return ast.unparse(ast.fix_missing_locations(Steps().visit(ast.parse(code))))


DISGUISES: tuple[Callable[[str], str], ...] = (
    renamed, turned_round, logged, pascal, hoisted, wrapped, put_together, embedded, other_dates,
    commented, asked_for, in_a_table, in_a_class, of_another_self, guarded_otherwise, step_by_step,
    lambda code: in_a_table(step_by_step(guarded_otherwise(renamed(code)))),
    lambda code: logged(renamed(turned_round(code))),
    lambda code: embedded(wrapped(other_dates(renamed(code)))),
)  # fmt: skip
