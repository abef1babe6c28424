"""Where no wall can be had: no strategy runs, or its owner said so and every result says it too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.config import load_settings
from qc_builder_lora.errors import SettingsError
from tests.backtest.conftest import strategy

ROOT = Path(__file__).parents[2]
SECRET = "what a strategy must not read"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text(SECRET)
    return path


def reading(path: Path) -> str:
    return strategy(f"self.log(open({str(path)!r}).read())")


def in_the_open(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python on a machine that refuses namespaces."""
    script = str(Path(__file__).with_name("no_namespaces.py"))
    kept = {k: v for k, v in os.environ.items() if not k.startswith("QC_LORA_")}
    return subprocess.run(
        [sys.executable, script, *arguments], capture_output=True, text=True, check=False,
        cwd=ROOT, env={**kept, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_strategy_runs_where_no_wall_can_be_had(
    sample_folder: Path, secret: Path, jobs: int
) -> None:
    program = textwrap.dedent(f"""
        from pathlib import Path
        from qc_builder_lora.backtest.simulator import Simulator
        simulator = Simulator(Path({str(sample_folder)!r}))
        for result in simulator.run_many([{reading(secret)!r}] * 2, jobs={jobs}):
            print(result.status, result.phase, result.logs, result.reason)
    """)
    done = in_the_open("-c", program)
    lines = done.stdout.splitlines()
    assert len(lines) == 2, done.stdout + done.stderr
    for line in lines:
        assert line.startswith(
            "unknown load () no sandbox: The sandbox has no wall here "
            "(user, mount, pid, net, ipc, uts missing): unshare("
        )
        assert "Operation not permitted" in line
        assert "No strategy was run." in line


def test_the_command_line_says_unknown_and_how_to_get_the_wall(
    sample_folder: Path, secret: Path, tmp_path: Path
) -> None:
    (tmp_path / "reading.py").write_text(reading(secret))
    done = in_the_open(
        "-m", "qc_builder_lora.cli", "backtest", str(tmp_path / "reading.py"),
        "--data", str(sample_folder), "--json",
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert (done.returncode, told["status"]) == (3, "unknown")
    assert told["reason"].startswith("no sandbox: The sandbox has no wall here")
    assert "--unsafe, or QC_LORA_ALLOW_OPEN_SANDBOX=1" in told["reason"]
    assert SECRET not in done.stdout


@pytest.mark.parametrize("how", ["option", "setting"])
def test_a_waived_wall_is_told_in_the_result_and_in_the_engines_version(
    sample_folder: Path, secret: Path, tmp_path: Path, how: str
) -> None:
    (tmp_path / "reading.py").write_text(reading(secret))
    option = ["--unsafe"] if how == "option" else []
    setting = {"QC_LORA_ALLOW_OPEN_SANDBOX": "true"} if how == "setting" else {}
    done = in_the_open(
        "-m", "qc_builder_lora.cli", "backtest", str(tmp_path / "reading.py"),
        "--data", str(sample_folder), "--json", *option, **setting,
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert told["status"] == "completed", told["reason"]
    assert SECRET in told["logs"]
    assert told["missing_walls"] == ["user", "mount", "pid", "net", "ipc", "uts"]
    assert told["engine"]["version"].endswith(".open")
    assert "strategies run without a wall around them" in done.stderr


def test_what_can_be_had_without_namespaces_stands_in_the_open_too(
    sample_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "calling.py").write_text(
        strategy("import os\nself.log(dict(os.environ))\nimport socket\nsocket.socket()")
    )
    done = in_the_open(
        "-m", "qc_builder_lora.cli", "backtest", str(tmp_path / "calling.py"),
        "--data", str(sample_folder), "--json", "--unsafe",
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert told["reason"].startswith("PermissionError: [Errno 1] Operation not permitted (line 13")
    assert told["logs"][0] == "{}"


def test_a_wall_that_is_there_stays_where_it_was_waived(sample_folder: Path, secret: Path) -> None:
    simulator = Simulator(sample_folder, allow_open_sandbox=True)
    result = simulator.run(reading(secret))
    simulator.close()
    if result.missing_walls:
        pytest.skip("this machine does not allow namespaces")
    assert str(result.reason).startswith("FileNotFoundError: [Errno 2] No such file or directory")
    assert not str(result.engine_version).endswith(".open")


def test_the_stand_in_for_quantconnect_does_not_start_without_a_wall(sample_folder: Path) -> None:
    script = str(ROOT / "examples" / "quantconnect_mcp.py")
    done = in_the_open(script, "--port", "0", "--data", str(sample_folder))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("The sandbox has no wall here")


def test_the_demo_stops_before_its_builder_records_anything(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    done = in_the_open("-m", "qc_builder_lora.cli", "demo", QC_LORA_HOME=home)
    assert done.returncode == 2
    assert "The sandbox has no wall here" in done.stderr
    assert not (tmp_path / "home" / "demo" / "builder.log").exists()
    assert not (tmp_path / "home" / "spool").exists()


@pytest.mark.parametrize(("text", "meant"), [("false", False), ("0", False), ("Yes", True)])
def test_the_waiver_is_read_as_a_word(tmp_path: Path, text: str, meant: bool) -> None:
    settings = load_settings({"QC_LORA_ALLOW_OPEN_SANDBOX": text}, tmp_path)
    assert settings.allow_open_sandbox is meant


def test_a_waiver_that_is_neither_true_nor_false_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match="allow_open_sandbox must be true or false, got 'maybe'"
    ):
        load_settings({"QC_LORA_ALLOW_OPEN_SANDBOX": "maybe"}, tmp_path)
