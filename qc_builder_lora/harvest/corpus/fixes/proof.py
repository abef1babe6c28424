"""Does broken code fail, where, and in whose words: the checker's and the engine's own.

Nothing is believed: what does not fail, or fails where the mistake was not meant to show, is no
pair. What the engine cannot say (UNKNOWN) is no failure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from qc_builder_lora.backtest.check import parses
from qc_builder_lora.backtest.check.finding import Severity
from qc_builder_lora.backtest.check.lint import lint
from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.harvest.corpus.candidate import Execution
from qc_builder_lora.harvest.corpus.fixes.mutation import Mutation, Stage
from qc_builder_lora.ids import text_hash
from qc_builder_lora.records import BacktestStatus, Example, Outcome

UNKNOWN_CHECK = "the compile check says UNKNOWN"
UNKNOWN_RUN = "the engine says UNKNOWN"
MOST_MESSAGES = 3
_LONGEST = 600
_BESIDE = frozenset({"QC006"})
"""Rules that say something true of a mutation which is not its mistake."""
_RAN = (Stage.RUN, Stage.TRADES)


@dataclass(frozen=True)
class Broken:
    """Good code with one mistake in it."""

    base: Example
    mutation: Mutation
    seed: int
    code: str

    @property
    def key(self) -> tuple[str, str, int]:
        """By which the same one is known again."""
        return (self.base.id, self.mutation.name, self.seed)

    def number(self, what: str) -> int:
        """A number that depends on nothing else than this and the seed."""
        return int(text_hash(f"{what}/{self.seed}/{self.base.id}/{self.mutation.name}")[:8], 16)


@dataclass(frozen=True)
class Fault:
    """Where it failed, and the message."""

    stage: Stage
    message: str


Proof = Fault | str
"""The fault, or why there is none that counts."""


def prove(
    broken: Sequence[Broken], execution: Execution, told: Callable[[int], None] = lambda _: None
) -> Iterator[tuple[Broken, Proof]]:
    """Each with its proof, as soon as there is one. `told` hears how many backtests are done."""
    running: defaultdict[str, list[tuple[Broken, Found]]] = defaultdict(list)
    for one, found in zip(broken, _static(broken, execution), strict=True):
        if isinstance(found, str):
            yield one, found
        elif _is_run(one, found):
            running[one.code].append((one, found))
        else:
            yield one, _decided(one, found, None)
    for code, result in execution.each(list(running), told):
        yield from ((one, _decided(one, found, result)) for one, found in running[code])


Found = Mapping[Stage, str]
"""Stage → message, of what could be said without running it."""


def _static(broken: Sequence[Broken], execution: Execution) -> list[Found | str]:
    unparsed = {one.code: parses(one.code) for one in broken}
    rest = [code for code, answer in unparsed.items() if answer.outcome is Outcome.PASS]
    checks = dict(zip(rest, execution.check(rest), strict=True)) if rest else {}
    found: list[Found | str] = []
    for one in broken:
        parsed = unparsed[one.code]
        if parsed.outcome is not Outcome.PASS:
            found.append(_only(one, Stage.PARSE, parsed.messages))
            continue
        check = checks[one.code]
        if check.outcome is Outcome.UNKNOWN:
            found.append(UNKNOWN_CHECK)
        elif check.outcome is Outcome.FAIL and Stage.COMPILE not in one.mutation.meant:
            found.append("failed elsewhere: compile")
        else:
            failed = check.messages if check.outcome is Outcome.FAIL else ()
            found.append({**_of(Stage.COMPILE, failed), **_rules(one)})
    return found


def _only(one: Broken, stage: Stage, messages: Sequence[str]) -> Found | str:
    return _of(stage, messages) if stage in one.mutation.meant else f"failed elsewhere: {stage}"


def _of(stage: Stage, messages: Sequence[str]) -> dict[Stage, str]:
    return {stage: "\n".join(messages[:MOST_MESSAGES])} if messages else {}


def _rules(one: Broken) -> dict[Stage, str]:
    """What the rules find in it and not in the good code, as `qc-lora check` says it."""
    if Stage.RULES not in one.mutation.meant:
        return {}
    before = {finding.rule for finding in lint(one.base.code)}
    new = [
        finding
        for finding in lint(one.code)
        if finding.rule not in before | _BESIDE and finding.severity is not Severity.STYLE
    ]
    return _of(
        Stage.RULES,
        [f"line {each.line}: {each.rule} {each.message}. {each.cure}" for each in new],
    )


def _order(one: Broken) -> list[Stage]:
    """In which order its messages are preferred: by the seed, so that all are seen."""
    return sorted(one.mutation.meant, key=lambda stage: (one.number(f"stage/{stage}"), stage))


def _is_run(one: Broken, found: Found) -> bool:
    """Whether it has to run: where what running says is preferred, or nothing else is known."""
    if Stage.PARSE in found:
        return False
    known = next((stage for stage in _order(one) if stage in found or stage in _RAN), None)
    return known in _RAN


def _decided(one: Broken, found: Found, result: BacktestResult | None) -> Proof:
    ran = None if result is None else _ran(result)
    said = dict(found)
    if isinstance(ran, Fault):
        said[ran.stage] = ran.message
    for stage in _order(one):
        if stage in said:
            return Fault(stage, said[stage][:_LONGEST])
    if isinstance(ran, Fault):
        return f"failed elsewhere: {ran.stage}"
    return ran or "did not fail"


def _ran(result: BacktestResult) -> Proof | None:
    if result.status is BacktestStatus.UNKNOWN:
        return UNKNOWN_RUN
    if result.status is BacktestStatus.FAILED:
        return Fault(Stage.RUN, f"Runtime Error: {result.reason}")
    return None if result.trades_at_all else Fault(Stage.TRADES, _silence(result))


def _silence(result: BacktestResult) -> str:
    """The engine's figures of a backtest in which nothing was filled."""
    figures = [f"{key} {result.statistics[key]}" for key in ("Total Orders", "Net Profit")
               if key in result.statistics]  # fmt: skip
    text = f"Backtest completed, no order was filled: {', '.join(figures)}"
    for order in result.orders:
        if order.get("message"):
            return f"{text}\nOrder {order['id']}: {order['status']}: {order['message']}"
    return text
