"""Which backtests run in the cloud right now, kept in the home so that a crash forgets none.

One small file a backtest, written before anything is waited for and removed when its result was
read. Holds ids and hashes, no code and no credentials.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from qc_builder_lora.backtest.quantconnect.patience import Patience
from qc_builder_lora.errors import InputError
from qc_builder_lora.files import write_json

_LOOK_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """One backtest that was asked for."""

    key: str
    """Hash of code, settings and project: the same command asks for the same."""
    code_sha256: str
    """Of the text that was read back."""
    project_id: int
    compile_id: str
    name: str
    """Unlike any other: by it a backtest is found whose creation was not answered."""
    backtest_id: str | None = None


class Ledger:
    """The tickets of one home."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "quantconnect"

    def find(self, key: str) -> Ticket | None:
        """The ticket of that key; None if there is none, or if it cannot be read."""
        try:
            return Ticket(**json.loads(self._path(key).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def keep(self, ticket: Ticket) -> None:
        """Write it down; it is on the disk when this returns."""
        write_json(self._path(ticket.key), asdict(ticket))

    def drop(self, ticket: Ticket) -> None:
        """Its result was read, or it was stopped."""
        self._path(ticket.key).unlink(missing_ok=True)

    @contextmanager
    def turn(self, patience: Patience) -> Iterator[None]:
        """One at a time, over threads and processes: a project has one main.py."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = (self._folder / ".lock").open("a")
        except OSError as error:
            raise InputError(
                f"{self._folder}: cannot be written ({error.strerror}), and without it a crash "
                "would leave backtests running. Make it writable, or set QC_LORA_HOME."
            ) from error
        with lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    patience.wait(_LOOK_S, "the project, in which another backtest was prepared")
            yield

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"
