"""Indicators: made, fed, waited for, read and compared."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from qc_builder_lora.backtest.check import api
from qc_builder_lora.backtest.check.finding import Edit, Found, Rule, Severity
from qc_builder_lora.backtest.check.reading import argument, enum_member, name_of
from qc_builder_lora.backtest.check.tree import Code
from qc_builder_lora.backtest.surface.alias import snake

Kept = dict[str, list[ast.Call]]
_READS = frozenset({"current", "is_ready", "samples", "previous", "name", "window", "value"})


def kept(code: Code, cls: ast.ClassDef) -> Kept:
    """Indicators in attributes of an algorithm, by name, with the calls that made them."""
    found: Kept = {}
    for name, values in code.types.own(cls.name).items():
        calls = [one for one in values if isinstance(one, ast.Call)]
        if calls and len(calls) == len(values) and all(_makes(code, one) for one in calls):
            found[name] = calls
    return found


def _makes(code: Code, call: ast.Call) -> bool:
    return api.is_indicator(code.types.of(call))


def is_fed(code: Code, call: ast.Call) -> bool:
    """Whether LEAN feeds the indicator: it was made by a method of the algorithm."""
    return isinstance(call.func, ast.Attribute) and code.types.is_self(call.func.value)


def _window_length(code: Code) -> Iterator[Found]:
    for call in code.all(ast.Call):
        if name_of(call.func) != "len" or not isinstance(call.func, ast.Name):
            continue
        if len(call.args) == 1 and code.types.of(call.args[0]) == "RollingWindow":
            text = f"{code.source(call.args[0])}.count"
            yield Found(
                node=call,
                message="len() of a RollingWindow",
                cure=f"Write {text}; for a full one ask is_ready",
                edits=(code.instead(call, text),),
            )


WINDOW_LENGTH = Rule(
    id="QC002",
    name="window-length",
    severity=Severity.STYLE,
    summary="len() of a RollingWindow instead of its count.",
    why="A RollingWindow says how many items it holds in count, how many fit in size, and whether it "
    "is full in is_ready. Older versions of LEAN have no length for it at all.",
    bad="def initialize(self):\n    self._closes = RollingWindow[float](5)\n\n"
    "def on_data(self, data):\n    if len(self._closes) < 5:\n        return\n",
    good="def initialize(self):\n    self._closes = RollingWindow[float](5)\n\n"
    "def on_data(self, data):\n    if self._closes.count < 5:\n        return\n",
    find=_window_length,
    repairs=True,
)


def _never_fed(code: Code) -> Iterator[Found]:
    for cls in code.algorithms:
        for name, calls in kept(code, cls).items():
            if any(is_fed(code, one) for one in calls):
                continue
            uses = [node for node in code.all(ast.Attribute) if node.attr == name
                    and isinstance(node.ctx, ast.Load)]  # fmt: skip
            if uses and all(_is_read(code, node) for node in uses):
                yield Found(
                    node=calls[0],
                    message=f"nothing ever updates self.{name}, so it never has a value",
                    cure=f"Register it: self.register_indicator(symbol, self.{name}, "
                    "Resolution.DAILY), or make it with the algorithm's own method",
                )


def _is_read(code: Code, node: ast.Attribute) -> bool:
    parent = code.parent(node)
    return isinstance(parent, ast.Attribute) and snake(parent.attr) in _READS


NEVER_FED = Rule(
    id="QC016",
    name="indicator-never-updated",
    severity=Severity.WARNING,
    summary="An indicator made by hand that nothing updates.",
    why="SimpleMovingAverage(20) makes an indicator and no more: without register_indicator, "
    "warm_up_indicator or update it is never ready and its value stays 0. self.sma(symbol, 20) "
    "makes one that LEAN updates.",
    bad="def initialize(self):\n    self._average = SimpleMovingAverage(20)\n\n"
    "def on_data(self, data):\n    if self._average.is_ready:\n        self.liquidate()\n",
    good="def initialize(self):\n    self._average = SimpleMovingAverage(20)\n"
    '    self.register_indicator("SPY", self._average, Resolution.DAILY)\n\n'
    "def on_data(self, data):\n    if self._average.is_ready:\n        self.liquidate()\n",
    find=_never_fed,
)

_WAITS = frozenset(
    {"is_ready", "is_warming_up", "set_warm_up", "set_warmup", "warm_up_indicator", "samples",
     "automatic_indicator_warm_up", "enable_automatic_indicator_warm_up", "indicator_history",
     "on_warmup_finished", "count"}
)  # fmt: skip


def _not_ready(code: Code) -> Iterator[Found]:
    named = {snake(node.attr) for node in code.all(ast.Attribute)} | {*code.callbacks}
    if named & _WAITS:
        return
    fed = _fed_at_the_start(code)
    for cls in code.algorithms:
        indicators = {*kept(code, cls)} - fed
        for node in code.all(ast.Attribute):
            inner = node.value
            if (
                snake(node.attr) == "current"
                and isinstance(inner, ast.Attribute)
                and inner.attr in indicators
                and code.types.is_self(inner.value)
            ):
                yield Found(
                    node=node,
                    message=f"self.{inner.attr} is read though it may not be ready",
                    cure="Ask its is_ready first, or call self.set_warm_up in initialize",
                )
                return


def _fed_at_the_start(code: Code) -> set[str]:
    """Indicators that initialize updates itself, from history say."""
    start = code.callbacks.get("initialize")
    return {
        call.func.value.attr for call in code.all(ast.Call)
        if isinstance(call.func, ast.Attribute) and snake(call.func.attr) == "update"
        and isinstance(call.func.value, ast.Attribute) and code.scope(call) is start
    }  # fmt: skip


NOT_READY = Rule(
    id="QC017",
    name="indicator-not-ready",
    severity=Severity.WARNING,
    summary="Indicators are read before they have seen enough bars.",
    why="Until is_ready an indicator's value is 0 or half made, and the first orders are placed on "
    "it. Ask is_ready, or warm up with set_warm_up and leave on_data while is_warming_up.",
    bad='def initialize(self):\n    self._rsi = self.rsi("SPY", 14)\n\n'
    "def on_data(self, data):\n    if self._rsi.current.value < 30:\n"
    '        self.set_holdings("SPY", 1)\n',
    good='def initialize(self):\n    self._rsi = self.rsi("SPY", 14)\n\n'
    "def on_data(self, data):\n    if self._rsi.is_ready and self._rsi.current.value < 30:\n"
    '        self.set_holdings("SPY", 1)\n',
    find=_not_ready,
)


def _compared(code: Code) -> Iterator[Found]:
    for node in code.all(ast.Compare):
        if not all(isinstance(op, ast.Lt | ast.Gt | ast.LtE | ast.GtE) for op in node.ops):
            continue
        for side in (node.left, *node.comparators):
            if api.is_indicator(code.types.of(side)):
                _, end = code.span(side)
                yield Found(
                    node=side,
                    message="an indicator is compared instead of its value",
                    cure=f"Write {code.source(side)}.current.value",
                    edits=(Edit(end, end, ".current.value"),),
                )


COMPARED = Rule(
    id="QC018",
    name="indicator-compared",
    severity=Severity.STYLE,
    summary="An indicator in a comparison instead of its current value.",
    why="LEAN compares indicators by their current values, so this works; current.value says what is "
    "meant, and works with numbers from numpy too.",
    bad="def initialize(self):\n    self._fast, self._slow = None, None\n"
    '    self._one = self.sma("SPY", 10)\n'
    '    self._two = self.sma("SPY", 20)\n\n'
    "def on_data(self, data):\n    if self._two.is_ready and self._one > self._two:\n"
    '        self.set_holdings("SPY", 1)\n',
    good="def initialize(self):\n    self._fast, self._slow = None, None\n"
    '    self._one = self.sma("SPY", 10)\n'
    '    self._two = self.sma("SPY", 20)\n\n'
    "def on_data(self, data):\n"
    "    if self._two.is_ready and self._one.current.value > self._two.current.value:\n"
    '        self.set_holdings("SPY", 1)\n',
    find=_compared,
    repairs=True,
)


def _unused(code: Code) -> Iterator[Found]:
    loaded = {node.attr for node in code.all(ast.Attribute) if not isinstance(node.ctx, ast.Store)}
    loaded |= {node.value for node in code.all(ast.Constant) if isinstance(node.value, str)}
    for cls in code.algorithms:
        for name, calls in kept(code, cls).items():
            if name not in loaded and is_fed(code, calls[0]):
                yield Found(
                    node=calls[0],
                    message=f"self.{name} is made and never read",
                    cure="Use it, or leave it out",
                )


UNUSED = Rule(
    id="QC056",
    name="unused-indicator",
    severity=Severity.STYLE,
    summary="An indicator that nothing reads.",
    why="LEAN updates it on every bar for nothing. In generated code it often shows that half of "
    "what was asked is missing.",
    bad='self._rsi = self.rsi("SPY", 14)',
    good='self._rsi = self.rsi("SPY", 14)\nself.plot_indicator("RSI", self._rsi)',
    find=_unused,
)

_EXTREMES = {"max": ast.Gt, "min": ast.Lt}


def _holds_the_bar(code: Code) -> Iterator[Found]:
    if any(True for _ in code.types.calls("register_indicator", "consolidate")):
        return
    for cls in code.algorithms:
        extremes = {
            name: snake(calls[0].func.attr) for name, calls in kept(code, cls).items()
            if len(calls) == 1 and isinstance(calls[0].func, ast.Attribute)
            and snake(calls[0].func.attr) in _EXTREMES and _of_every_bar(code, calls[0])
        }  # fmt: skip
        for node in code.all(ast.Compare):
            if len(node.ops) == 1 and extremes:
                yield from _never_beyond(code, node, extremes)


def _of_every_bar(code: Code, call: ast.Call) -> bool:
    """Whether the indicator sees the bars that on_data sees, by their closes."""
    if argument(call, 3, "selector") is not None:
        return False
    own = enum_member(argument(call, 2, "resolution"), "Resolution")
    all_of = {
        enum_member(argument(one, 1, "resolution"), "Resolution")
        for one in code.types.calls("add_equity", "add_crypto", "add_forex", "add_index")
    }
    return len(all_of) == 1 and (own is None or own in all_of)


def _never_beyond(code: Code, node: ast.Compare, extremes: dict[str, str]) -> Iterator[Found]:
    left, right, op = node.left, node.comparators[0], type(node.ops[0])
    if _extreme(left) in extremes:
        left, right, op = right, left, {ast.Gt: ast.Lt, ast.Lt: ast.Gt}.get(op, op)
    name = _extreme(right)
    if name in extremes and op is _EXTREMES[extremes[name]] and _is_close(code, left):
        yield Found(
            node=node,
            message=f"self.{name} already holds this bar, so the price is never beyond it",
            cure=f"Compare with the value before this bar: keep it in an attribute, or read "
            f"self.{name}.previous.value",
        )


def _extreme(node: ast.expr) -> str:
    """`_high` of `self._high.current.value` and of `self._high`."""
    if isinstance(node, ast.Attribute) and snake(node.attr) == "value":
        node = node.value
        if isinstance(node, ast.Attribute) and snake(node.attr) == "current":
            node = node.value
        else:
            return ""
    return node.attr if isinstance(node, ast.Attribute) else ""


def _is_close(code: Code, node: ast.expr) -> bool:
    if isinstance(node, ast.Name):
        scope = code.scope(node)
        values = [
            one.value for one in (code.below(scope, ast.Assign) if scope else ())
            if any(isinstance(to, ast.Name) and to.id == node.id for to in one.targets)
        ]  # fmt: skip
        return (
            len(values) == 1
            and not isinstance(values[0], ast.Name)
            and (_is_close(code, values[0]))
        )
    return isinstance(node, ast.Attribute) and snake(node.attr) in ("close", "price")


HOLDS_THE_BAR = Rule(
    id="QC053",
    name="window-holds-the-bar",
    severity=Severity.WARNING,
    summary="A price compared with a maximum or minimum that already contains it.",
    why="LEAN updates indicators before on_data. The highest close of the last 20 bars then includes "
    "this bar's, which is never above it: a breakout that is compared so never trades.",
    bad='def initialize(self):\n    self._spy = self.add_equity("SPY", Resolution.DAILY).symbol\n'
    "    self._high = self.max(self._spy, 20)\n\n"
    "def on_data(self, data):\n    price = self.securities[self._spy].price\n"
    "    if self._high.is_ready and price > self._high.current.value:\n"
    "        self.set_holdings(self._spy, 1)\n",
    good='def initialize(self):\n    self._spy = self.add_equity("SPY", Resolution.DAILY).symbol\n'
    "    self._high = self.max(self._spy, 20)\n\n"
    "def on_data(self, data):\n    price = self.securities[self._spy].price\n"
    "    if self._high.is_ready and price > self._high.previous.value:\n"
    "        self.set_holdings(self._spy, 1)\n",
    find=_holds_the_bar,
)

RULES = (WINDOW_LENGTH, NEVER_FED, NOT_READY, COMPARED, UNUSED, HOLDS_THE_BAR)
