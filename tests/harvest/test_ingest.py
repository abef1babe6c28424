"""Spool to store: everything once, after any interruption, and no secret on the way."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.errors import IngestBusy
from qc_builder_lora.harvest.ingest import IngestReport, ingest
from qc_builder_lora.harvest.spool import SpoolWriter, read, spools
from qc_builder_lora.harvest.survey import survey
from qc_builder_lora.records import BacktestStatus, Generation
from qc_builder_lora.store import Store
from tests.harvest.story import Story, code, shop
from tests.test_redact import PLANTED


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def open_store(home: Path) -> Store:
    return Store.open(f"sqlite:///{home / 'store.db'}")


def everything(store: Store) -> dict[str, list[Any]]:
    return {
        noun.table.name: [noun.to_plain(record) for record in noun.each()] for noun in store.nouns()
    }


def taken(store: Store, home: Path, story: Story) -> IngestReport:
    """Ingest a story whose process has ended."""
    story.write(home).close()
    return ingest(store, home)


def only(store: Store) -> Generation:
    (generation,) = store.generations.find()
    return generation


def test_a_whole_shop_is_kept_with_its_broken_ones(store: Store, home: Path) -> None:
    report = taken(store, home, shop(5))
    assert (report.builds, report.generations, report.backtests) == (5, 15, 10)
    assert report.labels == Counter(traded=5, syntax_error=5, runtime_error=5)
    assert (report.lost, report.waiting, report.unknown, report.damaged) == (0, 0, 0, [])
    assert report.strategies == store.strategies.count() == 10
    for build in store.builds.find():
        assert (build.host, build.status) == (Path(sys.argv[0]).name, "complete")
        assert build.finished_at is not None
        assert build.finished_at >= build.started_at
        first, second, third = store.generations.find(build_id=build.id, oldest_first=True)
        number = build.title.split()[-1]
        instructions = [
            store.requests.get(g.request_id).instruction for g in (first, second, third)
        ]
        assert instructions == [f"write {number}", f"improve {number}", f"fix {number}"]
        assert (first.version, first.fitness, first.model, first.iteration) == ("v1", 0.7, "m", 1)
        assert (second.strategy_id, second.error_class) == (None, "CODE_ERROR")
        assert third.error == "ValueError: x"
        (backtest,) = store.backtests.find(strategy_id=first.strategy_id)
        assert (backtest.status, backtest.build_id) == (BacktestStatus.COMPLETED, build.id)
        assert backtest.statistics["Sharpe Ratio"] == "0.7"
        assert (backtest.engine, backtest.total_orders) == ("quantconnect-mcp", 12)
        assert backtest.settings["read_back"] == "equal"


def test_a_second_pass_takes_nothing(store: Store, home: Path) -> None:
    taken(store, home, shop(3))
    before = everything(store)
    report = ingest(store, home)
    assert (report.records, report.builds, report.generations) == (0, 0, 0)
    assert everything(store) == before


def test_every_record_is_marked_as_taken_once(store: Store, home: Path) -> None:
    report = taken(store, home, shop(4))
    (spool,) = spools(home / "spool")
    assert report.records == store.ingested.count(spool.id) == len(list(read(spool.path)))


def test_passes_while_the_host_writes_give_the_same_as_one_at_the_end(tmp_path: Path) -> None:
    story, homes = shop(3), (tmp_path / "step", tmp_path / "once")
    told = list(story.told)
    writer = SpoolWriter(homes[0] / "spool")
    with open_store(homes[0]) as store:
        for kind, body, _ in told:
            writer.append(kind, body)
            ingest(store, homes[0])
        (spool,) = spools(homes[0] / "spool")
        writer.close()
        ingest(store, homes[0])
        stepwise = everything(store)
    (homes[1] / "spool").mkdir(parents=True)
    shutil.copy(spool.path, homes[1] / "spool")
    with open_store(homes[1]) as store:
        ingest(store, homes[1])
        assert everything(store) == stepwise


def test_builds_that_still_run_wait_in_the_spool(store: Store, home: Path) -> None:
    writer = Story().spec("a").project().round(1, code(1)).write(home)
    report = ingest(store, home)
    assert (report.builds, report.waiting) == (0, 1)
    Story().round(2, code(2)).complete().main_end().write(home, writer)
    report = ingest(store, home)
    assert (report.builds, report.generations, report.waiting) == (1, 2, 0)


def test_another_store_is_given_everything_again(store: Store, home: Path, tmp_path: Path) -> None:
    taken(store, home, shop(2))
    backup = tmp_path / "backup.db"
    store.close()
    shutil.copy(home / "store.db", backup)
    with open_store(home) as first:
        taken(first, home, shop(1))
        whole = everything(first)
    # An older copy is put back, as after a disk failure.
    for path in home.glob("store.db*"):
        path.unlink()
    shutil.copy(backup, home / "store.db")
    with open_store(home) as older:
        report = ingest(older, home)
        assert report.builds == 1
        assert everything(older) == whole
    for path in home.glob("store.db*"):
        path.unlink()
    with open_store(home) as fresh:
        assert ingest(fresh, home).builds == 3
        assert everything(fresh) == whole


def test_an_older_copy_of_the_store_gets_the_rest_of_a_running_host(
    store: Store, home: Path, tmp_path: Path
) -> None:
    story = shop(4)
    half = len(story.told) // 2
    late = Story(story.told[half:])
    writer = Story(story.told[:half]).write(home)
    ingest(store, home)
    store.close()
    shutil.copy(home / "store.db", tmp_path / "older.db")
    late.write(home, writer)
    with open_store(home) as whole:
        ingest(whole, home)
        expected = everything(whole)
    for path in home.glob("store.db*"):
        path.unlink()
    shutil.copy(tmp_path / "older.db", home / "store.db")
    with open_store(home) as older:
        ingest(older, home)
        assert everything(older) == expected


def _ingesting(home: Path) -> subprocess.Popen[bytes]:
    code = "from qc_builder_lora.cli import main; main(['harvest', 'ingest', '--json'])"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={"QC_LORA_HOME": str(home), "PATH": ""},
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_killed_at_any_point_nothing_is_lost_and_nothing_doubled(tmp_path: Path) -> None:
    home, quiet = tmp_path / "killed", tmp_path / "quiet"
    shop(150).write(home).close()
    shutil.copytree(home, quiet)
    kills = 0
    deadline = time.monotonic() + 300
    seen: set[int] = set()
    while time.monotonic() < deadline:
        process = _ingesting(home)
        limit = time.monotonic() + 60
        # Killed as soon as it has come further than the one before it.
        while process.poll() is None and time.monotonic() < limit:
            number = _rows(home)
            if number and number not in seen and kills < 12:
                seen.add(number)
                process.send_signal(signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.002)
        _, err = process.communicate(timeout=120)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, err
    assert kills >= 3
    with open_store(home) as store, open_store(quiet) as other:
        report = ingest(other, quiet)
        assert report.builds == 150
        assert everything(store) == everything(other)
        assert store.ingested.count() == other.ingested.count()


def _rows(home: Path) -> int:
    if not (home / "store.db").exists():
        return 0
    connection = sqlite3.connect(f"file:{home / 'store.db'}?mode=ro", uri=True)
    try:
        return connection.execute("SELECT count(*) FROM ingested").fetchone()[0]
    except sqlite3.Error:
        return 0
    finally:
        connection.close()


def test_two_at_once_do_not_meet(store: Store, home: Path) -> None:
    shop(1).write(home).close()
    code = f"""
import fcntl, sys
file = open({str(home / "spool" / ".ingest.lock")!r}, "a")
fcntl.flock(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""
    holder = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"locked\n"
    with pytest.raises(IngestBusy, match=r"another process is taking records from it\. Nothing is"):
        ingest(store, home)
    holder.communicate()
    assert ingest(store, home).builds == 1


def test_a_damaged_record_is_reported_and_the_rest_taken(store: Store, home: Path) -> None:
    shop(2).write(home).close()
    (spool,) = spools(home / "spool")
    raw = bytearray(spool.path.read_bytes())
    raw[len(raw) // 2] ^= 0x01
    spool.path.write_bytes(raw)
    report = ingest(store, home)
    (where,) = report.damaged
    assert where.startswith(f"{spool.path} at ")
    assert where.endswith("the checksum does not match")
    assert (report.builds, report.lost) == (2, 1)
    assert ingest(store, home).damaged == []


def test_a_record_cut_short_by_a_crash_is_reported(store: Store, home: Path) -> None:
    shop(1).write(home).close()
    (spool,) = spools(home / "spool")
    with spool.path.open("ab") as file:
        file.write(b"00000000 {half a rec")
    report = ingest(store, home)
    assert report.builds == 1
    assert report.damaged[0].endswith("20 bytes of a record cut short")


def test_what_the_disk_did_not_take_is_counted(store: Store, home: Path) -> None:
    shop(1).write(home).close()
    (spool,) = spools(home / "spool")
    lines = spool.path.read_bytes().splitlines(keepends=True)
    spool.path.write_bytes(b"".join(lines[:4] + lines[7:]))
    report = ingest(store, home)
    assert report.lost == 3
    (state,) = survey(home, store)
    assert (state.lost, state.taken, state.records) == (3, state.records, len(lines) - 3)


def test_a_stub_is_never_a_pass(store: Store, home: Path) -> None:
    story = Story().spec("a").tool("create_project", {"success": False, "errors": ["no"]}, name="a")
    story.iteration(1).coder("ask").left(code(1))
    story.notify("backtest_complete", sharpe=2.0, drawdown="1%", returns="9%").fitness(1, 2.0)
    taken(store, home, story.complete().main_end())
    generation = only(store)
    assert (generation.label, generation.fitness) == ("unknown", 2.0)
    (backtest,) = store.backtests.find()
    assert backtest.status is BacktestStatus.UNKNOWN
    assert backtest.reason == "The host told a result; no backtest was read."
    assert (backtest.statistics, backtest.total_orders) == ({}, None)


def test_a_backtest_of_a_stub_project_is_unknown_whatever_it_says(store: Store, home: Path) -> None:
    story = Story().spec("a").coder("ask").upload(code(1), "stub").backtest(project="stub")
    taken(store, home, story)
    (backtest,) = store.backtests.find()
    assert backtest.status is BacktestStatus.UNKNOWN
    assert backtest.reason == "The project is a stub: the host had no credentials."
    assert only(store).label == "unknown"


def test_the_code_that_ran_is_hashed_as_it_was_read_back(store: Store, home: Path) -> None:
    story = Story().spec("a").coder("ask").upload(code(1)).read_back(code(2)).backtest()
    taken(store, home, story)
    (backtest,) = store.backtests.find()
    assert backtest.status is BacktestStatus.UNKNOWN
    assert backtest.settings["read_back"] == "different"
    assert backtest.code_sha256 != store.strategies.get(backtest.strategy_id).code_sha256


def test_a_question_that_was_not_heard_is_the_specification(store: Store, home: Path) -> None:
    taken(store, home, Story().spec("Golden cross").upload(code(1)).main_end())
    assert store.requests.get(only(store).request_id).instruction == "Golden cross"
    taken(store, home, Story().spec("B", description="Buy B.").upload(code(2)).main_end())
    instructions = {request.instruction for request in store.requests.find()}
    assert instructions == {"Golden cross", "Buy B."}


def test_nothing_at_all_but_code_still_has_a_question(store: Store, home: Path) -> None:
    taken(store, home, Story().upload(code(1)).coder("").upload(code(2)))
    for generation in store.generations.find():
        assert store.requests.get(generation.request_id).instruction == "untitled"


def test_the_same_code_in_two_builds_is_one_strategy(store: Store, home: Path) -> None:
    story = Story().spec("a").round(1, code(1)).complete()
    story.spec("b").project(8).round(1, "# other layout\n" + code(1), project=8).complete()
    report = taken(store, home, story.main_end())
    assert (report.generations, report.strategies, report.backtests) == (2, 1, 2)


def test_figures_that_no_column_takes_cost_no_record(store: Store, home: Path) -> None:
    story = Story().spec("a" * 5000).iteration(2**70).coder("ask \ud800\x00", "m" * 900)
    story.upload(code(1)).fitness(1, float("nan")).complete()
    taken(store, home, story)
    generation = only(store)
    assert (generation.fitness, generation.iteration) == (None, None)
    assert generation.model == "m" * 200
    assert store.requests.get(generation.request_id).instruction == "ask \ud800\x00"


def test_no_secret_reaches_the_store(store: Store, home: Path) -> None:
    story = Story().spec(f"for {PLANTED['email']}", description=PLANTED["slack_webhook"])
    for number, (kind, secret) in enumerate(PLANTED.items()):
        text = code(number) + f'\nTEXT = """{secret}"""\n# {kind} in /home/jane/x\n'
        story.iteration(number).coder(f"use {secret}").upload(text).error(f"401 for {secret}")
        story.backtest({}, f"stopped: {secret}", number=f"b{number}")
    story.complete()
    report = taken(store, home, story)
    kept = json.dumps(everything(store))
    for secret in PLANTED.values():
        assert json.dumps(secret)[1:-1] not in kept
    assert "jane" not in kept
    raw = b"".join(path.read_bytes() for path in home.glob("store.db*"))
    for secret in PLANTED.values():
        assert secret.encode() not in raw
    assert set(PLANTED) <= set(report.redacted)
    assert min(report.redacted[kind] for kind in PLANTED) >= 4
    # What is left still parses.
    assert all(generation.strategy_id for generation in store.generations.find())


def test_a_clock_that_runs_backwards_loses_nothing(store: Store, home: Path) -> None:
    writer = Story().spec("a").project().write(home)
    (spool,) = spools(home / "spool")
    shop(1).write(home, writer)
    writer.close()
    lines = []
    for item in read(spool.path):
        record = {"s": item.sequence, "t": 10**18 - item.sequence * 10**9, "h": 1}
        record |= {"k": item.kind, "b": item.body}
        raw = json.dumps(record).encode()
        lines.append(b"%08x %s\n" % (zlib.crc32(raw), raw))
    spool.path.write_bytes(b"".join(lines))
    report = ingest(store, home)
    assert (report.builds, report.generations, report.lost) == (2, 3, 0)


def test_no_spool_is_no_error(store: Store, home: Path) -> None:
    assert ingest(store, home) == IngestReport()
    assert survey(home, store) == []


def test_the_command_says_what_it_took(home: Path) -> None:
    shop(2).write(home).close()
    process = _ingesting(home)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"Ingest: 100 %, 0:00 left  52 records\n")
    found = json.loads(out)
    assert (found["builds"], found["generations"], found["labels"]["traded"]) == (2, 6, 2)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_spool(tmp_path: Path) -> None:
    peaks = []
    for number in (200, 2000):
        home = tmp_path / str(number)
        shop(number).write(home).close()
        code = (
            "from pathlib import Path; import re; "
            "from qc_builder_lora.store import Store; "
            "from qc_builder_lora.harvest.ingest import ingest; "
            f"home = Path({str(home)!r}); "
            "store = Store.open(f'sqlite:///{home}/store.db'); "
            "records = ingest(store, home).records; "
            # Not getrusage: that one remembers the process it was forked from.
            "status = Path('/proc/self/status').read_text(); "
            "print(records, re.search(r'VmHWM:\\s+(\\d+)', status)[1])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        records, peak = map(int, done.stdout.split())
        assert records == number * 25 + 2
        peaks.append(peak)
    assert peaks[1] < peaks[0] + 15_000


_HOST = """
import sys
from tests.harvest.story import Story, code
from pathlib import Path
story = Story().spec("Trend", description="mail " + sys.argv[2]).project()
story.round(1, code(1) + "\\nPASSWORD = '" + sys.argv[2] + "'\\n", "write it for " + sys.argv[2])
story.complete().main_end().write(Path(sys.argv[1]))
"""


def recorded_by_a_process(home: Path, secret: str) -> Path:
    subprocess.run([sys.executable, "-c", _HOST, str(home), secret], check=True)
    (spool,) = spools(home / "spool")
    return spool.path


def test_a_spool_that_is_wholly_taken_keeps_no_secret_either(store: Store, home: Path) -> None:
    path = recorded_by_a_process(home, PLANTED["anthropic_key"])
    assert PLANTED["anthropic_key"] in path.read_text("utf-8")
    before = [item.sequence for item in read(path)]  # type: ignore[union-attr]
    assert ingest(store, home).redacted["anthropic_key"] >= 3
    assert PLANTED["anthropic_key"] not in path.read_text("utf-8")
    assert [item.sequence for item in read(path)] == before  # type: ignore[union-attr]
    assert path.stat().st_mode & 0o777 == 0o600
    assert ingest(store, home).records == 0


def test_a_redacted_spool_gives_another_store_the_same_records(store: Store, home: Path) -> None:
    recorded_by_a_process(home, PLANTED["github_token"])
    ingest(store, home)
    with Store.open(f"sqlite:///{home}/other.db") as other:
        ingest(other, home)
        assert everything(other).keys() == everything(store).keys()
        assert [one.code for one in other.generations.find()] == [
            one.code for one in store.generations.find()
        ]


def test_a_spool_whose_process_lives_is_left_as_it_is(store: Store, home: Path) -> None:
    writer = Story().spec("Trend").iteration(1).coder(f"for {PLANTED['email']}").write(home)
    writer.close()
    (spool,) = spools(home / "spool")
    before = spool.path.read_bytes()
    ingest(store, home)
    assert spool.path.read_bytes() == before


def test_a_spool_that_cannot_be_read_is_said_and_costs_no_other(store: Store, home: Path) -> None:
    shop(2).write(home).close()
    (home / "spool" / "0.spool").mkdir()
    report = ingest(store, home)
    assert report.builds == 2
    assert report.damaged == [f"{home}/spool/0.spool: cannot be read (Is a directory)"]
    first, second = survey(home, store)
    assert (first.id, first.unreadable, second.unreadable) == ("0", "Is a directory", None)


def test_a_spool_deleted_before_all_of_it_was_taken_is_said(store: Store, home: Path) -> None:
    writer = SpoolWriter(home / "spool")
    whole, begun = shop(1), Story().spec("A").iteration(1).coder("write it").left(code())
    whole.write(home, writer)
    begun.write(home, writer)
    Story().tell("told", free=True).write(home, writer)
    ingest(store, home)
    writer.close()
    (spool,) = spools(home / "spool")
    spool.path.unlink()
    (state,) = survey(home, store)
    assert (state.id, state.lost) == (spool.id, 4)
    assert state.unreadable == "its file was deleted with 4 records that were not taken yet"
    assert ingest(store, home).damaged == []


def test_a_spool_deleted_after_all_of_it_was_taken_is_no_word_worth(
    store: Store, home: Path
) -> None:
    taken(store, home, shop(1))
    (spool,) = spools(home / "spool")
    spool.path.unlink()
    assert survey(home, store) == []


def test_a_home_that_is_a_link_is_the_same_home(store: Store, home: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(home)
    shop(1).write(link).close()
    assert (ingest(store, home).builds, ingest(store, link).builds) == (1, 0)
    assert survey(link, store)[0].taken == survey(home, store)[0].records
