"""`check_store` finds what is wrong, and changes nothing; `qc-lora store` says so."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from qc_builder_lora.cli import main
from qc_builder_lora.errors import NewerStore, NotFound, StoreUnavailable
from qc_builder_lora.records import Outcome
from qc_builder_lora.store import Store
from qc_builder_lora.store.address import parse_address
from qc_builder_lora.store.checks import check_store
from qc_builder_lora.store.database import Database
from qc_builder_lora.store.revisions import HEAD, VERSION_TABLE, ensure_revision
from qc_builder_lora.store.tables import TABLE_NAMES


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def test_a_sound_store_has_no_problems(store: Store, url: str, make: Any) -> None:
    make.promoted(store, "m1")
    make.promoted(store, "m2", champion="m1")
    health = check_store(url)
    assert health.problems == ()
    assert (health.revision, health.needed) == (HEAD, HEAD)
    assert health.counts["models"] == 2
    assert set(health.counts) == set(TABLE_NAMES)
    assert health.plain()["ok"] is True


def without_references(store: Store, statement: str) -> None:
    """Do what foreign keys would refuse, as a broken tool would."""
    if store.database.kind == "sqlite":
        path = store.database.address.path
        assert path is not None
        with sqlite3.connect(path) as connection:
            connection.execute(statement)
        connection.close()
        return
    with store.database.writing() as link:
        link.execute(text("SET LOCAL session_replication_role = replica"))
        link.execute(text(statement))


def test_rows_that_refer_to_nothing_are_found(store: Store, url: str, make: Any) -> None:
    strategy = store.strategies.add(make.strategy())
    store.gates.add(make.gate(strategy.id, "G1 parse", Outcome.PASS))
    without_references(store, "DELETE FROM strategies")
    problems = check_store(url).problems
    wanted = f"gates.strategy_id: 1 refer to strategies that are not there: {strategy.id!r}"
    assert wanted in problems
    if store.database.kind == "sqlite":
        assert "PRAGMA foreign_key_check: gates has rows that refer to nothing: 1" in problems


def test_a_row_that_cannot_be_read_is_found_after_the_last_good_one(
    store: Store, url: str, make: Any
) -> None:
    strategy = store.strategies.add(make.strategy())
    rows = [store.backtests.add(make.backtest(strategy.id, id=key)) for key in ("b1", "b2", "b3")]
    with store.database.writing() as connection:
        statement = text("UPDATE backtests SET equity = :x WHERE id = :id")
        connection.execute(statement, {"x": b"junk", "id": rows[1].id})
    problems = check_store(url).problems
    assert len(problems) == 1
    assert problems[0].startswith("backtests: a row cannot be read")
    assert "damaged" in problems[0]


def test_production_that_nobody_decided_is_found(store: Store, url: str, make: Any) -> None:
    store.models.add(make.model("m1"))
    with store.database.writing() as connection:
        connection.execute(text("UPDATE models SET stage = 'production'"))
    assert check_store(url).problems == (
        "models: 'm1' is in production, the last promotion decided None",
    )


def test_an_older_revision_is_a_problem_and_stays(empty_url: str) -> None:
    database = Database(parse_address(empty_url), busy_s=5)
    ensure_revision(database, upgrade=True, target="0002")
    database.close()
    health = check_store(empty_url)
    assert health.revision == "0002"
    assert len(health.problems) == 1
    assert "Upgrade it with: qc-lora store upgrade" in health.problems[0]
    assert check_store(empty_url).revision == "0002"


def test_a_newer_revision_is_refused(store: Store, url: str) -> None:
    with store.database.writing() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(NewerStore, match="'9999'"):
        check_store(url)


def test_a_damaged_page_is_a_problem(databases: Any, make: Any) -> None:
    url = databases.migrated("sqlite")
    with Store.open(url) as store:
        store.requests.add_all(make.request(f"Buy {number}. " * 40) for number in range(300))
    content = bytearray(path_of(url).read_bytes())
    # Pages of this very table: where others lie changes with every migration.
    start = content.index(b"Buy 150. ") // 4096 * 4096
    content[start : start + 8192] = os.urandom(8192)
    path_of(url).write_bytes(content)
    problems = check_store(url).problems
    told = ("PRAGMA integrity_check", "the file is damaged")
    assert any(words in problem for problem in problems for words in told)


def test_what_is_no_database_cannot_be_checked(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreUnavailable, match="is damaged or is not a database"):
        check_store(f"sqlite:///{path}")
    with pytest.raises(NotFound, match="qc-lora store upgrade"):
        check_store(f"sqlite:///{tmp_path / 'absent.db'}")
    assert not (tmp_path / "absent.db").exists()


# The command


@pytest.fixture
def qc_lora(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Runs the real command line in an empty folder: (exit code, output, errors)."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("QC_LORA_")]:
        monkeypatch.delenv(name)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["store", *arguments])
        out, errors = capsys.readouterr()
        return int(left.value.code or 0), out, errors

    return run


def test_upgrade_makes_the_store_of_the_working_folder(qc_lora: Any, tmp_path: Path) -> None:
    code, out, _ = qc_lora("upgrade")
    assert code == 0
    assert f"at revision {HEAD}" in out
    assert (tmp_path / ".qc-lora" / "store.db").is_file()


def test_check_leaves_with_one_when_something_is_wrong(
    qc_lora: Any, url: str, store: Store, make: Any
) -> None:
    code, out, _ = qc_lora("check", "--url", url)
    assert code == 0
    assert "Nothing is wrong." in out
    store.models.add(make.model("m1"))
    with store.database.writing() as connection:
        connection.execute(text("UPDATE models SET stage = 'production'"))
    code, out, _ = qc_lora("check", "--url", url)
    assert code == 1
    assert "WRONG  models: 'm1' is in production" in out
    code, out, _ = qc_lora("check", "--url", url, "--json")
    assert code == 1
    answer = json.loads(out)
    assert answer["ok"] is False
    assert answer["counts"]["models"] == 1
    assert answer["needed"] == HEAD


def test_export_and_import_are_commands(
    qc_lora: Any, url: str, store: Store, make: Any, tmp_path: Path
) -> None:
    build = store.builds.add(make.build())
    code, out, errors = qc_lora("export", "backup.jsonl", "--url", url)
    assert code == 0
    assert "1 records in backup.jsonl (SHA-256 " in out
    assert "Exporting: 100 %" in errors
    code, out, _ = qc_lora("import", "backup.jsonl")
    assert code == 0
    assert "1 records in backup.jsonl, 1 new in sqlite:///" in out
    with Store.open(f"sqlite:///{tmp_path}/.qc-lora/store.db", upgrade=False) as other:
        assert other.builds.get(build.id) == build
    assert "0 new" in qc_lora("import", "backup.jsonl")[1]


def test_a_broken_import_says_the_line_and_leaves_with_two(qc_lora: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text("{\n")
    code, out, errors = qc_lora("import", "bad.jsonl")
    assert (code, out) == (2, "")
    assert "bad.jsonl: line 1 is not JSON" in errors
    assert "Nothing was imported." in errors


def test_a_missing_database_or_file_is_named(qc_lora: Any) -> None:
    code, _, errors = qc_lora("export", "x.jsonl")
    assert code == 2
    assert "Make it with: qc-lora store upgrade" in errors
    assert not Path("x.jsonl").exists()
    code, _, errors = qc_lora("import", "absent.jsonl")
    assert code == 2
    assert "'absent.jsonl' does not exist" in errors


def test_no_command_prints_a_password(qc_lora: Any) -> None:
    url = "postgresql://ada:hunter2@127.0.0.1:9/qc"
    for arguments in (("upgrade",), ("check",), ("export", "x.jsonl")):
        code, out, errors = qc_lora(*arguments, "--url", url)
        assert code == 1
        assert "ada:***@127.0.0.1:9/qc" in errors
        assert "hunter2" not in out + errors


def test_a_newer_database_is_refused_by_the_command(
    qc_lora: Any, databases: Any, tmp_path: Path
) -> None:
    url = databases.migrated("sqlite")
    with sqlite3.connect(path_of(url)) as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    connection.close()
    for arguments in (("upgrade",), ("check",), ("export", "x.jsonl")):
        code, _, errors = qc_lora(*arguments, "--url", url)
        assert code == 1
        assert "Install the newer qc-lora" in errors


def test_help_names_every_verb() -> None:
    from qc_builder_lora.cli.store import command

    result = CliRunner().invoke(command, ["--help"])
    assert result.exit_code == 0
    for verb in ("upgrade", "check", "export", "import"):
        assert verb in result.output
