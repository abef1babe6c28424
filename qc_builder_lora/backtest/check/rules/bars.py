"""Bars and history: asked for where they may be missing, too often, or under the wrong name."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from qc_builder_lora.backtest.check.finding import Edit, Found, Rule, Severity
from qc_builder_lora.backtest.check.reading import text_of
from qc_builder_lora.backtest.check.tree import FUNCTIONS, Code, Function
from qc_builder_lora.backtest.surface.alias import snake

_COLLECTIONS = ("Slice", "TradeBars", "QuoteBars", "Ticks")
_READY = frozenset({"is_warming_up", "is_ready", "contains_key", "bars", "quote_bars", "count",
                    "_"})  # fmt: skip


def _history_on_every_bar(code: Code) -> Iterator[Found]:
    handler = code.callbacks.get("on_data")
    if handler is None:
        return
    for call in code.types.calls("history"):
        if code.scope(call) is handler and not _now_and_then(code, call, handler):
            yield Found(
                node=call,
                message="history is asked for on every bar",
                cure="Keep a RollingWindow or an indicator, or ask in a method that "
                "self.schedule.on calls when you rebalance",
            )


def _now_and_then(code: Code, node: ast.AST, handler: Function) -> bool:
    if any(
        isinstance(one, ast.If | ast.IfExp | ast.BoolOp | ast.While)
        for one in code.ancestors(node) if code.inside(one, handler) and one is not handler
    ):  # fmt: skip
        return True
    for one in code.returns.get(handler, ()):
        test = next((up for up in code.ancestors(one) if isinstance(up, ast.If)), None)
        if one.lineno < getattr(node, "lineno", 0) and (
            test is None or not _only_ready(code, test)
        ):
            return True
    return False


def _only_ready(code: Code, node: ast.If) -> bool:
    """Whether a guard asks only if there is data yet."""
    names = {snake(one.attr) for one in code.below(node.test, ast.Attribute)}
    return bool(names & _READY) and not any(
        isinstance(one, ast.Lt | ast.Gt | ast.LtE | ast.GtE | ast.Mod)
        for compare in code.below(node.test, ast.Compare) for one in compare.ops
    )  # fmt: skip


HISTORY_ON_EVERY_BAR = Rule(
    id="QC006",
    name="history-on-every-bar",
    severity=Severity.WARNING,
    summary="history called on every bar.",
    why="Each call reads from disk again what LEAN has just handed over. It is the usual reason for "
    "a backtest that takes an hour instead of a minute.",
    bad="def on_data(self, data):\n    closes = self.history(self._spy, 20, Resolution.DAILY)\n"
    "    self.log(str(closes))\n",
    good="def on_data(self, data):\n    if self.time.day == 1:\n"
    "        closes = self.history(self._spy, 20, Resolution.DAILY)\n"
    "        self.log(str(closes))\n",
    find=_history_on_every_bar,
)


def _unchecked(code: Code) -> Iterator[Found]:
    handler = code.callbacks.get("on_data")
    if handler is None or _asks_for_it(code, handler):
        return
    for node in code.all(ast.Subscript):
        if not isinstance(node.ctx, ast.Load) or code.method_of(node) is not handler:
            continue
        if code.types.of(node.value) in _COLLECTIONS and not isinstance(node.slice, ast.Slice):
            key = code.source(node.slice)
            yield Found(
                node=node,
                message=f"there may be no bar of {key} in this slice",
                cure=f"Ask first: if {key} not in {code.source(node.value)}: return",
            )
            return


def _asks_for_it(code: Code, handler: Function) -> bool:
    """Whether anything in the method asks what is in the slice."""
    for node in code.below(handler, ast.AST):
        match node:
            case ast.Try():
                return True
            case ast.For(iter=inner) | ast.comprehension(iter=inner):
                if _of_slice(code, inner):
                    return True
            case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
                if any(_of_slice(code, one) for one in code.below(test, ast.expr)):
                    return True
            case ast.Call(func=ast.Attribute(attr=name, value=inner)):
                if snake(name) in ("get", "contains_key", "keys") and _of_slice(code, inner):
                    return True
    return False


def _of_slice(code: Code, node: ast.AST) -> bool:
    return any(code.types.of(one) in _COLLECTIONS for one in code.below(node, ast.expr))


UNCHECKED = Rule(
    id="QC028",
    name="bar-not-checked",
    severity=Severity.WARNING,
    summary="A bar is taken from the slice without asking whether it is there.",
    why="On a day without a trade, before a listing, or when another security's data is what woke "
    "on_data, the slice has no bar for the symbol and indexing it raises KeyError.",
    bad="def on_data(self, data):\n    price = data[self._spy].close\n    if price > 100:\n"
    "        self.liquidate()\n",
    good="def on_data(self, data):\n    if self._spy not in data:\n        return\n"
    "    price = data[self._spy].close\n    if price > 100:\n        self.liquidate()\n",
    find=_unchecked,
)


def _perhaps_none(code: Code) -> Iterator[Found]:
    for call in code.all(ast.Call):
        function = call.func
        if not isinstance(function, ast.Attribute) or function.attr != "get" or len(call.args) != 1:
            continue
        if code.types.of(function.value) not in _COLLECTIONS or _is_type(call.args[0]):
            continue
        parent = code.parent(call)
        if isinstance(parent, ast.Attribute):
            yield _none_found(call, code.source(call), code)
        elif isinstance(parent, ast.Assign) and len(parent.targets) == 1:
            target = parent.targets[0]
            scope = code.scope(call)
            if isinstance(target, ast.Name) and isinstance(scope, FUNCTIONS):
                used = _used_unasked(code, scope, target.id)
                if used is not None:
                    yield _none_found(used, target.id, code)


def _is_type(node: ast.expr) -> bool:
    """`data.get(SomeData)` gives a collection, never None."""
    return isinstance(node, ast.Name) and node.id[:1].isupper()


def _none_found(node: ast.AST, what: str, code: Code) -> Found:
    return Found(
        node=node,
        message=f"{what} is None where the slice has no such bar",
        cure="Keep it in a name and ask first: if bar is None: return",
    )


def _used_unasked(code: Code, scope: Function, name: str) -> ast.AST | None:
    """The first attribute asked of a name that no test in the function mentions."""
    first = None
    for node in code.all(ast.Name):
        if node.id != name or not isinstance(node.ctx, ast.Load) or code.scope(node) is not scope:
            continue
        parent = code.parent(node)
        if any(isinstance(up, ast.Try) for up in code.ancestors(node)):
            return None
        if isinstance(parent, ast.Attribute):
            first = first or parent
        elif isinstance(parent, ast.If | ast.IfExp | ast.BoolOp | ast.Compare | ast.UnaryOp
                        | ast.While | ast.Assert):  # fmt: skip
            return None
    return first


PERHAPS_NONE = Rule(
    id="QC029",
    name="bar-may-be-none",
    severity=Severity.WARNING,
    summary="What get() gives is used without asking whether it is None.",
    why="data.get(symbol) and data.bars.get(symbol) give None where there is no bar. Its close then "
    "raises AttributeError: 'NoneType' object has no attribute 'close'.",
    bad="def on_data(self, data):\n    bar = data.bars.get(self._spy)\n"
    "    self.log(str(bar.close))\n",
    good="def on_data(self, data):\n    bar = data.bars.get(self._spy)\n"
    "    if bar is not None:\n        self.log(str(bar.close))\n",
    find=_perhaps_none,
)

_COLUMNS = {"Open": "open", "High": "high", "Low": "low", "Close": "close", "Volume": "volume",
            "Adj Close": "close"}  # fmt: skip


def _column_case(code: Code) -> Iterator[Found]:
    own = _own_columns(code)
    for node in code.all(ast.Subscript):
        text = text_of(node.slice)
        if text in _COLUMNS and text not in own and _is_history(code, node.value):
            yield Found(
                node=node.slice,
                message=f"LEAN's history has no column {text!r}",
                cure=f"Write {_COLUMNS[text]!r}",
                edits=(code.instead(node.slice, f'"{_COLUMNS[text]}"'),),
            )
    for column in code.all(ast.Attribute):
        if column.attr in _COLUMNS and column.attr not in own and _is_history(code, column.value):
            yield Found(
                node=column,
                message=f"LEAN's history has no column {column.attr}",
                cure=f"Write {_COLUMNS[column.attr]}",
                edits=(code.rename(column, _COLUMNS[column.attr]),),
            )


def _own_columns(code: Code) -> set[str]:
    """Columns in capitals that the strategy makes itself: all where it names a frame's anew."""
    made = {
        text for node in code.all(ast.Subscript)
        if isinstance(node.ctx, ast.Store) and (text := text_of(node.slice))
    }  # fmt: skip
    renamed = any(
        node.attr in ("columns", "rename", "set_axis", "set_columns")
        and (isinstance(node.ctx, ast.Store) or node.attr != "columns")
        for node in code.all(ast.Attribute)
    )
    return {*_COLUMNS} if renamed else made


def _is_history(code: Code, node: ast.expr, steps: int = 0) -> bool:
    """Whether it is the frame that history gives, or a part of one by loc."""
    if isinstance(node, ast.Name) and not code.types.of(node) and steps < 3:
        given = _only_given(code, node)
        return isinstance(given, ast.Subscript) and _is_history(code, given, steps + 1)
    while (
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "loc"
    ):
        node = node.value.value
    return code.types.of(node) == "DataFrame"


COLUMN_CASE = Rule(
    id="QC059",
    name="history-column",
    severity=Severity.ERROR,
    summary="A column of history in capitals.",
    why="The columns of LEAN's history are open, high, low, close and volume. 'Close' and 'Adj "
    "Close' are what other libraries call them, and raise KeyError.",
    bad="def _trade(self):\n    closes = self.history(self._spy, 20, Resolution.DAILY)['Close']\n"
    "    self.log(str(closes))\n",
    good="def _trade(self):\n    closes = self.history(self._spy, 20, Resolution.DAILY)"
    '["close"]\n    self.log(str(closes))\n',
    find=_column_case,
    repairs=True,
)

_FIELDS = frozenset({"open", "high", "low", "close", "volume", "price", "value"})


def _indexed_bar(code: Code) -> Iterator[Found]:
    for node in code.all(ast.Subscript):
        text = (text_of(node.slice) or "").lower()
        if text in _FIELDS and _is_bar(code, node.value):
            _, end = code.span(node.value)
            yield Found(
                node=node,
                message=f"a bar is no dictionary: it has {text} as an attribute",
                cure=f"Write .{text}",
                edits=(Edit(end, code.span(node)[1], f".{text}"),),
            )


_INVENTED = {"adj_close": "close", "adjusted_close": "close", "close_price": "close",
             "open_price": "open", "high_price": "high", "low_price": "low",
             "last_price": "close"}  # fmt: skip


def _invented(code: Code) -> Iterator[Found]:
    for node in code.all(ast.Attribute):
        name = _INVENTED.get(snake(node.attr))
        if code.types.of(node.value) or node.attr in code.own_names:
            continue  # of what is certainly a bar unknown-member says it
        if name and _is_bar(code, node.value):
            yield Found(
                node=node,
                message=f"no bar has {node.attr}",
                cure=f"Write {name}; prices are adjusted unless the strategy asks for raw ones",
                edits=(code.rename(node, name),),
            )


INVENTED = Rule(
    id="QC076",
    name="invented-price",
    severity=Severity.ERROR,
    summary="A price of a bar under a name that no bar has.",
    why="adj_close and close_price are columns of other libraries. LEAN's bars have open, high, low "
    "and close, adjusted for splits and dividends by default; anything else raises AttributeError.",
    bad="def on_data(self, data):\n    if self._spy in data and data[self._spy].adj_close > 9:\n"
    "        self.liquidate()\n",
    good="def on_data(self, data):\n    if self._spy in data and data[self._spy].close > 9:\n"
    "        self.liquidate()\n",
    find=_invented,
    repairs=True,
)


def _is_bar(code: Code, node: ast.expr) -> bool:
    if code.types.of(node) in ("TradeBar", "QuoteBar"):
        return True
    if any(True for _ in code.types.calls("add_data")):
        return False  # data of the strategy's own kind is indexed by its columns
    given = _only_given(code, node) if isinstance(node, ast.Name) else node
    return isinstance(given, ast.Subscript) and code.types.of(given.value) == "Slice"


def _only_given(code: Code, node: ast.Name) -> ast.expr | None:
    """What a local name is given, where that is one thing only."""
    given = code.types.given(node)
    return given[0] if len(given) == 1 else None


INDEXED_BAR = Rule(
    id="QC074",
    name="bar-as-dictionary",
    severity=Severity.ERROR,
    summary="A bar's value taken with brackets.",
    why="In LEAN a bar is an object: data[symbol].close. Brackets are for frames and dictionaries "
    "and raise TypeError: object is not subscriptable.",
    bad="def on_data(self, data):\n    if self._spy in data and data[self._spy]['close'] > 9:\n"
    "        self.liquidate()\n",
    good="def on_data(self, data):\n    if self._spy in data and data[self._spy].close > 9:\n"
    "        self.liquidate()\n",
    find=_indexed_bar,
    repairs=True,
)

RULES = (HISTORY_ON_EVERY_BAR, UNCHECKED, PERHAPS_NONE, COLUMN_CASE, INDEXED_BAR, INVENTED)
