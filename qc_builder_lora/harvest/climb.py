"""Strategies on their way up the ladder, some at a time: who is asked what, what is run for it.

What stopped is not executed, and what was run before under the same engine, data and limits is not
run again. Nothing here is written; `gates.py` keeps the answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qc_builder_lora.backtest.check import CheckResult, compiles
from qc_builder_lora.backtest.protocol import (
    Backtester,
    BacktestResult,
    BacktestSettings,
    Limits,
)
from qc_builder_lora.harvest import delay, fidelity, kept_runs, ladder, lookahead
from qc_builder_lora.harvest.ladder import Answer, Run, unknown
from qc_builder_lora.harvest.questions import question_of
from qc_builder_lora.harvest.review import standing
from qc_builder_lora.harvest.rules import LADDER, Rules
from qc_builder_lora.records import Backtest, Gate, Generation, Outcome, Role, Strategy
from qc_builder_lora.store import Store

G8 = "G8 look-ahead"


@dataclass
class Case:
    """One strategy on its way up the ladder."""

    strategy: Strategy
    generations: list[Generation]
    reported: list[Backtest]
    """What the builder's own engine said of it."""
    before: dict[str, Gate]
    """The newest answers it had."""
    answers: dict[str, Answer] = field(default_factory=dict)
    run: Run | None = None
    backtest_id: str | None = None
    """Of the run, once it is kept."""
    reused: bool = False
    """Whether the run is one from before."""


@dataclass(frozen=True)
class Round:
    """What all cases of one call are asked by."""

    store: Store
    engine: Backtester
    rules: Rules
    basis: str
    ground: str
    cache: Path
    jobs: int

    @property
    def settings(self) -> BacktestSettings:
        limits = Limits(cpu_s=self.rules.run_cpu_s, wall_s=self.rules.run_wall_s)
        return BacktestSettings(limits=limits)


def cases_of(store: Store, keys: Sequence[str]) -> list[Case]:
    latest = store.gates.latest_of(keys)
    return [
        Case(
            store.strategies.get(key),
            store.generations.find(strategy_id=key, role=Role.SERVED),
            [one for one in store.backtests.find(strategy_id=key) if one.build_id is not None],
            latest[key],
        )
        for key in keys
    ]


def ask(asking: Round, cases: Sequence[Case]) -> None:
    """The ladder, a step for all of them at a time; what stopped is not executed."""
    checks = compiles([case.strategy.code for case in cases], cache=asking.cache)
    for case, check in zip(cases, checks, strict=True):
        _ask_text(asking, case, check)
    waiting = [case for case in cases if not _refused(case, asking.rules)]
    running = [case for case in waiting if not _ask_kept(asking, case)]
    codes = [case.strategy.code for case in running]
    results: Iterator[BacktestResult] | Sequence[BacktestResult] = ()
    if codes:
        results = asking.engine.run_many(codes, asking.settings, jobs=asking.jobs)
    for case, result in zip(running, results, strict=True):
        case.run = Run.of(result)
        _ask_run(asking, case, case.run)
    _ask_again(asking, running)
    _ask_delayed(asking, waiting)


def _ask_text(asking: Round, case: Case, check: CheckResult) -> None:
    strategy, made, rules = case.strategy, case.generations, asking.rules
    case.answers = {
        "G0 provenance": ladder.provenance(
            strategy,
            [one.model for one in made if one.model],
            [one.request_id for one in made],
            writer_needed=rules.writer_needed,
        ),
        "G1 parse": ladder.parse(strategy, rules),
        "G2 static": ladder.static(strategy, check),
        "G3 substance": ladder.substance(strategy),
        "G9 fidelity": _fidelity(asking.store, case, rules),
    }


def _ask_kept(asking: Round, case: Case) -> bool:
    """Answer by the run that was kept from before; False where there is none, or where a gate
    needs more of it than is kept."""
    kept = kept_runs.kept_run(asking.store, case.before, asking.ground)
    if kept is None:
        return False
    run, backtest_id = kept
    _ask_run(asking, case, run)
    stop = _stop(case, asking.rules)
    if stop is not None:
        case.answers[G8] = unknown(f"not asked: stopped at {stop}")
    else:
        cut = kept_runs.kept_cut(case.before, backtest_id, asking.rules)
        if cut is None:
            return False
        case.answers[G8] = cut
    case.run, case.backtest_id, case.reused = run, backtest_id, True
    return True


def _fidelity(store: Store, case: Case, rules: Rules) -> Answer:
    """The best answer over the questions it was given for: one it answers is enough."""
    asked = dict.fromkeys(question_of(store, one) for one in case.generations)
    found = [fidelity.judge(text, case.strategy.code, rules) for text in asked]
    order = (Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN)
    return min(found, key=lambda answer: order.index(answer[0]))


def _refused(case: Case, rules: Rules) -> bool:
    """Whether a gate of the text says FAIL, so that its run would decide nothing."""
    names = ("G0 provenance", "G1 parse", "G2 static", "G3 substance")
    refusals = [name for name in names if case.answers[name][0] is Outcome.FAIL]
    if not any(name in rules.line for name in refusals):
        return False
    for name in ("G4 engine", "G5 activity", "G7 sanity", G8):
        case.answers[name] = unknown(f"not asked: stopped at {refusals[0]}")
    return True


def _ask_run(asking: Round, case: Case, run: Run) -> None:
    sanity = ladder.sanity(run, case.reported, asking.rules)
    case.answers |= {
        "G4 engine": ladder.engine(case.strategy, run, asking.ground, case.reported),
        "G5 activity": ladder.activity(run, asking.rules),
        "G7 sanity": standing(asking.store, case.strategy.id, "G7 sanity", sanity),
    }


def _stop(case: Case, rules: Rules) -> str | None:
    """The first gate before G8 that no person could let it pass: each run of G8 costs one more."""
    before = LADDER[: LADDER.index(G8)]
    stops = (name for name in before if name in rules.line and _fails(case, name))
    return next((name for name in stops if not _held(case, name)), None)


def _ask_again(asking: Round, cases: Sequence[Case]) -> None:
    """G8, of those that may be accepted if they pass it: on data that ends earlier."""
    asked: list[tuple[Case, lookahead.Cut]] = []
    for case in cases:
        stop = _stop(case, asking.rules)
        if stop is not None or case.run is None:
            case.answers[G8] = unknown(f"not asked: stopped at {stop}")
            continue
        cut = lookahead.cut_of(case.strategy.code, case.run.result, asking.rules.cut_share)
        if cut is None:
            case.answers[G8] = unknown("there is no order to compare")
        else:
            asked.append((case, cut))
    answers = lookahead.rerun(
        asking.engine, [cut for _, cut in asked], asking.jobs, asking.settings
    )
    for (case, _), answer in zip(asked, answers, strict=True):
        case.answers[G8] = answer


def _ask_delayed(asking: Round, cases: Sequence[Case]) -> None:
    """The second question of G8, of those that passed the first with a result too good to be left
    at that; its answer is the gate's, with the evidence of both."""
    asked: list[tuple[Case, delay.Perfect]] = []
    for case in cases:
        if case.answers[G8][0] is not Outcome.PASS or case.run is None:
            continue
        doubted = delay.perfect(case.strategy.code, case.run, asking.rules)
        known = kept_runs.kept_delay(case.before, case.backtest_id)
        if doubted is None:
            below = f"its Sharpe ratio is not {asking.rules.delay_from_sharpe:g} or more"
            case.answers[G8] = (
                Outcome.PASS,
                {**case.answers[G8][1], "delay": f"not asked: {below}"},
            )
        elif known is not None:
            _add_delay(case, delay.judge(doubted.sharpe, known, asking.rules))
        else:
            asked.append((case, doubted))
    answers = delay.rerun(
        asking.engine, [doubted for _, doubted in asked], asking.rules, asking.jobs, asking.settings
    )
    for (case, _), answer in zip(asked, answers, strict=True):
        _add_delay(case, answer)


def _add_delay(case: Case, answer: Answer) -> None:
    outcome, evidence = answer
    first = dict(case.answers[G8][1])
    reason = {"reason": evidence["reason"]} if "reason" in evidence else {}
    case.answers[G8] = (outcome, {**first, **reason, "delay": evidence})


def _fails(case: Case, name: str) -> bool:
    return name in case.answers and case.answers[name][0] is not Outcome.PASS


def _held(case: Case, name: str) -> bool:
    """Whether a person may still let it through."""
    return bool(case.answers[name][1].get("quarantined"))
