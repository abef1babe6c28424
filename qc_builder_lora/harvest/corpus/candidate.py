"""Candidates for the corpus, whatever they come from: executed before they count.

What is kept is decided by the checker and the engine, never by the source: code that does not
parse, compile, run and trade on its bars is no Example.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from qc_builder_lora.backtest.check import CheckResult, parses, strategy_hash
from qc_builder_lora.backtest.protocol import Backtester, BacktestResult, BacktestSettings
from qc_builder_lora.ids import json_hash, now, text_hash
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import Example, Json, Outcome, Strategy
from qc_builder_lora.store import Store

Checker = Callable[[Sequence[str]], Sequence[CheckResult]]
STEPS = ("in", "parsed", "compiles", "runs", "trades", "kept", "new")
_CHUNK = 100


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An instruction with code that may answer it, and where both come from."""

    instruction: str
    code: str
    family: str
    source: str
    licence: str
    version: str
    """Of the source: of the paper, the package, or our own generator."""
    style: str
    parameters: Json = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The Example's id: the hash of both texts."""
        return json_hash({"instruction": self.instruction, "code": self.code})


@dataclass
class Funnel:
    """How many of a source came in, and how far they got; `stopped` says why."""

    source: str
    counts: Counter[str] = field(default_factory=Counter)
    stopped: Counter[str] = field(default_factory=Counter)
    families: Counter[str] = field(default_factory=Counter)

    def plain(self) -> dict[str, Any]:
        return {
            "source": self.source,
            **{step: self.counts[step] for step in STEPS},
            "stopped": dict(sorted(self.stopped.items())),
            "families": dict(sorted(self.families.items())),
        }

    def refuse(self, reason: str) -> None:
        """One that came in and was read, but is not made into a candidate."""
        self.counts["in"] += 1
        self.counts["parsed"] += 1
        self.stop(reason)

    def stop(self, reason: str) -> None:
        """One that came in and is not kept."""
        self.stopped[reason] += 1


@dataclass(frozen=True)
class Execution:
    """What executes candidates: the checker, the engine, and how many at a time."""

    engine: Backtester
    check: Checker
    jobs: int = 1
    settings: BacktestSettings = field(default_factory=BacktestSettings)


def keep(
    store: Store,
    candidates: Sequence[Candidate],
    execution: Execution,
    funnel: Funnel,
    progress: Progress = SILENT,
) -> Funnel:
    """Execute the candidates that the store does not have and add those that pass.

    Safe to repeat and to interrupt: what passed is added a chunk at a time, and what the store has
    is not executed again.
    """
    for start in range(0, len(candidates), _CHUNK):
        _keep_chunk(store, candidates[start : start + _CHUNK], execution, funnel, progress, start)
        progress.update(min(start + _CHUNK, len(candidates)), f"{funnel.counts['kept']} kept")
    return funnel


def _keep_chunk(
    store: Store,
    candidates: Sequence[Candidate],
    execution: Execution,
    funnel: Funnel,
    progress: Progress,
    before: int,
) -> None:
    waiting = []
    for candidate in candidates:
        funnel.counts["in"] += 1
        if store.examples.has(candidate.id):
            _count_kept(funnel, candidate)
        elif parses(candidate.code).outcome is Outcome.PASS:
            waiting.append(candidate)
        else:
            funnel.stop("parse")
    funnel.counts["parsed"] += len(waiting)
    # Seconds in which nothing else is heard of.
    progress.update(before, "compile check")
    passed = _compiling(waiting, execution, funnel)
    # Several ways to ask for the same code need it to run once.
    codes = list(dict.fromkeys(candidate.code for candidate in passed))
    results = execution.engine.run_many(
        codes,
        execution.settings,
        jobs=execution.jobs,
        progress=lambda done: progress.update(
            before + len(candidates) * done / (len(codes) + 1), f"{funnel.counts['kept']} kept"
        ),
    )
    found = dict(zip(codes, results, strict=True))
    for candidate in passed:
        _decide(store, candidate, found[candidate.code], execution, funnel)


def _count_kept(funnel: Funnel, candidate: Candidate) -> None:
    for step in STEPS[1:-1]:
        funnel.counts[step] += 1
    funnel.families[candidate.family] += 1


def _compiling(
    candidates: Sequence[Candidate], execution: Execution, funnel: Funnel
) -> list[Candidate]:
    codes = list(dict.fromkeys(candidate.code for candidate in candidates))
    checks = dict(zip(codes, execution.check(codes), strict=True)) if codes else {}
    passed = []
    for candidate in candidates:
        outcome = checks[candidate.code].outcome
        if outcome is Outcome.PASS:
            passed.append(candidate)
        else:
            funnel.stop(f"compile: {outcome.value}")
    funnel.counts["compiles"] += len(passed)
    return passed


def _decide(
    store: Store,
    candidate: Candidate,
    result: BacktestResult,
    execution: Execution,
    funnel: Funnel,
) -> None:
    if not result.runs:
        funnel.stop(f"run: {result.status.value}")
        return
    funnel.counts["runs"] += 1
    if not result.trades_at_all:
        funnel.stop("no trades")
        return
    funnel.counts["trades"] += 1
    funnel.counts["kept"] += 1
    funnel.families[candidate.family] += 1
    funnel.counts["new"] += add_example(store, candidate, result, execution.settings)


def add_example(
    store: Store, candidate: Candidate, result: BacktestResult, settings: BacktestSettings
) -> bool:
    """Add Strategy, Backtest and Example together; False when the Example was there."""
    if store.examples.has(candidate.id):
        return False
    moment = now()
    strategy = Strategy(
        id=strategy_hash(candidate.code),
        code=candidate.code,
        code_sha256=text_hash(candidate.code),
        created_at=moment,
        source=candidate.source,
        family=candidate.family,
        licence=candidate.licence,
    )
    with store.transaction():
        store.strategies.add(strategy)
        backtest = store.backtests.add(result.to_record(strategy.id, settings))
        store.examples.add(
            Example(
                id=candidate.id,
                instruction=candidate.instruction,
                code=candidate.code,
                family=candidate.family,
                source=candidate.source,
                licence=candidate.licence,
                created_at=moment,
                parameters=candidate.parameters,
                style=candidate.style,
                strategy_id=strategy.id,
                backtest_id=backtest.id,
                version=candidate.version,
            )
        )
    return True
