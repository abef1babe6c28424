"""What the child does in test_isolate: each function is the work of one test."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import DiskFull, MissingExtra, UnknownKey


def add(progress: Any, left: int, right: int) -> dict[str, Any]:
    print("not a line of ours")
    progress.update(1, "half")
    progress.update(2)
    return {"sum": left + right, "process": os.getpid()}


def fail(progress: Any, kind: str) -> dict[str, Any]:
    raise {
        "key": UnknownKey("x.yaml", "rnk", ["rank"]),
        "disk": DiskFull(Path("/home"), 30.0, 2.0, "The last checkpoint is kept."),
        "extra": MissingExtra("train", "torch"),
    }[kind]


def crash(progress: Any) -> dict[str, Any]:
    progress.update(1)
    raise RuntimeError("the 7th layer is missing")


def die(progress: Any, number: int) -> dict[str, Any]:
    os.kill(os.getpid(), number)
    raise AssertionError("it lives")


def shout(progress: Any, megabytes: int) -> dict[str, Any]:
    for _ in range(megabytes):
        sys.stderr.write("x" * 1_000_000)
    os.write(1, b"y" * 1_000_000)
    return {"said": megabytes}


def save_when_stopped(progress: Any, folder: str) -> dict[str, Any]:
    """Saves slowly when it is stopped, and writes down everything that happens."""
    log = Path(folder) / "log"
    try:
        log.write_text(f"{os.getpid()} started\n")
        while True:
            progress.update(1)
            time.sleep(0.02)
    except KeyboardInterrupt:
        time.sleep(1)
        log.write_text(log.read_text() + "saved\n")
        raise


def ignore(progress: Any, folder: str) -> dict[str, Any]:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Path(folder, "log").write_text(f"{os.getpid()} started\n")
    time.sleep(600)
    return {}
