"""What hosted models cost: a Ledger that survives a restart and a crowd of processes.

Money is set aside before a call, in the same transaction that looks whether the Build still has
it, and settled after. What was never settled, because its process died, stays spent.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select, text

from qc_builder_lora.ids import new_id, now
from qc_builder_lora.records import Spending
from qc_builder_lora.store.noun import Noun
from qc_builder_lora.store.tables import SpendingRow

_BUDGET_LOCK = 0x716C6275  # Any number of our own, see `revisions._UPGRADE_LOCK`.


class Spendings(Noun[Spending]):
    """One row a call of a hosted model."""

    record, row, word = Spending, SpendingRow, "spending"
    changeable = frozenset({"cost_usd", "settled_at"})

    def find(
        self,
        *,
        build_id: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> list[Spending]:
        """Newest first."""
        return self._select(*self._since(since), limit=limit, build_id=build_id)

    def reserve(
        self, build_id: str, provider: str, model: str, amount: Decimal, limit: Decimal
    ) -> str | None:
        """Set `amount` USD aside and give the reservation's id; None if it would pass `limit`."""
        with self._database.writing() as connection:
            self._lock(connection, build_id)
            if self._sum(connection, build_id) + amount > limit:
                return None
            kept = self.add(
                Spending(
                    id=new_id(),
                    build_id=build_id,
                    provider=provider,
                    model=model,
                    reserved_usd=amount,
                    created_at=now(),
                )
            )
            return kept.id

    def settle(self, key: str, amount: Decimal) -> None:
        """Replace what was set aside by what it cost; a second time changes nothing."""
        with self._database.writing():
            if self.get(key).cost_usd is None:
                self._update(key, {"cost_usd": amount, "settled_at": now()})

    def spent(self, build_id: str) -> Decimal:
        """US dollars a Build has spent and set aside."""
        with self._database.reading() as connection:
            return self._sum(connection, build_id)

    def _sum(self, connection: Connection, build_id: str) -> Decimal:
        # Added here: SQLite keeps money as text, and its own sum would be a binary float.
        column = self.table.c
        statement = select(column.cost_usd, column.reserved_usd).where(column.build_id == build_id)
        rows: Sequence[Any] = connection.execute(statement).all()
        return sum((row.reserved_usd if row.cost_usd is None else row.cost_usd for row in rows),
                   Decimal(0))  # fmt: skip

    def _lock(self, connection: Connection, build_id: str) -> None:
        """One at a time may look and reserve. SQLite's write lock has done that already."""
        if connection.dialect.name == "postgresql":
            statement = text("SELECT pg_advisory_xact_lock(:family, hashtext(:build))")
            connection.execute(statement, {"family": _BUDGET_LOCK, "build": build_id})
