"""Served answers on disk, while the store cannot take them: one JSON line each, redacted already.

A file belongs to the process that writes it; whoever finds one whose process is gone takes it over.
A line that was written twice is kept once: the ids in it are those that the store will have.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import StoreError, StoreUnavailable
from qc_builder_lora.log import get_logger
from qc_builder_lora.records import Generation, Request, Role

log = get_logger(__name__)

Pair = tuple[Request, Generation]
Keep = Callable[[Sequence[Pair]], object]
_TOGETHER = 100


class ServedSpool:
    """The files of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = folder / f"{os.getpid()}.jsonl"
        self._lock = threading.Lock()

    @property
    def file(self) -> Path:
        """Where this process writes."""
        return self._own

    def empty(self) -> bool:
        """Whether there is nothing to take."""
        return not self._mine()

    def add(self, records: Sequence[Pair]) -> None:
        """Write them down; OSError where the disk does not take them."""
        lines = "".join(
            json.dumps({"request": _plain(request), "generation": _plain(generation)}) + "\n"
            for request, generation in records
        )
        with self._lock:
            self._folder.mkdir(parents=True, exist_ok=True)
            mode = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            # Readable for the owner alone, as the store is: a strategy is somebody's work.
            with os.fdopen(os.open(self._own, mode, 0o600), "a", encoding="utf-8") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())

    def drain(self, keep: Keep) -> int:
        """Give all of them to `keep`, some at a time; a file is deleted once all of it was taken.

        Returns how many there were. What `keep` raises of a store that is away ends it, with the
        file still there; what the store refuses for good is said and passed over.
        """
        taken = 0
        for file in self._mine():
            with self._lock:
                records = list(_read(file))
                for start in range(0, len(records), _TOGETHER):
                    taken += _give(keep, records[start : start + _TOGETHER])
                file.unlink(missing_ok=True)
        return taken

    def _mine(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        found = sorted(self._folder.glob("*.jsonl"))
        return [one for one in found if one == self._own or not _alive(one.stem)]


def _give(keep: Keep, records: Sequence[Pair]) -> int:
    try:
        keep(records)
    except StoreUnavailable:
        raise
    except StoreError as error:
        if len(records) == 1:
            log.warning("a spooled answer is refused", id=records[0][1].id, why=str(error))
            return 0
        return sum(_give(keep, [one]) for one in records)
    return len(records)


def _read(file: Path) -> Iterator[Pair]:
    for number, line in enumerate(file.read_text("utf-8", "replace").splitlines(), 1):
        try:
            both = json.loads(line)
            yield _restored(Request, both["request"]), _restored(Generation, both["generation"])
        except (ValueError, KeyError, TypeError, ArithmeticError) as error:
            # Cut short by the end of its process, most likely.
            log.warning("a spooled answer cannot be read", file=str(file), line=number,
                        why=f"{type(error).__name__}: {error}")  # fmt: skip


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def _plain(record: Request | Generation) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime)
        else str(value) if isinstance(value, Decimal) else value
        for name, value in asdict(record).items() if value is not None
    }  # fmt: skip


def _restored(kind: Callable[..., Any], plain: Mapping[str, Any]) -> Any:
    values = {**plain, "created_at": datetime.fromisoformat(plain["created_at"])}
    if "cost_usd" in values:
        values["cost_usd"] = Decimal(values["cost_usd"])
    if "role" in values:
        values["role"] = Role(values["role"])
    return kind(**values)
