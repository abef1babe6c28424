"""One strategy's source as the rules see it: nodes by kind, what encloses them, where they stand.

Nothing here recurses over the tree: a long chain of operators is a deep tree.
"""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from qc_builder_lora.backtest.check.finding import Edit
from qc_builder_lora.backtest.check.parsing import algorithm_classes, lean_choice
from qc_builder_lora.backtest.check.spelling import OVERRIDES, lines_of
from qc_builder_lora.backtest.surface.alias import snake

if TYPE_CHECKING:
    from qc_builder_lora.backtest.check.classes import Types

N = TypeVar("N", bound=ast.AST)
Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Code:
    """Source that parses. `strategy` is the class that LEAN would run, None where there is none."""

    def __init__(self, text: str, tree: ast.Module) -> None:
        self.text, self.tree = text, tree
        self.nodes: list[ast.AST] = []
        self._parents: dict[ast.AST, ast.AST] = {}
        stack: list[ast.AST] = [tree]
        while stack:
            node = stack.pop()
            self.nodes.append(node)
            children = list(ast.iter_child_nodes(node))
            for child in children:
                # Contexts and operators are shared objects; nobody asks for their parents.
                self._parents[child] = node
            stack.extend(reversed(children))
        self._by_kind: dict[type[ast.AST], list[ast.AST]] = {}
        for node in self.nodes:
            self._by_kind.setdefault(type(node), []).append(node)
        self.algorithms = algorithm_classes(tree)
        self.strategy = lean_choice(tree)

    def all(self, kind: type[N]) -> list[N]:
        """All nodes of one kind in the order of the source."""
        return self._by_kind.get(kind, [])  # type: ignore[return-value]

    @cached_property
    def functions(self) -> list[Function]:
        """All functions and methods, lambdas aside, in the order of the source."""
        found: list[Function] = [*self.all(ast.FunctionDef), *self.all(ast.AsyncFunctionDef)]
        return sorted(found, key=lambda node: (node.lineno, node.col_offset))

    @cached_property
    def imported(self) -> list[tuple[ast.Import | ast.ImportFrom, ast.alias]]:
        """Every name that an import brings, with its statement."""
        plain = [(node, name) for node in self.all(ast.Import) for name in node.names]
        other = [(node, name) for node in self.all(ast.ImportFrom) for name in node.names]
        return [*plain, *other]

    def parent(self, node: ast.AST) -> ast.AST | None:
        return self._parents.get(node)

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """From the parent outwards."""
        one = self._parents.get(node)
        while one is not None:
            yield one
            one = self._parents.get(one)

    def inside(self, node: ast.AST, outer: ast.AST) -> bool:
        return node is outer or any(one is outer for one in self.ancestors(node))

    def scope(self, node: ast.AST) -> Function | ast.Lambda | None:
        """The nearest function or lambda around a node."""
        for one in self.ancestors(node):
            if isinstance(one, (*FUNCTIONS, ast.Lambda)):
                return one
        return None

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """The nearest class around a node."""
        for one in self.ancestors(node):
            if isinstance(one, ast.ClassDef):
                return one
        return None

    def method_of(self, node: ast.AST) -> Function | None:
        """The method around a node: the function that stands in a class's own body."""
        for one in (node, *self.ancestors(node)):
            if isinstance(one, FUNCTIONS) and isinstance(self.parent(one), ast.ClassDef):
                return one
        return None

    def statement(self, node: ast.AST) -> ast.stmt | None:
        """The smallest statement around a node."""
        for one in (node, *self.ancestors(node)):
            if isinstance(one, ast.stmt):
                return one
        return None

    def body_of(self, name: str, cls: ast.ClassDef | None = None) -> Function | None:
        """A method of the strategy by its name in snake case, the last one defined."""
        cls = cls or self.strategy
        found = [
            one for one in (cls.body if cls else ()) if isinstance(one, FUNCTIONS)
            and snake(one.name) == name
        ]  # fmt: skip
        return found[-1] if found else None

    def below(self, node: ast.AST, kind: type[N]) -> Iterator[N]:
        """Nodes of one kind inside another node, itself included, in no set order."""
        stack = [node]
        while stack:
            one = stack.pop()
            if isinstance(one, kind):
                yield one
            stack.extend(ast.iter_child_nodes(one))

    @cached_property
    def lines(self) -> list[str]:
        return lines_of(self.text)

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        for line in self.lines:
            starts.append(starts[-1] + len(line))
        return starts

    @cached_property
    def comments(self) -> list[tuple[int, str]]:
        """Line and text of every comment."""
        found = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                for token in tokenize.generate_tokens(io.StringIO(self.text, newline="").readline):
                    if token.type == tokenize.COMMENT:
                        found.append((token.start[0], token.string))
            except (tokenize.TokenError, SyntaxError):
                return found  # the parser is more lenient than tokenize in a few odd places
        return found

    def whole_line(self, line: int) -> ast.AST:
        """A node that stands for a line, for what is said of a comment."""
        text = self.lines[line - 1].rstrip()
        indent = len(text) - len(text.lstrip())
        length = len(text.encode("utf-8", "surrogatepass"))
        return ast.Pass(lineno=line, col_offset=indent, end_lineno=line, end_col_offset=length)

    def offset(self, line: int, column: int) -> int:
        """Characters from the start of the source; `column` counts bytes, as the tree does."""
        if line > len(self.lines):
            return len(self.text)
        text = self.lines[line - 1]
        if not text.isascii():
            column = len(
                text.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "surrogatepass")
            )
        return self._starts[line - 1] + column

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1, of a character."""
        line = min(bisect_right(self._starts, offset), max(1, len(self.lines)))
        return line, offset - self._starts[line - 1] + 1

    def span(self, node: ast.AST) -> tuple[int, int]:
        """First character of a node and the one after its last."""
        if isinstance(node, ast.Module):
            return 0, 0
        start = self.offset(node.lineno, node.col_offset)  # type: ignore[attr-defined]
        end_line, end = node.end_lineno, node.end_col_offset  # type: ignore[attr-defined]
        return start, self.offset(end_line, end)

    def source(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.text[start:end]

    def instead(self, node: ast.AST, text: str) -> Edit:
        """An edit that writes `text` in place of a node."""
        return Edit(*self.span(node), text)

    def rename(self, node: ast.Attribute, text: str) -> Edit:
        """An edit of an attribute's own name, which is the last thing of its node."""
        _, end = self.span(node)
        return Edit(end - len(node.attr), end, text)

    @cached_property
    def types(self) -> Types:
        """The classes of its expressions."""
        from qc_builder_lora.backtest.check.classes import Types

        return Types(self)

    @cached_property
    def returns(self) -> dict[ast.AST | None, list[ast.Return]]:
        """By the function that each leaves."""
        found: dict[ast.AST | None, list[ast.Return]] = {}
        for node in self.all(ast.Return):
            found.setdefault(self.scope(node), []).append(node)
        return found

    @cached_property
    def own_names(self) -> set[str]:
        """Every attribute that the source itself stores or defines, on whatever object."""
        names = {node.attr for node in self.all(ast.Attribute) if isinstance(node.ctx, ast.Store)}
        names |= {node.name for node in (*self.functions, *self.all(ast.ClassDef))}
        for cls in self.all(ast.ClassDef):
            for statement in cls.body:
                if isinstance(statement, ast.Assign | ast.AnnAssign):
                    names |= {one.id for one in self.below(statement, ast.Name)}
        return names

    @cached_property
    def callbacks(self) -> dict[str, Function]:
        """The strategy's methods that LEAN itself calls, by name in snake case."""
        return {
            snake(one.name): one for one in (self.strategy.body if self.strategy else ())
            if isinstance(one, FUNCTIONS) and snake(one.name) in OVERRIDES
        }  # fmt: skip

    def unused_attribute(self, name: str) -> str:
        """`_name`, or one like it that the source does not use yet."""
        stem = f"_{name.lstrip('_')}"
        while stem in self.own_names or any(one.attr == stem for one in self.all(ast.Attribute)):
            stem += "_"
        return stem
