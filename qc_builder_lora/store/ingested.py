"""Which events of which spool have been taken, so that reading a spool twice doubles nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite

from qc_builder_lora.store.database import Database
from qc_builder_lora.store.rows import BATCH
from qc_builder_lora.store.tables import IngestedRow


class Ingested:
    """Pairs of a source's id and an event's number in it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = IngestedRow.table()

    def take(self, source: str, sequence: int) -> bool:
        """True when the event was not taken before. Call it in the transaction that stores what
        the event says: then either both are kept or neither is."""
        return self.restore([(source, sequence)]) == 1

    def among(self, source: str, sequences: Sequence[int]) -> set[int]:
        """Those of the numbers that were taken before."""
        column = self._table.c
        wanted = (column.source == source, column.sequence.in_(sequences))
        with self._database.reading() as connection:
            return set(connection.scalars(select(column.sequence).where(*wanted)))

    def last(self, source: str) -> int | None:
        """The highest number taken from a source, None when nothing was."""
        column = self._table.c
        statement = select(func.max(column.sequence)).where(column.source == source)
        with self._database.reading() as connection:
            found: int | None = connection.scalar(statement)
            return found

    def count(self, source: str | None = None) -> int:
        """How many events were taken, from one source or from all."""
        statement = select(func.count()).select_from(self._table)
        if source is not None:
            statement = statement.where(self._table.c.source == source)
        with self._database.reading() as connection:
            return connection.scalar(statement) or 0

    def each(self) -> Iterator[tuple[str, int]]:
        """All of them in order, streamed."""
        column = self._table.c
        statement = select(column.source, column.sequence).order_by(column.source, column.sequence)
        with self._database.reading() as connection:
            for row in connection.execute(statement, execution_options={"yield_per": BATCH}):
                yield row.source, row.sequence

    def restore(self, pairs: Sequence[tuple[str, int]]) -> int:
        """Mark many as taken; returns how many were not before."""
        dialect = postgresql if self._database.kind == "postgresql" else sqlite
        rows = [{"source": source, "sequence": sequence} for source, sequence in pairs]
        with self._database.writing() as connection:
            statement = dialect.insert(self._table).on_conflict_do_nothing()
            return len(connection.scalars(statement.returning(self._table.c.sequence), rows).all())
