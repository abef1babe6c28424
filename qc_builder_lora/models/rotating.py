"""A key in a file that may change while its reader runs: the file is looked at before each use.

A file that is empty or cannot be read for a moment (it is being replaced) changes nothing; that is
said once.
"""

from __future__ import annotations

import threading
from pathlib import Path

from qc_builder_lora.log import get_logger

log = get_logger(__name__)


class RotatingKey:
    """Called for the key that holds now."""

    def __init__(self, key: str, file: Path) -> None:
        """`key` is what the file held when it was first read."""
        self._key, self._file = key, file
        self._lock = threading.Lock()
        self._seen = _state(file)
        self._said = False

    def __call__(self) -> str:
        """The key: microseconds where the file has not changed."""
        state = _state(self._file)
        if state != self._seen:
            with self._lock:
                self._read(state)
        return self._key

    def _read(self, state: tuple[int, ...] | None) -> None:
        try:
            key = self._file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            self._keep(f"it cannot be read ({type(error).__name__})")
            return
        if not key:
            self._keep("it is empty")
            return
        self._seen, self._said = state, False
        if key != self._key:
            self._key = key
            log.info("a key has changed", file=str(self._file))

    def _keep(self, why: str) -> None:
        if not self._said:
            log.warning("the key before it is used on", file=str(self._file), why=why)
        self._said = True


def _state(file: Path) -> tuple[int, ...] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
