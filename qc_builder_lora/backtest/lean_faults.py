"""Why `lean backtest` gave no result, out of what it printed: which thing is missing, and the cure.

The LEAN CLI says the same of a Docker that is not installed and of one that does not run; here
they are told apart.
"""

from __future__ import annotations

import re
import shutil
import subprocess

from qc_builder_lora.backtest.lean_result import INITIALIZING, LOADING, phase_of
from qc_builder_lora.errors import EngineUnavailable

NAME = "lean"
_DOCKER_S = 20.0
_TAIL = 12
"""Lines of its output that are shown where nothing is known about it."""
_RUNNING = ("Runtime Error:", "AlgorithmManager.Run(): RuntimeError")


def no_command(command: str) -> EngineUnavailable:
    """The program itself is not there."""
    return EngineUnavailable(
        NAME,
        f"the LEAN CLI is not installed: there is no program {command!r}.",
        "Install it with pip install lean (it also needs Docker), or name it with lean_command.",
    )


def no_workspace(folder: str) -> EngineUnavailable:
    """`lean init` was never run."""
    return EngineUnavailable(
        NAME,
        f"no LEAN CLI workspace: {folder} has no lean.json.",
        "Make one in an empty folder with lean login, then lean init, and name it with "
        "lean_workspace.",
    )


def strategy_error(output: str) -> tuple[str, str] | None:
    """Phase and text of an error that LEAN printed about the strategy; None if it printed none."""
    lines = output.splitlines()
    for index, line in enumerate(lines):
        if any(mark in line for mark in (*LOADING, *INITIALIZING, *_RUNNING)):
            return phase_of(line), "\n".join(part.rstrip() for part in lines[index : index + _TAIL])
    return None


def fault(output: str, code: int, folder: str) -> EngineUnavailable:
    """What kept the LEAN CLI from running LEAN."""
    # The CLI wraps its lines at the width of the terminal.
    text = " ".join(output.split()).lower()
    if "make sure docker is installed and running" in text or "docker daemon" in text:
        return _docker()
    if "snap version of docker" in text:
        return EngineUnavailable(
            NAME, "Docker was installed with snap, which the LEAN CLI cannot use.",
            "Install it from docs.docker.com/engine/install.",
        )  # fmt: skip
    if "sudo" in text and ("password" in text or "terminal" in text):
        return EngineUnavailable(
            NAME, "this user may not use Docker.",
            "Add it to the group docker (sudo usermod -aG docker $USER) and log in again.",
        )  # fmt: skip
    if "lean login" in text or "not logged in" in text or "userid not valid" in text:
        return EngineUnavailable(
            NAME, "the LEAN CLI is not logged in.", "Run: lean login (it needs a QuantConnect id)."
        )
    if re.search(r"something went wrong while pulling|image not found|no such image", text):
        return EngineUnavailable(
            NAME, "LEAN's Docker image is not on this machine and could not be fetched.",
            "Run where there is a network: docker pull quantconnect/lean:latest",
        )  # fmt: skip
    if "old lean cli root folder" in text:
        return EngineUnavailable(
            NAME, f"{folder} is a workspace of an old kind, without an organisation.",
            "Make a new one in an empty folder with lean init, and name it with lean_workspace.",
        )  # fmt: skip
    if "lean init" in text or "lean configuration file" in text:
        return no_workspace(folder)
    tail = "\n".join(output.strip().splitlines()[-_TAIL:])
    return EngineUnavailable(
        NAME, f"lean backtest ended with exit code {code} and left no result:\n{tail}"
    )


def _docker() -> EngineUnavailable:
    if shutil.which("docker") is None:
        return EngineUnavailable(
            NAME, "Docker is not installed, and the LEAN CLI runs LEAN in it.",
            "Install it from docs.docker.com/engine/install, or use --engine simulator.",
        )  # fmt: skip
    said = _asked_docker()
    if "permission denied" in said.lower():
        return EngineUnavailable(
            NAME, f"Docker runs, but this user may not use it: {said}",
            "Add it to the group docker (sudo usermod -aG docker $USER) and log in again.",
        )  # fmt: skip
    return EngineUnavailable(
        NAME, f"Docker is installed but does not run{': ' + said if said else '.'}",
        "Start it (for example: sudo systemctl start docker), or use --engine simulator.",
    )  # fmt: skip


def _asked_docker() -> str:
    try:
        done = subprocess.run(
            ["docker", "info"], capture_output=True, text=True, timeout=_DOCKER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = done.stderr.strip().splitlines()
    return lines[-1].strip() if lines and done.returncode else ""
