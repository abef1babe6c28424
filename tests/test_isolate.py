import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from qc_builder_lora import isolate
from qc_builder_lora.errors import DiskFull, MissingExtra, Stopped, UnknownKey
from qc_builder_lora.isolate import ChildDied, in_child

WORK = "tests.isolated_work"


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))


class Heard:
    def __init__(self) -> None:
        self.told: list[tuple[float, str]] = []

    def update(self, done: float, note: str = "") -> None:
        self.told.append((done, note))


def wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def runs(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_the_answer_and_the_progress_come_from_another_process() -> None:
    heard = Heard()
    answer = in_child(f"{WORK}:add", {"left": 2, "right": 3}, heard)
    assert answer["sum"] == 5
    assert answer["process"] != os.getpid()
    assert heard.told == [(1, "half"), (2, "")]


@pytest.mark.parametrize(
    ("kind", "expected", "message"),
    [
        ("key", UnknownKey, "unknown key 'rnk'. Did you mean 'rank'"),
        ("disk", DiskFull, "30 MB needed, 2 MB free). The last checkpoint is kept."),
        ("extra", MissingExtra, "pip install 'qc-builder-lora[train]'"),
    ],
)
def test_an_error_of_ours_keeps_its_kind_its_words_and_its_exit_code(
    kind: str, expected: type[Exception], message: str
) -> None:
    with pytest.raises(expected) as caught:
        in_child(f"{WORK}:fail", {"kind": kind})
    assert message in str(caught.value)
    assert type(caught.value).exit_code == expected.exit_code  # type: ignore[attr-defined]


def test_a_crash_is_told_with_its_last_words() -> None:
    with pytest.raises(ChildDied) as caught:
        in_child(f"{WORK}:crash", {})
    said = str(caught.value)
    assert f"The process that ran {WORK}:crash ended with code 1." in said
    assert "RuntimeError: the 7th layer is missing" in said
    assert "run the same command again" in said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGKILL, "was ended by SIGKILL. The machine may have run out of memory."),
        (signal.SIGSEGV, "was ended by SIGSEGV. What it had finished is kept"),
    ],
)
def test_a_child_that_is_killed_is_told_by_the_signal(number: int, said: str) -> None:
    with pytest.raises(ChildDied) as caught:
        in_child(f"{WORK}:die", {"number": int(number)})
    assert said in str(caught.value)


def test_what_a_library_prints_neither_holds_the_child_nor_spoils_its_answer() -> None:
    assert in_child(f"{WORK}:shout", {"megabytes": 3}) == {"said": 3}


def test_a_parent_that_stops_lets_the_child_save_first(tmp_path: Path) -> None:
    class StopAtOnce:
        def update(self, done: float, note: str = "") -> None:
            raise Stopped("asked to")

    with pytest.raises(Stopped):
        in_child(f"{WORK}:save_when_stopped", {"folder": str(tmp_path)}, StopAtOnce())
    assert (tmp_path / "log").read_text().endswith("saved\n")


def test_a_child_that_will_not_stop_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolate, "SAVING_S", 0.5)
    log, main = tmp_path / "log", threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        wait_for(log.exists)
        signal.pthread_kill(main, signal.SIGINT)

    asking = threading.Thread(target=interrupt)
    asking.start()
    with pytest.raises(KeyboardInterrupt):
        in_child(f"{WORK}:ignore", {"folder": str(tmp_path)})
    asking.join()
    assert not runs(int(log.read_text().split()[0]))


PARENT = """
import sys
from qc_builder_lora.isolate import in_child
try:
    in_child("tests.isolated_work:save_when_stopped", {"folder": sys.argv[1]})
except KeyboardInterrupt:
    sys.exit(130)
"""


def parent(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A process in a group of its own, as a shell starts it, and the id of its child."""
    log = folder / "log"
    process = subprocess.Popen([sys.executable, "-c", PARENT, str(folder)], process_group=0)
    wait_for(lambda: log.exists() and log.read_text().endswith("started\n"))
    return process, int(log.read_text().split()[0])


def test_ctrl_c_in_a_terminal_reaches_the_child_once_and_it_saves(tmp_path: Path) -> None:
    process, child = parent(tmp_path)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to everybody in the group
    assert process.wait(30) == 130
    assert (tmp_path / "log").read_text().endswith("saved\n")
    assert not runs(child)


def test_a_second_signal_does_not_break_off_the_saving(tmp_path: Path) -> None:
    process, child = parent(tmp_path)
    os.kill(child, signal.SIGINT)
    time.sleep(0.3)
    os.kill(child, signal.SIGINT)
    os.kill(child, signal.SIGTERM)
    assert process.wait(30) == 130
    assert (tmp_path / "log").read_text().endswith("saved\n")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_whose_parent_is_killed_saves_and_ends(tmp_path: Path, number: int) -> None:
    process, child = parent(tmp_path)
    process.send_signal(number)
    process.wait(30)
    wait_for(lambda: not runs(child))
    assert (tmp_path / "log").read_text().endswith("saved\n")
