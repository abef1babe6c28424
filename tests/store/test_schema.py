"""The tables, their history, and who may open what."""

from __future__ import annotations

import ast
import hashlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, text

import qc_builder_lora
from qc_builder_lora import records
from qc_builder_lora.errors import (
    NewerStore,
    NotFound,
    OlderStore,
    SettingsError,
    StoreError,
    StoreUnavailable,
)
from qc_builder_lora.store import Store
from qc_builder_lora.store.address import parse_address
from qc_builder_lora.store.database import Database, _switched
from qc_builder_lora.store.revisions import (
    HEAD,
    REVISIONS,
    VERSION_TABLE,
    ensure_revision,
    find_revision,
)
from qc_builder_lora.store.tables import TABLE_NAMES, Base

PACKAGE = Path(qc_builder_lora.__file__).parent
Child = Callable[..., subprocess.Popen[str]]


def schema(engine: Engine) -> dict[str, Any]:
    """All that the database says about its tables, in a form that can be compared."""
    inspector = inspect(engine)
    found = {}
    for table in set(inspector.get_table_names()) - {VERSION_TABLE}:
        found[table] = {
            "columns": [
                (item["name"], repr(item["type"]), item["nullable"], item["default"])
                for item in inspector.get_columns(table)
            ],
            "key": inspector.get_pk_constraint(table),
            "references": sorted(map(repr, inspector.get_foreign_keys(table))),
            "checks": sorted(map(repr, inspector.get_check_constraints(table))),
            "unique": sorted(map(repr, inspector.get_unique_constraints(table))),
            "indexes": sorted(
                repr({**item, "dialect_options": _words(item.get("dialect_options", {}))})
                for item in inspector.get_indexes(table)
            ),
        }
    return found


def _words(options: Any) -> dict[str, str]:
    return {name: str(value) for name, value in options.items()}


def test_the_migrations_make_exactly_the_tables_of_the_metadata(databases: Any, kind: str) -> None:
    with Store.open(databases.empty(kind)) as store:
        migrated = schema(store.database.engine)
    declared = Database(parse_address(databases.empty(kind)), busy_s=5)
    Base.metadata.create_all(declared.engine)
    expected = schema(declared.engine)
    declared.close()
    assert set(migrated) == set(TABLE_NAMES)
    for table, content in expected.items():
        assert migrated[table] == content, table


def test_alembic_sees_nothing_left_to_generate(store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with store.database.reading() as connection:
        options = {"compare_type": True, "version_table": VERSION_TABLE}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_the_list_of_revisions_is_what_alembic_finds() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(PACKAGE / "store" / "migrations"))
    script = ScriptDirectory.from_config(config)
    assert [item.revision for item in script.walk_revisions()] == list(reversed(REVISIONS))


def test_every_record_has_a_table_with_its_fields(lite: Store) -> None:
    words = {noun.record for noun in lite.nouns()}
    defined = {
        item
        for name, item in vars(records).items()
        if isinstance(item, type) and hasattr(item, "__dataclass_fields__")
    }
    assert words == defined
    for noun in lite.nouns():
        expected = {item.name for item in fields(noun.record)} - {"members"}
        assert expected == set(noun.table.c.keys()) - {"position", "figures"}, noun.word


def test_migration_files_are_python_that_the_wheel_takes_along() -> None:
    names = sorted(path.name for path in (PACKAGE / "store/migrations/versions").glob("m*.py"))
    assert [name[1:5] for name in names] == list(REVISIONS)
    assert (PACKAGE / "store/migrations/env.py").is_file()


def test_a_newer_database_is_refused_and_not_changed(databases: Any) -> None:
    url = databases.migrated("sqlite")
    path = Path(url.removeprefix("sqlite:///"))
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    connection.close()
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    for upgrade in (True, False):
        with pytest.raises(NewerStore) as caught:
            Store.open(url, upgrade=upgrade)
        assert "'9999'" in str(caught.value)
        assert f"up to '{HEAD}'" in str(caught.value)
        assert "Install the newer qc-lora" in str(caught.value)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


def test_a_newer_postgresql_is_refused_and_not_changed(databases: Any) -> None:
    url = databases.migrated("postgresql")
    database = Database(parse_address(url), busy_s=5)
    with database.writing() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(NewerStore, match="Nothing was changed"):
        Store.open(url)
    with database.reading() as connection:
        assert find_revision(connection) == "9999"
    database.close()


def test_an_older_database_is_upgraded_only_when_asked(empty_url: str) -> None:
    database = Database(parse_address(empty_url), busy_s=5)
    ensure_revision(database, upgrade=True, target="0002")
    with pytest.raises(OlderStore) as caught:
        Store.open(empty_url, upgrade=False)
    assert "is at revision '0002'" in str(caught.value)
    assert f"needs '{HEAD}'" in str(caught.value)
    assert "qc-lora store upgrade" in str(caught.value)
    with database.reading() as connection:
        assert find_revision(connection) == "0002"
    Store.open(empty_url).close()
    with database.reading() as connection:
        assert find_revision(connection) == HEAD
    database.close()


def test_an_upgrade_keeps_the_rows(empty_url: str, make: Any) -> None:
    database = Database(parse_address(empty_url), busy_s=5)
    ensure_revision(database, upgrade=True, target="0001")
    build = Store(database).builds.add(make.build())
    database.close()
    with Store.open(empty_url) as store:
        assert store.builds.get(build.id) == build


def test_an_upgrade_that_fails_half_way_leaves_the_older_revision(databases: Any) -> None:
    url = databases.empty("sqlite")
    database = Database(parse_address(url), busy_s=5)
    ensure_revision(database, upgrade=True, target="0001")
    with database.writing() as connection:
        # In the way of the last migration, after the second one has made its tables.
        connection.execute(
            text(
                "CREATE TRIGGER promotions_no_delete BEFORE DELETE ON builds "
                "BEGIN SELECT RAISE(ABORT, 'x'); END"
            )
        )
    with pytest.raises(StoreError, match="trigger promotions_no_delete already exists"):
        Store.open(url)
    with database.reading() as connection:
        assert find_revision(connection) == "0001"
        assert "models" not in inspect(connection).get_table_names()
    database.close()


OPEN = """
import sys
from qc_builder_lora.store import Store
import alembic.command
print("ready", flush=True)
sys.stdin.readline()
with Store.open(sys.argv[1], busy_s=60) as store:
    print(store.builds.count())
"""


def test_four_processes_may_open_a_fresh_database_at_once(empty_url: str, child: Child) -> None:
    processes = [child(OPEN, empty_url) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        out, errors = process.communicate(timeout=120)
        assert (process.returncode, out) == (0, "0\n"), errors
    with Store.open(empty_url, upgrade=False) as store:
        assert schema(store.database.engine).keys() == set(TABLE_NAMES)


def test_opening_a_database_of_today_loads_no_alembic(url: str, child: Child) -> None:
    code = (
        "import sys\nfrom qc_builder_lora.store import Store\n"
        "Store.open(sys.argv[1]).close()\nprint('alembic' in sys.modules)"
    )
    out, errors = child(code, url).communicate(timeout=60)
    assert out == "False\n", errors


def test_help_loads_no_sqlalchemy() -> None:
    code = (
        "import sys\nfrom qc_builder_lora.cli import root\n"
        "root.main(['--help'], standalone_mode=False)\n"
        "import qc_builder_lora\nsys.exit('sqlalchemy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False)
    assert done.returncode == 0


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_only_the_store_and_its_command_speak_sql() -> None:
    sql = {"sqlalchemy", "alembic", "psycopg", "sqlite3"}
    allowed = [PACKAGE / "store", PACKAGE / "cli"]
    paths = [path for path in PACKAGE.rglob("*.py") if "_defaults" not in path.parts]
    assert any(_imports(path) & sql for path in (PACKAGE / "store").rglob("*.py"))
    guilty = {
        str(path.relative_to(PACKAGE)): sorted(_imports(path) & sql)
        for path in paths
        if not any(path.is_relative_to(folder) for folder in allowed) and _imports(path) & sql
    }
    assert guilty == {}


def test_somebody_elses_sqlite_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "music.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE albums (title)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"tables of somebody else \(albums\)") as caught:
        Store.open(f"sqlite:///{path}")
    assert "Nothing was changed" in str(caught.value)
    assert path.read_bytes() == before


def test_the_daemons_job_table_is_no_stranger(databases: Any) -> None:
    url = databases.empty("sqlite")
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute("CREATE TABLE apscheduler_jobs (id)")
    connection.close()
    with Store.open(url) as store:
        assert store.builds.count() == 0


def test_postgresql_may_hold_other_tables_unless_they_have_our_names(databases: Any) -> None:
    url = databases.empty("postgresql")
    database = Database(parse_address(url), busy_s=5)
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE albums (title text)"))
    Store.open(url).close()
    other = databases.empty("postgresql")
    database.close()
    database = Database(parse_address(other), busy_s=5)
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE models (name text)"))
    database.close()
    with pytest.raises(StoreError, match=r"somebody else \(models\)"):
        Store.open(other)


def test_a_missing_database_is_made_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "store.db"
    with pytest.raises(NotFound, match="Make it with: qc-lora store upgrade"):
        Store.open(f"sqlite:///{path}", upgrade=False)
    assert not path.parent.exists()
    Store.open(f"sqlite:///{path}").close()
    assert path.is_file()


def test_sqlite_is_set_up_as_designed(lite: Store) -> None:
    with lite.database.reading() as connection:
        values = {
            name: connection.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        }
    assert values == {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "busy_timeout": 20_000,
        "synchronous": 2,
    }


def test_the_default_patience_is_a_minute_and_a_half(databases: Any) -> None:
    with (
        Store.open(databases.migrated("sqlite")) as store,
        store.database.reading() as connection,
    ):
        assert connection.scalar(text("PRAGMA busy_timeout")) == 90_000


@pytest.mark.parametrize(
    ("url", "fact"),
    [
        ("store.db", "is not a URL"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
        ("sqlite:////tmp/what?/store.db", "cannot have a question mark"),
        ("mysql://u:hunter2@h/db", "'mysql' is not known"),
        ("postgresqll://u:hunter2@h/db", "Did you mean 'postgresql'"),
        ("postgresql:/u:hunter2@h", "is not a URL"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_its_cure(url: str, fact: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Store.open(url)
    assert fact in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_all_spellings_of_postgresql_take_psycopg(scheme: str) -> None:
    assert parse_address(f"{scheme}://h/db").url.drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:hunter2@127.0.0.1:9/qc",
        "postgresql://ada@127.0.0.1:9/qc?password=hunter2",
    ],
)
def test_an_unreachable_postgresql_is_named_without_its_password(url: str) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        Store.open(url)
    message = str(caught.value)
    assert "127.0.0.1:9/qc" in message
    assert "PostgreSQL cannot be used" in message
    assert "QC_LORA_DATABASE" in message
    assert "hunter2" not in message
    assert "hunter2" not in repr(parse_address(url))


def test_a_missing_postgresql_database_is_named(databases: Any) -> None:
    url = databases.empty("postgresql").replace("/empty_", "/absent_")
    with pytest.raises(StoreUnavailable, match=r'database "absent_.*" does not exist'):
        Store.open(url)


def test_without_psycopg_the_extra_is_named(child: Child) -> None:
    code = (
        "import sys\nsys.modules['psycopg'] = None\n"
        "from qc_builder_lora.store import Store\nStore.open('postgresql://h/db')"
    )
    _, errors = child(code).communicate(timeout=60)
    last = errors.strip().splitlines()[-1]
    assert "psycopg is not installed" in last
    assert "pip install 'qc-builder-lora[postgres]'" in last


READ_ONLY = """
import os, sys
import alembic.command, sqlalchemy.dialects.sqlite.pysqlite, encodings.idna
from qc_builder_lora.store import Store
from qc_builder_lora.errors import StoreUnavailable
import logging.config
os.setgid(65534)
os.setuid(65534)
try:
    with Store.open(sys.argv[1], busy_s=1) as store:
        with store.transaction():
            store.leases.acquire("loop", "me", 1)
except StoreUnavailable as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without rights")
@pytest.mark.parametrize("existing", [True, False])
def test_a_read_only_folder_is_named_with_the_cure(
    existing: bool, migrated_file: Path, child: Child
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "store.db"
        if existing:
            path.write_bytes(migrated_file.read_bytes())
        folder.chmod(0o555)
        out, errors = child(READ_ONLY, f"sqlite:///{path}").communicate(timeout=60)
    assert f"{path}: the database cannot be written" in out, errors
    assert "writable for this user, or move the home with QC_LORA_HOME" in out


def test_connections_that_failed_are_not_used_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = StoreUnavailable("reading or writing failed (disk I/O error)")
    monkeypatch.setattr("qc_builder_lora.store.database.explain", lambda *_: fault)
    before = store.database.engine.pool
    with (
        pytest.raises(StoreUnavailable, match="disk I/O"),
        store.database.reading() as connection,
    ):
        connection.execute(text("SELECT nothing FROM nowhere"))
    assert store.database.engine.pool is not before
    assert store.builds.count() == 0


def test_a_file_that_may_not_be_written_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE t (x)")
    with (
        closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        _switched(connection, float("inf"))
