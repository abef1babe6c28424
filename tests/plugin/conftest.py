"""Runs a script with plain Python and with `qc-lora run`, and reads what was recorded."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import pytest

from qc_builder_lora.harvest.spool import Event, read, spools

CLI = [sys.executable, "-c", "from qc_builder_lora.cli import main; main()", "run"]

HOST = """
import sys

MCP_PORTS = {"quantconnect": 8000}


class FitnessTracker:
    def __init__(self):
        self.history = []

    def record(self, version, sharpe, iteration):
        if sharpe is None:
            raise ValueError(f"{version} has no Sharpe ratio")
        self.history.append((version, sharpe, iteration))

    def should_rollback(self):
        last = [entry[1] for entry in self.history[-3:]]
        return len(last) == 3 and last[0] > last[1] > last[2]


class ErrorClassifier:
    def classify(self, error_msg):
        return "CODE_ERROR" if "Error" in error_msg else "UNKNOWN"

    def record_error(self, error_msg, classification):
        pass


def call_mcp_with_retry(session_manager, mcp_name, method, params, max_retries=3):
    return {"result": {"content": [{"type": "text", "text": '{"success": true}'}]}}


def notify_build_progress(event, details=None, webhook_url=None):
    print("progress:", event, details)
"""


@dataclass
class Ran:
    """What came of one run."""

    code: int
    out: bytes
    err: bytes


@dataclass
class Stage:
    """A folder with a script in it."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def write(self, text: str, name: str = "script.py") -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), "utf-8")

    def run(self, prefix: list[str], script: str, *arguments: str, stdin: bytes = b"") -> Ran:
        environment = {**os.environ, "QC_LORA_HOME": str(self.home), **self.environment}
        done = subprocess.run(
            [*prefix, script, *arguments],
            cwd=self.folder,
            env=environment,
            input=stdin,
            capture_output=True,
            timeout=120,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def same(self, script: str = "script.py", *arguments: str, stdin: bytes = b"") -> Ran:
        """Run it both ways; the outcome, which must be the same."""
        plain = self.run([sys.executable], script, *arguments, stdin=stdin)
        hooked = self.run(CLI, script, *arguments, stdin=stdin)
        assert hooked.out.decode("utf-8", "replace") == plain.out.decode("utf-8", "replace")
        assert hooked.err.decode("utf-8", "replace") == plain.err.decode("utf-8", "replace")
        assert hooked == plain
        return hooked

    def events(self) -> list[Event]:
        """All records, spool by spool."""
        found = [item for spool in spools(self.home / "spool") for item in read(spool.path)]
        assert all(isinstance(item, Event) for item in found)
        return found

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events()]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)
