"""What lies in the spools, and how much of it the store has."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from qc_builder_lora.harvest import events
from qc_builder_lora.harvest.ingest import SPOOL_FOLDER
from qc_builder_lora.harvest.spool import Damage, Spool, is_finished, read, spools, torn_bytes
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
    missing: tuple[str, ...] = field(default=())
    """Names that the host does not have, or has as something that cannot be hooked."""
    unreadable: str | None = None
    """Why the file cannot be read; nothing else is known then."""

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def survey(home: Path, store: Store | None) -> list[SpoolState]:
    """All spools of a home, the oldest first."""
    return [_looked_at(spool, store) for spool in spools(home / SPOOL_FOLDER)]


def _looked_at(spool: Spool, store: Store | None) -> SpoolState:
    try:
        return _look(spool, store)
    except OSError as error:
        return SpoolState(spool.id, 0, running=False, unreadable=error.strerror or str(error))


def _look(spool: Spool, store: Store | None) -> SpoolState:
    state = SpoolState(spool.id, spool.path.stat().st_size, not is_finished(spool))
    highest, end = -1, 0
    for item in read(spool.path):
        end = item.end
        if isinstance(item, Damage):
            state.damaged += 1
            continue
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
