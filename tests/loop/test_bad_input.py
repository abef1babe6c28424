"""What a user can hold wrongly, given to the real commands: one sentence, and nothing lost."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from qc_builder_lora.records import Model, RunStatus
from qc_builder_lora.store import Store
from tests.loop.conftest import run_in
from tests.loop.test_turn import store_of


def kept(store: Store) -> dict[str, int]:
    return store.counts()


def own_base(folder: Path) -> Path:
    """The project's base GGUF, moved to where the test may damage it."""
    path = folder / "weights" / "tiny.gguf"
    described = folder / "retrain/bases/tiny.yaml"
    text = re.sub(r"source: folder:.*", f"source: folder:{path.parent}", described.read_text())
    described.write_text(text)
    return path


def refused(done: subprocess.CompletedProcess[str], *said: str) -> None:
    assert done.returncode in (1, 2), done.stderr
    assert "Traceback" not in done.stderr
    for part in said:
        assert part in done.stderr


def test_a_missing_base_is_named_with_its_folder(fresh: Path) -> None:
    own_base(fresh).unlink()
    done = run_in(fresh, "turn")
    refused(done, f"{fresh}/weights holds 0 GGUF files; it should hold one. Put the base's file")
    with store_of(fresh) as store:
        (failed,) = store.turns.find()
        assert failed.status is RunStatus.FAILED
        assert list(failed.stages) == ["ingest", "gates", "snapshot"]


def test_a_damaged_base_is_told_by_both_checksums(fresh: Path) -> None:
    base = own_base(fresh)
    damaged = bytearray(base.read_bytes())
    damaged[-7] ^= 1
    base.write_bytes(damaged)
    done = run_in(fresh, "turn")
    refused(done, f"{base}: its SHA-256 is", "the base tiny says", "Get the file again")


def test_a_base_that_is_cut_short_is_told_even_without_a_checksum(fresh: Path) -> None:
    base = own_base(fresh)
    base.write_bytes(base.read_bytes()[:-5000])
    described = fresh / "retrain/bases/tiny.yaml"
    described.write_text(re.sub(r"sha256: .*\n", "", described.read_text()))
    refused(run_in(fresh, "turn"), str(base), "Get the file again")


def test_a_damaged_base_stops_the_release_and_the_adapter_is_kept(project: Path) -> None:
    base = own_base(project)
    base.write_bytes(b"GGUF" + bytes(100))
    with store_of(project) as store:
        model = store.models.find()[0]
        path = Path(model.path)
        adapter = store.adapters.find()[0]
        before = kept(store)
    moved = path.rename(path.with_suffix(".away"))
    try:
        refused(run_in(project, "release"), f"{base}: its SHA-256 is")
    finally:
        moved.rename(path)
    with store_of(project) as store:
        assert kept(store) == before
    assert Path(adapter.path).exists()


@pytest.fixture
def candidate(project: Path) -> Model:
    with store_of(project) as store:
        return store.models.find()[0]


def test_a_missing_artefact_is_named_when_it_is_evaluated(project: Path, candidate: Model) -> None:
    path = Path(candidate.path)
    moved = path.rename(path.with_suffix(".away"))
    try:
        done = run_in(project, "eval", candidate.id)
    finally:
        moved.rename(path)
    refused(done, f"No model file named '{path}'", "qc-lora model list")


def test_a_cut_artefact_is_told_when_it_is_evaluated(project: Path, candidate: Model) -> None:
    path = Path(candidate.path)
    whole = path.read_bytes()
    (project / "eval/suites/other.jsonl").write_text('{"id": "x", "instruction": "Buy AAPL."}\n')
    try:
        path.write_bytes(whole[: len(whole) // 2])
        done = run_in(project, "eval", candidate.id, "--suite", "other")
    finally:
        path.write_bytes(whole)
    refused(done, str(path), f"cut short: {len(whole) // 2:,} bytes of")


def test_a_recipe_with_an_unknown_key_trains_nothing(fresh: Path) -> None:
    recipe = fresh / "mine.yaml"
    recipe.write_text((fresh / "retrain/recipes/tiny.yaml").read_text() + "learning_rat: 1\n")
    assert run_in(fresh, "snapshot", "build").returncode == 0
    done = run_in(fresh, "retrain", "--recipe", str(recipe))
    refused(done, "mine.yaml: unknown key 'learning_rat'. Did you mean 'learning_rate'?")
    with store_of(fresh) as store:
        assert store.runs.count() == 0
