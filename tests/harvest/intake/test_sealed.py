"""An ended spool is written anew without its secrets: whatever stops that, nothing else is lost."""

from __future__ import annotations

import itertools
import os
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qc_builder_lora.harvest import ingest as ingesting
from qc_builder_lora.harvest import sealed, writer_life
from qc_builder_lora.harvest.ingest import ingest
from qc_builder_lora.harvest.spool import Damage, Event, Spool, read, spools
from qc_builder_lora.harvest.survey import survey
from qc_builder_lora.store import Store
from tests.harvest.intake.test_databases import child, killed_before
from tests.harvest.story import Story, code
from tests.test_redact import PLANTED

SECRET = PLANTED["anthropic_key"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/store.db") as opened:
        yield opened


@pytest.fixture
def ended(tmp_path: Path) -> Spool:
    """What a process that is gone recorded: a build with a secret."""
    os.waitpid(child(lambda: told().write(tmp_path)), 0)
    (spool,) = spools(tmp_path / "spool")
    assert SECRET.encode() in spool.path.read_bytes()
    return spool


def told() -> Story:
    story = Story().spec("Trend", description=f"key {SECRET}")
    story.round(1, code() + f"\nKEY = '{SECRET}'\n", f"write it with {SECRET}")
    return story.complete().main_end()


def whole(spool: Spool) -> list[Event]:
    found = list(read(spool.path))
    assert not any(isinstance(item, Damage) for item in found)
    return [item for item in found if isinstance(item, Event)]


def test_killed_at_any_point_of_it_the_next_pass_ends_it_and_reports_no_damage(
    ended: Spool, tmp_path: Path
) -> None:
    before = [(one.kind, one.sequence, one.time_ns) for one in whole(ended)]
    Store.open(f"sqlite:///{tmp_path}/empty.db").close()
    for number in itertools.count(1):
        shutil.rmtree(tmp_path / "again", ignore_errors=True)
        home = tmp_path / "again"
        (home / "spool").mkdir(parents=True)
        spool = Spool(ended.id, home / "spool" / ended.path.name)
        shutil.copy(ended.path, spool.path)
        shutil.copy(tmp_path / "empty.db", home / "store.db")
        _, status = os.waitpid(child(struck_pass(home, number)), 0)
        assert [(one.kind, one.sequence, one.time_ns) for one in whole(spool)] == before
        with Store.open(f"sqlite:///{home}/store.db") as store:
            report = ingest(store, home)
            assert (report.damaged, report.lost) == ([], 0)
            assert store.ingested.count() == len(before)
            assert survey(home, store)[0].redacted
        assert [(one.kind, one.sequence, one.time_ns) for one in whole(spool)] == before
        assert not any(SECRET.encode() in path.read_bytes() for path in spool.path.parent.iterdir())
        assert not list(spool.path.parent.glob("*.sealing"))
        if not os.WIFSIGNALED(status):
            break
    # Killed within the records, and before and after the new file took the old one's place.
    assert number > len(before) + 3


def struck_pass(home: Path, number: int) -> Callable[[], None]:
    """An ingest that is killed at the so many-th step of its writing anew."""

    def work() -> None:
        strike = killed_before(number)
        with pytest.MonkeyPatch.context() as patched:
            for owner, name in (
                (sealed, "rewritten"), (sealed, "_belongs_as"), (os, "fsync"), (Path, "replace"),
                (ingesting, "seal"),
            ):  # fmt: skip
                patched.setattr(owner, name, both_sides(getattr(owner, name), strike))
            with Store.open(f"sqlite:///{home}/store.db") as store:
                ingest(store, home)

    return work


def both_sides(work: Callable[..., object], strike: Callable[[], None]) -> Callable[..., object]:
    def struck(*arguments: object) -> object:
        found = work(*arguments)
        strike()
        return found

    return struck


def test_a_second_time_changes_no_byte(ended: Spool, store: Store, tmp_path: Path) -> None:
    ingest(store, tmp_path)
    once = ended.path.read_bytes()
    assert SECRET.encode() not in once
    stamp = ended.path.stat()
    ingest(store, tmp_path)
    again = ended.path.stat()
    assert (again.st_ino, again.st_mtime_ns) == (stamp.st_ino, stamp.st_mtime_ns)
    assert sealed.seal(ended) is None
    assert ended.path.read_bytes() == once


def test_a_disk_that_fills_up_meanwhile_leaves_the_old_file_and_nothing_beside_it(
    ended: Spool, store: Store, tmp_path: Path
) -> None:
    assert ingest(store, tmp_path).damaged == []
    told_again = os.waitpid(child(lambda: told().write(tmp_path)), 0)
    assert told_again[1] == 0
    (other,) = [one for one in spools(tmp_path / "spool") if one.id != ended.id]
    before = other.path.read_bytes()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limit[1]))
        assert sealed.seal(other) is None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert other.path.read_bytes() == before
    assert not list((tmp_path / "spool").glob("*.sealing"))
    assert sealed.seal(other) == other.path.stat().st_size


def test_a_disk_without_room_for_a_second_file_is_not_filled(
    ended: Spool, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=ended.path.stat().st_size)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert ingest(store, tmp_path).builds == 1
    assert SECRET.encode() in ended.path.read_bytes()
    assert not survey(tmp_path, store)[0].redacted
    monkeypatch.undo()
    assert ingest(store, tmp_path).records == 0
    assert survey(tmp_path, store)[0].redacted


def test_a_spool_whose_beginning_is_damaged_is_redacted_as_well(
    ended: Spool, store: Store, tmp_path: Path
) -> None:
    content = ended.path.read_bytes()
    ended.path.write_bytes(b"#" * 40 + content[content.index(b"\n") :])
    ingest(store, tmp_path)
    assert SECRET.encode() not in ended.path.read_bytes()
    once = ended.path.read_bytes()
    ingest(store, tmp_path)
    assert ended.path.read_bytes() == once


def test_a_file_of_something_else_is_left_as_it_is(store: Store, tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    stranger = tmp_path / "spool" / "0-999999-x.spool"
    stranger.write_text("not ours\n" * 3)
    ingest(store, tmp_path)
    assert stranger.read_text() == "not ours\n" * 3


def test_a_link_stays_one_and_what_it_leads_to_is_redacted(
    ended: Spool, store: Store, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere.kept"
    ended.path.rename(elsewhere)
    ended.path.symlink_to(elsewhere)
    ingest(store, tmp_path)
    assert ended.path.is_symlink()
    assert SECRET.encode() not in elsewhere.read_bytes()


def test_who_could_read_the_file_can_read_the_new_one(
    ended: Spool, store: Store, tmp_path: Path
) -> None:
    ended.path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(ended.path, 12345, 54321)
    before = ended.path.stat()
    ingest(store, tmp_path)
    after = ended.path.stat()
    assert after.st_ino != before.st_ino
    assert (after.st_uid, after.st_gid, after.st_mode) == (
        before.st_uid, before.st_gid, before.st_mode,
    )  # fmt: skip


def test_a_process_that_has_the_number_now_is_not_the_one_that_wrote(
    ended: Spool, store: Store, tmp_path: Path
) -> None:
    moment, _, rest = ended.id.split("-")
    mine = Spool(f"{moment}-{os.getpid()}-{rest}", ended.path)
    first = whole(ended)[0]
    assert not writer_life.may_live(mine, first)
    unborn = first._replace(body={**first.body, "born": None})
    assert writer_life.may_live(mine, unborn)
    assert not writer_life.may_live(ended, unborn)


def test_the_process_that_wrote_may_write_again(tmp_path: Path) -> None:
    writer = told().write(tmp_path)
    writer.close()
    (spool,) = spools(tmp_path / "spool")
    assert writer_life.may_live(spool, whole(spool)[0])
