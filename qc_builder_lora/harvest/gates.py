"""The gates between a harvested strategy and the training data: who is asked, and what is kept.

Each answers PASS, FAIL or UNKNOWN with its evidence in the store. UNKNOWN is an infrastructure's
answer and is asked again, later each time; it never counts as a pass. What the host says of its
own work is a claim and opens no gate: the engine's read-back figures and our own execution do.
What has been decided under today's rules, engine, checker and data is not looked at again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from qc_builder_lora.backtest.check import CheckResult, check_version, compiles, rules_version
from qc_builder_lora.backtest.protocol import Backtester, BacktestResult, BacktestSettings
from qc_builder_lora.harvest import delay, fidelity, ladder, ledger, lookahead, uniqueness
from qc_builder_lora.harvest.ladder import Answer, unknown
from qc_builder_lora.harvest.questions import question_of
from qc_builder_lora.harvest.review import standing
from qc_builder_lora.harvest.rules import LADDER, NAMES, Rules, load_rules
from qc_builder_lora.ids import new_id, now
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import Backtest, Gate, Generation, Outcome, Role, Strategy
from qc_builder_lora.store import Store

__all__ = ["ASKED", "LADDER", "NAMES", "GateReport", "Rules", "load_rules", "run_gates"]

ASKED = "asked"
"""No gate: PASS for a strategy that is decided under a basis, UNKNOWN for one to be asked again."""
_CHUNK = 100
_LONGEST_WAIT = timedelta(days=1)
_CANNOT_CHANGE = frozenset({"G9 fidelity"})
"""Gates whose UNKNOWN stays what it is as long as the basis does."""


@dataclass
class GateReport:
    """How many strategies were asked, and where they stopped."""

    asked: int = 0
    accepted: int = 0
    stopped: dict[str, dict[str, int]] = field(default_factory=dict)
    waiting: int = 0
    """UNKNOWN ones whose time to be asked again has not come."""
    touched: set[str] = field(default_factory=set)
    """Strategies with a new answer."""

    def plain(self) -> dict[str, Any]:
        return {
            "asked": self.asked,
            "accepted": self.accepted,
            "stopped": self.stopped,
            "waiting": self.waiting,
        }


@dataclass
class _Case:
    """One strategy on its way up the ladder."""

    strategy: Strategy
    generations: list[Generation]
    answers: dict[str, Answer] = field(default_factory=dict)
    result: BacktestResult | None = None
    backtest: Backtest | None = None

    @property
    def stopped(self) -> bool:
        return any(answer[0] is not Outcome.PASS for answer in self.answers.values())


def run_gates(
    store: Store,
    engine: Backtester,
    rules: Rules,
    *,
    cache: Path,
    jobs: int = 1,
    progress: Progress = SILENT,
) -> GateReport:
    """Ask all gates about every strategy that is not decided under today's rules and engine.

    Uniqueness and the trials of a Build depend on other strategies: where those changed, the
    answers of earlier ones change too. A broken engine raises BacktestError and decides nothing.
    """
    checker = f"{check_version()}, {rules_version()}"
    basis = rules.basis(engine.name, engine.version, engine.data_fingerprint, checker)
    pending, waiting = _pending(store, basis, rules)
    report = GateReport(asked=len(pending), waiting=waiting)
    for start in range(0, len(pending), _CHUNK):
        cases = [_case(store, key) for key in pending[start : start + _CHUNK]]
        _ask(store, cases, engine, rules, cache, jobs)
        for case in cases:
            _keep(store, case, basis, rules)
        progress.update(min(start + _CHUNK, len(pending)))
    report.touched = set(pending)
    report.touched |= _ask_uniqueness(store, pending, basis, rules)
    _ask_statistics(store, pending, basis, rules)
    _count(store, rules, pending, report)
    return report


def _pending(store: Store, basis: str, rules: Rules) -> tuple[list[str], int]:
    """Those to be asked now, and how many wait. The first repetition follows at once."""
    undecided = store.strategies.undecided(ASKED, basis)
    if not undecided:
        return [], 0
    tried, moment, ready = store.gates.unanswered(ASKED, basis), now(), []
    for key in undecided:
        times, last = tried.get(key, (0, moment))
        wait = timedelta(seconds=rules.retry_s) * 2 ** min(times - 2, 20) if times > 1 else None
        if wait is None or moment >= last + min(wait, _LONGEST_WAIT):
            ready.append(key)
    return ready, len(undecided) - len(ready)


def _case(store: Store, key: str) -> _Case:
    generations = store.generations.find(strategy_id=key, role=Role.SERVED)
    return _Case(store.strategies.get(key), generations)


def _ask(
    store: Store, cases: Sequence[_Case], engine: Backtester, rules: Rules, cache: Path, jobs: int
) -> None:
    """The ladder, a step for all of them at a time; what stopped is not executed."""
    checks = compiles([case.strategy.code for case in cases], cache=cache)
    for case, check in zip(cases, checks, strict=True):
        _ask_text(store, case, check, rules)
    running = [case for case in cases if not _refused(case, rules)]
    codes = [case.strategy.code for case in running]
    results: Iterator[BacktestResult] | Sequence[BacktestResult] = ()
    if codes:
        results = engine.run_many(codes, BacktestSettings(), jobs=jobs)
    for case, result in zip(running, results, strict=True):
        _ask_run(store, case, result, rules)
    _ask_again(running, engine, rules, jobs)


def _ask_text(store: Store, case: _Case, check: CheckResult, rules: Rules) -> None:
    strategy, made = case.strategy, case.generations
    case.answers = {
        "G0 provenance": ladder.provenance(
            strategy,
            [one.model for one in made if one.model],
            [one.request_id for one in made],
        ),
        "G1 parse": ladder.parse(strategy),
        "G2 static": ladder.static(strategy, check),
        "G3 substance": ladder.substance(strategy),
        "G9 fidelity": _fidelity(store, case, rules),
    }


def _fidelity(store: Store, case: _Case, rules: Rules) -> Answer:
    """The best answer over the questions it was given for: one it answers is enough."""
    asked = dict.fromkeys(question_of(store, one) for one in case.generations)
    found = [fidelity.judge(text, case.strategy.code, rules) for text in asked]
    order = (Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN)
    return min(found, key=lambda answer: order.index(answer[0]))


def _refused(case: _Case, rules: Rules) -> bool:
    """Whether a gate of the text says FAIL, so that its run would decide nothing."""
    names = ("G0 provenance", "G1 parse", "G2 static", "G3 substance")
    refusals = [name for name in names if case.answers[name][0] is Outcome.FAIL]
    if not any(name in rules.line for name in refusals):
        return False
    for name in ("G4 engine", "G5 activity", "G7 sanity", "G8 look-ahead"):
        case.answers[name] = unknown(f"not asked: stopped at {refusals[0]}")
    return True


def _ask_run(store: Store, case: _Case, result: BacktestResult, rules: Rules) -> None:
    reported = store.backtests.find(strategy_id=case.strategy.id)
    case.result = result
    sanity = ladder.sanity(result, [one for one in reported if one.build_id is not None], rules)
    case.answers |= {
        "G4 engine": ladder.engine(case.strategy, result),
        "G5 activity": ladder.activity(result, rules),
        "G7 sanity": standing(store, case.strategy.id, "G7 sanity", sanity),
    }


def _ask_again(cases: Sequence[_Case], engine: Backtester, rules: Rules, jobs: int) -> None:
    """G8, of those that may be accepted if they pass it: each costs a second run."""
    asked: list[tuple[_Case, lookahead.Cut]] = []
    for case in cases:
        before = LADDER[: LADDER.index("G8 look-ahead")]
        stops = (n for n in before if n in rules.line and _fails(case, n))
        stop = next((n for n in stops if not _held(case, n)), None)
        if stop is not None or case.result is None:
            case.answers["G8 look-ahead"] = unknown(f"not asked: stopped at {stop}")
            continue
        cut = lookahead.cut_of(case.strategy.code, case.result, rules.cut_share)
        if cut is None:
            case.answers["G8 look-ahead"] = unknown("there is no order to compare")
        else:
            asked.append((case, cut))
    answers = lookahead.rerun(engine, [cut for _, cut in asked], jobs)
    for (case, _), answer in zip(asked, answers, strict=True):
        case.answers["G8 look-ahead"] = answer
    _ask_delayed([case for case, _ in asked], engine, rules, jobs)


def _ask_delayed(cases: Sequence[_Case], engine: Backtester, rules: Rules, jobs: int) -> None:
    """The second question of G8, of those that passed the first with a result too good to be left
    at that; its answer is the gate's, with the evidence of both."""
    asked: list[tuple[_Case, delay.Perfect]] = []
    for case in cases:
        outcome, evidence = case.answers["G8 look-ahead"]
        if outcome is not Outcome.PASS or case.result is None:
            continue
        doubted = delay.perfect(case.strategy.code, case.result, rules)
        if doubted is None:
            below = f"its Sharpe ratio is not {rules.delay_from_sharpe:g} or more"
            case.answers["G8 look-ahead"] = (outcome, {**evidence, "delay": f"not asked: {below}"})
        else:
            asked.append((case, doubted))
    answers = delay.rerun(engine, [doubted for _, doubted in asked], rules, jobs)
    for (case, _), (outcome, evidence) in zip(asked, answers, strict=True):
        first = dict(case.answers["G8 look-ahead"][1])
        reason = {"reason": evidence["reason"]} if "reason" in evidence else {}
        case.answers["G8 look-ahead"] = (outcome, {**first, **reason, "delay": evidence})


def _fails(case: _Case, name: str) -> bool:
    return name in case.answers and case.answers[name][0] is not Outcome.PASS


def _held(case: _Case, name: str) -> bool:
    """Whether a person may still let it through."""
    return bool(case.answers[name][1].get("quarantined"))


def _keep(store: Store, case: _Case, basis: str, rules: Rules) -> None:
    told = [case.answers[name][0] for name in rules.line if name in case.answers]
    unsure = [
        name
        for name in rules.line
        if name in case.answers
        and case.answers[name][0] is Outcome.UNKNOWN
        and name not in _CANNOT_CHANGE
    ]
    fixed = any(_fails(case, name) for name in _CANNOT_CHANGE if name in rules.line)
    decided = Outcome.FAIL in told or fixed or not unsure
    state = Outcome.PASS if decided else Outcome.UNKNOWN
    with store.transaction():
        backtest_id = None
        if case.result is not None:
            record = case.result.to_record(case.strategy.id, BacktestSettings())
            backtest_id = store.backtests.add(record).id
        gates = [
            _gate(case.strategy.id, name, answer, basis, backtest_id)
            for name, answer in case.answers.items()
        ]
        asked = (state, {"unsure": unsure})
        store.gates.add_all([*gates, _gate(case.strategy.id, ASKED, asked, basis, backtest_id)])


def _gate(
    strategy_id: str, name: str, answer: Answer, basis: str, backtest_id: str | None = None
) -> Gate:
    return Gate(
        id=new_id(),
        strategy_id=strategy_id,
        name=name,
        outcome=answer[0],
        evidence=answer[1],
        created_at=now(),
        backtest_id=backtest_id,
        basis=basis,
    )


def _ask_uniqueness(store: Store, asked: Sequence[str], basis: str, rules: Rules) -> set[str]:
    """G6, of those that were asked and of those whose double has come since."""
    suspects = uniqueness.suspects(store, rules)
    answers = {key: uniqueness.alone() for key in asked}
    for key, answer in suspects.items():
        answers[key] = standing(store, key, uniqueness.G6, answer)
    return _keep_changed(store, uniqueness.G6, answers, basis)


def _ask_statistics(store: Store, asked: Sequence[str], basis: str, rules: Rules) -> None:
    """G10, of all trials of the Builds in which anything was asked."""
    builds = {
        one.build_id
        for key in asked
        for one in store.generations.find(strategy_id=key, role=Role.SERVED)
        if one.build_id is not None
    }
    answers: dict[str, Answer] = {key: unknown("no run of ours has its returns") for key in asked}
    for build_id in sorted(builds):
        found = ledger.read_ledger(store, build_id)
        trials = [trial.strategy_id for trial in found.trials]
        latest = store.gates.latest_of(trials)
        closed = {
            key: gates["G5 activity"].evidence.get("closed_trades")
            for key, gates in latest.items()
            if "G5 activity" in gates
        }
        answers |= ledger.answers(found, rules, closed)
    _keep_changed(store, "G10 statistics", answers, basis)


def _keep_changed(store: Store, name: str, answers: dict[str, Answer], basis: str) -> set[str]:
    """Keep the answers that are not there yet; returns whose they are."""
    latest = store.gates.latest_of(list(answers))
    changed = []
    for key, answer in answers.items():
        before = latest[key].get(name)
        if before is None or (before.outcome, before.evidence) != answer:
            changed.append(_gate(key, name, answer, basis))
    store.gates.add_all(changed)
    return {gate.strategy_id for gate in changed}


def _count(store: Store, rules: Rules, pending: Sequence[str], report: GateReport) -> None:
    line = [name for name in LADDER if name in rules.line]
    for gates in store.gates.latest_of(pending).values():
        stop = first_stop(gates.values(), line)
        if stop is None:
            report.accepted += 1
        else:
            counts = report.stopped.setdefault(stop[0], {"FAIL": 0, "UNKNOWN": 0})
            counts[stop[1].value] += 1


def first_stop(gates: Iterable[Gate], line: Sequence[str]) -> tuple[str, Outcome] | None:
    """The first gate of the line that is not passed; None where all are."""
    outcomes = {gate.name: gate.outcome for gate in gates}
    for name in line:
        outcome = outcomes.get(name, Outcome.UNKNOWN)
        if outcome is not Outcome.PASS:
            return name, outcome
    return None
