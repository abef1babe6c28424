"""How many secrets were taken out so far can be asked at any time, and nothing counts twice."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from qc_builder_lora.cli import root
from qc_builder_lora.harvest.ingest import ingest
from qc_builder_lora.harvest.spool import spools
from qc_builder_lora.store import Store
from tests.harvest.intake.test_databases import child, killed_everywhere
from tests.harvest.story import Story, code
from tests.test_redact import PLANTED

EMAIL, KEY = PLANTED["email"], PLANTED["anthropic_key"]


def told() -> Story:
    story = Story()
    for number in range(2):
        story.spec(f"Trend {number} for {EMAIL}").project()
        story.round(1, code(number) + f"\nKEY = '{KEY}'\n", f"write it with {KEY}")
        story.complete()
    return story.main_end()


@pytest.fixture
def home(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QC_LORA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("QC_LORA_DATABASE", url)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def said(*words: str) -> str:
    done = CliRunner().invoke(root, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def redacted(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said(*words, "--json"))["redacted"]
    return found


def test_every_harvest_adds_to_what_the_status_says(home: Path) -> None:
    nothing = {"total": 0, "kinds": {}, "sources": {}, "earlier": None}
    assert redacted("harvest", "status") == nothing
    os.waitpid(child(lambda: told().write(home)), 0)
    told_of = json.loads(said("harvest", "ingest", "--json"))["redacted"]
    assert told_of["anthropic_key"] >= 4
    path = Path("x.jsonl")
    path.write_text(json.dumps({"code": code(9) + f"\nMAIL = '{EMAIL}'\n"}))
    more = json.loads(said("harvest", "file", "x.jsonl", "--json"))["redacted"]
    for _ in range(2):
        found = redacted("harvest", "status")
        assert found["sources"] == {"builder": told_of, "file": more}
        assert found["kinds"]["email"] == told_of["email"] + more["email"]
        assert found["total"] == sum(told_of.values()) + sum(more.values())
        assert redacted("status") == found
        said("harvest", "ingest")
        said("harvest", "file", "x.jsonl")
    line = f"{found['total']}: anthropic_key {told_of['anthropic_key']}, email"
    assert f"secrets taken out so far: {line}" in said("harvest", "status")
    assert f"\n  builder      anthropic_key {told_of['anthropic_key']}, " in said(
        "harvest", "status"
    )
    assert f"secrets taken out  {line}" in said("status")


def test_killed_after_every_step_the_counts_are_those_of_an_undisturbed_ingest(
    home: Path, url: str, databases: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qc_builder_lora.harvest.ingest.WINDOW", 8)
    told().write(home).close()
    assert killed_everywhere(url, lambda store: ingest(store, home)) >= 5
    for cursor in (home / "spool").glob("*.cursor"):
        cursor.unlink()
    with Store.open(url) as store, Store.open(databases.migrated(kind)) as other:
        ingest(other, home)
        assert list(store.redactions.each()) == list(other.redactions.each())
        assert store.redactions.totals().kinds["anthropic_key"] >= 4


def test_a_file_that_still_has_what_the_host_saw_is_named(home: Path) -> None:
    line = "its file has what the host saw: qc-lora harvest ingest writes it anew without secrets"
    # This process wrote it and lives, so it is left.
    told().write(home).close()
    said("harvest", "ingest")
    assert line in said("harvest", "status")
    (spool,) = spools(home / "spool")
    spool.path.unlink()
    os.waitpid(child(lambda: told().write(home)), 0)
    said("harvest", "ingest")
    assert line not in said("harvest", "status")


def test_of_what_came_before_anything_was_counted_the_status_says_unknown(
    home: Path, url: str
) -> None:
    with Store.open(url) as store:
        store.redactions.note_uncounted()
    assert redacted("harvest", "status")["earlier"] == "UNKNOWN"
    line = "none found; out of what was taken before they were counted: UNKNOWN"
    assert line in said("harvest", "status")
    assert line in said("status")


def test_a_database_that_cannot_be_used_makes_the_counts_unknown_and_not_none(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.db").write_bytes(b"nothing of the kind" * 100)
    monkeypatch.setenv("QC_LORA_DATABASE", f"sqlite:///{tmp_path}/broken.db")
    done = CliRunner().invoke(root, ["harvest", "status", "--json"])
    assert done.exit_code != 0
    assert json.loads(done.stdout)["redacted"] is None
