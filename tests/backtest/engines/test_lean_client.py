"""The fake QuantConnect is held to what the real `lean` CLI's client accepts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.backtest.lean_cli import LeanCli
from qc_builder_lora.records import BacktestStatus
from tests.backtest.engines import lean_client
from tests.backtest.engines.conftest import STATISTICS, Canned
from tests.backtest.engines.fake_quantconnect import Account
from tests.backtest.engines.test_lean_cli import program

DRIVER = Path(lean_client.__file__)


@pytest.fixture
def lean() -> Path:
    """The real CLI; its environment is made with lean_client.py, which says how."""
    why = lean_client.missing(lean_client.folder())
    if why is not None:
        pytest.skip(why)
    return lean_client.folder() / "bin" / "lean"


@pytest.fixture
def seen(lean: Path, cloud: Account) -> dict[str, Any]:
    done = subprocess.run(
        [lean_client.python(lean_client.folder()), DRIVER, cloud.url],
        capture_output=True, text=True, check=False, timeout=120,
        env={"PATH": "/usr/bin:/bin", "HOME": str(Path.home())},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.lean_client
def test_the_real_client_gets_along_with_the_fake(
    seen: dict[str, Any], cloud: Account, canned: Canned
) -> None:
    assert (seen["authenticated"], seen["wrong"]) == (True, False)
    assert seen["project"] == "checked"
    assert seen["listed"] == ["checked"]
    assert seen["content"] == lean_client.FIRST
    assert seen["files"] == ["main.py", "other.py"]
    assert "File already exist" in seen["twice"]
    assert seen["completed"] is True
    assert seen["statistics"] == STATISTICS
    assert seen["backtests"] == ["first"]
    assert seen["orders"] == [2, 2]
    assert seen["points"] == 3
    assert seen["log"] == ["hello"]
    assert "Something went wrong while compiling" in seen["broken"]
    assert seen["after"] == seen["left"] == []
    assert canned.seen[0][1].parameters == {"fast": "20"}
    assert {name for name, _ in cloud.calls} >= {
        "authenticate", "projects/create", "projects/read", "projects/delete", "files/create",
        "files/update", "files/read", "compile/create", "compile/read", "backtests/create",
        "backtests/read", "backtests/list", "backtests/delete", "backtests/chart/read",
        "backtests/orders/read", "backtests/read/log",
    }  # fmt: skip


@pytest.mark.lean_client
@pytest.mark.parametrize(
    ("docker", "fact"),
    [
        (None, "Docker is not installed, and the LEAN CLI runs LEAN in it"),
        ("echo 'Cannot connect to the Docker daemon' >&2; exit 1",
         "Docker is installed but does not run: Cannot connect to the Docker daemon"),
    ],
)  # fmt: skip
def test_the_real_cli_without_docker_is_understood(
    lean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, docker: str | None, fact: str
) -> None:
    path = tmp_path / "path"
    path.mkdir()
    if docker is not None:
        program(path, "docker", f"#!/bin/sh\n{docker}\n")
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setenv("HOME", str(tmp_path))
    # Not even a Docker that runs here is reached.
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    (tmp_path / "lean.json").write_text('{"data-folder": "data", "organization-id": "x"}')
    (tmp_path / "data").mkdir()
    found = LeanCli(tmp_path / "home", command=str(lean), workspace=tmp_path).run(lean_client.FIRST)
    assert found.status is BacktestStatus.UNKNOWN
    assert fact in str(found.reason)


@pytest.mark.lean_client
def test_the_real_cli_in_a_workspace_of_an_old_kind_is_understood(
    lean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "lean.json").write_text('{"data-folder": "data"}')
    found = LeanCli(tmp_path / "home", command=str(lean), workspace=tmp_path).run(lean_client.FIRST)
    assert found.status is BacktestStatus.UNKNOWN
    assert "is a workspace of an old kind" in str(found.reason)


def test_a_missing_environment_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    assert "--make" in str(lean_client.missing(tmp_path / "none"))
