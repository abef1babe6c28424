"""LEAN's members: those it does not have, and those that are called or not where they must not."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from difflib import get_close_matches

from qc_builder_lora.backtest.check import api
from qc_builder_lora.backtest.check.finding import Edit, Found, Rule, Severity
from qc_builder_lora.backtest.check.tree import Code
from qc_builder_lora.backtest.surface.alias import snake

# What models write most often that LEAN does not have, and what does it. A single name is the same
# thing under LEAN's name and is put in its place.
_INSTEAD = {
    "SecurityPortfolioManager": {
        "is_invested": "invested",
        "total_value": "total_portfolio_value",
        "portfolio_value": "total_portfolio_value",
        "equity": "total_portfolio_value",
        "value": "total_portfolio_value",
        "get_holdings": "Index it: self.portfolio[symbol]",
        "holdings": "Index it: self.portfolio[symbol], or go through self.portfolio.values()",
        "positions": "Go through self.portfolio.values() and ask each for invested",
        "get_position": "Index it: self.portfolio[symbol]",
        "buying_power": "margin_remaining",
        "available_cash": "cash",
        "get_cash": "Read self.portfolio.cash",
    },
    "SecurityHolding": {
        "is_invested": "invested",
        "avg_price": "average_price",
        "entry_price": "average_price",
        "cost_basis": "average_price",
        "shares": "quantity",
        "size": "quantity",
        "market_value": "holdings_value",
        "unrealized_pnl": "unrealized_profit",
        "profit_loss": "unrealized_profit",
        "current_price": "price",
    },
    "QCAlgorithm": {
        "is_invested": "Ask self.portfolio.invested, or self.portfolio[symbol].invested",
        "invested": "Ask self.portfolio.invested, or self.portfolio[symbol].invested",
        "get_price": "Read self.securities[symbol].price",
        "get_last_price": "Read self.securities[symbol].price",
        "get_history": "history",
        "place_order": "Call self.market_order(symbol, quantity)",
        "submit_order": "Call self.market_order(symbol, quantity)",
        "stop_order": "stop_market_order",
        "stop_loss_order": "stop_market_order",
        "close_position": "liquidate",
        "close_all_positions": "liquidate",
        "sell_all": "liquidate",
        "set_position": "set_holdings",
        "order_target_percent": "set_holdings",
        "order_target": "Call self.set_holdings(symbol, fraction)",
        "add_stock": "add_equity",
        "add_symbol": "add_equity",
        "add_indicator": "Make it with its own method: self.sma(symbol, 20)",
        "add_etf": "add_equity",
        "set_warmup_period": "set_warm_up",
        "schedule_function": "Call self.schedule.on(date_rule, time_rule, self.method)",
        "current_time": "time",
        "print": "debug",
        "cash": "Read self.portfolio.cash",
        "positions": "Go through self.portfolio.values()",
        "data": "Use the slice that LEAN hands to on_data, or self.current_slice",
        "get_portfolio_value": "Read self.portfolio.total_portfolio_value",
        "bollinger_bands": "bb",
        "moving_average": "sma",
    },
    "Slice": {
        "has_key": "contains_key",
        "contains": "contains_key",
        "close": "Index it first: data[symbol].close",
        "price": "Index it first: data[symbol].close",
        "symbol": "Index it first: data[symbol]; its keys are the symbols",
    },
    "TradeBar": {
        "adj_close": "close",
        "adjusted_close": "close",
        "close_price": "close",
        "open_price": "open",
        "high_price": "high",
        "low_price": "low",
        "last_price": "close",
    },
    "TimeRules": {
        "market_open": "Call after_market_open(symbol, minutes)",
        "market_close": "Call before_market_close(symbol, minutes)",
    },
    "DateRules": {
        "daily": "every_day",
        "weekly": "week_start",
        "monthly": "month_start",
        "every_week": "week_start",
        "every_month": "month_start",
        "month_begin": "month_start",
    },
    "RollingWindow": {
        "append": "add",
        "length": "count",
        "is_full": "is_ready",
        "push": "add",
    },
    "OrderTicket": {
        "cancel_order": "cancel",
        "is_filled": "Compare ticket.status with OrderStatus.FILLED",
    },
    "SecurityManager": {
        "get_price": "Index it: self.securities[symbol].price",
    },
    "Security": {
        "is_invested": "invested",
        "current_price": "price",
        "last_price": "price",
        "quantity": "Read it from self.portfolio[symbol]",
        "average_price": "Read it from self.portfolio[symbol]",
    },
    "Symbol": {
        "price": "Read self.securities[symbol].price",
        "ticker": "value",
        "name": "value",
    },
    "OrderEvent": {
        "is_filled": "Compare order_event.status with OrderStatus.FILLED",
        "fill_quantity_total": "fill_quantity",
        "price": "fill_price",
        "order_status": "status",
    },
}  # fmt: skip
_INDICATOR = {
    "value": "current.value",
    "is_warmed_up": "is_ready",
    "ready": "is_ready",
    "last": "current.value",
    "upper": "upper_band",
    "lower": "lower_band",
    "middle": "middle_band",
    "hist": "histogram",
    "signal_line": "signal",
}


def _unknown(code: Code) -> Iterator[Found]:
    stored = code.own_names
    if any(_is_dynamic(node) for node in code.all(ast.Call)):
        return
    for node in code.all(ast.Attribute):
        if not isinstance(node.ctx, ast.Load) or node.attr.startswith("_"):
            continue
        cls = code.types.lean(node.value)
        name = snake(node.attr)
        lacking = api.lacks(cls, name) or name in _INSTEAD.get(_family(cls), {})
        if not cls or node.attr in stored or not lacking or _guarded(code, node):
            continue
        if code.types.is_self(node.value) and not _only_leans(code, node):
            continue
        yield _unknown_found(code, node, cls, name)


def _family(cls: str) -> str:
    """`Security` for Equity and the other kinds, which may have attributes of the strategy's own:
    there only what models are known to invent is said to be missing."""
    return "Security" if "Security" in api.lineage(cls) else cls


def _unknown_found(code: Code, node: ast.Attribute, cls: str, name: str) -> Found:
    known = api.members(cls)
    instead = _INSTEAD.get(_family(cls), {}).get(name, "") or _made_by(cls, name)
    if not instead and api.is_indicator(cls):
        wanted = _INDICATOR.get(name, "")
        instead = wanted if wanted.partition(".")[0] in known else ""
    edits: tuple[Edit, ...] = ()
    if instead and " " not in instead:
        edits = (code.rename(node, instead),)
        instead = f"Write {instead}"
    if not instead:
        close = get_close_matches(name, known, n=1, cutoff=0.7)
        instead = f"Did you mean {close[0]}?" if close else f"Look it up in LEAN's {cls}"
    return Found(node=node, message=f"LEAN's {cls} has no {node.attr}", cure=instead, edits=edits)


def _made_by(cls: str, name: str) -> str:
    """`rsi` for relative_strength_index: QCAlgorithm's method that makes it."""
    if cls != "QCAlgorithm":
        return ""
    for method, member in api.members(cls).items():
        if api.is_indicator(member.gives) and snake(member.gives) == name:
            return method
    return ""


def _is_dynamic(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id in ("setattr", "vars")


def _guarded(code: Code, node: ast.Attribute) -> bool:
    """Whether the source asks with hasattr, or catches AttributeError."""
    for call in code.all(ast.Call):
        if (
            isinstance(call.func, ast.Name)
            and call.func.id in ("hasattr", "getattr")
            and len(call.args) > 1
            and isinstance(call.args[1], ast.Constant)
            and call.args[1].value == node.attr
        ):
            return True
    return any(isinstance(one, ast.Try) for one in code.ancestors(node))


def _only_leans(code: Code, node: ast.Attribute) -> bool:
    """Whether the algorithm has no base but LEAN's and the source's own."""
    known = {cls.name for cls in code.algorithms} | {"QCAlgorithm"}
    for cls in code.algorithms:
        for base in cls.bases:
            name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
            if name not in known:
                return False
        if any(getattr(one, "name", "") in ("__getattr__", "__getattribute__") for one in cls.body):
            return False
    inner = code.class_of(node)
    return inner is None or inner in code.algorithms or not inner.bases


UNKNOWN = Rule(
    id="QC013",
    name="unknown-member",
    severity=Severity.ERROR,
    summary="A method or property that LEAN does not have.",
    why="Models invent members that sound right, or take them from another library. LEAN raises an "
    "AttributeError when the line is reached. Where LEAN has the same thing under another name, "
    "the repair writes that.",
    bad="def on_data(self, data):\n    if not self.portfolio.is_invested:\n"
    '        self.set_holdings("SPY", 1)\n',
    good="def on_data(self, data):\n    if not self.portfolio.invested:\n"
    '        self.set_holdings("SPY", 1)\n',
    find=_unknown,
    repairs=True,
)


_NOT_CALLED = frozenset(
    {"bool", "int", "float", "str", "datetime", "IndicatorDataPoint", "SecurityPortfolioManager",
     "SecurityManager", "SecurityHolding", "Symbol", "Slice", "TradeBars", "QuoteBars"}
)  # fmt: skip
"""Classes of properties whose objects cannot be called."""


def _called_property(code: Code) -> Iterator[Found]:
    for call in code.all(ast.Call):
        function = call.func
        if not isinstance(function, ast.Attribute):
            continue
        member = code.types.member(function)
        if member is None or member.is_method or member.gives not in _NOT_CALLED:
            continue
        _, end = code.span(function)
        yield Found(
            node=call,
            message=f"{function.attr} is a property and cannot be called",
            cure=f"Write {function.attr} without the parentheses",
            edits=(Edit(end, code.span(call)[1], ""),) if not (call.args or call.keywords) else (),
        )


CALLED_PROPERTY = Rule(
    id="QC022",
    name="property-called",
    severity=Severity.ERROR,
    summary="A property called as if it were a method.",
    why="portfolio.invested and is_ready are values. Calling one raises TypeError: 'bool' object is "
    "not callable.",
    bad="def on_data(self, data):\n    if not self.portfolio.invested():\n"
    '        self.set_holdings("SPY", 1)\n',
    good="def on_data(self, data):\n    if not self.portfolio.invested:\n"
    '        self.set_holdings("SPY", 1)\n',
    find=_called_property,
    repairs=True,
)


def _uncalled_method(code: Code) -> Iterator[Found]:
    for node in code.all(ast.Attribute):
        if not isinstance(node.ctx, ast.Load) or not _is_value(code, node):
            continue
        member = code.types.member(node)
        if member is None or not member.is_method:
            continue
        if code.types.is_self(node.value) and node.attr in code.own_names:
            continue
        bare = any(not call.needed for call in member.calls)
        yield Found(
            node=node,
            message=f"{node.attr} is a method; without parentheses it is always true",
            cure=f"Call it: {node.attr}({'' if bare else str(member.calls[0])})",
        )


def _is_value(code: Code, node: ast.Attribute) -> bool:
    """Whether its truth or its size is asked."""
    parent = code.parent(node)
    if isinstance(parent, ast.UnaryOp | ast.BoolOp | ast.Compare):
        # `self.handler is None` and `== other` compare functions, which can be meant.
        return not isinstance(parent, ast.Compare) or all(
            isinstance(op, ast.Lt | ast.Gt | ast.LtE | ast.GtE) for op in parent.ops
        )
    return isinstance(parent, ast.If | ast.While | ast.IfExp) and parent.test is node


UNCALLED_METHOD = Rule(
    id="QC023",
    name="method-not-called",
    severity=Severity.ERROR,
    summary="A method used as a value.",
    why="A method without its parentheses is an object, which is always true, and cannot be compared "
    "with a number.",
    bad="def on_data(self, data):\n    if data.contains_key:\n        self.liquidate()\n",
    good='def on_data(self, data):\n    if data.contains_key("SPY"):\n        self.liquidate()\n',
    find=_uncalled_method,
)

_VIEWS = ("values", "keys", "items")


def _uncalled_view(code: Code) -> Iterator[Found]:
    for node in code.all(ast.Attribute):
        if node.attr not in _VIEWS or not isinstance(node.ctx, ast.Load):
            continue
        parent = code.parent(node)
        if isinstance(parent, ast.Call) and parent.func is node:
            continue
        member = code.types.member(node)
        bars = "DataDictionary" in api.lineage(code.types.of(node.value))
        known = bars or (member is not None and member.is_method)
        if known and _is_gone_through(code, node):
            _, end = code.span(node)
            yield Found(
                node=node,
                message=f"{node.attr} is a method here, not .NET's property",
                cure=f"Write {node.attr}()",
                edits=(Edit(end, end, "()"),),
            )


def _is_gone_through(code: Code, node: ast.Attribute) -> bool:
    parent = code.parent(node)
    if isinstance(parent, ast.For | ast.comprehension):
        return parent.iter is node
    if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name):
        return parent.func.id in ("list", "sorted", "sum", "len", "set", "tuple", "enumerate", "any",
                                  "all", "max", "min", "filter", "map", "zip")  # fmt: skip
    return False


UNCALLED_VIEW = Rule(
    id="QC003",
    name="values-not-called",
    severity=Severity.ERROR,
    summary="values, keys or items of one of LEAN's collections without parentheses.",
    why="In C# Values is a property; in LEAN's newer Python spelling values() is Python's method. "
    "Going through the method itself raises TypeError.",
    bad="def on_data(self, data):\n    for holding in self.portfolio.values:\n"
    "        self.log(str(holding.quantity))\n",
    good="def on_data(self, data):\n    for holding in self.portfolio.values():\n"
    "        self.log(str(holding.quantity))\n",
    find=_uncalled_view,
    repairs=True,
)

RULES = (UNKNOWN, CALLED_PROPERTY, UNCALLED_METHOD, UNCALLED_VIEW)
