"""The LEAN CLI as an engine: what it runs, what it reads, and what it says when it cannot."""

from __future__ import annotations

import json
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from qc_builder_lora.backtest.lean_cli import LeanCli
from qc_builder_lora.backtest.protocol import BacktestSettings
from qc_builder_lora.errors import EngineUnavailable
from qc_builder_lora.ids import text_hash
from qc_builder_lora.records import BacktestStatus
from tests.backtest.engines.conftest import CODE, STATISTICS, completed
from tests.backtest.engines.lean_format import old_result_file, result_file

COMPLETED, FAILED, UNKNOWN = BacktestStatus
Make = Callable[..., LeanCli]


def program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    root = Path(__file__).parents[3]
    lean = program(
        tmp_path / "bin", "lean",
        f"#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name('fake_lean.py')} \"$@\"\n",
    )  # fmt: skip
    monkeypatch.setenv("PYTHONPATH", str(root))
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "lean.json").write_text(
        '{\n  // the folder with the bars\n  "data-folder": "data",\n  "organization-id": "x"\n}\n'
    )

    def body(mode: str = "canned", value: object = None, **options: object) -> LeanCli:
        monkeypatch.setenv("FAKE_LEAN", mode)
        result = tmp_path / "result.json"
        result.write_text(json.dumps(value or result_file(completed())))
        monkeypatch.setenv("FAKE_LEAN_RESULT", str(result))
        return LeanCli(
            tmp_path / "home", **{"command": str(lean), "workspace": workspace, **options}
        )

    return body


@pytest.mark.parametrize("shape", [result_file, old_result_file])
def test_a_result_of_today_and_of_before_is_read(make: Make, shape: Callable[..., object]) -> None:
    found = make(value=shape(completed())).run(CODE)
    assert (found.status, found.reason, found.phase) == (COMPLETED, None, "done")
    assert found.statistics["Total Orders"] == "2"
    assert found.statistics["Sharpe Ratio"] == STATISTICS["Sharpe Ratio"]
    assert found.equity == completed().equity
    assert [fill["price"] for one in found.orders for fill in one["fills"]] == [131.0, 132.0]
    assert found.closed_trades == 1
    assert found.logs == ("hello from the strategy",)
    assert found.code_sha256 == text_hash(CODE)


def test_the_version_is_leans_where_the_result_names_it(make: Make) -> None:
    engine = make()
    assert engine.version == "lean 1.0.230"
    assert engine.run(CODE).engine_version == "LEAN 2.5.0.0.17000"


def test_nothing_is_left_in_the_home(make: Make, tmp_path: Path) -> None:
    make().run(CODE)
    make("nonsense").run(CODE)
    assert list((tmp_path / "home" / "lean").iterdir()) == []


def test_a_workspace_above_the_working_folder_is_found(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / "workspace" / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert make(workspace=None).run(CODE).status is COMPLETED


def test_a_runtime_error_is_the_strategys(make: Make) -> None:
    value = result_file(completed())
    value["state"] = {"RuntimeError": "ValueError : no", "StackTrace": "  at on_data in main.py"}
    found = make(value=value).run(CODE)
    assert (found.status, found.phase) == (FAILED, "run")
    assert found.reason == "ValueError : no\nat on_data in main.py"


def test_a_strategy_that_cannot_be_loaded_fails_with_leans_words(make: Make) -> None:
    found = make("no_class").run(CODE)
    assert (found.status, found.phase) == (FAILED, "load")
    assert "SyntaxError : invalid syntax (main.py, line 3)" in str(found.reason)


def test_a_renamed_statistic_is_unknown(make: Make) -> None:
    value = result_file(completed())
    value["statistics"]["Compound Annual Return"] = value["statistics"].pop(
        "Compounding Annual Return"
    )
    found = make(value=value).run(CODE)
    assert found.status is UNKNOWN
    assert "'Compound Annual Return'" in str(found.reason)


@pytest.mark.parametrize(
    ("mode", "fact", "cure"),
    [
        ("no_login", "the LEAN CLI is not logged in", "lean login"),
        ("no_workspace", "no LEAN CLI workspace", "lean init"),
        ("no_image", "Docker image is not on this machine", "docker pull quantconnect/lean"),
        ("sudo", "this user may not use Docker", "usermod -aG docker"),
        ("nonsense", "ended with exit code 1 and left no result:\nTraceback", "boom"),
        ("cut", "it is not JSON", "Run the backtest again"),
        ("tampered", "is not what was given to it", ""),
    ],
)
def test_what_is_missing_is_said_with_its_cure(make: Make, mode: str, fact: str, cure: str) -> None:
    found = make(mode).run(CODE)
    assert found.status is UNKNOWN
    assert fact in str(found.reason)
    assert cure in str(found.reason)
    assert found.statistics == {}


@pytest.mark.parametrize(
    ("docker", "fact", "cure"),
    [
        (None, "Docker is not installed", "docs.docker.com"),
        ("echo 'Cannot connect to the Docker daemon' >&2; exit 1", "does not run: Cannot connect",
         "systemctl start docker"),
        ("echo 'permission denied while trying to connect' >&2; exit 1", "may not use it",
         "usermod -aG docker"),
    ],
)  # fmt: skip
def test_no_docker_is_told_from_one_that_does_not_run(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, docker: str | None, fact: str,
    cure: str,
) -> None:  # fmt: skip
    engine = make("no_docker")
    folder = tmp_path / "path"
    folder.mkdir()
    if docker is not None:
        program(folder, "docker", f"#!/bin/sh\n{docker}\n")
    monkeypatch.setenv("PATH", str(folder))
    found = engine.run(CODE)
    assert found.status is UNKNOWN
    assert fact in str(found.reason)
    assert cure in str(found.reason)


def test_no_lean_at_all_is_said(make: Make) -> None:
    engine = make(command="no-such-lean")
    found = engine.run(CODE)
    assert found.status is UNKNOWN
    assert "the LEAN CLI is not installed" in str(found.reason)
    assert "pip install lean" in str(found.reason)
    assert engine.version == "not installed"
    with pytest.raises(EngineUnavailable, match="'no-such-lean'"):
        engine.check()


def test_dates_from_outside_are_unknown_not_ignored(make: Make) -> None:
    found = make().run(CODE, BacktestSettings(cash=1.0))
    assert found.status is UNKNOWN
    assert "cash cannot be set from outside on the LEAN CLI" in str(found.reason)


def test_one_that_never_finishes_is_unknown_and_ended(make: Make, tmp_path: Path) -> None:
    found = make("hang", deadline_s=1.0).run(CODE)
    assert (found.status, found.reason) == (UNKNOWN, "did not finish within 1 s; stopped.")
    assert running(tmp_path) == []


def test_cancel_ends_what_runs(make: Make, tmp_path: Path) -> None:
    engine = make("hang")
    threading.Timer(1.0, engine.cancel).start()
    began = time.monotonic()
    results = list(engine.run_many([CODE, CODE], jobs=2))
    assert [one.reason for one in results] == ["cancelled", "cancelled"]
    assert time.monotonic() - began < 30
    assert running(tmp_path) == []


def running(tmp_path: Path) -> list[str]:
    """Processes whose working folder is in the test's own."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cwd"):
        try:
            folder = str(path.readlink())
        except OSError:
            continue
        if folder.startswith(str(tmp_path)):
            found.append(folder)
    return found
