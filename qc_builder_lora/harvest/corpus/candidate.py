"""Candidates for the corpus, whatever they come from: executed before they count.

What is kept is decided by the checker and the engine, never by the source: code that does not
parse, compile, run and trade on its bars is no Example. What became of each is kept as an Entry, so
that nothing is executed again for the same answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from qc_builder_lora.backtest.check import CheckResult, check_version, parses, strategy_hash
from qc_builder_lora.backtest.protocol import (
    Backtester,
    BacktestResult,
    BacktestSettings,
    Unordered,
)
from qc_builder_lora.harvest.ladder import is_overdue
from qc_builder_lora.ids import example_id, json_hash, now, text_hash
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import (
    BacktestStatus,
    Entry,
    Example,
    Json,
    Outcome,
    Step,
    Strategy,
)
from qc_builder_lora.store import Store
from qc_builder_lora.store.entries import entry_id

Checker = Callable[[Sequence[str]], Sequence[CheckResult]]
STEPS = tuple(map(str, Step))
_CHUNK = 100
_LONGEST_DETAIL = 500


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
    place: str | None = None
    """The page or file that the code stands in."""

    @property
    def id(self) -> str:
        """The Example's id."""
        return example_id(self.instruction, self.code)


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Something of a source that a rule left out: nobody asked the checker or the engine."""

    key: str
    """Unlike any other of the source."""
    source: str
    licence: str
    version: str
    reason: str
    place: str | None = None
    detail: str | None = None


@dataclass
class Funnel:
    """How many of a source came in, and how far they got; `stopped` says why.

    `unknown` are those of which checker or engine could not say, `not applicable` those that a
    rule left out before; both are in `in`, and in none of the steps after the last they passed.
    """

    source: str
    counts: Counter[str] = field(default_factory=Counter)
    stopped: Counter[str] = field(default_factory=Counter)
    families: Counter[str] = field(default_factory=Counter)
    entries: list[Entry] = field(default_factory=list)
    """What has not been written to the store yet."""
    seen: set[str] = field(default_factory=set)
    """Ids of all entries that were made, written or not."""
    lacking: str = ""
    """What the source should have and has not, as a sentence; none of it is counted."""

    def plain(self) -> dict[str, Any]:
        return {
            "source": self.source,
            **{step: self.counts[step] for step in (*STEPS, "new", "unknown", "not applicable")},
            "stopped": dict(sorted(self.stopped.items())),
            "families": dict(sorted(self.families.items())),
            **({"lacking": self.lacking} if self.lacking else {}),
        }

    def leave_out(self, one: LeftOut) -> None:
        """One that came in and is not made into a candidate."""
        self._end(
            Entry(
                id=entry_id(one.source, one.key), source=one.source, version=one.version,
                licence=one.licence, step=Step.IN, outcome=None, created_at=now(),
                reason=one.reason, detail=one.detail, place=one.place,
            )
        )  # fmt: skip

    def end(
        self,
        candidate: Candidate,
        step: Step,
        outcome: Outcome,
        reason: str | None = None,
        *,
        detail: str | None = None,
        basis: str | None = None,
    ) -> None:
        """How far a candidate came, and what stopped it there."""
        self._end(
            Entry(
                id=entry_id(candidate.source, candidate.id), source=candidate.source,
                version=candidate.version, licence=candidate.licence, step=step, outcome=outcome,
                created_at=now(), reason=reason, place=candidate.place, basis=basis,
                detail=None if detail is None else detail[:_LONGEST_DETAIL],
            )
        )  # fmt: skip
        if step is Step.KEPT:
            self.families[candidate.family] += 1

    def _end(self, entry: Entry) -> None:
        self.count(entry.step, entry.outcome, entry.reason)
        self.entries.append(entry)
        self.seen.add(entry.id)

    def count(self, step: Step, outcome: Outcome | None, reason: str | None, many: int = 1) -> None:
        """So many that came to a step and no further."""
        for passed in STEPS[: STEPS.index(step) + 1]:
            self.counts[passed] += many
        if outcome is Outcome.UNKNOWN:
            self.counts["unknown"] += many
        if outcome is None:
            self.counts["not applicable"] += many
        if reason is not None:
            self.stopped[reason] += many


@dataclass(frozen=True)
class Execution:
    """What executes candidates: the checker, the engine, and how many at a time."""

    engine: Backtester
    check: Checker
    jobs: int = 1
    settings: BacktestSettings = field(default_factory=BacktestSettings)
    again: bool = False
    """Execute also what the same checker, engine and data have answered before."""

    @property
    def basis(self) -> str:
        """Hash of all that an answer rests on."""
        engine = self.engine
        rests_on = [engine.name, engine.version, engine.data_fingerprint, check_version()]
        return json_hash([*rests_on, self.settings.plain()])

    def each(
        self, codes: Sequence[str], told: Callable[[int], None] = lambda _: None
    ) -> Generator[tuple[str, BacktestResult]]:
        """Each code, which must differ, with its result, as early as the engine says it: what is
        kept at once is not lost. `told` hears how many have ended."""
        if not codes:
            return
        engine = self.engine
        if isinstance(engine, Unordered):
            numbered = engine.run_each(codes, self.settings, jobs=self.jobs, progress=told)
            yield from ((codes[number], result) for number, result in numbered)
            return
        results = engine.run_many(codes, self.settings, jobs=self.jobs, progress=told)
        yield from zip(codes, results, strict=True)


def keep(
    store: Store,
    candidates: Sequence[Candidate],
    execution: Execution,
    funnel: Funnel,
    progress: Progress = SILENT,
) -> Funnel:
    """Execute the candidates that the store does not have and add those that pass.

    Safe to repeat and to interrupt: every answer is kept as soon as it is there, and what the store
    has is not executed again; nor is what was refused by the same checker and engine on the same
    data.
    """
    _write(store, funnel)
    for start in range(0, len(candidates), _CHUNK):
        _keep_chunk(store, candidates[start : start + _CHUNK], execution, funnel, progress, start)
        _write(store, funnel)
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
    waiting = _unanswered(store, candidates, execution, funnel)
    # Seconds in which nothing else is heard of.
    progress.update(before, "compile check")
    # Several ways to ask for the same code need it to run once.
    asking: dict[str, list[Candidate]] = {}
    for candidate in _compiling(waiting, execution, funnel):
        asking.setdefault(candidate.code, []).append(candidate)
    _write(store, funnel)
    results = execution.each(
        list(asking),
        lambda done: progress.update(
            before + len(candidates) * done / (len(asking) + 1), f"{funnel.counts['kept']} kept"
        ),
    )
    # Closed here, not whenever a traceback lets go of it: its workers end with it.
    with closing(results):
        for code, result in results:
            with store.transaction():
                for candidate in asking[code]:
                    _decide(store, candidate, result, execution, funnel)
                _write(store, funnel)


def _write(store: Store, funnel: Funnel) -> None:
    store.entries.put(funnel.entries)
    funnel.entries.clear()


def _unanswered(
    store: Store, candidates: Sequence[Candidate], execution: Execution, funnel: Funnel
) -> list[Candidate]:
    """Those that parse and that nobody has judged under today's basis; the others are counted."""
    keys = {one.id: entry_id(one.source, one.id) for one in candidates}
    before, basis, waiting = store.entries.fetch(list(keys.values())), execution.basis, []
    for candidate in candidates:
        said = before.get(keys[candidate.id])
        if store.examples.has(candidate.id):
            funnel.end(candidate, Step.KEPT, Outcome.PASS, basis=said.basis if said else None)
        elif said and said.basis == basis and said.outcome and not execution.again:
            # Its place and the source's version may have changed since.
            funnel.end(
                candidate, said.step, said.outcome, said.reason, detail=said.detail, basis=basis
            )
        else:
            parsed = parses(candidate.code)
            if parsed.outcome is Outcome.PASS:
                waiting.append(candidate)
            else:
                told = "; ".join(parsed.messages)
                funnel.end(candidate, Step.IN, Outcome.FAIL, "parse", detail=told, basis=basis)
    return waiting


def _compiling(
    candidates: Sequence[Candidate], execution: Execution, funnel: Funnel
) -> list[Candidate]:
    codes = list(dict.fromkeys(candidate.code for candidate in candidates))
    checks = dict(zip(codes, execution.check(codes), strict=True)) if codes else {}
    passed = []
    for candidate in candidates:
        said = checks[candidate.code]
        if said.outcome is Outcome.PASS:
            passed.append(candidate)
        else:
            funnel.end(
                candidate, Step.PARSED, said.outcome, f"compile: {said.outcome.value}",
                detail="; ".join(said.messages),
                basis=None if said.outcome is Outcome.UNKNOWN else execution.basis,
            )  # fmt: skip
    return passed


def _decide(
    store: Store,
    candidate: Candidate,
    result: BacktestResult,
    execution: Execution,
    funnel: Funnel,
) -> None:
    basis = execution.basis
    if not result.runs:
        overdue = is_overdue(result)
        unknown = overdue or result.status is BacktestStatus.UNKNOWN
        funnel.end(
            candidate, Step.COMPILES, Outcome.UNKNOWN if unknown else Outcome.FAIL,
            "run: overdue" if overdue else f"run: {result.status.value}", detail=result.reason,
            # What a busy machine did is asked again the next time.
            basis=None if overdue else basis,
        )  # fmt: skip
    elif not result.trades_at_all:
        funnel.end(candidate, Step.RUNS, Outcome.FAIL, "no trades", basis=basis)
    else:
        funnel.counts["new"] += add_example(store, candidate, result, execution.settings)
        funnel.end(candidate, Step.KEPT, Outcome.PASS, basis=basis)


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
