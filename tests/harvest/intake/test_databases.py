"""What comes in, on both databases: by several at once, killed anywhere, kept waiting."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from qc_builder_lora.cli import root
from qc_builder_lora.errors import IngestBusy, NotFound, OlderStore, StoreBusy
from qc_builder_lora.harvest.ingest import IngestReport, ingest
from qc_builder_lora.harvest.sources import checkout, lines, take
from qc_builder_lora.harvest.sources.take import SourceReport
from qc_builder_lora.harvest.spool import Event, SpoolWriter, read, spools
from qc_builder_lora.store import Store
from tests.harvest.story import code, shop
from tests.store.conftest import Databases


def everything(store: Store) -> dict[str, list[Any]]:
    return {
        noun.table.name: [noun.to_plain(record) for record in noun.each()] for noun in store.nouns()
    }


def jsonl(path: Path, count: int) -> Path:
    made = [
        json.dumps({
            "code": code(number),
            "instruction": f"number {number % 50}",
            "build": f"b{number // 4}",
            "created_at": "2026-01-01T00:00:00Z",
        })
        for number in range(count)
    ]  # fmt: skip
    path.write_text("\n".join(made))
    return path


def filed(store: Store, path: Path) -> SourceReport:
    return take.take(store, lines.SOURCE, lines.pieces(path))


def child(work: Callable[[], object]) -> int:
    """A process of its own for some work; nothing of ours survives it."""
    number = os.fork()
    if number:
        return number
    try:
        work()
    finally:
        os._exit(0)


def killed_before(number: int) -> Callable[[], None]:
    """What kills its own process the so many-th time it is called."""
    left = itertools.count(1)

    def strike() -> None:
        if next(left) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return strike


def striking(store: Store, strike: Callable[[], None]) -> Store:
    """A store that may be struck within a transaction, after every table, and between two."""
    for noun in (store.builds, store.requests, store.strategies, store.generations, store.ingested):
        for name in {"add_all", "restore", "among"} & set(dir(noun)):
            setattr(noun, name, _then(getattr(noun, name), strike))
    return store


def _then(work: Callable[..., Any], strike: Callable[[], None]) -> Callable[..., Any]:
    def both(*arguments: Any) -> Any:
        found = work(*arguments)
        strike()
        return found

    return both


def killed_everywhere(url: str, work: Callable[[Store], object]) -> int:
    """Run it again and again, killed one step later each time; how often it was killed."""
    for number in itertools.count(1):

        def struck(number: int = number) -> None:
            with Store.open(url, busy_s=20) as store:
                work(striking(store, killed_before(number)))

        _, status = os.waitpid(child(struck), 0)
        if not os.WIFSIGNALED(status):
            return number - 1
        assert os.WTERMSIG(status) == signal.SIGKILL
    raise AssertionError


def test_a_file_killed_after_every_step_gives_the_same_as_one_that_was_not(
    url: str,
    databases: Databases,
    kind: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(take, "BATCH", 8)
    path = jsonl(tmp_path / "x.jsonl", 30)
    assert killed_everywhere(url, lambda store: filed(store, path)) > 10
    with Store.open(url) as store, Store.open(databases.migrated(kind)) as other:
        filed(other, path)
        assert everything(store) == everything(other)
        assert store.generations.count() == 30


def test_an_ingest_killed_after_every_step_gives_the_same_as_one_that_was_not(
    url: str,
    databases: Databases,
    kind: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("qc_builder_lora.harvest.ingest.WINDOW", 20)
    shop(4).write(tmp_path).close()
    assert killed_everywhere(url, lambda store: ingest(store, tmp_path)) >= 10
    for cursor in (tmp_path / "spool").glob("*.cursor"):
        cursor.unlink()
    with Store.open(url) as store, Store.open(databases.migrated(kind)) as other:
        ingest(other, tmp_path)
        assert everything(store) == everything(other)
        (spool,) = spools(tmp_path / "spool")
        numbers = [item.sequence for item in read(spool.path) if isinstance(item, Event)]
        assert list(store.ingested.each()) == [(spool.id, number) for number in numbers]


def test_a_host_killed_while_it_appends_loses_nothing_it_was_told_was_written(
    url: str,
    tmp_path: Path,
) -> None:
    told = os.open(tmp_path / "told", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def append() -> None:
        writer = SpoolWriter(tmp_path / "spool")
        for number in itertools.count():
            if writer.append("told", {"number": number, "text": "x" * (number % 900)}):
                os.write(told, b".")
            time.sleep(0.0002)

    with Store.open(url, busy_s=20) as store:
        for turn in range(12):
            before = (tmp_path / "told").stat().st_size
            number = child(append)
            while (tmp_path / "told").stat().st_size < before + 20 * turn + 1:
                time.sleep(0.001)
            if turn % 3 == 0:
                ingest(store, tmp_path)
            os.kill(number, signal.SIGKILL)
            os.waitpid(number, 0)
        ingest(store, tmp_path)
        found = [
            (spool.id, item.sequence)
            for spool in spools(tmp_path / "spool")
            for item in read(spool.path)
            if isinstance(item, Event)
        ]
        # One record of each process says who it was.
        written = (tmp_path / "told").stat().st_size
        assert written + 12 <= len(found) <= written + 24
        assert sorted(store.ingested.each()) == sorted(found)


def at_once(url: str, count: int, work: Callable[[Store], Any]) -> list[Any]:
    """What each of so many gives, or the error it ends with, all with stores of their own."""
    found: list[Any] = []
    begin = threading.Barrier(count)

    def one() -> None:
        with Store.open(url, busy_s=60) as store:
            begin.wait(30)
            try:
                found.append(work(store))
            except Exception as error:  # noqa: BLE001 (looked at by the test)
                found.append(error)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return found


def test_four_harvesters_of_one_file_double_nothing(
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(take, "BATCH", 16)
    path = jsonl(tmp_path / "x.jsonl", 120)
    # Without a time, two make records that differ in when they were made.
    path.write_text(path.read_text().replace('"created_at": "2026-01-01T00:00:00Z"', '"model": ""'))
    reports = at_once(url, 4, lambda store: filed(store, path))
    assert [report.skipped for report in reports] == [[]] * 4
    assert sum(report.generations for report in reports) == 120
    with Store.open(url) as store:
        assert store.generations.count() == store.strategies.count() == 120
        assert (store.builds.count(), store.requests.count()) == (30, 50)


def test_two_ingests_of_one_home_double_nothing_and_one_may_wait(
    url: str,
    tmp_path: Path,
) -> None:
    shop(20).write(tmp_path).close()
    found = at_once(url, 2, lambda store: ingest(store, tmp_path))
    found += at_once(url, 2, lambda store: ingest(store, tmp_path, wait_s=60))
    assert all(isinstance(one, IngestReport | IngestBusy) for one in found)
    assert [type(one) for one in found[2:]] == [IngestReport] * 2
    assert sum(one.builds for one in found if isinstance(one, IngestReport)) == 20
    with Store.open(url) as store:
        assert (store.builds.count(), store.generations.count()) == (20, 60)


def test_two_homes_with_the_same_strategies_share_a_store(
    url: str,
    tmp_path: Path,
) -> None:
    homes = [tmp_path / str(number) for number in range(3)]
    for home in homes:
        shop(15).write(home).close()
    left = list(homes)
    reports = at_once(url, 3, lambda store: ingest(store, left.pop()))
    assert [report.builds for report in reports] == [15, 15, 15]
    assert sum(report.strategies for report in reports) == 30


def test_what_a_host_appends_meanwhile_is_taken_once(
    url: str,
    tmp_path: Path,
) -> None:
    writer = SpoolWriter(tmp_path / "spool")
    story = shop(30)
    records = len(story.told) + 1
    with Store.open(url, busy_s=20) as store:
        appending = threading.Thread(target=lambda: story.write(tmp_path, writer))
        appending.start()
        reports = []
        while appending.is_alive():
            reports.append(ingest(store, tmp_path))
        writer.close()
        reports.append(ingest(store, tmp_path))
        assert sum(report.builds for report in reports) == 30
        assert sum(report.records for report in reports) == records
        assert store.generations.count() == 90


@pytest.fixture
def held(url: str, kind: str) -> Iterator[Callable[[], None]]:
    """The store, locked by another until it is let go."""
    let_go, holds = threading.Event(), threading.Event()

    def hold() -> None:
        with Store.open(url) as store, store.database.writing() as connection:
            if kind == "postgresql":
                connection.execute(text("LOCK TABLE builds, ingested IN SHARE MODE"))
            holds.set()
            let_go.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert holds.wait(30)
    yield let_go.set
    let_go.set()
    thread.join(60)


def test_a_locked_store_is_waited_for(
    held: Callable[[], None],
    url: str,
    tmp_path: Path,
) -> None:
    shop(3).write(tmp_path).close()
    path = jsonl(tmp_path / "x.jsonl", 10)
    threading.Timer(1.0, held).start()
    with Store.open(url, busy_s=30) as store:
        assert (ingest(store, tmp_path).builds, filed(store, path).generations) == (3, 10)


def test_a_store_that_stays_locked_is_said_and_loses_nothing(
    held: Callable[[], None],
    url: str,
    tmp_path: Path,
) -> None:
    shop(3).write(tmp_path).close()
    path = jsonl(tmp_path / "x.jsonl", 10)
    with Store.open(url, busy_s=0.3) as store:
        for work in (lambda: ingest(store, tmp_path), lambda: filed(store, path)):
            with pytest.raises(StoreBusy, match=r"another process"):
                work()
        held()
    with Store.open(url, busy_s=30) as store:
        assert (ingest(store, tmp_path).builds, filed(store, path).generations) == (3, 10)


def test_odd_values_of_an_evaluation_are_kept_as_claims(
    url: str,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "strategies" / "odd"
    folder.mkdir(parents=True)
    (folder / "main.py").write_text(code())
    (folder / "eval.json").write_text(
        '{"passed": true, "result": "a\\u0000b\\ud800", "sharpe_ratio": NaN, "project_id": 1e999}'
    )
    with Store.open(url) as store:
        report = take.take(store, checkout.SOURCE, checkout.pieces(tmp_path))
        assert (report.generations, report.backtests, report.skipped) == (1, 1, [])
        (backtest,) = store.backtests.find()
        assert backtest.settings["claimed"] == "a\0b?"
        again = take.take(store, checkout.SOURCE, checkout.pieces(tmp_path))
        assert (again.generations, again.backtests) == (0, 0)


def test_the_status_of_nothing_says_so_and_makes_nothing(
    databases: Databases, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, home = databases.empty(kind), tmp_path / "home"
    monkeypatch.setenv("QC_LORA_HOME", str(home))
    monkeypatch.setenv("QC_LORA_DATABASE", url)
    monkeypatch.chdir(tmp_path)
    for words in (["status"], ["harvest", "status"]):
        assert "nothing" in told(*words)
        assert json.loads(told(*words, "--json"))["spools"] == []
    assert list(tmp_path.iterdir()) == []
    with pytest.raises((NotFound, OlderStore)):
        Store.open(url, upgrade=False)
    shop(1).write(home).close()
    assert "records wait: qc-lora harvest ingest" in told("status")
    assert ", no store, 0 lost" in told("harvest", "status")
    assert [path.name for path in home.iterdir()] == ["spool"]


def told(*words: str) -> str:
    done = CliRunner().invoke(root, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_status_tells_of_a_run_that_could_write_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QC_LORA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    spool = tmp_path / "home" / "spool" / "0.spool"
    spool.parent.mkdir(parents=True)
    spool.touch()
    line = "harvest: spool 0: no record could be written (a full disk? or the run was killed)"
    assert line in told("status")
    spool.unlink()
    spool.mkdir()
    assert "harvest: spool 0: it cannot be read: Is a directory" in told("status")
    assert "0  cannot be read: Is a directory" in told("harvest", "status")
