"""Whatever breaks on our side, the host runs as without us."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from qc_builder_lora.harvest.afterwards import ingest_afterwards
from tests.plugin.conftest import CLI, HOST, Stage

BUSY = (
    HOST
    + """
def main():
    tracker = FitnessTracker()
    for iteration in range(1, 4):
        notify_build_progress("iteration_start", {"iteration": iteration})
        tracker.record(f"v{iteration}", 1.0 / iteration, iteration)
        file = {"name": "main.py", "content": "x" * 3000}
        call_mcp_with_retry(None, "quantconnect", "create_file", file)
    print("rollback:", tracker.should_rollback(), ErrorClassifier().classify("TypeError: x"))
    return 3

if __name__ == "__main__":
    sys.exit(main())
"""
)

BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name == "{name}":
            raise {error}

sys.meta_path.insert(0, Blocker())
"""


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("wrapt", "ImportError('no module named wrapt')"),
        ("qc_builder_lora.plugin", "RuntimeError('broken')"),
        ("qc_builder_lora.harvest.hooks", "RuntimeError('broken')"),
        ("qc_builder_lora.harvest.spool", "MemoryError()"),
        ("qc_builder_lora.harvest.supervise", "RuntimeError('broken')"),
        ("qc_builder_lora.harvest.afterwards", "RuntimeError('broken')"),
        ("qc_builder_lora.config", "RuntimeError('broken')"),
        ("fcntl", "ImportError('not on this platform')"),
        ("json", "ImportError('gone')"),
    ],
)
def test_a_part_of_ours_that_cannot_be_imported_costs_nothing(
    stage: Stage, name: str, error: str
) -> None:
    stage.write(BUSY)
    stage.write(BLOCKER.format(name=name, error=error), "site/sitecustomize.py")
    stage.environment["PYTHONPATH"] = str(stage.folder / "site")
    assert stage.same().code == 3


@pytest.mark.parametrize(
    "text", ["home = [", "nonsense = 1\n", "home = 3\nlog_format = 'xml'\n", "\0"]
)
def test_a_broken_settings_file_costs_nothing_and_records_all_the_same(
    stage: Stage, text: str
) -> None:
    stage.write(BUSY)
    (stage.folder / "qc-lora.toml").write_text(text)
    assert stage.same().code == 3
    assert stage.kinds().count("fitness") == 3
    assert "the records stay in" in (stage.home / "run.log").read_text()


def test_a_home_that_cannot_be_made_costs_nothing(stage: Stage) -> None:
    stage.write(BUSY)
    (stage.folder / "file").touch()
    stage.environment["QC_LORA_HOME"] = str(stage.folder / "file" / "home")
    assert stage.same().code == 3
    stage.environment["QC_LORA_HOME"] = "/proc/no-such-folder"
    assert stage.same().code == 3


def test_a_spool_that_is_a_file_costs_nothing(stage: Stage) -> None:
    stage.write(BUSY)
    stage.home.mkdir()
    (stage.home / "spool").touch()
    assert stage.same().code == 3


def test_a_disk_that_fills_up_costs_nothing_and_loses_only_what_did_not_fit(stage: Stage) -> None:
    stage.write("import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))\n" + BUSY)
    assert stage.same().code == 3
    sequences = [event.sequence for event in _readable(stage)]
    assert sequences[:4] == [0, 1, 2, 3]
    status = subprocess.run(
        [sys.executable, "-c", "from qc_builder_lora.cli import main; main(['harvest', 'status'])"],
        env={"QC_LORA_HOME": str(stage.home), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "lost" in status.stdout
    done = told_status(stage)
    assert done.returncode == 0
    assert re.search(r"spool \S+: its last record was cut short after \d+ bytes", done.stdout)
    assert "was lost (a full disk?" in done.stdout


def told_status(stage: Stage, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = f"from qc_builder_lora.cli import main; main({['status', *words]!r})"
    return subprocess.run(
        [sys.executable, "-c", command],
        env={**os.environ, "QC_LORA_HOME": str(stage.home), **env},
        cwd=stage.folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_database_that_is_not_there_costs_nothing_and_the_status_says_what_waits(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.write(BUSY)
    nowhere = "postgresql://nobody@127.0.0.1:1/x"
    monkeypatch.setenv("QC_LORA_HOME", str(stage.home))
    monkeypatch.chdir(stage.folder)
    monkeypatch.setenv("QC_LORA_DATABASE", nowhere)
    assert stage.same().code == 3
    done = told_status(stage, QC_LORA_DATABASE=nowhere)
    assert done.returncode == 1
    assert re.search(r"spool \S+: \d+ records wait: qc-lora harvest ingest", done.stdout)
    assert "PostgreSQL cannot be used" in done.stderr
    told = json.loads(told_status(stage, "--json", QC_LORA_DATABASE=nowhere).stdout)
    assert "Check that the server runs" in told["database_error"]
    assert told["spools"][0]["records"] > 5
    monkeypatch.delenv("QC_LORA_DATABASE")
    assert ingest_afterwards(stage.home).startswith("harvested ")
    assert "records wait" not in told_status(stage).stdout


def _readable(stage: Stage) -> list:
    from qc_builder_lora.harvest.spool import Event, read, spools

    found = [item for spool in spools(stage.home / "spool") for item in read(spool.path)]
    return [item for item in found if isinstance(item, Event)]


@pytest.fixture
def tiny_disk(stage: Stage) -> Path:
    folder = stage.folder / "tiny"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_really_full_disk_costs_nothing(stage: Stage, tiny_disk: Path) -> None:
    stage.write(BUSY)
    stage.environment["QC_LORA_HOME"] = str(tiny_disk / "home")
    (tiny_disk / "filler").write_bytes(b"x" * 4096)
    assert stage.same().code == 3


def test_a_read_only_disk_costs_nothing(stage: Stage, tiny_disk: Path) -> None:
    stage.write(BUSY)
    stage.environment["QC_LORA_HOME"] = str(tiny_disk / "home")
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    assert stage.same().code == 3
    assert list(tiny_disk.iterdir()) == []


def test_broken_settings_are_told_by_the_status_and_record_all_the_same(stage: Stage) -> None:
    stage.write(
        """
        import types, qc_builder_lora
        module = types.ModuleType("host")
        exec("def main(): return 3", module.__dict__)
        installed = qc_builder_lora.install(module)
        print(module.main(), installed.status()["problem"], installed.status()["recorded"])
        """
    )
    (stage.folder / "qc-lora.toml").write_text("nonsense = 1")
    ran = stage.run([sys.executable], "script.py")
    assert ran.out.startswith(b"3 ")
    assert b"unknown key 'nonsense'" in ran.out
    assert ran.out.endswith(b" 2\n")


def test_closed_descriptors_are_opened_again_and_the_hosts_files_are_left_alone(
    stage: Stage,
) -> None:
    stage.write(
        HOST
        + """
import os
def main():
    tracker = FitnessTracker()
    tracker.record("before", 1.0, 1)
    os.closerange(3, 2048)
    # All numbers up to ours and beyond now belong to the host.
    mine = [os.open("mine.txt", os.O_RDWR | os.O_CREAT) for _ in range(600)]
    tracker.record("after", 2.0, 2)
    print(os.path.getsize("mine.txt"), mine[0])
    os.unlink("mine.txt")
main()
"""
    )
    assert stage.same().out == b"0 3\n"
    assert [event.body["version"] for event in stage.events() if event.kind == "fitness"] == [
        "before",
        "after",
    ]


def test_a_deleted_spool_is_made_again(stage: Stage) -> None:
    stage.write(
        HOST
        + """
import os, shutil
def main():
    tracker = FitnessTracker()
    tracker.record("before", 1.0, 1)
    shutil.rmtree(os.environ["QC_LORA_HOME"], ignore_errors=True)
    tracker.record("after", 2.0, 2)
main()
"""
    )
    stage.same()
    assert [event.body["version"] for event in stage.events() if event.kind == "fitness"] == [
        "after"
    ]


def test_hosts_objects_that_refuse_everything_cost_nothing(stage: Stage) -> None:
    stage.write(
        HOST
        + """
class Hostile:
    def __getattr__(self, name):
        raise RuntimeError(name)
    def __repr__(self):
        raise RuntimeError("repr")
    def __float__(self):
        raise RuntimeError("float")

def main():
    tracker = FitnessTracker()
    tracker.record(Hostile(), Hostile(), Hostile())
    loop = {}
    loop["self"] = loop
    call_mcp_with_retry(None, "quantconnect", "create_file", loop)
    call_mcp_with_retry(None, "quantconnect", "create_file", {"content": "\\ud800", b"k": {1, 2}})
    call_mcp_with_retry(None, "quantconnect", Hostile(), Hostile())
    deep = []
    for _ in range(100000):
        deep = [deep]
    call_mcp_with_retry(None, "quantconnect", "create_file", {"deep": deep})
    del deep
    tracker.record("v", float("nan"), 1)
    print("done")
main()
"""
    )
    ran = stage.same()
    assert ran.out == b"done\n"
    assert stage.kinds().count("mcp") == 4
    assert stage.kinds().count("fitness") == 2


def test_a_locked_store_does_not_keep_the_caller_waiting_and_loses_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.write(BUSY)
    monkeypatch.setenv("QC_LORA_HOME", str(stage.home))
    monkeypatch.chdir(stage.folder)
    assert stage.run(CLI, "script.py").code == 3
    before = len(stage.events())
    lock = sqlite3.connect(stage.home / "store.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    stage.write(BUSY.replace('f"v{iteration}"', 'f"again {iteration}"'))
    runner = "from qc_builder_lora.plugin import run_script; run_script('script.py')"
    subprocess.run([sys.executable, "-c", runner], check=True, capture_output=True)
    assert "did not answer within 2 s" in ingest_afterwards(stage.home, patience_s=2)
    lock.execute("ROLLBACK")
    lock.close()
    assert len(stage.events()) == 2 * before
    assert ingest_afterwards(stage.home).startswith("harvested 1 builds, 3 generations")


def test_a_damaged_store_costs_nothing(stage: Stage) -> None:
    stage.write(BUSY)
    stage.home.mkdir()
    (stage.home / "store.db").write_bytes(b"this is no database, whatever its name says" * 50)
    assert stage.same().code == 3
    assert "the records stay in the spool" in (stage.home / "run.log").read_text()
