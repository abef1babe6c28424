"""Leases: what only one process may do at a time, for as long as it says that it lives.

A token grows with every new holder. Work that must not be done by a holder that overslept asks
`holds` in the transaction that writes its result.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from qc_builder_lora.errors import StoreError
from qc_builder_lora.ids import now
from qc_builder_lora.store.columns import Moment
from qc_builder_lora.store.database import Database
from qc_builder_lora.store.tables import LeaseRow

_NOBODY = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """The right to do what `name` says, until `expires_at` unless renewed."""

    name: str
    holder: str
    token: int
    """Grows with every new holder of this name."""
    expires_at: datetime
    """As of when it was acquired, or read."""
    seconds: float
    """What each renewal adds to the present moment; 0 for a lease that was only looked at."""


class Leases:
    """Compare-and-swap in one statement, so that two processes cannot both be told yes.

    The clock is the database's on PostgreSQL, which machines share, and the machine's on SQLite. A
    clock that is set back lengthens a lease; one that is set forward ends it early, which `holds`
    notices.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = LeaseRow.table()

    def acquire(self, name: str, holder: str, seconds: float) -> Lease | None:
        """The lease, or None while anybody (this holder included) has it.

        Raises StoreError for an empty holder, or a time that is not above zero.
        """
        if not holder:
            raise StoreError("A lease needs a holder's name, such as host and process id.")
        if not seconds > 0:
            raise StoreError(f"A lease must last longer than zero seconds, got {seconds}.")
        table = self._table
        dialect = postgresql if self._database.kind == "postgresql" else sqlite
        fresh = {"holder": holder, "expires_at": self._now(seconds)}
        statement = dialect.insert(table).values(name=name, token=1, **fresh)
        statement = statement.on_conflict_do_update(
            index_elements=["name"],
            set_={**fresh, "token": table.c.token + 1},
            where=table.c.expires_at <= self._now(),
        ).returning(table.c.token, table.c.expires_at)
        with self._database.writing() as connection:
            row = connection.execute(statement).one_or_none()
        if row is None:
            return None
        return Lease(
            name=name, holder=holder, token=row.token, expires_at=row.expires_at, seconds=seconds
        )

    def renew(self, lease: Lease) -> bool:
        """Extend it by its seconds from now; False when it has expired or somebody has it."""
        return self._change(lease, expires_at=self._now(lease.seconds))

    def release(self, lease: Lease) -> bool:
        """Let the next one have it at once; False when it was lost before."""
        return self._change(lease, expires_at=self._now(), holder=_NOBODY)

    def holds(self, lease: Lease) -> bool:
        """Whether it still holds. Inside `store.transaction()` the answer stays true to its end."""
        statement = select(self._table.c.token).where(self._valid(lease))
        with self._database.reading() as connection:
            if self._database.kind == "postgresql" and self._database.in_transaction:
                statement = statement.with_for_update(read=True)
            return connection.scalar(statement) is not None

    def current(self, name: str) -> Lease | None:
        """Who has it now, if anybody."""
        table = self._table
        statement = select(table).where(table.c.name == name, table.c.expires_at > self._now())
        with self._database.reading() as connection:
            row = connection.execute(statement).one_or_none()
        if row is None:
            return None
        return Lease(
            name=row.name,
            holder=row.holder,
            token=row.token,
            expires_at=row.expires_at,
            seconds=0.0,
        )

    def _change(self, lease: Lease, **changes: Any) -> bool:
        statement = update(self._table).where(self._valid(lease)).values(changes)
        with self._database.writing() as connection:
            return connection.execute(statement).rowcount == 1

    def _valid(self, lease: Lease) -> ColumnElement[bool]:
        column = self._table.c
        return and_(
            column.name == lease.name,
            column.holder == lease.holder,
            column.token == lease.token,
            column.expires_at > self._now(),
        )

    def _now(self, plus_s: float = 0.0) -> ColumnElement[Any]:
        later = timedelta(seconds=plus_s)
        if self._database.kind == "postgresql":
            # Not now(), which stands still during a transaction.
            return func.clock_timestamp() + later
        return literal(now() + later, Moment)
