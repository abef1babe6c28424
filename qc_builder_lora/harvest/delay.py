"""G8, its second question: does a result that is nearly perfect survive a delay of one bar?

The same strategy runs again with every order held back until the next time `on_data` is called
(research: "delay the signal one bar: result must not collapse from 'perfect'"). A result that rests
on prices it could not have had loses nearly all of it; one that rests on a rule keeps a good part.
Asked only where the Sharpe ratio is that good: a rule of the day's close rightly loses by waiting.

Works on any engine, for it is the code that is changed. On the bar on which the held orders are
sent, `on_data` itself is left out, as nothing is filled yet that it could look at. A strategy that
reads the tickets of its orders cannot be run so, and one whose orders the framework's own models
place is not delayed by it: both are UNKNOWN.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qc_builder_lora.backtest.check.parsing import lean_choice, tree_of
from qc_builder_lora.backtest.protocol import Backtester, BacktestResult, BacktestSettings
from qc_builder_lora.harvest.labels import number
from qc_builder_lora.harvest.ladder import Answer, Run, behaviour, failed, passed, unknown
from qc_builder_lora.harvest.rules import Rules
from qc_builder_lora.records import BacktestStatus

_ORDERS = (
    "set_holdings", "liquidate", "market_order", "order", "buy", "sell", "limit_order",
    "stop_market_order", "stop_limit_order", "trailing_stop_order", "limit_if_touched_order",
    "market_on_open_order", "market_on_close_order",
)  # fmt: skip
_DEFAULTS = BacktestSettings()
_HANDLERS = ("on_data", "OnData")
_HELD = "_qc_lora_held"
_UNDELAYED = "_qc_lora_undelayed"


@dataclass(frozen=True)
class Perfect:
    """A run whose result is good enough to be doubted."""

    code: str
    behaviour: str | None
    """One hash of all its orders."""
    sharpe: float


def perfect(code: str, run: Run, rules: Rules) -> Perfect | None:
    """The run, if its Sharpe ratio is high enough to ask; None where it is not."""
    sharpe = number(run.result.statistics.get("Sharpe Ratio"))
    if sharpe is None or sharpe <= 0 or sharpe < rules.delay_from_sharpe:
        return None
    return Perfect(code, run.behaviour, sharpe)


def rerun(
    engine: Backtester, doubted: Sequence[Perfect], rules: Rules, jobs: int,
    settings: BacktestSettings = _DEFAULTS,
) -> list[Answer]:  # fmt: skip
    """The answers, in their order."""
    codes = [delayed(one.code) for one in doubted]
    able = [code for code in codes if code is not None]
    found = iter(engine.run_many(able, settings, jobs=jobs) if able else ())
    return [
        unknown("its class cannot be found, so that nothing can be delayed")
        if code is None
        else compare(one, next(found), rules)
        for one, code in zip(doubted, codes, strict=True)
    ]


def compare(one: Perfect, second: BacktestResult, rules: Rules) -> Answer:
    """FAIL where the Sharpe ratio falls below the share of it that has to stay."""
    evidence: dict[str, Any] = {"sharpe": one.sharpe, "keeps_at_least": rules.delay_keeps}
    if second.status is not BacktestStatus.COMPLETED:
        return unknown(f"the delayed run did not end: {second.reason or second.status}", **evidence)
    if behaviour(second) == one.behaviour:
        return unknown("its orders could not be delayed", **evidence)
    return judge(one.sharpe, number(second.statistics.get("Sharpe Ratio")), rules)


def judge(sharpe: float, later: float | None, rules: Rules) -> Answer:
    """The answer from both Sharpe ratios alone, as they were measured now or earlier."""
    evidence = {"sharpe": sharpe, "keeps_at_least": rules.delay_keeps, "delayed_sharpe": later}
    if later is None:
        return unknown("the delayed run has no Sharpe ratio", **evidence)
    if later < rules.delay_keeps * sharpe:
        return failed("its result collapses when its orders come one bar later", **evidence)
    return passed(**evidence)


def delayed(code: str) -> str | None:
    """The code with every order held back for a bar; None where there is no class to change."""
    tree = tree_of(code)
    chosen = None if isinstance(tree, str) else lean_choice(tree)
    if chosen is None or chosen.end_lineno is None:
        return None
    lines = code.split("\n")
    handler = next(
        (node for node in chosen.body
         if isinstance(node, ast.FunctionDef) and node.name in _HANDLERS),
        None,
    )  # fmt: skip
    if handler is not None:
        at = handler.lineno - 1
        lines[at] = lines[at].replace(f"def {handler.name}", f"def {_UNDELAYED}", 1)
    indent = " " * chosen.body[0].col_offset
    lines[chosen.end_lineno : chosen.end_lineno] = [
        indent + line if line else "" for line in _methods(handler is not None).split("\n")
    ]
    return "\n".join(lines)


def _methods(has_handler: bool) -> str:
    """Methods of the class: `on_data` sends what was held, the orders' own names hold it."""
    then = f"    self.{_UNDELAYED}(data)" if has_handler else "    return"
    lines = [
        "",
        "def on_data(self, data):",
        f"    held, self.{_HELD} = getattr(self, '{_HELD}', []), []",
        "    for name, values, named in held:",
        "        getattr(super(), name)(*values, **named)",
        "    if held:",
        "        return",
        then,
    ]
    for name in _ORDERS:
        lines += [
            "",
            f"def {name}(self, *values, **named):",
            f"    self.{_HELD} = [*getattr(self, '{_HELD}', []), ('{name}', values, named)]",
            f"{_pascal(name)} = {name}",
        ]
    return "\n".join(lines)


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
