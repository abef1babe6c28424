"""Examples, and the Snapshots that freeze a set of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.engine import RowMapping

from qc_builder_lora.errors import StoreError
from qc_builder_lora.records import Example, Snapshot, Split
from qc_builder_lora.store.noun import Noun
from qc_builder_lora.store.rows import BATCH
from qc_builder_lora.store.tables import ExampleRow, SnapshotMemberRow, SnapshotRow


class Examples(Noun[Example]):
    """Instruction → code pairs."""

    record, row, word = Example, ExampleRow, "example"
    identity = ("instruction", "code")

    def find(
        self,
        *,
        family: str | None = None,
        source: str | None = None,
        licence: str | None = None,
        strategy_id: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> list[Example]:
        """Newest first."""
        return self._select(
            *self._since(since),
            limit=limit,
            family=family,
            source=source,
            licence=licence,
            strategy_id=strategy_id,
        )

    def of_snapshot(self, snapshot_id: str, split: Split | None = None) -> list[Example]:
        """The Examples of a Snapshot, or of one split of it, in the order of their ids."""
        member = SnapshotMemberRow.table()
        statement = (
            select(*self._columns.values())
            .join(member, member.c.example_id == self.table.c.id)
            .where(member.c.snapshot_id == snapshot_id)
            .order_by(self.table.c.id)
        )
        return self._run(statement if split is None else statement.where(member.c.split == split))

    def fetch(self, keys: Sequence[str]) -> list[Example]:
        """Those of these ids that there are, in no order."""
        found: list[Example] = []
        with self._database.reading() as connection:
            for start in range(0, len(keys), BATCH):
                found += self._fetch(connection, keys[start : start + BATCH]).values()
        return found

    def families(self) -> dict[str, int]:
        """Family → how many Examples it has, sorted by name."""
        family = self.table.c.family
        statement = select(family, func.count()).group_by(family).order_by(family)
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(statement)}

    def sources(self) -> dict[str, int]:
        """Source → how many Examples it has, sorted by name."""
        source = self.table.c.source
        statement = select(source, func.count()).group_by(source).order_by(source)
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(statement)}

    def licences(self) -> dict[str, int]:
        """Licence → how many Examples it has, sorted by name."""
        licence = self.table.c.licence
        statement = select(licence, func.count()).group_by(licence).order_by(licence)
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(statement)}


class Snapshots(Noun[Snapshot]):
    """Frozen sets of Examples; the members stand in a table of their own."""

    record, row, word = Snapshot, SnapshotRow, "snapshot"
    identity = ("members",)

    def find(self, *, since: datetime | None = None, limit: int | None = None) -> list[Snapshot]:
        """Newest first."""
        return self._select(*self._since(since), limit=limit)

    def settings(self) -> dict[str, Mapping[str, Any]]:
        """Id → how it was made, without reading the members."""
        with self._database.reading() as connection:
            rows = connection.execute(select(self.table.c.id, self.table.c.settings))
            return {row[0]: row[1] for row in rows}

    def to_plain(self, record: Snapshot) -> dict[str, Any]:
        """The members sorted, so that equal Snapshots give equal text."""
        members = {key: Split(record.members[key]).value for key in sorted(record.members)}
        return {**super().to_plain(record), "members": members}

    def _decoded(self, plain: Mapping[str, Any]) -> dict[str, Any]:
        rest = {name: value for name, value in plain.items() if name != "members"}
        members = {key: Split(split) for key, split in plain["members"].items()}
        return {**super()._decoded(rest), "members": members}

    def _values(self, record: Snapshot) -> dict[str, Any]:
        values = super()._values(record)
        for key, split in record.members.items():
            if split not in tuple(Split):
                known = ", ".join(Split)
                raise StoreError(f"Snapshot.members[{key!r}] is {split!r}; known are {known}.")
        return values

    def _after_insert(self, connection: Connection, records: Sequence[Snapshot]) -> None:
        for record in records:
            keys = sorted(record.members)
            for start in range(0, len(keys), BATCH):
                self._insert_members(connection, record, keys[start : start + BATCH])

    def _insert_members(self, connection: Connection, record: Snapshot, keys: list[str]) -> None:
        example = ExampleRow.table().c.id
        missing = set(keys) - set(connection.scalars(select(example).where(example.in_(keys))))
        if missing:
            raise StoreError(
                f"snapshot {record.id!r}: example {min(missing)!r} is not in the store. "
                "Add it to examples first."
            )
        rows = [
            {"snapshot_id": record.id, "example_id": key, "split": record.members[key]}
            for key in keys
        ]
        connection.execute(insert(SnapshotMemberRow.table()), rows)

    def _records(self, connection: Connection, rows: Sequence[RowMapping]) -> list[Snapshot]:
        return [Snapshot(members=self._members(connection, row["id"]), **row) for row in rows]

    def _members(self, connection: Connection, key: str) -> dict[str, Split]:
        member = SnapshotMemberRow.table()
        statement = (
            select(member.c.example_id, member.c.split)
            .where(member.c.snapshot_id == key)
            .order_by(member.c.example_id)
        )
        return {example_id: Split(split) for example_id, split in connection.execute(statement)}
