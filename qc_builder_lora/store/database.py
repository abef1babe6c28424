"""Connections and transactions. The rest of the package says `reading()` or `writing()`.

On SQLite a writing transaction takes the write lock when it begins: one that began by reading and
wrote later would be refused at once, whatever the time it may wait.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from qc_builder_lora.errors import MissingExtra, StoreError, StoreUnavailable
from qc_builder_lora.store.address import Address
from qc_builder_lora.store.faults import explain, explain_sqlite

_READING = "qc_lora_reading"


class Database:
    """One engine, and the transaction that the calling thread or task is in."""

    def __init__(self, address: Address, *, busy_s: float) -> None:
        """Connects to nothing yet. Raises MissingExtra without the driver of PostgreSQL."""
        self.address = address
        self.busy_s = busy_s
        self.engine = _sqlite(address, busy_s) if address.path else _postgresql(address, busy_s)
        self._joined: ContextVar[Connection | None] = ContextVar("joined", default=None)
        self._process = os.getpid()
        self._file: tuple[int, int] | None = None

    @property
    def kind(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.address.kind

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read from."""
        joined = self._joined.get()
        with self._explained():
            if joined is not None:
                yield joined
                return
            with self._connect() as connection:
                # Never committed: a file that proved damaged would refuse that.
                yield connection.execution_options(**{_READING: True})

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Every `reading()` in the block sees the same moment. Nothing can be written in it."""
        with self._explained(), self._connect() as connection:
            connection.execution_options(**{_READING: True})
            if self.kind == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ")
            with self._joining(connection):
                yield

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection to write to: all of the block happens, or nothing of it.

        Inside another `writing()` it joins that one; what an inner block did is taken back when
        it raises, even if the outer one goes on.
        """
        joined = self._joined.get()
        with self._explained():
            if joined is not None:
                if joined.get_execution_options().get(_READING):
                    raise StoreError("Nothing can be written while the store is being exported.")
                with joined.begin_nested():
                    yield joined
                return
            with self._connect() as connection, connection.begin(), self._joining(connection):
                yield connection

    @property
    def in_transaction(self) -> bool:
        """Whether the caller is inside `writing()`."""
        return self._joined.get() is not None

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    def _connect(self) -> Connection:
        if os.getpid() != self._process:
            # A forked child must neither use nor close the connections of its parent.
            self.engine.dispose(close=False)
            self._process = os.getpid()
        self._follow_file()
        return self.engine.connect()

    def _follow_file(self) -> None:
        """Notice a SQLite file that was deleted or replaced: what an open connection writes goes
        to the old one, which nobody will ever read."""
        path = self.address.path
        if path is None:
            return
        try:
            found = path.stat()
        except OSError as error:
            if self._file is None:
                return  # Not made yet.
            self.engine.dispose()
            raise StoreUnavailable(
                f"{path}: the database file is gone ({error.strerror}). Put it back, or make a new "
                "one with: qc-lora store upgrade"
            ) from error
        if self._file not in (None, (found.st_dev, found.st_ino)):
            self.engine.dispose()
        self._file = found.st_dev, found.st_ino

    @contextmanager
    def _joining(self, connection: Connection) -> Iterator[None]:
        token = self._joined.set(connection)
        try:
            yield
        finally:
            self._joined.reset(token)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            found = explain(error, self.address)
            if isinstance(found, StoreUnavailable):
                # A connection that has failed once may fail for good, as where SQLite's log was
                # deleted beside it; a new one finds the database as it is.
                self.engine.dispose()
            raise found from error


def _sqlite(address: Address, busy_s: float) -> Engine:
    engine = create_engine(address.url, pool_size=5, max_overflow=-1)
    milliseconds = int(busy_s * 1000)

    def configure(connection: sqlite3.Connection, _record: object) -> None:
        # The driver's own BEGIN would come too late, see the top of this file.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {milliseconds}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")

    def begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get(_READING, False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", begin)
    return engine


def _postgresql(address: Address, busy_s: float) -> Engine:
    arguments = {} if "connect_timeout" in address.url.query else {"connect_timeout": 10}
    try:
        engine = create_engine(
            address.url,
            pool_pre_ping=True,
            pool_size=5,
            max_overflow=25,
            pool_timeout=busy_s,
            connect_args=arguments,
        )
    except ImportError as error:
        raise MissingExtra("postgres", "psycopg") from error
    milliseconds = int(busy_s * 1000)

    def configure(connection: Any, _record: object) -> None:
        connection.execute("SET TIME ZONE 'UTC'")
        connection.execute(f"SET lock_timeout = {milliseconds}")
        # Without this the first rollback would undo both.
        connection.commit()

    event.listen(engine, "connect", configure)
    return engine


def ensure_wal(database: Database) -> None:
    """Put a SQLite file into WAL mode, in which readers and a writer do not stop each other.

    The mode stays with the file. A file system that cannot do it keeps its mode, which is only
    slower. SQLite does not wait for the lock this needs, so we do.
    """
    path = database.address.path
    assert path is not None
    deadline = time.monotonic() + database.busy_s
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            while not _switched(connection, deadline):
                time.sleep(0.02)
    except sqlite3.Error as error:
        raise explain_sqlite(error, database.address) from error


def _switched(connection: sqlite3.Connection, deadline: float) -> bool:
    try:
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
        if not busy or time.monotonic() > deadline:
            raise
        return False
    return True
