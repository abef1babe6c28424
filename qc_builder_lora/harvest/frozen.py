"""Whether a Snapshot, or a folder that it was exported to, still is what its name says.

A Snapshot's name is a hash of its members and settings, a member's name a hash of its two texts,
and a folder has a manifest: what was changed by hand, or by a failing disk, is told by computing
them again. Nothing is changed or mended here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import CorruptFile, DamagedSnapshot
from qc_builder_lora.ids import example_id, file_hash, json_hash
from qc_builder_lora.records import Example, Snapshot, Split

MANIFEST = "manifest.json"
TOLD = ("left_out", "removed")
"""Settings for the report alone, and no part of the name."""
_HASH = 64
_SHOWN = 3


def name_of(members: Mapping[str, Split], settings: Mapping[str, Any]) -> str:
    """The name of a Snapshot with these members that was made like this."""
    made = {key: value for key, value in settings.items() if key not in TOLD}
    return json_hash({"members": {key: str(side) for key, side in members.items()}, **made})


def check_frozen(snapshot: Snapshot, examples: Sequence[Example]) -> None:
    """Raises DamagedSnapshot unless these are its Examples, all of them, as they were frozen."""
    faults = list(_faults(snapshot, examples))
    if faults:
        raise DamagedSnapshot(snapshot.id, "; ".join(faults))


def _faults(snapshot: Snapshot, examples: Sequence[Example]) -> Iterator[str]:
    if name_of(snapshot.members, snapshot.settings) != snapshot.id:
        yield "its members or its settings are not those that its name is the hash of"
    missing = sorted(snapshot.members.keys() - {one.id for one in examples})
    if missing:
        yield f"{len(missing):,} of its examples are gone ({_some(missing)})"
    changed = [
        one.id
        for one in examples
        if len(one.id) == _HASH and example_id(one.instruction, one.code) != one.id
    ]
    if changed:
        yield f"{len(changed):,} of its examples have other texts now ({_some(changed)})"


def _some(keys: Sequence[str]) -> str:
    return ", ".join(key[:12] for key in keys[:_SHOWN]) + (", …" if len(keys) > _SHOWN else "")


def check_folder(folder: Path) -> dict[str, Any]:
    """The manifest of an exported folder. Raises CorruptFile for what is not as it was written."""
    manifest = _manifest(folder)
    cure = f"Write it again: qc-lora snapshot export {manifest['snapshot'][:12]} --out {folder}"
    for name, wanted in sorted(manifest["sha256"].items()):
        path = folder / name
        if not path.is_file():
            raise CorruptFile(path, "is missing, and the manifest names it", cure)
        found = file_hash(path)
        if found != wanted:
            fact = f"was changed: its SHA-256 is {found[:12]}, the manifest says {str(wanted)[:12]}"
            raise CorruptFile(path, fact, cure)
    return manifest


def _manifest(folder: Path) -> dict[str, Any]:
    path, cure = folder / MANIFEST, "Export it again: qc-lora snapshot export ID --out DIR"
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise CorruptFile(
            path, "is missing: no export of a snapshot, or one that was not finished", cure
        ) from error
    except ValueError as error:
        raise CorruptFile(path, f"is not JSON ({error})", cure) from error
    sound = (
        isinstance(found, dict)
        and isinstance(found.get("snapshot"), str)
        and all(isinstance(found.get(key), dict) for key in ("sha256", "examples"))
    )
    if not sound:
        raise CorruptFile(path, "is not the manifest of a snapshot", cure)
    return dict(found)
