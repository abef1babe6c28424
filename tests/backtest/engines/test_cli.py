"""qc-lora backtest with engines, as a user types it: one, several, crashed, interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.backtest.conftest import strategy
from tests.backtest.engines.conftest import STATISTICS, Canned
from tests.backtest.engines.fake_quantconnect import TOKEN, USER, Account

HOLD = strategy(on_data='if not self.portfolio.invested: self.set_holdings("AAPL", 1)')
ROOT = Path(__file__).parents[3]


class Shell:
    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.environment = {
            "PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": str(ROOT),
            "QC_LORA_HOME": str(folder / "home"), "QC_LORA_ALLOW_OPEN_SANDBOX": "1",
            "QC_LORA_QUANTCONNECT_URL": url, "QC_USER_ID": USER, "QC_API_TOKEN": TOKEN,
        }  # fmt: skip

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "qc_builder_lora.cli", "backtest", *arguments],
            cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    def run(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def json(self, *arguments: str) -> tuple[int, Any]:
        code, out, err = self.run(*arguments, "--json")
        assert out, err
        return code, json.loads(out)


@pytest.fixture
def shell(cloud: Account, tmp_path: Path) -> Shell:
    (tmp_path / "s.py").write_text(HOLD)
    return Shell(tmp_path, cloud.url)


def tickets(shell: Shell) -> list[Path]:
    return sorted((shell.folder / "home" / "quantconnect").glob("*.json"))


def test_the_json_of_a_cloud_backtest_has_the_same_keys_as_the_simulators(shell: Shell) -> None:
    code, cloud = shell.json("s.py", "--engine", "quantconnect")
    assert code == 0
    _, local = shell.json("s.py")
    assert set(cloud) == set(local)
    assert cloud["engine"] == {
        "name": "quantconnect", "version": "LEAN 2.5.0.0.17000", "data": None,
        "data_fingerprint": None,
    }  # fmt: skip
    assert local["engine"]["name"] == "simulator"
    assert cloud["statistics"] == STATISTICS
    assert cloud["tradeStatistics"]["totalNumberOfTrades"] == 1
    assert local["tradeStatistics"]["totalNumberOfTrades"] == 0


def test_the_engine_of_the_settings_is_the_default(shell: Shell, cloud: Account) -> None:
    (shell.folder / "qc-lora.toml").write_text('engine = "quantconnect"\n')
    code, found = shell.json("s.py")
    assert (code, found["engine"]["name"]) == (0, "quantconnect")
    assert cloud.count("backtests/create") == 1


def test_several_engines_are_compared(shell: Shell) -> None:
    code, found = shell.json("s.py", "--engine", "simulator", "--engine", "quantconnect")
    assert code == 0
    assert set(found["results"]) == {"simulator", "quantconnect"}
    comparison = found["comparison"]
    assert comparison["same"] is False
    assert comparison["orders"] == {"simulator": 1, "quantconnect": 2}
    total = comparison["statistics"]["Total Orders"]
    assert total["differences"] == {"simulator": 0.0, "quantconnect": 1.0}
    (parting,) = comparison["first_differing_order"]
    assert (parting["engine"], parting["where"]) == ("quantconnect", "order 1")
    assert parting["facts"]["symbol"] == ["AAPL", "IBM"]


def test_the_table_shows_where_engines_differ(shell: Shell) -> None:
    code, out, _ = shell.run("s.py", "--engine", "simulator", "--engine", "quantconnect")
    assert code == 0
    assert out.startswith("s.py: simulator completed, quantconnect completed")
    (line,) = [line for line in out.splitlines() if line.startswith("Total Orders")]
    assert line.split() == ["Total", "Orders", "1", "2", "+1", "differs"]
    assert "first difference to quantconnect: order 1: symbol: AAPL / IBM" in out


def test_an_engine_that_cannot_be_asked_is_unknown_beside_one_that_can(shell: Shell) -> None:
    del shell.environment["QC_API_TOKEN"]
    code, out, _ = shell.run("s.py", "--engine", "simulator", "--engine", "quantconnect",
                             "--engine", "lean")  # fmt: skip
    assert code == 3
    assert "simulator completed, quantconnect unknown, lean unknown" in out
    assert "Set QC_USER_ID and QC_API_TOKEN" in out
    assert "the LEAN CLI is not installed" in out


def test_the_other_names_of_the_credentials_are_read(shell: Shell) -> None:
    for name in ("QC_USER_ID", "QC_API_TOKEN"):
        value = shell.environment.pop(name)
        shell.environment[name.replace("QC_", "QUANTCONNECT_")] = value
    assert shell.json("s.py", "--engine", "quantconnect")[0] == 0


def test_the_token_is_refused_in_a_file(shell: Shell) -> None:
    (shell.folder / "qc-lora.toml").write_text('quantconnect_token = "secret"\n')
    code, _, err = shell.run("s.py")
    assert code == 2
    assert "unknown key 'quantconnect_token'" in err
    assert "secret" not in err


def test_parameters_are_passed_and_a_malformed_one_is_refused(shell: Shell, canned: Canned) -> None:
    arguments = ("s.py", "--engine", "quantconnect", "--parameter", "fast=20", "--parameter", "x=")
    assert shell.run(*arguments)[0] == 0
    assert canned.seen[0][1].parameters == {"fast": "20", "x": ""}
    code, _, err = shell.run("s.py", "--parameter", "fast")
    assert code == 2
    assert "--parameter 'fast' has no value. Write it as NAME=VALUE." in err


def test_an_unknown_engine_is_refused_with_the_known_ones(shell: Shell) -> None:
    code, _, err = shell.run("s.py", "--engine", "zipline")
    assert code == 2
    assert "'simulator', 'quantconnect', 'lean'" in err


def test_many_files_and_engines_give_the_worst_exit_code(shell: Shell) -> None:
    (shell.folder / "t.py").write_text(HOLD + "# raise\n")
    code, found = shell.json(
        ".", "--engine", "simulator", "--engine", "quantconnect", "--jobs", "2"
    )
    assert code == 1
    assert [Path(one["file"]).name for one in found] == ["s.py", "t.py"]
    assert [one["results"]["quantconnect"]["status"] for one in found] == ["completed", "failed"]
    assert found[1]["comparison"]["same"] is None


def test_a_picture_is_drawn_of_one_file_only(shell: Shell) -> None:
    code, _, err = shell.run("s.py", "--engine", "quantconnect", "--out", "e.html")
    assert code == 0
    assert "drawn: e.html" in err
    assert "<svg" in (shell.folder / "e.html").read_text()
    (shell.folder / "t.py").write_text(HOLD)
    code, _, err = shell.run(".", "--out", "e.html")
    assert (code, "--out draws one strategy, 2 were given" in err) == (2, True)


# Crashes and Ctrl-C -------------------------------------------------------------------------------


def running(shell: Shell, cloud: Account) -> subprocess.Popen[str]:
    cloud.hold.clear()
    process = shell.start("s.py", "--engine", "quantconnect", "--json")
    until = time.monotonic() + 30
    while not cloud.count("backtests/read") and time.monotonic() < until:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    return process


def test_killed_with_9_the_same_command_picks_it_up_and_doubles_nothing(
    shell: Shell, cloud: Account
) -> None:
    process = running(shell, cloud)
    process.kill()
    process.communicate()
    assert len(tickets(shell)) == 1
    cloud.hold.set()
    code, found = shell.json("s.py", "--engine", "quantconnect")
    assert (code, found["status"]) == (0, "completed")
    assert cloud.count("backtests/create") == 1
    assert cloud.count("projects/create") == 1
    assert tickets(shell) == []


def test_what_a_crash_leaves_has_no_code_and_no_secret(shell: Shell, cloud: Account) -> None:
    process = running(shell, cloud)
    process.kill()
    process.communicate()
    (ticket,) = tickets(shell)
    text = ticket.read_text()
    assert "QCAlgorithm" not in text
    assert TOKEN not in text
    assert set(json.loads(text)) == {
        "key", "code_sha256", "project_id", "compile_id", "name", "backtest_id",
    }  # fmt: skip


def test_ctrl_c_stops_the_backtest_in_the_cloud(shell: Shell, cloud: Account) -> None:
    process = running(shell, cloud)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "qc-lora: stopped" in err
    assert "Traceback" not in err
    assert len(cloud.deleted) == 1
    assert tickets(shell) == []
