"""Strategies that are none: stubs, placeholders, signals that never change, copies of a template.

They compile and run, and a backtest does not tell them apart from the real thing.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator

from qc_builder_lora.backtest.check.finding import Found, Rule, Severity
from qc_builder_lora.backtest.check.reach import Reach, is_text
from qc_builder_lora.backtest.check.reading import (
    ORDERS,
    argument,
    name_of,
    number_of,
    text_of,
)
from qc_builder_lora.backtest.check.tree import Code, Function
from qc_builder_lora.backtest.surface.alias import snake

# LEAN places the orders itself for a strategy that has these.
_FRAMEWORK = frozenset({"set_alpha", "add_alpha", "emit_insights", "set_portfolio_construction"})
_PLACING = ORDERS | {
    "add_order",
    "submit_order_request",
    "add_to_position",
    "order_option_strategy",
}


def _orders(code: Code) -> list[ast.Call]:
    return [
        call for call in code.all(ast.Call)
        if isinstance(call.func, ast.Attribute) and snake(call.func.attr) in _PLACING
    ]  # fmt: skip


def _kept_for_later(code: Code) -> list[ast.expr]:
    """Ordering methods that are not called but kept or handed on: `buy = self.market_order`, and
    those that getattr gives."""
    called = {call.func for call in code.all(ast.Call)}
    named = [
        call for call in code.all(ast.Call)
        if name_of(call.func) == "getattr" and len(call.args) > 1
        and snake(text_of(call.args[1]) or "") in _PLACING
    ]  # fmt: skip
    return named + [
        node for node in code.all(ast.Attribute)
        if node not in called and isinstance(node.ctx, ast.Load) and snake(node.attr) in _PLACING
        and code.types.is_self(node.value) and code.types.member(node) is not None
    ]  # fmt: skip


def _is_whole(code: Code) -> bool:
    """Whether all that the strategy does can be seen in the file."""
    if code.strategy is None:
        return False
    known = {one.name for one in code.algorithms} | {"QCAlgorithm"}
    return all(
        (base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")) in known
        for one in code.algorithms for base in one.bases
    )  # fmt: skip


def _no_order(code: Code) -> Iterator[Found]:
    if not _is_whole(code) or code.strategy is None:
        return
    if any(snake(name_of(call.func)) in _FRAMEWORK for call in code.all(ast.Call)):
        return
    if any(node.level or _is_own_module(node) for node in code.all(ast.ImportFrom)):
        return  # what trades may stand in another file of the project
    calls = _orders(code)
    reach = Reach(code)
    if any(reach.is_reached(node) for node in (*calls, *_kept_for_later(code))):
        return
    if not calls:
        fact = "nothing in it places an order"
    else:
        first = calls[0]
        where = _where(reach.barrier(first))
        fact = f"its orders are never reached: of the one in line {first.lineno}, {where}"
    yield Found(
        node=code.strategy,
        message=f"{code.strategy.name} can never trade: {fact}",
        cure="Place an order in on_data or in a scheduled method, under a condition that can hold",
    )


def _where(barrier: ast.AST | None) -> str:
    if barrier is None:
        return "nothing that LEAN calls leads there"
    line = getattr(barrier, "lineno", 0)
    if isinstance(barrier, ast.stmt):
        return f"line {line} always leaves before it"
    return f"the test in line {line} never holds"


_KNOWN_MODULES = frozenset({"AlgorithmImports", "QuantConnect", "System", "clr"})


def _is_own_module(node: ast.ImportFrom) -> bool:
    """Whether it imports from another file of the project."""
    top = (node.module or "").partition(".")[0]
    return top not in sys.stdlib_module_names and top not in _LIBRARIES | _KNOWN_MODULES


_LIBRARIES = frozenset(
    {"numpy", "pandas", "scipy", "sklearn", "torch", "tensorflow", "keras", "statsmodels",
     "xgboost", "lightgbm", "matplotlib", "arch", "hmmlearn", "cvxpy", "talib", "ta", "networkx",
     "pykalman", "pypfopt", "riskfolio", "transformers", "datasets", "joblib", "nltk", "plotly",
     "gym", "stable_baselines3", "pytz", "dateutil", "numba", "ruptures", "tslearn", "copulae"}
)  # fmt: skip

NO_ORDER = Rule(
    id="QC060",
    name="never-trades",
    severity=Severity.ERROR,
    summary="No order can ever be placed.",
    why="A strategy without an order call that LEAN can reach compiles, runs to its end and has flat "
    "equity. So does one whose orders stand behind a test that never holds. It is a stub.",
    bad="def on_data(self, data):\n    pass\n",
    good="def on_data(self, data):\n    if not self.portfolio.invested:\n"
    "        self.set_holdings('SPY', 1)\n",
    find=_no_order,
)


def _stub_bodies(code: Code) -> Iterator[Found]:
    named = {node.attr for node in code.all(ast.Attribute)} | {
        node.id for node in code.all(ast.Name)
    }
    overridden = _overridden(code)
    for node in code.functions:
        what = _stub(code, node)
        if not what or node.decorator_list or node in overridden:
            continue
        if what == "raises NotImplementedError" or node.name in named:
            yield Found(
                node=node,
                message=f"{node.name} {what}",
                cure="Write what it should do, or leave it out with its calls",
            )


def _overridden(code: Code) -> set[ast.AST]:
    """Methods of a class that another class of the file derives from: those may be left open."""
    bases = {getattr(base, "id", "") for cls in code.all(ast.ClassDef) for base in cls.bases}
    return {
        one for cls in code.all(ast.ClassDef) if cls.name in bases or _is_abstract(cls)
        for one in cls.body
    }  # fmt: skip


def _is_abstract(cls: ast.ClassDef) -> bool:
    return any(
        getattr(base, "id", getattr(base, "attr", "")) in ("Protocol", "ABC") for base in cls.bases
    )


def _stub(code: Code, node: Function) -> str:
    """What makes a function a stub, empty where it is none."""
    body = [one for one in node.body if not is_text(one)]
    if len(body) == 1 and isinstance(body[0], ast.Raise) and _is_unwritten(body[0].exc):
        return "raises NotImplementedError"
    if snake(node.name).startswith(("on_", "__")) or node.name == "initialize":
        return ""
    trivial = all(
        isinstance(one, ast.Pass) or (isinstance(one, ast.Return) and _is_nothing(one.value))
        for one in body
    )
    if trivial and _promises(code, node):
        return "is a placeholder: " + ("it does nothing" if not body else "it gives nothing")
    return ""


def _is_unwritten(node: ast.expr | None) -> bool:
    return node is not None and name_of(node.func if isinstance(node, ast.Call) else node) in (
        "NotImplementedError", "NotImplementedException"
    )  # fmt: skip


def _is_nothing(node: ast.expr | None) -> bool:
    if node is None or (isinstance(node, ast.Constant) and node.value in (None, False)):
        return True
    if isinstance(node, ast.List | ast.Dict | ast.Tuple):
        return not getattr(node, "elts", getattr(node, "keys", []))
    return number_of(node) == 0


_OPEN = re.compile(
    r"\bTODO\b|\bFIXME\b|\bXXX\b|placeholder|not (?:yet )?implemented|to be implemented|"
    r"\b(?:your|insert|implement|add)\s+(?:\w+\s+){0,3}(?:logic|code|implementation)\b|"
    r"\bimplement\b[^\n]{0,40}\bhere\b|\byour\s+(?:\w+\s+){1,4}here\b|"
    r"\brest of (?:the|your) (?:code|strategy|logic)|\.\.\.\s*\(?(?:existing|remaining|rest|same)|"
    r"\bdummy\b|\bstub\b|simplified (?:version|implementation)|in a real (?:implementation|strategy)",
    re.IGNORECASE,
)


def _promises(code: Code, node: Function) -> bool:
    """Whether its own text says that something is still to come."""
    lines = code.lines[node.lineno - 1 : node.end_lineno]
    return _OPEN.search("".join(lines)) is not None


STUB_BODY = Rule(
    id="QC061",
    name="stub",
    severity=Severity.ERROR,
    summary="A method whose body is still to be written.",
    why="raise NotImplementedError, or a body that only returns nothing under a TODO, is what is "
    "left of a plan. Where it is called the strategy ends, or goes on without what it is for.",
    bad="def on_data(self, data):\n    if self._signal() > 0:\n        self.liquidate()\n\n"
    "def _signal(self):\n    raise NotImplementedError\n",
    good="def on_data(self, data):\n    if self._signal() > 0:\n        self.liquidate()\n\n"
    "def _signal(self):\n    return self.portfolio.cash\n",
    find=_stub_bodies,
)


def _open_comments(code: Code) -> Iterator[Found]:
    for line, comment in code.comments:
        match = _OPEN.search(comment)
        if match:
            yield Found(
                node=code.whole_line(line),
                message=f"a comment that says something is missing: {comment[:60]}",
                cure="Write it, or take the comment out",
            )


OPEN_COMMENT = Rule(
    id="QC062",
    name="open-comment",
    severity=Severity.WARNING,
    summary="A comment that says something is still to be written.",
    why="TODO, placeholder, your logic here, rest of the code: what they stand for is not there.",
    bad="def on_data(self, data):\n    # TODO: add exit logic here\n    self.set_holdings('SPY', 1)\n",
    good="def on_data(self, data):\n    # one position at a time\n    self.set_holdings('SPY', 1)\n",
    find=_open_comments,
)


def _constant_signals(code: Code) -> Iterator[Found]:
    reach = Reach(code)
    told = set()
    for call in _orders(code):
        barrier = reach.barrier(call)
        if not isinstance(barrier, ast.expr) or barrier in told or not _of_numbers(barrier, reach):
            continue
        told.add(barrier)
        yield Found(
            node=barrier,
            message=f"this never changes, and the order in line {call.lineno} is never placed: "
            f"{code.source(barrier)[:60]}",
            cure="Compute the signal from bars, indicators or history",
        )


def _of_numbers(test: ast.expr, reach: Reach) -> bool:
    """A comparison of numbers: a flag that switches something off is meant."""
    for node in ast.walk(test):
        if isinstance(node, ast.Compare) and reach.value(node) is not None:
            sides = [node.left, *node.comparators]
            if any(number_of(side) is None for side in sides):
                return True
    return False


CONSTANT_SIGNAL = Rule(
    id="QC063",
    name="constant-signal",
    severity=Severity.ERROR,
    summary="An order behind a signal that never changes.",
    why="A signal that is set to 0 and never computed, or a method that always returns 0, looks like "
    "a strategy and is none: its order is never placed.",
    bad="def on_data(self, data):\n    alpha = 0.0\n    if alpha > 0:\n"
    "        self.set_holdings('SPY', 1)\n",
    good="def on_data(self, data):\n    alpha = data['SPY'].close - data['SPY'].open\n"
    "    if alpha > 0:\n        self.set_holdings('SPY', 1)\n",
    find=_constant_signals,
)


def _copied(code: Code) -> Iterator[Found]:
    seen: dict[str, Function] = {}
    for node in code.functions:
        body = [one for one in node.body if not is_text(one)]
        if sum(1 for one in body for _ in code.below(one, ast.stmt)) < 4:
            continue
        try:
            key = "\n".join(ast.dump(one) for one in body)
        except RecursionError:
            continue
        first = seen.setdefault(key, node)
        if first is not node:
            yield Found(
                node=node,
                message=f"{node.name} does the same as {first.name} in line {first.lineno}",
                cure="Write what it should do, or call the other",
            )


COPIED = Rule(
    id="QC065",
    name="copied-body",
    severity=Severity.WARNING,
    summary="Two functions with the same body.",
    why="Where many signals are asked for, models write the first and copy it under the other names.",
    bad="def _one(self, bars):\n    total = 0\n    for bar in bars:\n        total += bar.close\n"
    "    return total\n\ndef _two(self, bars):\n    total = 0\n    for bar in bars:\n"
    "        total += bar.close\n    return total\n",
    good="def _one(self, bars):\n    total = 0\n    for bar in bars:\n        total += bar.close\n"
    "    return total\n\ndef _two(self, bars):\n    total = 0\n    for bar in bars:\n"
    "        total += bar.volume\n    return total\n",
    find=_copied,
)

# What a new project holds at QuantConnect, and what `lean create-project` writes.
_TEMPLATES = ({"SPY": 0.33, "BND": 0.33, "AAPL": 0.33}, {"SPY": 1})
_SET_UP = frozenset({"set_start_date", "set_end_date", "set_cash", "add_equity"})


def _templates(code: Code) -> Iterator[Found]:
    if code.strategy is None or {*code.callbacks} != {"initialize", "on_data"}:
        return
    bought: dict[str | None, float | int | None] = {}
    others = set()
    for call in code.below(code.strategy, ast.Call):
        name = snake(name_of(call.func))
        if name == "set_holdings":
            bought[text_of(argument(call, 0, "symbol"))] = number_of(
                argument(call, 1, "percentage")
            )
        elif name not in _SET_UP:
            others.add(f"{name} {text_of(call.args[0]) if call.args else ''}")
    said = others == {"debug Purchased Stock"}
    if (bought == _TEMPLATES[0] and not others) or (bought == _TEMPLATES[1] and said):
        yield Found(
            node=code.strategy,
            message=f"{code.strategy.name} is what a new project begins with, not a strategy",
            cure="Hand in the strategy that was asked for; this is what runs where its upload failed",
        )


TEMPLATE = Rule(
    id="QC064",
    name="template",
    severity=Severity.WARNING,
    summary="The code that QuantConnect or the LEAN CLI puts into a new project.",
    why="Where a builder's upload failed, this is what was backtested. It runs and trades, and has "
    "nothing to do with what was asked.",
    bad="def initialize(self):\n    self.set_cash(100000)\n    self.add_equity('SPY', Resolution.MINUTE)\n"
    "    self.add_equity('BND', Resolution.MINUTE)\n    self.add_equity('AAPL', Resolution.MINUTE)\n\n"
    "def on_data(self, data):\n    if not self.portfolio.invested:\n"
    "        self.set_holdings('SPY', 0.33)\n        self.set_holdings('BND', 0.33)\n"
    "        self.set_holdings('AAPL', 0.33)\n",
    good="def initialize(self):\n    self.set_cash(100000)\n    self.add_equity('SPY', Resolution.MINUTE)\n"
    "    self.add_equity('BND', Resolution.MINUTE)\n\n"
    "def on_data(self, data):\n    if not self.portfolio.invested:\n"
    "        self.set_holdings('SPY', 0.6)\n        self.set_holdings('BND', 0.4)\n",
    find=_templates,
)

RULES = (NO_ORDER, STUB_BODY, OPEN_COMMENT, CONSTANT_SIGNAL, TEMPLATE, COPIED)
