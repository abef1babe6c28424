"""What was taken out of everything that was kept, added up; nothing counts twice."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from qc_builder_lora.errors import InputError, StoreError
from qc_builder_lora.store import Store
from qc_builder_lora.store.address import parse_address
from qc_builder_lora.store.database import Database
from qc_builder_lora.store.revisions import ensure_revision
from qc_builder_lora.store.transfer import export_store, import_store


def test_what_is_added_adds_up_by_source_and_kind(store: Store) -> None:
    store.redactions.add("builder", "spool-1", {"email": 2, "openai_key": 1, "phone": 0})
    store.redactions.add("builder", "spool-1", {"email": 3})
    store.redactions.add("builder", "spool-2", {"email": 10})
    store.redactions.add("file", "a", {"email": 100})
    store.redactions.add("file", "b", {})
    found = store.redactions.totals()
    assert found.sources == {"builder": {"email": 15, "openai_key": 1}, "file": {"email": 100}}
    assert found.kinds == {"email": 115, "openai_key": 1}
    assert not found.uncounted
    assert store.counts()["redactions"] == 4


def test_a_store_of_which_nothing_was_taken_out_says_nothing(store: Store) -> None:
    assert store.redactions.totals().sources == {}
    assert list(store.redactions.each()) == []


def test_what_was_added_in_a_transaction_that_failed_is_not_counted(store: Store) -> None:
    with suppress(ZeroDivisionError), store.transaction():
        store.redactions.add("file", "a", {"email": 1})
        raise ZeroDivisionError
    assert store.redactions.totals().kinds == {}


def test_many_at_once_lose_no_count(store: Store) -> None:
    def add() -> None:
        for _ in range(10):
            store.redactions.add("served", "p", {"email": 1, "phone": 2})

    threads = [threading.Thread(target=add) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.redactions.totals().kinds == {"email": 50, "phone": 100}


def test_read_again_or_imported_again_the_same_counts_once(store: Store) -> None:
    rows = [("folder", "text-1", "email", 2), ("folder", "text-2", "email", 1)]
    assert store.redactions.restore(rows) == 2
    assert store.redactions.restore(rows) == 0
    assert store.redactions.restore([("folder", "text-1", "email", 5)]) == 1
    assert store.redactions.restore([]) == 0
    assert store.redactions.totals().kinds == {"email": 6}


def test_two_stores_put_together_count_the_spool_of_both_once(
    store: Store, databases: Any, kind: str, tmp_path: Path
) -> None:
    store.redactions.add("builder", "spool-1", {"email": 2})
    store.redactions.add("file", "a", {"email": 1})
    with Store.open(databases.migrated(kind)) as other:
        other.redactions.add("builder", "spool-1", {"email": 2})
        other.redactions.add("builder", "spool-2", {"phone": 4})
        export_store(other, tmp_path / "export.jsonl")
    assert import_store(store, tmp_path / "export.jsonl").added == 1
    assert import_store(store, tmp_path / "export.jsonl").added == 0
    assert store.redactions.totals().sources == {
        "builder": {"email": 2, "phone": 4},
        "file": {"email": 1},
    }


@pytest.mark.parametrize("count", [-1, "2", None, True, 1.5])
def test_a_count_that_is_none_is_refused_with_its_line(
    store: Store, tmp_path: Path, count: Any
) -> None:
    store.redactions.add("file", "a", {"email": 1})
    path = tmp_path / "export.jsonl"
    export_store(store, path)
    lines = path.read_text("utf-8").splitlines()
    lines[1] = json.dumps({**json.loads(lines[1]), "record": {**RECORD, "count": count}})
    path.write_text("\n".join(lines) + "\n", "utf-8")
    with pytest.raises(InputError, match=r"line 2 is not a redaction: .* is no number of things"):
        import_store(store, path)


RECORD = {"source": "file", "batch": "a", "kind": "email"}


def test_what_no_column_takes_is_refused(store: Store) -> None:
    with pytest.raises(StoreError):
        store.redactions.add("file", "a", {"e" * 300: 1})


@pytest.mark.parametrize("served", [0, 1])
def test_of_records_from_before_anything_was_counted_it_is_unknown(
    databases: Any, kind: str, make: Any, served: int, tmp_path: Path
) -> None:
    url = databases.empty(kind)
    database = Database(parse_address(url), busy_s=5)
    ensure_revision(database, upgrade=True, target="0009")
    with database.writing() as connection:
        if served:
            at = "'2026-01-01 00:00:00'"
            connection.execute(text(f"INSERT INTO requests VALUES ('r', 'a', '', {at})"))
            names = "id, request_id, code, role, created_at"
            connection.execute(
                text(f"INSERT INTO generations ({names}) VALUES ('g', 'r', '', 'served', {at})")
            )
    database.close()
    with Store.open(url) as store:
        assert store.redactions.totals().uncounted is bool(served)
        assert store.redactions.totals().kinds == {}
        store.redactions.add("file", "a", {"email": 1})
        assert store.redactions.totals().kinds == {"email": 1}
        export_store(store, tmp_path / "export.jsonl")
    with Store.open(databases.migrated(kind)) as other:
        import_store(other, tmp_path / "export.jsonl")
        assert other.redactions.totals().uncounted is bool(served)


def test_an_export_from_before_brings_the_unknown_along(
    store: Store, databases: Any, kind: str, make: Any, tmp_path: Path
) -> None:
    path = tmp_path / "export.jsonl"
    with Store.open(databases.migrated(kind)) as other:
        other.generations.add(make.generation(other.requests.add(make.request()).id))
        export_store(other, path)
    path.write_bytes(_of_revision(path.read_bytes(), "0009"))
    import_store(store, path)
    assert store.redactions.totals().uncounted


def _of_revision(export: bytes, revision: str) -> bytes:
    first, *rest, last = export.splitlines(keepends=True)
    head = json.dumps({**json.loads(first), "revision": revision}).encode() + b"\n"
    said = json.loads(last)
    said["sha256"] = hashlib.sha256(b"".join([head, *rest])).hexdigest()
    return b"".join([head, *rest, json.dumps(said).encode() + b"\n"])
