"""Small questions that many rules ask of a node."""

from __future__ import annotations

import ast

from qc_builder_lora.backtest.check.tree import Function
from qc_builder_lora.backtest.surface.alias import snake

ORDERS = frozenset(
    {"set_holdings", "market_order", "limit_order", "stop_market_order", "stop_limit_order",
     "trailing_stop_order", "limit_if_touched_order", "market_on_open_order", "buy", "sell",
     "market_on_close_order", "order", "combo_market_order", "combo_limit_order",
     "combo_leg_limit_order", "exercise_option"}
)  # fmt: skip
"""QCAlgorithm's methods that open a position."""
SUBSCRIPTIONS = frozenset(
    {"add_equity", "add_forex", "add_crypto", "add_cfd", "add_future", "add_option", "add_index",
     "add_security", "add_crypto_future", "add_data", "add_index_option", "add_future_option",
     "add_future_contract", "add_option_contract", "add_index_option_contract",
     "add_future_option_contract"}
)  # fmt: skip
RESOLUTIONS = {"tick": "TICK", "second": "SECOND", "minute": "MINUTE", "hour": "HOUR",
               "daily": "DAILY"}  # fmt: skip


def is_first(function: Function, name: ast.Name) -> bool:
    """Whether a name is the function's first parameter, such as self."""
    names = [*function.args.posonlyargs, *function.args.args]
    return bool(names) and names[0].arg == name.id


def text_of(node: ast.AST | None) -> str | None:
    """The value of a string constant."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return None


def number_of(node: ast.AST | None) -> float | int | None:
    """The value of a number, a negative one too."""
    sign = 1
    while isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        sign = -sign if isinstance(node.op, ast.USub) else sign
        node = node.operand
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return sign * value
    return None


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The value of a keyword argument."""
    return next((one.value for one in call.keywords if one.arg == name), None)


def argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    """An argument by position or by name; None where a star could be it."""
    if any(isinstance(one, ast.Starred) for one in call.args):
        return None
    return call.args[position] if position < len(call.args) else keyword(call, name)


def enum_member(node: ast.AST | None, enum: str) -> str | None:
    """`DAILY` for `Resolution.Daily` or `Resolution.DAILY`."""
    if (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == enum
    ):
        return snake(node.attr).upper()
    return None


def name_of(function: ast.expr) -> str:
    """The last name of what is called: `b` of `a.b(…)` and of `b(…)`."""
    if isinstance(function, ast.Subscript):
        function = function.value
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def chain(node: ast.AST) -> str:
    """`self.date_rules` for that expression; empty where it is not only names and dots."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])


def sentence_list(names: list[str], most: int = 4) -> str:
    """`a, b and 3 more`."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"
