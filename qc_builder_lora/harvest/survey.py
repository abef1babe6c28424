"""What lies in the spools, and how much of it the store has."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from qc_builder_lora.harvest import events
from qc_builder_lora.harvest.ingest import SPOOL_FOLDER
from qc_builder_lora.harvest.sealed import is_redacted
from qc_builder_lora.harvest.spool import (
    SUFFIX,
    Damage,
    Spool,
    is_finished,
    read,
    spools,
    torn_bytes,
)
from qc_builder_lora.store import Store


@dataclass
class SpoolState:
    """One process of a host."""

    id: str
    size: int
    running: bool
    """Whether its process still lives."""
    host: str = "unknown"
    records: int = 0
    taken: int | None = None
    """Records the store has; None without a store."""
    lost: int = 0
    """Numbers that are missing: what a full disk kept from being written."""
    damaged: int = 0
    torn: int = 0
    """Bytes of a last record that was cut short, where its process has ended."""
    redacted: bool = False
    """Whether its file was written anew without secrets; before that it has what the host saw."""
    missing: tuple[str, ...] = field(default=())
    """Names that the host does not have, or has as something that cannot be hooked."""
    unreadable: str | None = None
    """Why the file cannot be read; nothing else is known then."""

    @property
    def holds_secrets(self) -> bool:
        """Whether an ended process's file is all in the store, and still as the host wrote it."""
        whole = bool(self.records) and self.taken == self.records
        return whole and not (self.running or self.redacted)

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def survey(home: Path, store: Store | None) -> list[SpoolState]:
    """All spools of a home, the oldest first."""
    folder = home / SPOOL_FOLDER
    try:
        # A folder that may not be read would pass for an empty one.
        names = os.listdir(folder)  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        return [_unreadable(str(folder), error)]
    found = [_looked_at(spool, store) for spool in spools(folder)]
    return found + _gone(names, store)


def _gone(names: list[str], store: Store | None) -> list[SpoolState]:
    """Spools that were deleted before everything in them was taken, by what is left beside them."""
    if store is None:
        return []
    kept = {name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)}
    left = {name.removesuffix(".cursor") for name in names if name.endswith(".cursor")}
    found = []
    for key in sorted(left - kept):
        last, taken = store.ingested.last(key), store.ingested.count(key)
        if last is not None and taken < last + 1:
            lost = last + 1 - taken
            why = f"its file was deleted with {lost} records that were not taken yet"
            found.append(SpoolState(key, 0, running=False, lost=lost, taken=taken, unreadable=why))
    return found


def _unreadable(key: str, error: OSError) -> SpoolState:
    return SpoolState(key, 0, running=False, unreadable=error.strerror or str(error))


def _looked_at(spool: Spool, store: Store | None) -> SpoolState:
    try:
        return _look(spool, store)
    except OSError as error:
        return _unreadable(spool.id, error)


def _look(spool: Spool, store: Store | None) -> SpoolState:
    state = SpoolState(spool.id, spool.path.stat().st_size, not is_finished(spool))
    highest, end = -1, 0
    for item in read(spool.path):
        end = item.end
        if isinstance(item, Damage):
            state.damaged += 1
            continue
        if not state.records:
            state.redacted = is_redacted(item)
        state.records += 1
        highest = max(highest, item.sequence)
        if item.kind == events.OPENED:
            state.host = str((item.body.get("arguments") or ["unknown"])[0])
        elif item.kind == events.MAIN_START:
            state.missing = tuple(item.body.get("missing") or ())
    state.torn = 0 if state.running else torn_bytes(spool.path, end)
    state.lost = highest + 1 - state.records
    if store is not None:
        state.taken = store.ingested.count(spool.id)
    return state
