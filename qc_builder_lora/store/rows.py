"""Reading: one table's rows as the records of records.py, and records as JSON.

Each call is a transaction of its own, or part of the one that `store.transaction()` opened.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, Table, func, select
from sqlalchemy.engine import RowMapping

from qc_builder_lora.errors import NotFound, StoreError
from qc_builder_lora.store.columns import Checked
from qc_builder_lora.store.database import Database
from qc_builder_lora.store.tables import Base

BATCH = 500
"""Rows fetched or written at a time: bounds memory, and stays under every parameter limit."""


class Stored(Protocol):
    """Any record of records.py."""

    @property
    def id(self) -> str:
        """The primary key."""
        ...


R = TypeVar("R", bound=Stored)


class Rows(Generic[R]):
    """The rows of one table as records, to be read."""

    record: ClassVar[type[Any]]
    row: ClassVar[type[Base]]
    word: ClassVar[str]
    """The singular, for messages and export lines."""
    moment: ClassVar[str] = "created_at"
    """The column that says when; `find` gives the newest first by it."""
    identity: ClassVar[tuple[str, ...] | None] = None
    """The fields that two records of one id must share; None: all of them. A record whose id is
    the hash of its content names only that content here: when it was first seen, and by whom,
    may differ, and the first one stays."""
    list_command: ClassVar[str] = ""
    """The command that lists them, where there is one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        names = [item.name for item in fields(self.record)]
        self._columns = {name: self.table.c[name] for name in names if name in self.table.c}

    @property
    def table(self) -> Table:
        """The table, for queries of this package."""
        return self.row.table()

    def get(self, key: str) -> R:
        """The record of that id. Raises NotFound, naming the nearest ids."""
        with self._database.reading() as connection:
            found = self._fetch(connection, [key])
            if key not in found:
                raise NotFound(self.word, key, self._cure(connection, key))
            return found[key]

    def has(self, key: str) -> bool:
        """Whether there is a record of that id."""
        with self._database.reading() as connection:
            return bool(self._present(connection, [key]))

    def among(self, keys: Iterable[str]) -> set[str]:
        """Those of the ids that there are records of."""
        wanted, found = list(keys), set[str]()
        with self._database.reading() as connection:
            for start in range(0, len(wanted), BATCH):
                found |= self._present(connection, wanted[start : start + BATCH])
        return found

    def count(self) -> int:
        """How many there are."""
        with self._database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(self.table)) or 0

    def each(self) -> Iterator[R]:
        """All of them in the order of their ids, streamed, as they were at the first one."""
        with self._database.reading() as connection:
            statement = select(*self._columns.values()).order_by(*self._in_order())
            result = connection.execute(statement, execution_options={"yield_per": BATCH})
            for rows in result.mappings().partitions(BATCH):
                yield from self._records(connection, rows)

    def to_plain(self, record: R) -> dict[str, Any]:
        """The record as JSON values."""
        plain = {}
        for name, kind in self._kinds():
            value = getattr(record, name)
            plain[name] = None if value is None else kind.to_plain(kind.accept(value))
        return plain

    def from_plain(self, plain: Mapping[str, Any]) -> R:
        """The record from JSON values; fields that an older file lacks take their defaults.

        Raises StoreError, TypeError or ValueError for a value that is not what it should be.
        """
        record: R = self.record(**self._decoded(plain))
        return record

    def restore(self, records: Sequence[R]) -> int:
        """Keep records of another store; returns how many were new. Raises StoreError."""
        raise NotImplementedError

    # What follows is for the nouns themselves.

    def _decoded(self, plain: Mapping[str, Any]) -> dict[str, Any]:
        kinds = dict(self._kinds())
        values: dict[str, Any] = {}
        for name, value in plain.items():
            if name not in kinds:
                raise StoreError(f"unknown field {name!r}{meant(name, kinds)}")
            kind = kinds[name]
            values[name] = None if value is None else kind.accept(kind.from_plain(value))
        return values

    def _in_order(self) -> list[ColumnElement[Any]]:
        return [self.table.c.id]

    def _select(
        self,
        *conditions: ColumnElement[bool],
        limit: int | None,
        oldest_first: bool = False,
        **equal: Any,
    ) -> list[R]:
        where = [self.table.c[name] == value for name, value in equal.items() if value is not None]
        order: list[ColumnElement[Any]] = [self.table.c[self.moment], self.table.c.id]
        if not oldest_first:
            order = [column.desc() for column in order]
        statement = select(*self._columns.values()).where(*where, *conditions).order_by(*order)
        return self._run(statement if limit is None else statement.limit(limit))

    def _run(self, statement: Select[Any]) -> list[R]:
        with self._database.reading() as connection:
            return self._records(connection, connection.execute(statement).mappings().all())

    def _since(self, since: Any) -> list[ColumnElement[bool]]:
        return [] if since is None else [self.table.c[self.moment] >= since]

    def _records(self, connection: Connection, rows: Sequence[RowMapping]) -> list[R]:
        return [self.record(**row) for row in rows]

    def _fetch(self, connection: Connection, keys: Sequence[str]) -> dict[str, R]:
        statement = select(*self._columns.values()).where(self.table.c.id.in_(keys))
        rows = connection.execute(statement).mappings().all()
        return {record.id: record for record in self._records(connection, rows)}

    def _present(self, connection: Connection, keys: Sequence[str]) -> set[str]:
        column = self.table.c.id
        return set(connection.scalars(select(column).where(column.in_(keys))))

    def _kinds(self) -> list[tuple[str, Checked[Any]]]:
        pairs = []
        for name, column in self._columns.items():
            assert isinstance(column.type, Checked)
            pairs.append((name, column.type))
        return pairs

    def _values(self, record: R) -> dict[str, Any]:
        if not isinstance(record, self.record):
            raise StoreError(f"A {self.word} must be a {self.record.__name__}, got {record!r}.")
        return {name: self._checked(name, getattr(record, name)) for name in self._columns}

    def _checked(self, name: str, value: Any) -> Any:
        column = self._columns[name]
        where = f"{self.record.__name__}.{name}"
        if value is None:
            if not column.nullable:
                raise StoreError(f"{where} must not be None.")
            return None
        assert isinstance(column.type, Checked)
        try:
            return column.type.accept(value)
        except StoreError as error:
            raise StoreError(f"{where} {error}") from error

    def _same(self, kept: R, given: R) -> R:
        first, second = self.to_plain(kept), self.to_plain(given)
        names = self.identity if self.identity is not None else tuple(first)
        differing = [name for name in names if first[name] != second[name]]
        if differing:
            raise StoreError(
                f"{self.word} {kept.id!r} is already in the store and differs in "
                f"{', '.join(differing)}. The one that is there was kept. Give the new one an id "
                "of its own."
            )
        return kept

    def _cure(self, connection: Connection, key: str) -> str:
        column = self.table.c.id
        newest = select(column).order_by(self.table.c[self.moment].desc(), column.desc())
        names = list(connection.scalars(newest.limit(1000)))
        close = difflib.get_close_matches(key, names, n=1)
        if close:
            return f"Did you mean {close[0]!r}?"
        if not names:
            return f"The store has no {self.word} yet."
        if self.list_command:
            return f"List them with: {self.list_command}"
        return f"The newest are: {', '.join(names[:3])}."


def meant(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the nearest, and all that are known."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f".{hint} Known are: {', '.join(names)}."
