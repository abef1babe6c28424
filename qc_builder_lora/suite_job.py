"""The suites that we keep, made from their plans: draws, backtests of our answers, constraints.

Part of what the command line shares; no stage imports it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from qc_builder_lora.eval.asked import constraints_of
from qc_builder_lora.eval.faithful import MOST_DAYS_A_PERIOD, Constraint, judge, verdict
from qc_builder_lora.eval.replay import Replay
from qc_builder_lora.files import find_default
from qc_builder_lora.harvest.corpus.held_out import Asked, Look, load_plan, plan_suite
from qc_builder_lora.harvest.corpus.starter import draw_key, draws, held_out_keys, load_manifest
from qc_builder_lora.harvest.corpus.styles import SHOWING_CODE, Drawn, Reference, worded
from qc_builder_lora.ids import text_hash
from qc_builder_lora.progress import Progress
from qc_builder_lora.records import Outcome

if TYPE_CHECKING:
    from qc_builder_lora.backtest.protocol import Backtester, BacktestResult

Show = Callable[[str, float], AbstractContextManager[Progress]]
ORDER = ("smoke", "golden", "benchmark20")
"""Of those we keep, each avoids what the ones before it ask."""
_PERIODS = {
    "week": r"\bweekly\b|\b(?:each|every) week\b",
    "month": r"\bmonthly\b|\b(?:each|every) month\b|\bmonth start\b",
    "quarter": r"\bquarterly\b|\b(?:each|every) quarter\b",
}


def suite_text(name: str, look: Look) -> str:
    """The file of a suite, from its plan `eval/suites/NAME.yaml`.

    It keeps clear of what the starter corpus teaches: with the suite or without it, the starter
    corpus is the same. Raises NotFound for a plan that is not there.
    """
    plan = load_plan(find_default(f"eval/suites/{name}.yaml"))
    before = ORDER[: ORDER.index(name)] if name in ORDER else ORDER
    kept = held_out_keys(find_default(f"eval/suites/{one}.jsonl") for one in before)
    starter = load_manifest()
    taught = list(draws(starter, held_out_keys([find_default("eval/suites/smoke.jsonl")])))
    taken = kept | {draw_key(draw) for draw in taught}
    asked = plan_suite(plan, starter, taken, [draw.instruction for draw in taught], look)
    return "".join(json.dumps(_line(one)) + "\n" for one in asked)


def _line(one: Asked) -> dict[str, Any]:
    draw = one.drawn.draw
    constraints = constraints_for(one.drawn, one.instruction, one.reference)
    return {
        "id": one.id,
        "family": draw.family.name,
        "style": one.drawn.style,
        "reserved": one.reserved,
        "parameters": dict(draw.parameters),
        "instruction": one.instruction,
        "constraints": [constraint.plain() for constraint in constraints],
        "reference": one.reference.plain(),
        "answer": draw.code,
    }


def constraints_for(drawn: Drawn, instruction: str, reference: Reference) -> list[Constraint]:
    """What a prompt of ours says for certain: the tickers, every number of the rules, and what of
    the code it shows shall stay, besides what can be read from any instruction."""
    draw, found = drawn.draw, []
    for one in constraints_of(instruction):
        if drawn.style in SHOWING_CODE and one.kind in ("period", "cash", "changed"):
            continue
        if one.kind == "symbols_among":
            found.append(Constraint("symbols", sorted(draw.parameters["tickers"])))
        elif one.kind == "most_numbers":
            found += [Constraint("number", value) for value in one.value]
        else:
            found.append(one)
    if drawn.style in SHOWING_CODE:
        found.append(
            Constraint("period", [draw.frame.start.isoformat(), draw.frame.end.isoformat()])
        )
        found.append(Constraint("cash", draw.frame.cash))
    if "weight" in draw.parameters and draw.family.assets == (1, 1):
        found.append(Constraint("max_weight", draw.parameters["weight"]))
    for period, said in _PERIODS.items():
        kept = 0 < reference.order_days[period] <= MOST_DAYS_A_PERIOD
        if kept and re.search(said, instruction, re.I):
            found.append(Constraint("rebalance", period))
    return found


def by_backtest(engine: Backtester, jobs: int, show: Show) -> Look:
    """Answers are executed; taken are those that trade and do all that their prompt asks."""

    def look(drawn: Sequence[Drawn]) -> list[Reference | None]:
        from qc_builder_lora.backtest.protocol import BacktestSettings

        codes = [one.draw.code for one in drawn]
        with show("Answer", len(drawn)) as progress:
            results = list(
                engine.run_many(codes, BacktestSettings(), jobs=jobs, progress=progress.update)
            )
        return [_reference(one, result) for one, result in zip(drawn, results, strict=True)]

    return look


def _reference(drawn: Drawn, result: BacktestResult) -> Reference | None:
    if not result.trades_at_all:
        return None
    replay = Replay(result.orders)
    found = Reference(
        long_only=replay.lowest[2] >= 0,
        most_positions=replay.most_at_once[0],
        orders=len(result.orders),
        order_days={
            period: max(len(days) for days in replay.days_by(period).values())
            for period in _PERIODS
        },
    )
    asked = constraints_for(drawn, worded(drawn, found), found)
    passed = verdict(judge(asked, drawn.draw.code, result)) is Outcome.PASS
    return found if passed else None


def by_record(lines: str) -> Look:
    """What a suite's own file says that its answers did: to write it anew without running them."""
    known = {}
    for line in lines.splitlines():
        prompt = json.loads(line)
        known[text_hash(prompt["answer"])] = Reference(**prompt["reference"])
    return lambda drawn: [known.get(text_hash(one.draw.code)) for one in drawn]
