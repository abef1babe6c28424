"""Whether a store is sound: revision, file, references, every row readable, one production."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, func, select, text

from qc_builder_lora.errors import NewerStore, OlderStore, StoreBusy, StoreError, StoreUnavailable
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.store.address import parse_address
from qc_builder_lora.store.database import Database
from qc_builder_lora.store.revisions import HEAD, REVISIONS, find_revision
from qc_builder_lora.store.rows import Rows
from qc_builder_lora.store.store import BUSY_S, Store, prepare_file
from qc_builder_lora.store.tables import Base

_SHOWN = 5
"""Problems of one kind that are spelt out."""


@dataclass(frozen=True, kw_only=True)
class Health:
    """What `check_store` found; sound when there are no problems."""

    url: str
    revision: str | None
    problems: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    needed: str = HEAD

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "url": self.url,
            "ok": not self.problems,
            "revision": self.revision,
            "needed": self.needed,
            "problems": list(self.problems),
            "counts": self.counts,
        }


def check_store(url: str, *, busy_s: float = BUSY_S, progress: Progress = SILENT) -> Health:
    """Look at everything and change nothing. `progress` counts tables.

    Raises NotFound when there is no database, NewerStore, StoreBusy, and StoreUnavailable when it
    cannot be opened at all.
    """
    address = parse_address(url)
    prepare_file(address, create=False)
    database = Database(address, busy_s=busy_s)
    try:
        with database.frozen():
            return _examine(Store(database), progress)
    finally:
        database.close()


def _examine(store: Store, progress: Progress) -> Health:
    database = store.database
    with database.reading() as connection:
        revision = find_revision(connection)
    if revision is not None and revision not in REVISIONS:
        raise NewerStore(store.url, revision, HEAD)
    problems: list[str] = []
    _collect(problems, _integrity(database))
    if revision != HEAD:
        problems.append(str(OlderStore(store.url, revision, HEAD)))
        return Health(url=store.url, revision=revision, problems=tuple(problems))
    for done, noun in enumerate(store.nouns()):
        progress.update(done, noun.table.name)
        _collect(problems, _unreadable(noun))
    counts: dict[str, int] = {}
    for table in Base.metadata.sorted_tables:
        _collect(problems, _orphans(database, table))
        _collect(problems, _counted(database, table, counts))
    _collect(problems, _production(store))
    progress.update(len(counts))
    return Health(url=store.url, revision=revision, problems=tuple(problems), counts=counts)


def _collect(problems: list[str], found: Iterator[str]) -> None:
    try:
        problems.extend(found)
    except StoreBusy:
        raise
    except StoreUnavailable as error:
        if str(error) not in problems:
            problems.append(str(error))


def _integrity(database: Database) -> Iterator[str]:
    """SQLite's own checks; PostgreSQL has none that a client could ask for."""
    if database.kind != "sqlite":
        return
    with database.reading() as connection:
        for row in connection.execute(text(f"PRAGMA integrity_check({_SHOWN})")):
            if row[0] != "ok":
                yield f"PRAGMA integrity_check: {row[0]}"
        broken = connection.execute(text("PRAGMA foreign_key_check")).all()
        for name in sorted({row[0] for row in broken}):
            number = sum(row[0] == name for row in broken)
            yield f"PRAGMA foreign_key_check: {name} has rows that refer to nothing: {number}"


def _unreadable(noun: Rows[Any]) -> Iterator[str]:
    last = None
    try:
        for record in noun.each():
            noun.to_plain(record)
            last = record.id
    except StoreUnavailable:
        raise
    except (StoreError, ValueError, TypeError, ArithmeticError) as error:
        after = f"after {last!r}" if last else "the first"
        yield f"{noun.table.name}: a row cannot be read ({after}): {error}"


def _orphans(database: Database, table: Table) -> Iterator[str]:
    for key in sorted(table.foreign_keys, key=lambda item: item.parent.name):
        parent = key.column.table.alias()
        lost = (
            select(key.parent)
            .outerjoin(parent, key.parent == parent.c[key.column.name])
            .where(key.parent.is_not(None), parent.c[key.column.name].is_(None))
        )
        with database.reading() as connection:
            examples = _some(connection, lost)
            if examples:
                number = connection.scalar(select(func.count()).select_from(lost.subquery()))
                yield (
                    f"{table.name}.{key.parent.name}: {number} refer to {key.column.table.name} "
                    f"that are not there: {', '.join(map(repr, examples))}"
                )


def _counted(database: Database, table: Table, counts: dict[str, int]) -> Iterator[str]:
    """Counts a table; says nothing unless that fails."""
    with database.reading() as connection:
        counts[table.name] = connection.scalar(select(func.count()).select_from(table)) or 0
    yield from ()


def _some(connection: Connection, statement: Any) -> list[Any]:
    return list(connection.scalars(statement.limit(_SHOWN)))


def _production(store: Store) -> Iterator[str]:
    """What answers must be what a person last decided."""
    model = store.models.production()
    decided = store.promotions.course().production
    found = model.id if model else None
    if found != decided:
        yield f"models: {found!r} is in production, the last promotion decided {decided!r}"
