"""Writing: what every noun of the store can do besides being read.

Each call is a transaction of its own, or part of the one that `store.transaction()` opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from qc_builder_lora.errors import NotFound, StoreError
from qc_builder_lora.store.rows import BATCH, R, Rows, meant


class Noun(Rows[R]):
    """The rows of one table as records, to be read and added to."""

    changeable: ClassVar[frozenset[str]] = frozenset()
    """The fields that `update` may set."""

    def add(self, record: R) -> R:
        """Keep the record and return the one that is kept.

        Adding an equal one again changes nothing. Raises StoreError for another record under the
        same id, for a reference to something that is not in the store, and for a value that could
        not be given back exactly.
        """
        values = self._values(record)
        try:
            with self._database.writing() as connection:
                if self._insert(connection, [values]):
                    self._after_insert(connection, [record])
                    return record
                return self._same(self._fetch(connection, [record.id])[record.id], record)
        except StoreError as error:
            raise self._explained(error, values) from error

    def add_all(self, records: Iterable[R]) -> int:
        """Keep many in one transaction; returns how many were new. Raises as `add` does."""
        added = 0
        with self._database.writing():
            batch: list[R] = []
            for record in records:
                batch.append(record)
                if len(batch) == BATCH:
                    added += self._add_batch(batch)
                    batch = []
            return added + (self._add_batch(batch) if batch else 0)

    def restore(self, records: Sequence[R]) -> int:
        """Keep records of another store; returns how many were new. Raises as `add` does."""
        return self.add_all(records)

    def _update(self, key: str, changes: Mapping[str, Any]) -> R:
        for name in changes:
            if name not in self.changeable:
                raise StoreError(
                    f"{self.word} {key!r}: {name!r} cannot be changed{meant(name, self.changeable)}"
                )
        values = {name: self._checked(name, value) for name, value in changes.items()}
        try:
            with self._database.writing() as connection:
                if values:
                    statement = update(self.table).where(self.table.c.id == key).values(values)
                    connection.execute(statement)
                found = self._fetch(connection, [key])
                if key not in found:
                    raise NotFound(self.word, key, self._cure(connection, key))
                return found[key]
        except StoreError as error:
            raise self._explained(error, {"id": key, **values}) from error

    def _add_batch(self, records: Sequence[R]) -> int:
        rows = [self._values(record) for record in records]
        try:
            with self._database.writing() as connection:
                added = self._insert(connection, rows)
                # Reversed, because of two of one id the database kept the first.
                given = {record.id: record for record in reversed(records)}
                self._after_insert(connection, [given[key] for key in added])
                if len(added) != len(records):
                    kept = self._fetch(connection, list(given))
                    for record in records:
                        self._same(kept[record.id], record)
                return len(added)
        except StoreError as error:
            if len(records) == 1 or not isinstance(error.__cause__, IntegrityError):
                raise self._explained(error, rows[0] if len(rows) == 1 else {}) from error
        # One of them was refused; alone, each can say what it lacks.
        return sum(self._add_batch([record]) for record in records)

    def _insert(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        dialect = postgresql if self._database.kind == "postgresql" else sqlite
        # Only a clash of ids is forgiven here: a second model in production is not.
        statement = dialect.insert(self.table).on_conflict_do_nothing(index_elements=["id"])
        return list(connection.scalars(statement.returning(self.table.c.id), list(rows)))

    def _after_insert(self, connection: Connection, records: Sequence[R]) -> None:
        """For a noun that has rows in a second table."""

    def _explained(self, error: StoreError, values: Mapping[str, Any]) -> StoreError:
        """A refused row, saying which reference leads nowhere; other errors as they are."""
        if not isinstance(error.__cause__, IntegrityError):
            return error
        for key in self.table.foreign_keys:
            value = values.get(key.parent.name)
            if value is None:
                continue
            with self._database.reading() as connection:
                if connection.scalar(select(key.column).where(key.column == value)) is None:
                    return StoreError(
                        f"{self.word} {values['id']!r}: {key.parent.name} {value!r} is not in the "
                        f"store. Add it to {key.column.table.name} first."
                    )
        return error
