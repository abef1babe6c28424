"""What serving processes count of the models that answer: each writes its own, and reads all.

A phase is the time in which one decision stood. Like leases these belong to processes that live:
an export leaves them out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from qc_builder_lora.ids import now
from qc_builder_lora.store.database import Database
from qc_builder_lora.store.tables import TallyRow

Key = tuple[str, str]
"""Phase, and Model id or another name of who answered."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What one process counted of one model in one phase."""

    process: str
    phase: str
    model: str
    figures: Mapping[str, Any]


class Tallies:
    """One row a process, phase and model."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = TallyRow.table()

    def put(self, process: str, figures: Mapping[Key, Mapping[str, Any]]) -> None:
        """What a process has counted so far, in place of what it said before."""
        if not figures:
            return
        dialect = postgresql if self._database.kind == "postgresql" else sqlite
        statement = dialect.insert(self._table)
        statement = statement.on_conflict_do_update(
            index_elements=["process", "phase", "model"],
            set_={"figures": statement.excluded.figures},
        )
        rows = [
            {"process": process, "phase": phase, "model": model, "figures": dict(one),
             "began_at": now()}
            for (phase, model), one in figures.items()
        ]  # fmt: skip
        with self._database.writing() as connection:
            connection.execute(statement, rows)

    def find(self, *, but: str = "") -> list[Told]:
        """What all processes said, without the one named."""
        column = self._table.c
        statement = select(column.process, column.phase, column.model, column.figures)
        with self._database.reading() as connection:
            found = connection.execute(statement.where(column.process != but)).mappings()
            return [Told(**row) for row in found]

    def began(self, phase: str) -> datetime | None:
        """When the first row of a phase was written; None where there is none."""
        column = self._table.c
        statement = select(func.min(column.began_at)).where(column.phase == phase)
        with self._database.reading() as connection:
            found: datetime | None = connection.scalar(statement)
            return found

    def keep(self, phases: Collection[str]) -> int:
        """Forget all other phases; returns how many rows went."""
        with self._database.writing() as connection:
            gone = self._table.c.phase.not_in(sorted(phases))
            return connection.execute(delete(self._table).where(gone)).rowcount
