"""Several processes serve one home: each is told of by itself, and who has ended is told apart."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from qc_builder_lora.cli import root
from qc_builder_lora.ids import now
from qc_builder_lora.models.telling import forget, tell, told

STATUS = ["shadow", "status"]
COUNTS = {"requests": {"kept": 1, "waiting": 0}, "shadow": None}


def say(home: Path, process: str, *, age_s: float = 0, ended: bool = False) -> None:
    """As another process would have said it, so long ago."""
    (home / "serving").mkdir(parents=True, exist_ok=True)
    at = (now() - timedelta(seconds=age_s)).isoformat()
    about = {**COUNTS, "process": process, "at": at, "ended": ended}
    (home / "serving" / f"{process.replace(':', '-')}.json").write_text(json.dumps(about))


def test_each_process_is_told_of_and_the_silent_and_the_ended_serve_no_more(tmp_path: Path) -> None:
    say(tmp_path, "here:1", age_s=3)
    say(tmp_path, "there:1", age_s=2)
    say(tmp_path, "here:2", age_s=300)
    say(tmp_path, "here:3", age_s=1, ended=True)
    found = [(one["process"], one["serves"]) for one in told(tmp_path)]
    assert found == [("here:3", False), ("there:1", True), ("here:1", True), ("here:2", False)]


def test_what_ended_is_forgotten_but_for_the_last_word_and_a_torn_file_is_none(
    tmp_path: Path,
) -> None:
    say(tmp_path, "here:1", age_s=900)
    say(tmp_path, "here:2", age_s=600)
    (tmp_path / "serving/torn.json").write_text('{"at"')
    forget(tmp_path)
    assert [one["process"] for one in told(tmp_path)] == ["here:2"]
    assert len(list((tmp_path / "serving").iterdir())) == 1
    say(tmp_path, "here:3")
    forget(tmp_path)
    assert [one["process"] for one in told(tmp_path)] == ["here:3"]


def test_shadow_status_shows_every_process_that_serves_and_else_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QC_LORA_HOME", str(tmp_path))
    assert "No qc-lora serve has run here yet." in CliRunner().invoke(root, STATUS).output
    say(tmp_path, "here:1", age_s=900)
    say(tmp_path, "here:2", age_s=600)
    shown = CliRunner().invoke(root, STATUS).output
    assert "here:2 (serves no more)" in shown
    assert "here:1" not in shown
    say(tmp_path, "there:7", age_s=1)
    tell(tmp_path, COUNTS)
    shown = CliRunner().invoke(root, STATUS).output
    assert shown.count("(serves)") == 2
    assert "there:7 (serves)" in shown
    assert "here:2" not in shown
    plain = json.loads(CliRunner().invoke(root, [*STATUS, "--json"]).output)
    assert [one["serves"] for one in plain["processes"]] == [True, True, False, False]
    tell(tmp_path, COUNTS, ends=True)
    assert CliRunner().invoke(root, STATUS).output.count("(serves)") == 1
