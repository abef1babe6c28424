"""Time: looking ahead, and clocks that are not the backtest's."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from qc_builder_lora.backtest.check.finding import Found, Rule, Severity
from qc_builder_lora.backtest.check.reading import chain, keyword, name_of, number_of, text_of
from qc_builder_lora.backtest.check.tree import Code
from qc_builder_lora.backtest.surface.alias import snake

_SHIFTS = ("shift", "pct_change", "diff", "tshift")
# What is made of later rows on purpose: what a model is to learn to foretell.
_LABELS = re.compile(
    r"label|target|future|forward|fwd|ahead|next|\by\b|_y\b|\by_|outcome", re.IGNORECASE
)


def _ahead(code: Code) -> Iterator[Found]:
    for call in code.all(ast.Call):
        why = _looks_ahead(call)
        statement = code.statement(call)
        if not why or (statement is not None and _LABELS.search(code.source(statement))):
            continue
        yield Found(
            node=call,
            message=why,
            cure="Shift the other way, and compute on what was known at the time",
        )


def _looks_ahead(call: ast.Call) -> str:
    name = name_of(call.func)
    if not isinstance(call.func, ast.Attribute):
        return ""
    first = number_of(call.args[0] if call.args else keyword(call, "periods"))
    if name in _SHIFTS and first is not None and first < 0:
        return f"{name}({first:g}) puts later rows beside earlier ones"
    if name == "roll" and len(call.args) > 1 and (number_of(call.args[1]) or 0) < 0:
        return "roll by a negative number puts later values beside earlier ones"
    if name in ("bfill", "backfill") and not call.args:
        return f"{name}() fills gaps with values from later"
    if name == "fillna" and text_of(keyword(call, "method")) in ("bfill", "backfill"):
        return "fillna with bfill fills gaps with values from later"
    center = keyword(call, "center")
    if name == "rolling" and isinstance(center, ast.Constant) and center.value is True:
        return "a centred window holds as many later rows as earlier ones"
    return ""


AHEAD = Rule(
    id="QC030",
    name="looks-ahead",
    severity=Severity.WARNING,
    summary="Later rows are used for earlier ones.",
    why="A negative shift, a backward fill and a centred window give a row what came after it. In a "
    "backtest that is knowledge of the future. Labels for a model to learn are meant so, and are "
    "passed over where they are named so.",
    bad="def _signal(self, closes):\n    return closes.shift(-1) / closes - 1\n",
    good="def _signal(self, closes):\n    return closes / closes.shift(1) - 1\n",
    find=_ahead,
)


def _past_now(code: Code) -> Iterator[Found]:
    for call in code.types.calls("history"):
        for given in (*call.args, *(one.value for one in call.keywords)):
            if isinstance(given, ast.BinOp) and isinstance(given.op, ast.Add) and (
                _is_now(code, given.left) or _is_now(code, given.right)
            ):  # fmt: skip
                yield Found(
                    node=given,
                    message=f"history is asked until after now: {code.source(given)[:60]}",
                    cure="End at self.time, or give a number of bars",
                )


def _is_now(code: Code, node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and snake(node.attr) in ("time", "utc_time")
        and code.types.is_self(node.value)
    )


PAST_NOW = Rule(
    id="QC031",
    name="history-of-the-future",
    severity=Severity.WARNING,
    summary="History that is to end after now.",
    why="LEAN cuts history at the current time, so what was meant to be there is not, and the "
    "strategy is built on something else than it says.",
    bad="def _trade(self):\n    self.history(self._spy, self.time, "
    "self.time + timedelta(5), Resolution.DAILY)\n",
    good="def _trade(self):\n    self.history(self._spy, self.time - timedelta(5), "
    "self.time, Resolution.DAILY)\n",
    find=_past_now,
)

_CLOCKS = frozenset(
    {"datetime.now", "datetime.today", "datetime.utcnow", "date.today", "datetime.datetime.now",
     "datetime.datetime.today", "datetime.datetime.utcnow", "datetime.date.today",
     "pd.Timestamp.now", "pd.Timestamp.today", "pd.Timestamp.utcnow", "time.sleep"}
)  # fmt: skip
_READ_CLOCKS = frozenset({"DateTime.now", "DateTime.utc_now", "DateTime.today"})


def _other_clock(code: Code) -> Iterator[Found]:
    places: list[tuple[ast.AST, str]] = [
        (call, chain(call.func)) for call in code.all(ast.Call) if chain(call.func) in _CLOCKS
    ]
    for read in code.all(ast.Attribute):
        text = f"{chain(read.value)}.{snake(read.attr)}"
        if text in _READ_CLOCKS:
            places.append((read, text))
    for node, text in places:
        if not _is_set_up(code, node):
            yield Found(
                node=node,
                message=f"{text} is the machine's clock, not the backtest's",
                cure="Leave it out: a backtest does not wait" if text == "time.sleep"
                else "Read self.time",
            )  # fmt: skip


def _is_set_up(code: Code, node: ast.AST) -> bool:
    """Dates of the backtest may be taken from today, and live code may read the clock."""
    for one in code.ancestors(node):
        if isinstance(one, ast.Call) and snake(name_of(one.func)) in (
            "set_start_date", "set_end_date", "log", "debug", "print"
        ):  # fmt: skip
            return True
        if isinstance(one, ast.If) and any(
            snake(asked.attr) == "live_mode" for asked in code.below(one.test, ast.Attribute)
        ):
            return True
    return False


OTHER_CLOCK = Rule(
    id="QC032",
    name="wall-clock",
    severity=Severity.WARNING,
    summary="The machine's clock instead of the backtest's.",
    why="In a backtest of 2015 datetime.now() is today: ages and holding times are years, and the "
    "result changes with the day it is run. self.time is the time of the data.",
    bad="def on_data(self, data):\n    if datetime.now().weekday() == 0:\n        self.liquidate()\n",
    good="def on_data(self, data):\n    if self.time.weekday() == 0:\n        self.liquidate()\n",
    find=_other_clock,
)


def _zone(code: Code) -> Iterator[Found]:
    for call in code.all(ast.Call):
        function = call.func
        if isinstance(function, ast.Attribute) and function.attr == "astimezone" and (
            _is_now(code, function.value)
        ):  # fmt: skip
            yield Found(
                node=call,
                message="self.time has no zone, and astimezone takes the machine's for it",
                cure="Read self.utc_time, or set the strategy's zone with self.set_time_zone",
            )


ZONE = Rule(
    id="QC055",
    name="time-zone",
    severity=Severity.WARNING,
    summary="self.time converted as if it were in the machine's time zone.",
    why="self.time is in the strategy's zone, New York unless set, and carries no mark of it. "
    "astimezone then starts from the zone of the machine, and the hour is wrong by as much.",
    bad="def on_data(self, data):\n    self.log(str(self.time.astimezone(None)))\n",
    good="def on_data(self, data):\n    self.log(str(self.utc_time))\n",
    find=_zone,
)

RULES = (AHEAD, PAST_NOW, OTHER_CLOCK, ZONE)
