"""What was taken out of everything that was kept: secrets and personal traces, by kind.

Counted where it is kept, in the same transaction. A row says it of one batch (a spool, a harvest, a
version of a source), so that stores that are put together count nothing twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite

from qc_builder_lora.store.database import Database
from qc_builder_lora.store.rows import BATCH
from qc_builder_lora.store.tables import RedactionRow

Row = tuple[str, str, str, int]
"""Source, batch, kind, count."""
_KEY = ("source", "batch", "kind")
_UNCOUNTED: Row = ("", "", "uncounted", 0)


@dataclass(frozen=True)
class TakenOut:
    """The totals of a store."""

    sources: Mapping[str, Mapping[str, int]]
    """Source → kind → how many."""
    uncounted: bool
    """Whether the store has records of a time when nothing was counted."""

    @property
    def kinds(self) -> Counter[str]:
        """The same of all sources together."""
        found: Counter[str] = Counter()
        for counts in self.sources.values():
            found.update(counts)
        return found


class Redactions:
    """One row a source, batch and kind."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = RedactionRow.table()

    def add(self, source: str, batch: str, counts: Mapping[str, int]) -> None:
        """So many more. Call it in the transaction that keeps what they were taken out of."""
        rows = [(source, batch, kind, count) for kind, count in sorted(counts.items()) if count]
        if rows:
            statement = self._insert()
            more = self._table.c.count + statement.excluded.count
            statement = statement.on_conflict_do_update(index_elements=_KEY, set_={"count": more})
            with self._database.writing() as connection:
                connection.execute(statement, _plain(rows))

    def restore(self, rows: Sequence[Row]) -> int:
        """These, where less or nothing is known of their batch; returns how many said more."""
        if not rows:
            return 0
        statement = self._insert()
        statement = statement.on_conflict_do_update(
            index_elements=_KEY,
            set_={"count": statement.excluded.count},
            where=self._table.c.count < statement.excluded.count,
        )
        with self._database.writing() as connection:
            statement = statement.returning(self._table.c.kind)
            return len(connection.scalars(statement, _plain(rows)).all())

    def note_uncounted(self) -> None:
        """There are records of a time when nothing was counted."""
        self.restore([_UNCOUNTED])

    def totals(self) -> TakenOut:
        """Everything, since counting began."""
        column = self._table.c
        statement = (
            select(column.source, column.kind, func.sum(column.count))
            .where(column.count > 0)
            .group_by(column.source, column.kind)
            .order_by(column.source, column.kind)
        )
        marker = select(func.count()).where(column.source == "", column.kind == _UNCOUNTED[2])
        sources: dict[str, dict[str, int]] = {}
        with self._database.reading() as connection:
            for source, kind, count in connection.execute(statement):
                sources.setdefault(source, {})[kind] = int(count)
            return TakenOut(sources, uncounted=bool(connection.scalar(marker)))

    def count(self) -> int:
        """How many rows there are."""
        with self._database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(self._table)) or 0

    def each(self) -> Iterator[Row]:
        """All of them in order, streamed."""
        column = self._table.c
        names = (column.source, column.batch, column.kind)
        statement = select(*names, column.count).order_by(*names)
        with self._database.reading() as connection:
            for row in connection.execute(statement, execution_options={"yield_per": BATCH}):
                yield row[0], row[1], row[2], row[3]

    def _insert(self) -> Any:
        dialect = postgresql if self._database.kind == "postgresql" else sqlite
        return dialect.insert(self._table)


def _plain(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [dict(zip((*_KEY, "count"), row, strict=True)) for row in rows]
