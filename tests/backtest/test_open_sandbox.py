"""Where no wall can be had: no strategy runs, or its owner said so and every result says it too."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.config import load_settings
from qc_builder_lora.errors import SettingsError
from tests.backtest.conftest import strategy

ROOT = Path(__file__).parents[2]
CURES = (
    "--security-opt seccomp=unconfined",
    "--cap-add SYS_ADMIN",
    "kernel.unprivileged_userns_clone=1",
    "kernel.apparmor_restrict_unprivileged_userns=0",
    "QC_LORA_ALLOW_OPEN_SANDBOX=1",
)


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """What a strategy must not reach."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        yield listening


def reached(server: socket.socket) -> bool:
    try:
        server.accept()[0].close()
    except TimeoutError:
        return False
    return True


def calling(server: socket.socket) -> str:
    port = server.getsockname()[1]
    return strategy(f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 2).close()")


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
    sample_folder: Path, server: socket.socket, jobs: int
) -> None:
    program = textwrap.dedent(f"""
        from pathlib import Path
        from qc_builder_lora.backtest.simulator import Simulator
        from qc_builder_lora.errors import SandboxUnavailable
        simulator = Simulator(Path({str(sample_folder)!r}))
        try:
            print(list(simulator.run_many([{calling(server)!r}] * 2, jobs={jobs})))
        except SandboxUnavailable as error:
            print("refused", error)
    """)
    done = in_the_open("-c", program)
    assert done.stdout.startswith(
        "refused The sandbox has no wall here (user, net, ipc, uts, pid missing): "
        "unshare(user, net, ipc, uts, pid): Operation not permitted. No strategy was run."
    ), done.stdout + done.stderr
    assert not reached(server)


def test_the_command_line_says_how_to_get_the_wall(
    sample_folder: Path, server: socket.socket, tmp_path: Path
) -> None:
    (tmp_path / "calling.py").write_text(calling(server))
    done = in_the_open(
        "-m", "qc_builder_lora.cli", "backtest", str(tmp_path / "calling.py"),
        "--data", str(sample_folder),
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    for cure in CURES:
        assert cure in done.stderr
    assert not reached(server)


def test_a_waived_wall_is_told_in_the_result_and_in_the_engines_version(
    sample_folder: Path, server: socket.socket, tmp_path: Path
) -> None:
    (tmp_path / "calling.py").write_text(calling(server))
    done = in_the_open(
        "-m", "qc_builder_lora.cli", "backtest", str(tmp_path / "calling.py"),
        "--data", str(sample_folder), "--json", QC_LORA_ALLOW_OPEN_SANDBOX="true",
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert told["status"] == "completed", told["reason"]
    assert reached(server)
    assert told["missing_walls"] == ["user", "net", "ipc", "uts", "pid"]
    assert told["engine"]["version"].endswith(".open")
    assert "strategies run without a wall around them" in done.stderr


def test_a_wall_that_is_there_stays_where_it_was_waived(
    sample_folder: Path, server: socket.socket
) -> None:
    simulator = Simulator(sample_folder, allow_open_sandbox=True)
    result = simulator.run(calling(server))
    simulator.close()
    if result.missing_walls:
        pytest.skip("this machine does not allow user namespaces")
    assert "Network is unreachable" in str(result.reason)
    assert not str(result.engine_version).endswith(".open")
    assert not reached(server)


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
