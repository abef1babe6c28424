import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qc_builder_lora.config import load_settings
from qc_builder_lora.daemon import (
    RETRY_AFTER,
    Daemon,
    _check_alive,
    cron_trigger,
    due,
    next_cron,
)
from qc_builder_lora.errors import QcLoraError, SettingsError
from qc_builder_lora.ids import new_id, now
from qc_builder_lora.loop import LEASE
from qc_builder_lora.records import Gate, Outcome, RunStatus, Strategy, Turn
from qc_builder_lora.store import Store
from tests.loop.conftest import environment, run_in
from tests.loop.test_turn import _wait_for, store_of
from tests.tiny_base import set_steps


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/store.db") as opened:
        yield opened


def accept(store: Store, count: int, gates: tuple[str, ...]) -> None:
    for number in range(count):
        strategy = store.strategies.add(
            Strategy(
                id=f"{new_id()}-{number}",
                code="x",
                code_sha256="y",
                created_at=now(),
                source="builder",
            )
        )
        for name in gates:
            store.gates.add(
                Gate(
                    id=new_id(),
                    strategy_id=strategy.id,
                    name=name,
                    outcome=Outcome.PASS,
                    evidence={},
                    created_at=now(),
                )
            )


def test_a_turn_is_due_from_the_nth_accepted_strategy_on(store: Store, tmp_path: Path) -> None:
    from qc_builder_lora.harvest.gates import load_rules

    settings = load_settings({}, tmp_path, retrain_min_new=3)
    accept(store, 2, load_rules().line)
    found = due(settings, store)
    assert not found.now
    assert found.waits_for == "1 more accepted strategies"
    accept(store, 1, load_rules().line)
    assert due(settings, store).now


def test_a_strategy_that_stopped_at_one_gate_does_not_count(store: Store, tmp_path: Path) -> None:
    from qc_builder_lora.harvest.gates import load_rules

    settings = load_settings({}, tmp_path, retrain_min_new=1)
    accept(store, 5, load_rules().line[:-1])
    assert due(settings, store).new_strategies == 0


def test_what_a_finished_turn_has_seen_is_not_new(store: Store, tmp_path: Path) -> None:
    from qc_builder_lora.harvest.gates import load_rules

    settings = load_settings({}, tmp_path, retrain_min_new=1)
    accept(store, 4, load_rules().line)
    store.turns.add(Turn(id=new_id(), trigger="t", status=RunStatus.FINISHED, started_at=now()))
    assert not due(settings, store).now
    accept(store, 1, load_rules().line)
    assert due(settings, store).now


def test_a_failed_turn_rests_before_it_is_tried_again(store: Store, tmp_path: Path) -> None:
    settings = load_settings({}, tmp_path)
    moment = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
    store.turns.add(
        Turn(
            id=new_id(),
            trigger="t",
            status=RunStatus.FAILED,
            started_at=moment,
            finished_at=moment,
            error="release: no space",
        )
    )
    soon = due(settings, store, moment + timedelta(minutes=1))
    assert not soon.now
    assert "12:15 UTC, to retry: release: no space" in soon.waits_for
    assert due(settings, store, moment + RETRY_AFTER).now


def test_a_cron_expression_that_is_none_is_refused_with_an_example() -> None:
    with pytest.raises(SettingsError, match=r"'often' is not a cron expression .*Example"):
        cron_trigger("often")


MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "first"),
    [("6", 28), ("sat", 28), ("0", 29), ("7", 29), ("2-4", 24), ("fri-sun", 27), ("*/3", 25)],
)
def test_days_of_the_week_are_counted_as_cron_counts_them(days: str, first: int) -> None:
    assert next_cron(f"0 3 * * {days}", MONDAY) == datetime(2026, 11, first, 3, tzinfo=UTC)


@pytest.mark.parametrize("days", ["8", "5-2", "1/0", "someday"])
def test_a_day_that_cron_does_not_have_is_refused(days: str) -> None:
    with pytest.raises(SettingsError, match=f"{days}.* is not a cron expression"):
        cron_trigger(f"0 3 * * {days}")


def started(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Daemon:
    """A daemon's scheduler, running, whose cron job only says that it was called."""
    made = Daemon(load_settings({}, tmp_path, retrain_cron="0 3 * * *", poll_s=3600), store)
    monkeypatch.setattr(made, "poll", lambda: None)
    monkeypatch.setattr("qc_builder_lora.daemon._running", made)
    assert made._start()
    return made


def test_a_cron_time_that_passed_while_no_daemon_ran_is_made_up_for(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = started(store, tmp_path, monkeypatch)
    jobs = first._scheduler._lookup_jobstore("default")
    first._scheduler.shutdown()
    job = jobs.lookup_job("cron")
    job._modify(next_run_time=now() - timedelta(hours=1))
    jobs.update_job(job)
    called = threading.Event()
    monkeypatch.setattr(Daemon, "cron", lambda self: called.set())
    second = started(store, tmp_path, monkeypatch)
    try:
        assert called.wait(20)
        assert second._scheduler.get_job("cron").next_run_time > now()
    finally:
        second._scheduler.shutdown()


def test_a_daemon_whose_scheduler_died_ends_and_says_so(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = started(store, tmp_path, monkeypatch)
    _check_alive()
    running._scheduler.shutdown()
    with pytest.raises(QcLoraError, match="Nothing is lost: start the daemon again"):
        _check_alive()


def daemon(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "qc_builder_lora.cli", "daemon", "--poll", "1"],
        cwd=folder,
        env=environment(folder),
        stderr=subprocess.PIPE,
        text=True,
    )


def test_of_two_daemons_one_makes_the_turn_and_when_it_is_killed_the_other_finishes_it(
    fresh: Path,
) -> None:
    folder = fresh
    assert run_in(folder, "turn", "--until", "snapshot").returncode == 0
    daemons = [daemon(folder), daemon(folder)]
    try:
        _wait_for(lambda: list(folder.glob(".qc-lora/runs/*/step-*/state.json")))
        with store_of(folder) as store:
            lease = store.leases.current(LEASE)
        assert lease is not None
        working = int(lease.holder.rpartition(":")[2])
        first, second = sorted(daemons, key=lambda one: one.pid != working)
        assert first.pid == working
        os.kill(working, signal.SIGKILL)
        first.wait()

        def finished() -> bool:
            with store_of(folder) as store:
                return store.turns.find()[0].status is RunStatus.FINISHED

        _wait_for(finished)
        second.send_signal(signal.SIGTERM)
        _, log = second.communicate(timeout=30)
        assert second.returncode == 0
        assert "turn finished" in log
        with store_of(folder) as store:
            assert store.turns.count() == store.runs.count() == store.models.count() == 1
            assert store.leases.current(LEASE) is None
    finally:
        for process in daemons:
            process.kill()
            process.communicate()


def test_a_daemon_told_to_stop_while_training_checkpoints_and_leaves_the_turn_open(
    fresh: Path,
) -> None:
    folder = fresh
    set_steps(folder, 4000)
    assert run_in(folder, "turn", "--until", "snapshot").returncode == 0
    process = daemon(folder)
    try:
        _wait_for(lambda: list(folder.glob(".qc-lora/runs/*/step-*/state.json")))
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, log
    assert "turn stopped; the next start goes on with it" in log
    with store_of(folder) as store:
        (left,) = store.turns.find()
        assert left.status is RunStatus.RUNNING
        (run,) = store.runs.find()
        assert run.status is RunStatus.RUNNING
        assert store.leases.current(LEASE) is None
