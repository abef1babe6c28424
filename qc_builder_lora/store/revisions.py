"""Which revision a database is at, and bringing it to ours. Loads Alembic only to change one."""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from qc_builder_lora.errors import NewerStore, OlderStore, StoreError
from qc_builder_lora.store.database import Database, ensure_wal
from qc_builder_lora.store.tables import TABLE_NAMES

REVISIONS = (
    "0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010",
)  # fmt: skip
"""Oldest first. Kept here so that opening a store of today needs no Alembic; a test compares."""
HEAD = REVISIONS[-1]
VERSION_TABLE = "qc_lora_revision"

_MIGRATIONS = Path(__file__).parent / "migrations"
_UPGRADE_LOCK = 0x71636C6F  # Any number will do, as long as nobody else's advisory lock has it.
_ALEMBIC = threading.Lock()  # Alembic keeps its context in a module.


def find_revision(connection: Connection) -> str | None:
    """The revision of the database; None when it holds nothing of ours."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    return found


def ensure_revision(database: Database, *, upgrade: bool, target: str = HEAD) -> None:
    """Bring the database to `target`, or find that it is there.

    Safe for several processes at once. Raises NewerStore for a revision we do not know, OlderStore
    without `upgrade`, StoreError for somebody else's database; each leaves it as it was.
    """
    with database.reading() as connection:
        found = find_revision(connection)
        _refuse_unknown(database, connection, found)
    if found != target:
        if not upgrade:
            raise OlderStore(str(database.address), found, target)
        _upgrade(database, target)


def _refuse_unknown(database: Database, connection: Connection, found: str | None) -> None:
    if found is not None:
        if found not in REVISIONS:
            raise NewerStore(str(database.address), found, HEAD)
        return
    names = set(inspect(connection).get_table_names())
    # In PostgreSQL other programs may live beside us; a SQLite file has one owner, and a wrong
    # path must not fill somebody's file with our tables. The daemon's job store is ours.
    strangers = names if database.kind == "sqlite" else names & set(TABLE_NAMES)
    strangers = {name for name in strangers if not name.startswith("apscheduler_")}
    if strangers:
        raise StoreError(
            f"{database.address}: not a database of qc-lora: it has tables of somebody else "
            f"({', '.join(sorted(strangers)[:5])}). Nothing was changed. Point QC_LORA_DATABASE "
            "at a database of its own."
        )


def _upgrade(database: Database, target: str) -> None:
    if database.kind == "sqlite":
        ensure_wal(database)
    with _ALEMBIC, database.writing() as connection:
        if database.kind == "postgresql":
            _refuse_encoding(database, connection)
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})"))
        # Another process may have done it while we waited for the lock.
        found = find_revision(connection)
        _refuse_unknown(database, connection, found)
        if found is None or REVISIONS.index(found) < REVISIONS.index(target):
            _migrate(connection, target)


def _refuse_encoding(database: Database, connection: Connection) -> None:
    encoding = connection.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        raise StoreError(
            f"{database.address}: the database's encoding is {encoding}; strategies need UTF8. "
            "Create it with: createdb --encoding=UTF8 --template=template0 NAME"
        )


def _migrate(connection: Connection, target: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, target)
