"""What `qc-lora run` does when the script has ended: take its records into the store, quietly.

In a process of its own and for a limited time, so that a store that is locked, missing or broken
neither changes the script's exit code nor keeps its caller waiting. Cut short, nothing is lost:
the records stay in the spool for the next `qc-lora harvest ingest`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from qc_builder_lora.harvest.spool import spools

PATIENCE_S = 30.0
_INGEST = (
    "from qc_builder_lora.cli import main; main(['harvest', 'ingest', '--wait', '20', '--json'])"
)


def ingest_afterwards(
    home: Path, problem: str | None = None, patience_s: float = PATIENCE_S
) -> str:
    """One line about what was harvested; also in the log of the home. Raises nothing."""
    try:
        if problem is not None:
            summary = f"the records stay in {home}: {problem}"
        elif not spools(home / "spool"):
            summary = "nothing was recorded: the script has none of the builder's names"
        else:
            summary = _ingest(patience_s)
    except KeyboardInterrupt:
        summary = "stopped; the records stay in the spool for: qc-lora harvest ingest"
    except Exception as error:  # noqa: BLE001 (the script's exit code must come through)
        summary = f"the records stay in the spool: {type(error).__name__}: {error}"
    _log(home, summary)
    return summary


def _ingest(patience_s: float) -> str:
    command = [sys.executable, "-c", _INGEST]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=patience_s,
            check=False,
            umask=_umask(),
        )
    except subprocess.TimeoutExpired:
        return (
            f"the store did not answer within {patience_s:g} s; "
            "the records stay in the spool for: qc-lora harvest ingest"
        )
    if done.returncode:
        # Above it are lines of progress.
        said = done.stderr.strip().splitlines() or ["it ended without a word"]
        return f"the records stay in the spool: {said[-1]}"
    found = json.loads(done.stdout)
    return (
        f"harvested {found['builds']} builds, {found['generations']} generations, "
        f"{found['backtests']} backtests"
    )


def _umask() -> int:
    """The user's own, but what we make can be read and written by that user."""
    found = os.umask(0)
    os.umask(found)
    return found & 0o077


def _log(home: Path, text: str) -> None:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    try:
        home.mkdir(parents=True, exist_ok=True)
        with (home / "run.log").open("a", encoding="utf-8") as log:
            log.write(f"{moment} {text}\n")
    except OSError:
        return
