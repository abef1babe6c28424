"""What the sources of the corpus had, and what became of each of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import delete, func, select

from qc_builder_lora.ids import json_hash
from qc_builder_lora.records import Entry, Outcome
from qc_builder_lora.store.noun import Noun
from qc_builder_lora.store.rows import BATCH
from qc_builder_lora.store.tables import EntryRow


def entry_id(source: str, key: str) -> str:
    """The id of what a source has under a key, whatever version of the source it is."""
    return json_hash([source, key])


class Entries(Noun[Entry]):
    """One for each thing of a source; looked at again, the later look takes the place.

    What was said of a place whose text has changed since can be forgotten.
    """

    record, row, word = Entry, EntryRow, "entry"
    identity = ("source",)
    changeable = frozenset(
        {
            "version", "licence", "step", "outcome", "created_at", "reason", "detail", "place",
            "basis",
        }
    )  # fmt: skip

    def find(
        self,
        *,
        source: str | None = None,
        outcome: Outcome | None = None,
        reason: str | None = None,
        limit: int | None = None,
    ) -> list[Entry]:
        """Newest first."""
        return self._select(limit=limit, source=source, outcome=outcome, reason=reason)

    def fetch(self, keys: Sequence[str]) -> dict[str, Entry]:
        """Those of these ids that there are."""
        found: dict[str, Entry] = {}
        with self._database.reading() as connection:
            for start in range(0, len(keys), BATCH):
                found |= self._fetch(connection, keys[start : start + BATCH])
        return found

    def put(self, entries: Iterable[Entry]) -> int:
        """Keep them all in one transaction; returns how many say something new.

        Of one id the later one counts; what is there already and says the same stays as it is.
        """
        given = {entry.id: entry for entry in entries}
        changed = 0
        with self._database.writing():
            kept = self.fetch(list(given))
            self.add_all(entry for key, entry in given.items() if key not in kept)
            for key, before in kept.items():
                after = given[key]
                if replace(after, created_at=before.created_at) != before:
                    changes = {name: getattr(after, name) for name in sorted(self.changeable)}
                    self._update(key, changes)
                    changed += 1
        return changed + len(given) - len(kept)

    def forget(self, keys: Sequence[str]) -> int:
        """Delete those of these ids that there are; returns how many that were."""
        gone = 0
        with self._database.writing() as connection:
            for start in range(0, len(keys), BATCH):
                some = self.table.c.id.in_(keys[start : start + BATCH])
                gone += connection.execute(delete(self.table).where(some)).rowcount
        return gone

    def counts(self) -> list[dict[str, Any]]:
        """How many there are of each source, version, licence, step, outcome and reason."""
        column = self.table.c
        names = (
            column.source, column.version, column.licence, column.step, column.outcome,
            column.reason,
        )  # fmt: skip
        statement = (
            select(*names, func.count().label("count"), func.max(column.created_at).label("last"))
            .group_by(*names)
            .order_by(column.source, column.version, column.licence)
        )
        with self._database.reading() as connection:
            return [dict(row) for row in connection.execute(statement).mappings()]
