"""The fake QuantConnect is held to what the real `lean` CLI's client accepts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.backtest.engines import lean_client
from tests.backtest.engines.conftest import STATISTICS, Canned
from tests.backtest.engines.fake_quantconnect import Account

DRIVER = Path(lean_client.__file__)


@pytest.fixture
def seen(cloud: Account) -> dict[str, Any]:
    why = lean_client.missing(lean_client.folder())
    if why is not None:
        pytest.skip(why)
    done = subprocess.run(
        [lean_client.python(lean_client.folder()), DRIVER, cloud.url],
        capture_output=True, text=True, check=False, timeout=120,
        env={"PATH": "/usr/bin:/bin", "HOME": str(Path.home())},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


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


def test_a_missing_environment_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    assert "--make" in str(lean_client.missing(tmp_path / "none"))
