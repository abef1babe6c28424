"""While the store is locked or gone, what was served waits on disk and loses nothing."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from qc_builder_lora.errors import StoreUnavailable
from qc_builder_lora.models.recorder import Recorder
from qc_builder_lora.models.served_spool import ServedSpool
from qc_builder_lora.store import Store
from tests.models.test_recorder import answered


@pytest.fixture
def url(tmp_path: Path) -> str:
    made = f"sqlite:///{tmp_path / 'store.db'}"
    Store.open(made).close()
    return made


def wait(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def kept(url: str) -> list[str]:
    with Store.open(url) as store:
        return sorted(one.instruction for one in store.requests.find())


def recorder(url: str, folder: Path) -> Recorder:
    def opened() -> Store:
        return Store.open(url, upgrade=False, busy_s=0.1)

    spool = ServedSpool(folder / "spool")
    return Recorder(opened, host="gateway", rest_s=0.2, gather_s=0.01, spool=spool)


def gone() -> Store:
    raise StoreUnavailable("the database is not reachable.")


def away(folder: Path) -> Recorder:
    spool = ServedSpool(folder / "spool")
    return Recorder(gone, host="gateway", rest_s=0.05, gather_s=0.01, spool=spool)


def test_a_locked_store_is_served_on_and_caught_up_with(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "qc_builder_lora")
    running = recorder(url, tmp_path)
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for number in range(130):
        running.take(answered(f"Buy {number}"))
    wait(lambda: running.counts["spooled"] == 130)
    assert running.waiting == 0
    file = tmp_path / "spool" / f"{os.getpid()}.jsonl"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert f"served answers wait for the store why={url[10:]}: another process" in caplog.text
    assert f"spool={file}" in caplog.text
    other.execute("ROLLBACK")
    other.close()
    wait(lambda: running.counts["kept"] == 130)
    running.close()
    assert len(kept(url)) == 130
    assert not file.exists()
    assert "spooled answers are in the store answers=130" in caplog.text
    assert running.counts["dropped"] == 0


def test_a_store_whose_file_vanishes_loses_nothing_that_was_served_meanwhile(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running = recorder(url, tmp_path)
    running.take(answered("Buy A"))
    assert running.flush()
    path = Path(url.removeprefix("sqlite:///"))
    path.rename(tmp_path / "elsewhere.db")
    running.take(answered("Buy B"))
    wait(lambda: running.counts["spooled"] == 1)
    assert "the database file is gone" in caplog.text
    assert not path.exists()
    (tmp_path / "elsewhere.db").rename(path)
    wait(lambda: running.counts["kept"] == 2)
    running.close()
    assert kept(url) == ["Buy A", "Buy B"]


def test_a_store_that_was_replaced_is_the_one_written_to(url: str, tmp_path: Path) -> None:
    with Store.open(url) as store:
        store.requests.add(answered("Buy old").request)
        path = Path(url.removeprefix("sqlite:///"))
        for file in tmp_path.glob("store.db*"):
            file.unlink()
        Store.open(url).close()
        assert store.requests.count() == 0
        assert path.exists()


def test_a_process_that_ends_while_the_store_is_gone_leaves_its_answers_to_the_next(
    url: str, tmp_path: Path
) -> None:
    first = away(tmp_path)
    first.take(answered("Buy A"))
    first.take(answered("Buy B"))
    first.close()
    assert (first.counts["spooled"], first.counts["dropped"]) == (2, 0)
    with subprocess.Popen(["true"]) as child:
        dead = child.pid
    spool = ServedSpool(tmp_path / "spool")
    spool.file.rename(tmp_path / "spool" / f"{dead}.jsonl")
    second = recorder(url, tmp_path)
    wait(lambda: second.counts["kept"] == 2)
    second.close()
    assert kept(url) == ["Buy A", "Buy B"]


def test_the_file_of_a_living_process_is_left_to_it(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / f"{os.getppid()}.jsonl").write_text("{}")
    assert ServedSpool(folder).empty()


def test_secrets_are_out_before_the_disk_and_a_cut_line_is_passed_over(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = "sk-ant-" + "a1B2" * 8
    first = away(tmp_path)
    first.take(answered(f"Use {key}", code=f'KEY = "{key}"'))
    first.close()
    file = ServedSpool(tmp_path / "spool").file
    assert key not in file.read_text()
    with file.open("a") as more:
        more.write('{"request": {"id": "x"')
    second = recorder(url, tmp_path)
    wait(lambda: second.counts["kept"] == 1)
    second.close()
    assert len(kept(url)) == 1
    assert "a spooled answer cannot be read" in caplog.text


def test_what_was_taken_twice_is_kept_once_and_what_is_refused_is_passed_over(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running = recorder(url, tmp_path)
    running.take(answered("Buy A"))
    assert running.flush()
    running.close()
    spool = ServedSpool(tmp_path / "spool")
    with Store.open(url) as store:
        request, generation = store.requests.find()[0], store.generations.find()[0]
    other = replace(generation, code="another")
    spool.add([(request, generation), (request, other)])
    again = recorder(url, tmp_path)
    wait(lambda: again.counts["kept"] == 1)
    again.close()
    assert "a spooled answer is refused" in caplog.text
    with Store.open(url) as store:
        assert store.generations.count() == 1


def test_a_disk_that_takes_nothing_costs_the_answer_and_not_the_service(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "spool").write_text("a file where the folder should be")
    running = away(tmp_path)
    started = time.monotonic()
    running.take(answered())
    assert time.monotonic() - started < 1
    wait(lambda: "served answers cannot be spooled" in caplog.text)
    running.close()
    assert running.counts["dropped"] == 1
