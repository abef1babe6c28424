"""A snapshot, and a folder it was exported to, is what its name says, or the user is told."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from qc_builder_lora.cli import root
from qc_builder_lora.errors import CorruptFile, DamagedSnapshot, DiskFull, InputError
from qc_builder_lora.harvest import export as exporting
from qc_builder_lora.harvest.export import export
from qc_builder_lora.harvest.frozen import check_folder, check_frozen
from qc_builder_lora.harvest.snapshot import Choice, build_snapshot
from qc_builder_lora.ids import json_hash
from qc_builder_lora.records import Snapshot
from qc_builder_lora.store import Store
from tests.harvest.conftest import Told

THEIRS = "LicenseRef-theirs"


def fill(told: Told, count: int = 40) -> None:
    for number in range(count):
        texts = {"instruction": f"Buy AAPL after {number} days.", "code": f"class A{number}: pass"}
        told.example(number, id=json_hash(texts), **texts)


@pytest.fixture
def frozen(kept: Store, told: Told) -> Snapshot:
    fill(told)
    return build_snapshot(kept, [])[0]


def damage(store: Store, *statement: Any) -> None:
    """By hand, as with another program."""
    with sqlite3.connect(str(store.url).removeprefix("sqlite:///")) as file:
        file.execute("PRAGMA foreign_keys = off")
        file.execute(*statement)


def examine(store: Store, snapshot: Snapshot) -> None:
    check_frozen(store.snapshots.get(snapshot.id), store.examples.of_snapshot(snapshot.id))


def test_what_was_frozen_is_sound(kept: Store, frozen: Snapshot) -> None:
    examine(kept, frozen)
    examine(kept, build_snapshot(kept, [], Choice(family_quota=3))[0])


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE examples SET code = code || ' ' WHERE id = :one",
         "1 of its examples have other texts now (ONE)"),
        ("UPDATE examples SET instruction = 'x' WHERE id = :one", "other texts now (ONE)"),
        ("DELETE FROM examples WHERE id = :one", "1 of its examples are gone (ONE)"),
        ("DELETE FROM snapshot_members WHERE example_id = :one",
         "its members or its settings are not those that its name is the hash of"),
        ("UPDATE snapshot_members SET split = 'validation' WHERE example_id IS NOT NULL",
         "its members or its settings"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("words", [["show"], ["report"], ["export", "--out", "x"]])
def test_a_change_by_hand_is_told_by_every_command_that_reads_it(
    kept: Store,
    frozen: Snapshot,
    statement: str,
    said: str,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = min(frozen.members)
    damage(kept, statement, {"one": one} if ":one" in statement else {})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QC_LORA_DATABASE", kept.url)
    monkeypatch.setenv("QC_LORA_HOME", str(tmp_path / "home"))
    with pytest.raises(DamagedSnapshot) as found:
        CliRunner().invoke(
            root, ["snapshot", words[0], frozen.id, *words[1:]], catch_exceptions=False
        )
    assert said.replace("ONE", one[:12]) in str(found.value)
    assert f"Snapshot {frozen.id[:12]} is not what was frozen" in str(found.value)
    assert "qc-lora snapshot build" in str(found.value)
    assert not (tmp_path / "x").exists()


def test_a_changed_or_missing_file_of_an_export_is_told(
    kept: Store, frozen: Snapshot, tmp_path: Path
) -> None:
    folder = tmp_path / "x"
    export(kept, frozen, folder)
    said = CliRunner().invoke(root, ["snapshot", "show", str(folder)], catch_exceptions=False)
    assert frozen.id in said.stdout
    assert "as they were written" in said.stdout
    path = folder / "train.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"AAPL", b"AAPM", 1))
    again = rf"Write it again: qc-lora snapshot export {frozen.id[:12]} --out "
    with pytest.raises(CorruptFile, match=rf"train\.jsonl: was changed: its SHA-256 .*{again}"):
        check_folder(folder)
    path.unlink()
    with pytest.raises(CorruptFile, match=r"train\.jsonl: is missing, and the manifest names it"):
        check_folder(folder)
    export(kept, frozen, folder)
    assert path.read_bytes() == whole
    check_folder(folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "is missing: no export"), ("{", "is not JSON"), ("[]", "is not the manifest")],
)
def test_a_folder_without_a_sound_manifest_is_no_export(
    kept: Store, frozen: Snapshot, tmp_path: Path, text: str | None, said: str
) -> None:
    export(kept, frozen, tmp_path / "x")
    manifest = tmp_path / "x/manifest.json"
    manifest.unlink() if text is None else manifest.write_text(text)
    with pytest.raises(CorruptFile, match=f"{said}.*Export it again"):
        check_folder(tmp_path / "x")


class Stops:
    """`write_text` that ends at a file, as a full disk or a killed process does."""

    def __init__(self, at: str, error: BaseException) -> None:
        self._at, self._error, self._write = at, error, exporting.write_text

    def __call__(self, path: Path, text: str) -> None:
        if path.name == self._at:
            raise self._error
        self._write(path, text)


@pytest.mark.parametrize("at", ["whose.json", "train.jsonl", "validation.jsonl", "manifest.json"])
@pytest.mark.parametrize("before", [False, True])
def test_an_export_that_found_the_disk_full_leaves_what_was_there_and_can_be_run_again(
    kept: Store, frozen: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    at: str, before: bool,
) -> None:  # fmt: skip
    folder = tmp_path / "x"
    if before:
        export(kept, frozen, folder)
    full = Stops(at, DiskFull(folder / at, None, 0, ""))
    with monkeypatch.context() as patched:
        patched.setattr(exporting, "write_text", full)
        with pytest.raises(DiskFull):
            export(kept, frozen, folder)
    if before:
        check_folder(folder)
    else:
        assert list(folder.iterdir()) == []
    export(kept, frozen, folder)
    check_folder(folder)


@pytest.mark.parametrize("at", ["train.jsonl", "manifest.json"])
def test_an_export_that_was_killed_is_no_export_and_the_same_command_goes_on(
    kept: Store, frozen: Snapshot, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    at: str,
) -> None:  # fmt: skip
    folder = tmp_path / "x"
    with monkeypatch.context() as patched:
        patched.setattr(exporting, "write_text", Stops(at, SystemExit(9)))
        # A killed process tidies nothing up.
        patched.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(SystemExit):
            export(kept, frozen, folder)
    assert [path.name for path in folder.iterdir()] == [".unfinished"]
    with pytest.raises(CorruptFile, match="was not finished"):
        check_folder(folder)
    told.example(900)
    other, _ = build_snapshot(kept, [])
    with pytest.raises(InputError, match=f"has files of snapshot {frozen.id[:12]}"):
        export(kept, other, folder)
    export(kept, frozen, folder)
    check_folder(folder)
    assert not (folder / ".unfinished").exists()


def test_a_second_export_with_fewer_licences_leaves_nothing_of_the_first(
    kept: Store, told: Told, tmp_path: Path
) -> None:
    fill(told)
    held_out = [
        key for key, side in build_snapshot(kept, [])[0].members.items() if side == "validation"
    ]
    for key in held_out:
        damage(kept, "UPDATE examples SET licence = ? WHERE id = ?", (THEIRS, key))
    snapshot, _ = build_snapshot(kept, [], Choice(licences=(THEIRS,)))
    export(kept, snapshot, tmp_path / "x", (THEIRS,))
    assert THEIRS in (tmp_path / "x/validation.jsonl").read_text()
    export(kept, snapshot, tmp_path / "x")
    assert not (tmp_path / "x/validation.jsonl").exists()
    assert json.loads((tmp_path / "x/manifest.json").read_text())["examples"].keys() == {"train"}
