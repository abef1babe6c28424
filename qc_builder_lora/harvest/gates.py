"""The gates between a harvested strategy and the training data: who is asked, and what is kept.

Each answers PASS, FAIL or UNKNOWN with its evidence in the store. UNKNOWN is an infrastructure's
answer and is asked again, later each time; it never counts as a pass. What the host says of its
own work is a claim and opens no gate: the engine's read-back figures and our own execution do.
What has been decided under today's rules, engine, checker and data is not looked at again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from qc_builder_lora.backtest.check import check_version, rules_version
from qc_builder_lora.backtest.protocol import Backtester
from qc_builder_lora.harvest import ledger, uniqueness
from qc_builder_lora.harvest.climb import Case, Round, ask, cases_of
from qc_builder_lora.harvest.ladder import Answer, unknown
from qc_builder_lora.harvest.review import standing
from qc_builder_lora.harvest.rules import LADDER, NAMES, Rules, load_rules
from qc_builder_lora.ids import new_id, now
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import Gate, Outcome, Role
from qc_builder_lora.store import Store

__all__ = ["ASKED", "LADDER", "NAMES", "GateReport", "Rules", "load_rules", "run_gates"]

ASKED = "asked"
"""No gate: PASS for a strategy that is decided under a basis, UNKNOWN for one to be asked again."""
_CHUNK = 40
"""Strategies that a stop in the middle may cost."""
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
    reused: int = 0
    """Of those asked: decided by the runs that were kept from before, so that nothing was run."""
    changed: dict[str, int] = field(default_factory=dict)
    """Answers that are others than before, such as `G7 sanity: PASS → FAIL`."""
    rules_changed: dict[str, str] = field(default_factory=dict)
    """Thresholds that are others than when these were last asked, such as `3.0 → 2.0`."""
    touched: set[str] = field(default_factory=set)
    """Strategies with a new answer."""

    def plain(self) -> dict[str, Any]:
        found = {
            "asked": self.asked,
            "accepted": self.accepted,
            "stopped": self.stopped,
            "waiting": self.waiting,
        }
        more = {"reused": self.reused, "changed": self.changed, "rules_changed": self.rules_changed}
        return found | {name: value for name, value in more.items() if value}


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
    told = (engine.name, engine.version, engine.data_fingerprint)
    basis = rules.basis(*told, checker)
    asking = Round(store, engine, rules, basis, rules.ground(*told), cache, jobs)
    pending, waiting = _pending(store, basis, rules)
    report = GateReport(asked=len(pending), waiting=waiting)
    for start in range(0, len(pending), _CHUNK):
        cases = cases_of(store, pending[start : start + _CHUNK])
        ask(asking, cases)
        for case in cases:
            _keep(asking, case)
            _compare(case, rules, report)
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


def _is_final(name: str, answer: Answer) -> bool:
    """Whether an UNKNOWN stays what it is as long as the basis does."""
    return name in _CANNOT_CHANGE or bool(answer[1].get("final"))


def _keep(asking: Round, case: Case) -> None:
    rules, answers = asking.rules, case.answers
    on_line = {name: answers[name] for name in rules.line if name in answers}
    unsure = [
        name
        for name, answer in on_line.items()
        if answer[0] is Outcome.UNKNOWN and not _is_final(name, answer)
    ]
    fixed = any(
        answer[0] is not Outcome.PASS and _is_final(name, answer)
        for name, answer in on_line.items()
    )
    failed = any(answer[0] is Outcome.FAIL for answer in on_line.values())
    state = Outcome.PASS if failed or fixed or not unsure else Outcome.UNKNOWN
    store = asking.store
    with store.transaction():
        if case.run is not None and case.backtest_id is None:
            record = case.run.result.to_record(case.strategy.id, asking.settings)
            case.backtest_id = store.backtests.add(record).id
        gates = [
            _gate(case.strategy.id, name, answer, asking.basis, case.backtest_id)
            for name, answer in told(answers, rules).items()
        ]
        asked = (state, {"unsure": unsure})
        gates.append(_gate(case.strategy.id, ASKED, asked, asking.basis, case.backtest_id))
        store.gates.add_all(gates)


def told(answers: Mapping[str, Answer], rules: Rules) -> dict[str, Answer]:
    """Each answer with the thresholds that it was held against."""
    return {
        name: (outcome, {**evidence, "thresholds": rules.of(name)} if rules.of(name) else evidence)
        for name, (outcome, evidence) in answers.items()
    }


def _compare(case: Case, rules: Rules, report: GateReport) -> None:
    """What is other than when it was last asked: thresholds, answers, and whether a run was
    needed."""
    report.reused += case.reused
    for name, answer in case.answers.items():
        before = case.before.get(name)
        if before is None:
            continue
        if before.outcome is not answer[0]:
            step = f"{name}: {before.outcome.value} → {answer[0].value}"
            report.changed[step] = report.changed.get(step, 0) + 1
        old = before.evidence.get("thresholds", {})
        for key, value in rules.of(name).items():
            if key in old and old[key] != value:
                report.rules_changed[key] = f"{old[key]} → {value}"


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
    answers = {key: standing(store, key, uniqueness.G6, uniqueness.alone()) for key in asked}
    for key, answer in suspects.items():
        answers[key] = standing(store, key, uniqueness.G6, answer)
    return _keep_changed(store, uniqueness.G6, answers, basis, rules)


def _ask_statistics(store: Store, asked: Sequence[str], basis: str, rules: Rules) -> None:
    """G10, of all trials of the Builds in which anything was asked."""
    builds = {
        one.build_id
        for key in asked
        for one in store.generations.find(strategy_id=key, role=Role.SERVED)
        if one.build_id is not None
    }
    answers: dict[str, Answer] = {key: unknown("no run of ours has its returns") for key in asked}
    alike = ledger.of_one_specification(store) if builds else {}
    for group in sorted({alike[build_id] for build_id in builds}):
        found = ledger.read_ledger(store, group)
        trials = [trial.strategy_id for trial in found.trials]
        latest = store.gates.latest_of(trials)
        closed = {
            key: gates["G5 activity"].evidence.get("closed_trades")
            for key, gates in latest.items()
            if "G5 activity" in gates
        }
        answers |= ledger.answers(found, rules, closed)
    _keep_changed(store, "G10 statistics", answers, basis, rules)


def _keep_changed(
    store: Store, name: str, answers: dict[str, Answer], basis: str, rules: Rules
) -> set[str]:
    """Keep the answers that are not there yet; returns whose they are."""
    latest = store.gates.latest_of(list(answers))
    changed = []
    for key, found in answers.items():
        answer = told({name: found}, rules)[name]
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
