"""Is a change what it says: small, executed on both sides, asked for by its words, and visible.

Nothing is believed. The answer differs from the code in the question in few lines, with the same
class and methods; both compile, run and trade; their orders differ; and the checks of the request
pass for the answer and do not pass for the code in the question.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Protocol

from qc_builder_lora.backtest.check.parsing import tree_of
from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.harvest.corpus.candidate import Execution
from qc_builder_lora.harvest.corpus.changes.asking import asked
from qc_builder_lora.harvest.corpus.changes.change import Demand, Edit, Kind
from qc_builder_lora.records import BacktestStatus, Example, Outcome, Step

CHARACTERS = 2_850
"""Of question and answer together: about what 1,024 tokens hold (2.85 to 3.1 characters each, by
the tokenizer of Gemma 3 on such text), which is the max_tokens of the recipe gemma-3-270m."""
MOST_LINES = 14
"""Lines that a change may take out and put in, of both together."""
_LEAST_KEPT = 0.6
"""The part of the lines before the change that must stand in it afterwards, in their order."""


class Faithful(Protocol):
    """What `eval` says of a code; passed in, for stages do not import each other."""

    def read(self, instruction: str) -> Sequence[Demand]:
        """What the words of an instruction ask for."""
        ...

    def judge(self, demands: Sequence[Demand], code: str, result: BacktestResult) -> Outcome:
        """Whether a code with its backtest does all of it."""
        ...


@dataclass(frozen=True)
class Drawn:
    """A change that is to be proven."""

    base: Example
    kind: Kind
    seed: int
    edit: Edit

    @property
    def key(self) -> tuple[str, str, int]:
        """By which the same one is known again."""
        return (self.base.id, self.kind.name, self.seed)

    @property
    def codes(self) -> tuple[str, str]:
        return (self.edit.before, self.edit.after)


@dataclass(frozen=True)
class Proven:
    """The question, and what both codes did."""

    wording: str
    instruction: str
    before: BacktestResult
    after: BacktestResult


@dataclass(frozen=True)
class Refused:
    """Why it is no pair, and the last step that it passed; UNKNOWN where nobody could say."""

    reason: str
    step: Step
    outcome: Outcome = Outcome.FAIL
    detail: str | None = None


Proof = Proven | Refused


def prove(
    drawn: Sequence[Drawn],
    execution: Execution,
    faithful: Faithful,
    told: Callable[[float], None] = lambda _: None,
) -> Iterator[tuple[Drawn, Proof]]:
    """Each with its proof, as soon as there is one. `told` hears what part of the backtests is
    done."""
    codes = list(dict.fromkeys(code for one in drawn for code in one.codes))
    checks = dict(zip(codes, execution.check(codes), strict=True)) if codes else {}
    running: list[Drawn] = []
    for one in drawn:
        refused = _static(one, checks)
        if refused is None:
            running.append(one)
        else:
            yield one, refused
    runs = list(dict.fromkeys(code for one in running for code in one.codes))
    results: dict[str, BacktestResult] = {}
    for code, result in execution.each(runs, lambda count: told(count / len(runs))):
        results[code] = result
        for one in running:
            # The second of its two.
            if code in one.codes and all(each in results for each in one.codes):
                yield one, _decided(one, results, faithful)


def _static(one: Drawn, checks: Mapping[str, Any]) -> Refused | None:
    wide = too_wide(one.edit.before, one.edit.after)
    if wide is not None:
        return Refused(wide, Step.IN)
    for code in one.codes:
        if checks[code].outcome is not Outcome.PASS:
            return Refused(
                f"compile: {checks[code].outcome.value}", Step.PARSED, checks[code].outcome,
                "; ".join(checks[code].messages),
            )  # fmt: skip
    return None


def too_wide(before: str, after: str) -> str | None:
    """Why the one is more than a small change of the other; None where it is one."""
    if _heads(before) != _heads(after):
        return "another class or other methods"
    lines, others = before.splitlines(), after.splitlines()
    blocks = SequenceMatcher(None, lines, others, autojunk=False).get_matching_blocks()
    kept = sum(block.size for block in blocks)
    changed = len(lines) + len(others) - 2 * kept
    if not changed:
        return "nothing is different"
    if changed > MOST_LINES or kept < _LEAST_KEPT * len(lines):
        return "more lines differ than a change takes"
    return None


def _heads(code: str) -> list[str]:
    """Names of classes and methods, with their arguments, in their order."""
    tree = tree_of(code)
    if isinstance(tree, str):
        return [tree]
    return [
        f"{node.name} {ast.unparse(node.args) if isinstance(node, ast.FunctionDef) else ''}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
    ]


def _decided(one: Drawn, results: Mapping[str, BacktestResult], faithful: Faithful) -> Proof:
    before, after = (results[code] for code in one.codes)
    for result in (before, after):
        if not result.runs:
            unknown = result.status is BacktestStatus.UNKNOWN
            return Refused(
                f"run: {result.status.value}", Step.COMPILES,
                Outcome.UNKNOWN if unknown else Outcome.FAIL, result.reason,
            )  # fmt: skip
        if not result.trades_at_all:
            return Refused("no trades", Step.RUNS)
    if _orders(before) == _orders(after) and not one.kind.quiet:
        return Refused("no order is different", Step.TRADES)
    wording, instruction = asked(one.edit, one.kind.why, before.statistics, *one.key)
    return _seen(one, instruction, faithful, before, after) or Proven(
        wording, instruction, before, after
    )


def _seen(
    one: Drawn, instruction: str, faithful: Faithful, before: BacktestResult, after: BacktestResult
) -> Refused | None:
    """Whether the change is in the answer, and not in the question."""
    demands = one.edit.demands
    if met(demands, one.edit.after, after, faithful) is not Outcome.PASS:
        return Refused("the change is not seen in the answer", Step.TRADES)
    if met(demands, one.edit.before, before, faithful) is Outcome.PASS:
        return Refused("it is so before the change", Step.TRADES)
    read = faithful.judge(faithful.read(instruction), one.edit.after, after)
    if read is not Outcome.PASS:
        return Refused("the answer is not what the words ask for", Step.TRADES, read, instruction)
    return None


def met(
    demands: Sequence[Demand], code: str, result: BacktestResult, faithful: Faithful
) -> Outcome:
    """Whether the code meets all: patterns of its text here, the others as `eval` judges."""
    for kind, value in demands:
        if kind in ("has", "lacks") and bool(re.search(str(value), code)) is (kind == "lacks"):
            return Outcome.FAIL
    rest = [one for one in demands if one[0] not in ("has", "lacks")]
    return faithful.judge(rest, code, result) if rest else Outcome.PASS


def _orders(result: BacktestResult) -> list[tuple[Any, ...]]:
    return [
        (one.get("time"), one.get("symbol"), one.get("quantity"), one.get("type"))
        for one in result.orders
    ]
