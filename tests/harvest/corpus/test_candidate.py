from collections.abc import Sequence
from typing import Any

from qc_builder_lora.backtest.check import CheckResult
from qc_builder_lora.harvest.corpus.candidate import Candidate, Execution, Funnel, keep
from qc_builder_lora.records import BacktestStatus, Outcome
from qc_builder_lora.store import Store

from ..conftest import Engine, code


def candidate(day: int = 15, **changed: Any) -> Candidate:
    given = {
        "instruction": f"Trade AAPL after day {day}.",
        "code": code(day),
        "family": "calendar",
        "source": "test",
        "licence": "MIT",
        "version": "test 1",
        "style": "terse",
        "parameters": {"day": day},
    }
    return Candidate(**{**given, **changed})


def passes(codes: Sequence[str]) -> list[CheckResult]:
    return [CheckResult(Outcome.PASS, ()) for _ in codes]


def test_what_passes_is_kept_with_its_source_licence_and_version(kept: Store) -> None:
    funnel = keep(kept, [candidate()], Execution(Engine(), passes), Funnel("test"))
    (example,) = kept.examples.find()
    assert (example.source, example.licence, example.version) == ("test", "MIT", "test 1")
    assert example.style == "terse"
    assert kept.backtests.get(str(example.backtest_id)).status is BacktestStatus.COMPLETED
    assert kept.strategies.get(str(example.strategy_id)).licence == "MIT"
    assert funnel.plain() == {
        "source": "test", "in": 1, "parsed": 1, "compiles": 1, "runs": 1, "trades": 1, "kept": 1,
        "new": 1, "unknown": 0, "not applicable": 0, "stopped": {}, "families": {"calendar": 1},
    }  # fmt: skip


def test_each_stops_where_it_fails_and_none_of_them_is_stored(kept: Store) -> None:
    broken = candidate(1, code="def (")
    wrong, fails, cannot, idle = (candidate(day) for day in (2, 3, 4, 5))
    engine = Engine(
        {
            fails.code: {"status": BacktestStatus.FAILED, "phase": "run"},
            cannot.code: {"status": BacktestStatus.UNKNOWN, "phase": "load"},
            idle.code: {"orders": ({"id": 1, "fills": []},)},
        }
    )

    def check(codes: Sequence[str]) -> list[CheckResult]:
        return [
            CheckResult(Outcome.FAIL if one == wrong.code else Outcome.PASS, ()) for one in codes
        ]

    given = [broken, wrong, fails, cannot, idle, candidate(6)]
    funnel = keep(kept, given, Execution(engine, check), Funnel("test"))
    assert funnel.stopped == {
        "parse": 1, "compile: FAIL": 1, "run: failed": 1, "run: unknown": 1, "no trades": 1,
    }  # fmt: skip
    assert [funnel.counts[s] for s in ("in", "parsed", "compiles", "runs", "trades", "kept")] == [
        6, 5, 4, 2, 1, 1,
    ]  # fmt: skip
    assert kept.examples.count() == 1


def test_a_second_time_nothing_is_executed_and_nothing_added(kept: Store) -> None:
    engine = Engine()
    given = [candidate(day) for day in range(1, 5)]
    first = keep(kept, given, Execution(engine, passes), Funnel("test"))
    second = keep(kept, given, Execution(engine, passes), Funnel("test"))
    assert engine.asked == 4
    assert (first.counts["new"], second.counts["new"]) == (4, 0)
    assert second.counts["kept"] == 4
    assert kept.examples.count() == 4


def test_one_code_asked_for_in_several_ways_runs_once(kept: Store) -> None:
    engine = Engine()
    given = [candidate(instruction=f"Way {n}.") for n in range(3)]
    keep(kept, given, Execution(engine, passes), Funnel("test"))
    assert engine.asked == 1
    assert kept.examples.count() == 3
    assert len(kept.strategies.find()) == 1


def test_progress_ends_at_the_number_of_candidates(kept: Store) -> None:
    seen: list[float] = []

    class Progress:
        def update(self, done: float, note: str = "") -> None:
            seen.append(done)

    given = [candidate(day) for day in range(1, 4)]
    keep(kept, given, Execution(Engine(), passes), Funnel("test"), Progress())
    assert seen[-1] == 3
    assert seen == sorted(seen)
