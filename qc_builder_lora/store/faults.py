"""What a driver's error means: one of ours, with the fact, the database and the cure."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from qc_builder_lora.errors import DiskFull, QcLoraError, StoreBusy, StoreError, StoreUnavailable
from qc_builder_lora.files import free_mb
from qc_builder_lora.store.address import Address

_APPEND_ONLY = "append-only"
"""The word the triggers of migration m0003 say."""


def explain(error: SQLAlchemyError, address: Address) -> QcLoraError:
    """The error to raise in place of SQLAlchemy's; never with a password in it."""
    cause = error.orig if isinstance(error, StatementError) else None
    if isinstance(cause, QcLoraError):
        return cause
    if isinstance(error, PoolTimeout):
        return StoreBusy(f"{address}: every connection is in use. Run fewer jobs at a time.")
    if cause is not None and _APPEND_ONLY in str(cause):
        return StoreError(f"{address}: {_first_line(cause)}. Add a new promotion instead.")
    if isinstance(cause, sqlite3.Error):
        return explain_sqlite(cause, address)
    if isinstance(error, IntegrityError):
        return StoreError(f"{address}: the database refused a row: {_first_line(cause)}.")
    if isinstance(error, DBAPIError):
        return _postgresql(cause, address)
    return StoreError(address.without_secrets(f"{address}: {_first_line(error)}"))


def _first_line(error: BaseException | None) -> str:
    return str(error).strip().split("\n", 1)[0].rstrip(".")


def explain_sqlite(error: sqlite3.Error, address: Address) -> QcLoraError:
    """The same for an error of the SQLite driver itself."""
    # Extended codes keep the kind in their lowest byte: https://sqlite.org/rescode.html
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    path = address.path
    assert path is not None
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy(
            f"{path}: another process has been writing for longer than we may wait. Nothing was "
            f"changed. See who holds it with: fuser {path}, and run the same command again."
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreUnavailable(
            f"{path}: the file is damaged or is not a database ({error}). Move it away, then "
            "restore a copy or import an export: qc-lora store import FILE"
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return StoreUnavailable(
            f"{path}: the database cannot be written ({error}). Make the file and its folder "
            f"{path.parent} writable for this user, or move the home with QC_LORA_HOME."
        )
    if code == sqlite3.SQLITE_FULL:
        return DiskFull(path, None, free_mb(path), "What was stored before is still there.")
    if code == sqlite3.SQLITE_IOERR:
        return StoreUnavailable(
            f"{path}: reading or writing failed ({error}). Check the disk and its free space "
            f"({free_mb(path):.0f} MB), then run: qc-lora store check"
        )
    return StoreError(f"{path}: the database refused: {_first_line(error)}.")


# https://www.postgresql.org/docs/current/errcodes-appendix.html
_BUSY = ("55P03", "40001", "40P01")
_REFUSED = ("42501", "25006")


def _postgresql(error: BaseException | None, address: Address) -> QcLoraError:
    state = getattr(error, "sqlstate", None)
    fact = address.without_secrets(_first_line(error))
    if state in _BUSY:
        return StoreBusy(f"{address}: another process holds it ({fact}). Run the command again.")
    if state in _REFUSED:
        return StoreUnavailable(f"{address}: not allowed ({fact}). Grant this user the right.")
    # Class 08: connection, 28: login, 3D: no such database, 53: resources, 57P: shutting down.
    if state is None or state[:2] in ("08", "28", "3D", "53") or state.startswith("57P"):
        return StoreUnavailable(
            f"{address}: PostgreSQL cannot be used ({fact}). Check that the server runs and that "
            "QC_LORA_DATABASE names the right host, user and database."
        )
    return StoreError(f"{address}: the database refused: {fact}.")
