"""Arguments by name, as LEAN names them: several overloads' names, and C#'s spelling of them.

A method in C#'s spelling takes C#'s names of its arguments, `AddEquity(…, fillForward=True)`: they
are put in snake case in the strategy's tree, before it is compiled, so that no call costs more.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, TypeVar

from .alias import snake

F = TypeVar("F", bound=Callable[..., Any])


def lean_names(*overloads: str) -> Callable[[F], F]:
    """Let a method be called with the names of LEAN's overloads, each told in order of place.

    `@lean_names("symbol days_offset")`; what ours has at that place, or among its `*args`, gets it.
    """
    orders = [text.split() for text in overloads]

    def wrap(function: F) -> F:
        known = list(inspect.signature(function).parameters.values())[1:]
        plain = [item.name for item in known if item.kind is item.POSITIONAL_OR_KEYWORD]

        @wraps(function)
        def call(self: Any, *args: Any, **named: Any) -> Any:
            if not named or (plain and named.keys() <= set(plain)):
                return function(self, *args, **named)
            order = _order_of(orders, len(args), named, function.__name__)
            later = [name for name in order[len(args) :] if name in named]
            places = {name: plain[at] for at, name in enumerate(order) if at < len(plain)}
            if all(name in places for name in later):
                return function(self, *args, **{places[name]: named[name] for name in later})
            return function(self, *args, *(named[name] for name in later))

        return call  # type: ignore[return-value]

    return wrap


def _order_of(
    orders: list[list[str]], given: int, named: dict[str, Any], function: str
) -> list[str]:
    for order in orders:
        if named.keys() <= set(order[given:]):
            return order
    names = ", ".join(sorted(named))
    raise TypeError(f"No method matches given arguments for {function}: named {names}")


def in_snake_case(tree: ast.AST) -> None:
    """Put the names of arguments in snake case where a method of LEAN's is called in C#'s spelling.

    What the strategy defines itself is left alone.
    """
    calls = [call for call in ast.walk(tree) if isinstance(call, ast.Call) and call.keywords]
    camel = [(call, item) for call in calls for item in call.keywords if _is_camel(item.arg)]
    if not camel:
        return
    own = set(_defined(tree))
    for call, item in camel:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        name = call.func.id if isinstance(call.func, ast.Name) else name
        if name[:1].isupper() and name not in own and item.arg is not None:
            item.arg = snake(item.arg)


def _is_camel(name: str | None) -> bool:
    return name is not None and name[:1].islower() and "_" not in name and not name.islower()


def _defined(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Import | ast.ImportFrom):
            # From LEAN's own modules everything comes by `*`.
            yield from (item.asname or item.name for item in node.names)
