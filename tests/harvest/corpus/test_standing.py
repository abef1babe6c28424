"""The table of sources: every candidate is in it once, as far as it came."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.backtest.check import CheckResult
from qc_builder_lora.errors import StoreBusy
from qc_builder_lora.harvest.corpus.candidate import Execution, Funnel, LeftOut, keep
from qc_builder_lora.harvest.corpus.standing import forget_changed, reasons, standings
from qc_builder_lora.records import BacktestStatus, Entry, Outcome
from qc_builder_lora.store import Store

from ..conftest import Engine
from .test_candidate import candidate, passes


@contextmanager
def locked(path: Path) -> Iterator[threading.Event]:
    """Somebody else writes to the database until the event is set, or the block ends."""
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            held.set()
            free.wait(30)
            connection.execute("ROLLBACK")

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    yield free
    free.set()
    thread.join()


def left_out(key: str = "a") -> LeftOut:
    return LeftOut(key=key, source="test", licence="MIT", version="test 1", reason="C#")


def judged(kept: Store, engine: Engine, **changed: Any) -> Funnel:
    funnel = Funnel("test")
    funnel.leave_out(left_out())
    given = [candidate(day) for day in range(1, 5)]
    return keep(kept, given, Execution(engine, passes, **changed), funnel)


def test_what_was_said_of_a_place_whose_text_has_changed_is_forgotten_and_what_is_kept_stays(
    kept: Store,
) -> None:
    first = [replace(candidate(day), place=f"{day}.py") for day in range(1, 5)]
    keep(kept, first, Execution(an_engine(), passes), Funnel("test"))
    # 2.py is mended, 1.py and 4.py are as before, 3.py is not looked at; 4 was kept and changes.
    again = [first[0], replace(candidate(7), place="2.py#1"), replace(candidate(8), place="4.py")]
    funnel = keep(kept, again, Execution(an_engine(), passes), Funnel("test"))
    assert forget_changed(kept, funnel, "another version") == 0
    assert forget_changed(kept, funnel, first[0].version) == 1
    (row,) = standings(kept)
    # 1.py, the new 2.py, 3.py, and both texts of 4.py: each is an example.
    assert row.counts["in"] == 5
    assert row.counts["kept"] == 3
    assert forget_changed(kept, funnel, first[0].version) == 0


def an_engine() -> Engine:
    fails, cannot, idle = (candidate(day).code for day in (1, 2, 3))
    return Engine(
        {
            fails: {"status": BacktestStatus.FAILED, "phase": "run", "reason": "ZeroDivisionError"},
            cannot: {"status": BacktestStatus.UNKNOWN, "phase": "load", "reason": "no bars of SPY"},
            idle: {"orders": ()},
        }
    )


def test_each_counts_up_to_the_step_where_it_stopped(kept: Store) -> None:
    funnel = judged(kept, an_engine())
    (row,) = (one.plain() for one in standings(kept))
    steps = ("in", "parsed", "compiles", "runs", "trades", "kept", "unknown", "not applicable")
    assert [row[step] for step in steps] == [5, 4, 4, 2, 1, 1, 1, 1]
    assert [funnel.plain()[step] for step in steps] == [5, 4, 4, 2, 1, 1, 1, 1]
    assert (row["licence"], row["version"]) == ("MIT", "test 1")
    assert row["stopped"] == {"C#": 1, "run: failed": 1, "run: unknown": 1, "no trades": 1}


def test_a_second_time_says_the_same_and_executes_nothing(kept: Store) -> None:
    engine = an_engine()
    first = judged(kept, engine)
    asked, table = engine.asked, [one.plain() for one in standings(kept)]
    second = judged(kept, engine)
    assert engine.asked == asked
    assert second.plain() == {**first.plain(), "new": 0}
    assert [one.plain() for one in standings(kept)] == table


def test_other_data_or_a_wish_ask_again(kept: Store) -> None:
    engine = an_engine()
    judged(kept, engine)
    asked = engine.asked
    judged(kept, engine, again=True)
    # What is kept stays kept.
    assert engine.asked == asked + 3
    engine.data_fingerprint = "other"
    engine.table.clear()
    assert judged(kept, engine).counts["kept"] == 4
    (row,) = (one.plain() for one in standings(kept))
    assert (row["in"], row["kept"], row["unknown"]) == (5, 4, 0)


def test_what_the_clock_ended_is_unknown_and_asked_again(kept: Store) -> None:
    slow = {"status": BacktestStatus.FAILED, "phase": "run", "reason": "did not finish within 60 s"}
    engine = Engine({candidate().code: slow})
    funnel = keep(kept, [candidate()], Execution(engine, passes), Funnel("test"))
    assert (funnel.counts["unknown"], funnel.stopped) == (1, {"run: overdue": 1})
    engine.table.clear()
    assert keep(kept, [candidate()], Execution(engine, passes), Funnel("t")).counts["kept"] == 1


def test_what_checker_and_engine_said_is_told_with_its_count(kept: Store) -> None:
    def check(codes: Sequence[str]) -> list[CheckResult]:
        said = CheckResult(Outcome.FAIL, ("line 3: no attribute 'has_data'",))
        return [said if code == candidate(4).code else CheckResult(Outcome.PASS) for code in codes]

    given = [candidate(day) for day in (2, 4)]
    keep(kept, given, Execution(an_engine(), check), Funnel("test"))
    assert set(reasons(kept, "test")) == {
        ("run: unknown", "no bars of SPY", 1),
        ("compile: FAIL", "line 3: no attribute 'has_data'", 1),
    }


def test_a_chunk_that_was_written_stays_when_the_next_is_broken_off(kept: Store) -> None:
    class Breaks(Engine):
        def run(self, code: str, *given: Any) -> Any:
            if self.asked == 100:
                raise KeyboardInterrupt
            return super().run(code, *given)

    many = [candidate(1, instruction=f"{n}", code=candidate().code + f"# {n}") for n in range(150)]
    with pytest.raises(KeyboardInterrupt):
        keep(kept, many, Execution(Breaks(), passes), Funnel("test"))
    assert kept.entries.count() == 100
    engine = Engine()
    assert keep(kept, many, Execution(engine, passes), Funnel("test")).counts["kept"] == 150
    assert engine.asked == 50


def test_examples_without_entries_are_kept_and_the_rest_is_unknown(kept: Store) -> None:
    keep(kept, [candidate()], Execution(Engine(), passes), Funnel("test"))
    forgotten: list[Entry] = []
    kept.entries.counts = lambda: forgotten  # type: ignore[method-assign,assignment]
    (row,) = (one.plain() for one in standings(kept))
    assert (row["kept"], row["in"], row["unknown"]) == (1, None, None)


def test_a_locked_store_is_waited_for_and_too_long_a_lock_loses_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    given = [candidate(day) for day in range(1, 4)]
    engine = Engine()
    with Store.open(url, busy_s=0.3) as store:
        with locked(tmp_path / "store.db"), pytest.raises(StoreBusy):
            keep(store, given, Execution(engine, passes), Funnel("test"))
        assert store.examples.count() == 0
    with Store.open(url, busy_s=20) as store:
        with locked(tmp_path / "store.db") as lock:
            threading.Timer(0.5, lock.set).start()
            funnel = keep(store, given, Execution(engine, passes), Funnel("test"))
        assert funnel.counts["kept"] == store.examples.count() == 3
