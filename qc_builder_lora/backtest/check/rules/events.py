"""Scheduled events and what else LEAN is to call back, and what must not be made on every bar."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from qc_builder_lora.backtest.check import api
from qc_builder_lora.backtest.check.finding import Edit, Found, Rule, Severity
from qc_builder_lora.backtest.check.reading import (
    SUBSCRIPTIONS,
    argument,
    enum_member,
    name_of,
    number_of,
)
from qc_builder_lora.backtest.check.tree import FUNCTIONS, Code, Function
from qc_builder_lora.backtest.surface.alias import snake


def _taking_functions(code: Code) -> Iterator[ast.Call]:
    """Calls of LEAN's methods that take a function."""
    yield from code.types.calls("train", "add_universe", "set_security_initializer",
                                "add_security_initializer", "consolidate")  # fmt: skip
    for call in code.all(ast.Call):
        if (
            isinstance(call.func, ast.Attribute)
            and snake(call.func.attr) in ("on", "training_now")
            and code.types.lean(call.func.value) == "ScheduleManager"
        ):
            yield call


def _wrapped(code: Code) -> Iterator[Found]:
    own = {one.name for one in code.all(ast.ClassDef)}
    for call in code.all(ast.Call):
        name = name_of(call.func)
        if name not in ("Action", "Func") or name in own or len(call.args) != 1 or call.keywords:
            continue
        given = call.args[0]
        if isinstance(given, ast.Attribute | ast.Lambda | ast.Name):
            text = code.source(given)
            yield Found(
                node=call,
                message=f"{name}() around a Python function",
                cure=f"Hand over {text[:60]} itself",
                edits=(code.instead(call, text),),
            )


WRAPPED = Rule(
    id="QC004",
    name="action-wrapper",
    severity=Severity.WARNING,
    summary="A .NET delegate around a Python function.",
    why="Action(self._rebalance) is C#'s way to hand over a method. LEAN takes Python functions as "
    "they are; the wrapper has to guess its type arguments and often cannot.",
    bad="def initialize(self):\n    self.schedule.on(self.date_rules.every_day(), "
    "self.time_rules.noon, Action(self._trade))\n\ndef _trade(self):\n    self.liquidate()\n",
    good="def initialize(self):\n    self.schedule.on(self.date_rules.every_day(), "
    "self.time_rules.noon, self._trade)\n\ndef _trade(self):\n    self.liquidate()\n",
    find=_wrapped,
    repairs=True,
)


def _called(code: Code) -> Iterator[Found]:
    for outer in _taking_functions(code):
        for given in (*outer.args, *(one.value for one in outer.keywords)):
            method = _own_method(code, given)
            if method is not None and not _returns(code, method):
                assert isinstance(given, ast.Call)
                bare = not given.args and not given.keywords
                _, end = code.span(given.func)
                name = code.source(given.func)
                yield Found(
                    node=given,
                    message=f"{name} is called here, and what it returns is handed over: None",
                    cure=f"Hand over {name} itself" if bare
                    else f"Hand over a function: lambda: {code.source(given)[:60]}",
                    edits=(Edit(end, code.span(given)[1], ""),) if bare else (),
                )  # fmt: skip


def _own_method(code: Code, given: ast.expr) -> Function | None:
    if not isinstance(given, ast.Call) or not isinstance(given.func, ast.Attribute):
        return None
    cls = code.types.of(given.func.value)
    if not cls.startswith("@") or not code.types.is_self(given.func.value):
        return None
    found = [
        one for node in code.algorithms for one in node.body
        if isinstance(one, FUNCTIONS) and one.name == given.func.attr
    ]  # fmt: skip
    return found[0] if len(found) == 1 else None


def _returns(code: Code, function: Function) -> bool:
    """Whether it gives anything back, or is not what it seems for its decorators."""
    if function.decorator_list or any(True for _ in code.below(function, ast.Yield)):
        return True
    return any(
        one.value is not None and code.scope(one) is function
        and not (isinstance(one.value, ast.Constant) and one.value.value is None)
        for one in code.below(function, ast.Return)
    )  # fmt: skip


CALLED = Rule(
    id="QC020",
    name="called-not-passed",
    severity=Severity.ERROR,
    summary="A method called where it should be handed over.",
    why="schedule.on(..., self._trade()) trades once, in initialize, and schedules None. The "
    "parentheses are too much.",
    bad="def initialize(self):\n    self.schedule.on(self.date_rules.every_day(), "
    "self.time_rules.noon, self._trade())\n\ndef _trade(self):\n    self.liquidate()\n",
    good="def initialize(self):\n    self.schedule.on(self.date_rules.every_day(), "
    "self.time_rules.noon, self._trade)\n\ndef _trade(self):\n    self.liquidate()\n",
    find=_called,
    repairs=True,
)


def _rule_not_called(code: Code) -> Iterator[Found]:
    for outer in _taking_functions(code):
        for given in outer.args:
            if not isinstance(given, ast.Attribute):
                continue
            member = code.types.member(given)
            rules = code.types.lean(given.value) in ("DateRules", "TimeRules")
            if member is None or not rules or not member.is_method:
                continue
            bare = any(not call.needed for call in member.calls)
            _, end = code.span(given)
            yield Found(
                node=given,
                message=f"{given.attr} is a method, and the schedule takes what it returns",
                cure=f"Write {given.attr}({'' if bare else str(member.calls[0])})",
                edits=(Edit(end, end, "()"),) if bare else (),
            )


RULE_NOT_CALLED = Rule(
    id="QC021",
    name="rule-not-called",
    severity=Severity.ERROR,
    summary="A date or time rule without its parentheses.",
    why="every_day, at and after_market_open are methods that make a rule. noon and midnight are "
    "rules themselves.",
    bad="def initialize(self):\n    self.schedule.on(self.date_rules.every_day, "
    "self.time_rules.noon, self._trade)\n\ndef _trade(self):\n    self.liquidate()\n",
    good="def initialize(self):\n    self.schedule.on(self.date_rules.every_day(), "
    "self.time_rules.noon, self._trade)\n\ndef _trade(self):\n    self.liquidate()\n",
    find=_rule_not_called,
    repairs=True,
)


def _on_every_bar(code: Code) -> Iterator[Found]:
    handler = code.callbacks.get("on_data")
    if handler is None:
        return
    for call in code.all(ast.Call):
        if code.scope(call) is not handler or is_conditional(code, call, handler):
            continue
        name = snake(name_of(call.func))
        if not isinstance(call.func, ast.Attribute):
            continue
        mine = code.types.is_self(call.func.value)
        looped = any(isinstance(one, ast.For) for one in code.ancestors(call))
        made = mine and api.is_indicator(code.types.of(call))
        if made or (
            mine
            and not looped
            and name in SUBSCRIPTIONS | {"set_warm_up", "set_start_date", "set_cash"}
        ):
            what = "makes a new indicator" if made else f"calls {name}"
            yield Found(
                node=call,
                message=f"on_data {what} on every bar",
                cure="Do it once, in initialize, and keep what comes of it in an attribute",
            )
        elif name == "on" and code.types.lean(call.func.value) == "ScheduleManager":
            yield Found(
                node=call,
                message="on_data schedules one more event on every bar",
                cure="Schedule it once, in initialize",
            )


def is_conditional(code: Code, node: ast.AST, function: Function) -> bool:
    """Whether something in the function decides if the node is reached."""
    for one in code.ancestors(node):
        if one is function:
            break
        if isinstance(one, ast.If | ast.IfExp | ast.Try | ast.While | ast.BoolOp):
            return True
    line = getattr(node, "lineno", 0)
    return any(one.lineno < line for one in code.returns.get(function, ()))


ON_EVERY_BAR = Rule(
    id="QC052",
    name="made-on-every-bar",
    severity=Severity.WARNING,
    summary="An indicator, a subscription or a scheduled event made in on_data.",
    why="An indicator that is made anew on every bar has seen no bar and is never ready; added "
    "securities and scheduled events pile up.",
    bad="def on_data(self, data):\n    average = self.sma('SPY', 20)\n"
    "    if average.is_ready:\n        self.liquidate()\n",
    good="def initialize(self):\n    self._average = self.sma('SPY', 20)\n\n"
    "def on_data(self, data):\n    if self._average.is_ready:\n        self.liquidate()\n",
    find=_on_every_bar,
)


def _hour_of_daily(code: Code) -> Iterator[Found]:
    handler = code.callbacks.get("on_data")
    resolutions = {
        enum_member(argument(call, 1, "resolution"), "Resolution")
        for call in code.types.calls("add_equity")
    }
    others = any(True for _ in code.types.calls(*(SUBSCRIPTIONS - {"add_equity"}), "add_universe"))
    if handler is None or resolutions != {"DAILY"} or others:
        return
    for node in code.below(handler, ast.Compare):
        asked = node.left
        if (
            isinstance(asked, ast.Attribute)
            and asked.attr in ("hour", "minute")
            and isinstance(asked.value, ast.Attribute)
            and snake(asked.value.attr) == "time"
            and code.types.is_self(asked.value.value)
            and len(node.ops) == 1
            and (isinstance(node.ops[0], ast.Eq) or _leaves_otherwise(code, node))
        ):
            wanted = number_of(node.comparators[0])
            if wanted is None or (asked.attr, wanted) in (("hour", 16), ("hour", 0), ("minute", 0)):
                continue
            yield Found(
                node=node,
                message=f"daily bars never come at {asked.attr} {wanted:g}",
                cure="Schedule it: self.schedule.on(self.date_rules.every_day(symbol), "
                "self.time_rules.after_market_open(symbol, 30), self._trade)",
            )


def _leaves_otherwise(code: Code, node: ast.Compare) -> bool:
    """`if self.time.hour != 10: return`"""
    parent = code.parent(node)
    return (
        isinstance(node.ops[0], ast.NotEq)
        and isinstance(parent, ast.If)
        and parent.test is node
        and isinstance(parent.body[0], ast.Return)
    )


HOUR_OF_DAILY = Rule(
    id="QC054",
    name="hour-of-a-daily-bar",
    severity=Severity.WARNING,
    summary="A time of day asked of daily bars.",
    why="With daily bars LEAN calls on_data once a day, at the close. A test for another hour is "
    "never true, and the strategy never trades.",
    bad="def initialize(self):\n    self.add_equity('SPY', Resolution.DAILY)\n\n"
    "def on_data(self, data):\n    if self.time.hour == 10:\n        self.set_holdings('SPY', 1)\n",
    good="def initialize(self):\n    self.add_equity('SPY', Resolution.MINUTE)\n\n"
    "def on_data(self, data):\n    if self.time.hour == 10:\n        self.set_holdings('SPY', 1)\n",
    find=_hour_of_daily,
)

RULES = (WRAPPED, CALLED, RULE_NOT_CALLED, ON_EVERY_BAR, HOUR_OF_DAILY)
