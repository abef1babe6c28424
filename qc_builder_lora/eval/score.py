"""Score one model on one suite, as it is served: ask, check, compile, execute, count.

The columns are a funnel, each means what it says: *parses* is one QCAlgorithm in valid Python;
*compiles* is mypy with LEAN's stubs without an error and an `initialize` that returns; *runs* is a
backtest to its end; *trades* is at least one filled order in it. What an engine cannot say is
counted as unknown, beside the rate and never in it. *faithful* stands beside the funnel: all that
the prompt asks and that can be told mechanically was done (`eval.faithful`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from qc_builder_lora.backtest.check import CheckResult, compiles, parses, strategy_hash
from qc_builder_lora.backtest.protocol import Backtester, BacktestResult, BacktestSettings
from qc_builder_lora.eval.asked import changed_of, constraints_of
from qc_builder_lora.eval.faithful import judge, verdict
from qc_builder_lora.eval.statistics import quantile, wilson
from qc_builder_lora.eval.suite import Prompt, Suite
from qc_builder_lora.kinds import RATES, SHOWN
from qc_builder_lora.models.faults import Kind
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import BacktestStatus, Outcome

TAUGHT, NOT_TAUGHT, RESERVED = "family taught", "family not taught", "family reserved"
_OF_THE_SERVER = frozenset(
    {
        Kind.REFUSED,
        Kind.CONNECTION,
        Kind.SERVER,
        Kind.OVERLOADED,
        Kind.RATE_LIMIT,
        Kind.AUTH,
        Kind.NOT_FOUND,
    }
)
"""Failures after which nobody knows what the model would have written."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a model wrote for one prompt."""

    prompt_id: str
    code: str
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    latency_s: float | None
    """Seconds; None where nobody knows."""
    error: str | None = None
    failure: str | None = None
    """The kind of the error, see `qc_builder_lora.models.faults`."""
    at_once: int = 1
    """How many prompts were asked at the same time."""
    cost_usd: str | None = None
    """US dollars as text, exact; None where unknown."""

    @property
    def is_the_models(self) -> bool:
        """Whether it says something about the model, rather than about who was to serve it."""
        return self.failure not in _OF_THE_SERVER


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One answer on its way through the funnel; None where that cannot be said."""

    answer: Answer
    family: str
    parses: bool | None = False
    compiles: bool | None = False
    runs: bool | None = False
    trades: bool | None = False
    reason: str | None = None
    """Why it went no further."""
    strategy_id: str | None = None
    faithful: bool | None = None
    findings: tuple[Mapping[str, Any], ...] = ()
    """Of each constraint: kind, value, outcome, evidence."""
    style: str = ""
    group: str = ""
    """Whether the prompt's family was taught, as far as that is known."""
    statistics: Mapping[str, str] = field(default_factory=dict)
    equity: tuple[tuple[str, float], ...] = ()


@dataclass
class Scores:
    """All answers of one model to one suite, judged."""

    model: str
    suite: str
    judged: list[Judged] = field(default_factory=list)

    def count(self, rate: str) -> int:
        """How many answers got that far for certain."""
        return sum(1 for one in self.judged if getattr(one, rate) is True)

    def unknown(self, rate: str) -> int:
        """How many answers the engine could not judge."""
        return sum(1 for one in self.judged if getattr(one, rate) is None)

    def plain(self) -> dict[str, Any]:
        """Counts, intervals, families and times, as JSON values."""
        return {
            **self._counted(),
            "families": self._families(),
            "groups": self._parts("group"),
            "styles": self._parts("style"),
            **self._speed(),
        }

    def _counted(self) -> dict[str, Any]:
        known = {rate: len(self.judged) - self.unknown(rate) for rate in SHOWN}
        return {
            "n": len(self.judged),
            **{rate: self.count(rate) for rate in SHOWN},
            "unknown": {rate: self.unknown(rate) for rate in SHOWN},
            "wilson95": {
                rate: [round(end, 4) for end in wilson(self.count(rate), known[rate])]
                for rate in SHOWN
            },
        }

    def _parts(self, key: str) -> dict[str, dict[str, Any]]:
        """The same counts of the prompts of each group or style, where a suite has some."""
        names = sorted({getattr(one, key) for one in self.judged} - {""})
        parts = {
            name: Scores(
                self.model, self.suite, [o for o in self.judged if getattr(o, key) == name]
            )
            for name in names
        }
        return {name: part._counted() for name, part in parts.items()}

    def saved(self) -> dict[str, Any]:
        """Everything, as JSON values that `restored` reads."""
        return {**asdict(self), "judged": [asdict(one) for one in self.judged]}

    @classmethod
    def restored(cls, saved: Mapping[str, Any]) -> Scores:
        """The scores that `saved` came from."""
        judged = []
        for one in saved["judged"]:
            equity = tuple((day, value) for day, value in one["equity"])
            again = {"answer": Answer(**one["answer"]), "equity": equity}
            findings = tuple(one.get("findings", ()))
            judged.append(Judged(**{**one, **again, "findings": findings}))
        return cls(saved["model"], saved["suite"], judged)

    def _families(self) -> dict[str, dict[str, int]]:
        table: dict[str, dict[str, int]] = {}
        for one in sorted(self.judged, key=lambda judged: judged.family):
            row = table.setdefault(one.family, {"n": 0, **dict.fromkeys(SHOWN, 0)})
            row["n"] += 1
            for rate in SHOWN:
                row[rate] += getattr(one, rate) is True
        return table

    def _speed(self) -> dict[str, Any]:
        timed = [
            (one.answer.latency_s, one.answer.completion_tokens)
            for one in self.judged
            if one.answer.error is None and one.answer.latency_s is not None
        ]
        times = [latency for latency, _ in timed]
        seconds = sum(times)
        written = sum(count for _, count in timed if count is not None)
        counts = [one.answer.completion_tokens for one in self.judged]
        tokens = [count for count in counts if count is not None]
        return {
            "latency_p50_s": _rounded(quantile(times, 0.5)),
            "latency_p95_s": _rounded(quantile(times, 0.95)),
            "completion_tokens": sum(tokens) if tokens else None,
            "tokens_per_s": _rounded(written / seconds) if written and seconds else None,
            "at_once": max((one.answer.at_once for one in self.judged), default=1),
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def judge_all(
    answers: Sequence[Answer],
    suite: Suite,
    engine: Backtester,
    *,
    model: str,
    cache: Path,
    jobs: int = 1,
    progress: Progress = SILENT,
    keep: Callable[[Judged, BacktestResult], None] | None = None,
    taught: Collection[str] | None = None,
) -> Scores:
    """Every answer through the funnel: one compile check for all, then one backtest each.

    `keep` is given every backtest as it comes. `taught` are the families that training had.
    """
    prompts = {prompt.id: prompt for prompt in suite.prompts}
    judged = [
        replace(_parsed(answer, prompts[answer.prompt_id].family),
                style=prompts[answer.prompt_id].style,
                group=_group(prompts[answer.prompt_id], taught))
        for answer in answers
    ]  # fmt: skip
    alive = [index for index, one in enumerate(judged) if one.parses]
    codes = [judged[index].answer.code for index in alive]
    checks = compiles(codes, cache=cache) if codes else []
    results = engine.run_many(codes, BacktestSettings(), jobs=jobs, progress=progress.update)
    for index, check, result in zip(alive, checks, results, strict=True):
        one = _executed(judged[index], check, result)
        judged[index] = _held_to(one, prompts[one.answer.prompt_id], result)
        if keep is not None:
            keep(judged[index], result)
    return Scores(model, suite.name, judged)


def _parsed(answer: Answer, family: str) -> Judged:
    if not answer.is_the_models:
        return Judged(
            answer=answer,
            family=family,
            parses=None,
            compiles=None,
            runs=None,
            trades=None,
            reason=answer.error,
        )
    check = parses(answer.code)
    if check.outcome is not Outcome.PASS:
        reason = answer.error or (check.messages[0] if check.messages else "does not parse")
        return Judged(answer=answer, family=family, reason=reason, faithful=False)
    code_id = strategy_hash(answer.code)
    return Judged(answer=answer, family=family, parses=True, strategy_id=code_id)


def _executed(one: Judged, check: CheckResult, result: BacktestResult) -> Judged:
    clean = {Outcome.PASS: True, Outcome.FAIL: False, Outcome.UNKNOWN: None}[check.outcome]
    asked = result.status is not BacktestStatus.UNKNOWN
    initialises = result.initialises if asked or result.initialises else None
    runs = result.runs if asked else None
    return replace(
        one,
        compiles=_both(clean, initialises),
        runs=runs,
        trades=result.trades_at_all if asked else None,
        reason=_reason(check, result),
        statistics=dict(result.statistics),
        equity=result.equity,
    )


def _held_to(one: Judged, prompt: Prompt, result: BacktestResult) -> Judged:
    """With what came of the prompt's constraints, or of those that can be read from it."""
    asked = prompt.constraints or constraints_of(prompt.instruction)
    if prompt.constraints:
        # A suite's own constraints say nothing of the code that its prompt shows.
        asked = (*asked, *changed_of(prompt.instruction))
    findings = judge(asked, one.answer.code, result)
    outcome = verdict(findings)
    return replace(
        one,
        faithful=None if outcome is Outcome.UNKNOWN else outcome is Outcome.PASS,
        findings=tuple(finding.plain() for finding in findings),
    )


def _group(prompt: Prompt, taught: Collection[str] | None) -> str:
    if prompt.reserved:
        return RESERVED
    if taught is None or prompt.family == "unknown":
        return ""
    return TAUGHT if prompt.family in taught else NOT_TAUGHT


def _both(left: bool | None, right: bool | None) -> bool | None:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _reason(check: CheckResult, result: BacktestResult) -> str | None:
    if check.outcome is not Outcome.PASS and check.messages:
        return check.messages[0]
    return result.reason or (None if result.trades_at_all else "no order was filled")


def funnel(plain: Mapping[str, Any]) -> dict[str, int]:
    """The counts alone: n, parses, compiles, runs, trades."""
    return {key: plain[key] for key in ("n", *RATES)}
