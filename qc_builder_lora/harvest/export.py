"""A snapshot as files that any trainer reads: chat format, one JSON object a line.

The same snapshot gives the same bytes on every machine: examples stand in the order of their ids,
and nothing that depends on when or where they were made is written.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import InputError
from qc_builder_lora.files import write_text
from qc_builder_lora.harvest.choice import Choice
from qc_builder_lora.harvest.frozen import MANIFEST, check_frozen
from qc_builder_lora.ids import text_hash
from qc_builder_lora.records import Example, Snapshot, Split
from qc_builder_lora.store import Store

_UNFINISHED, _WHOSE = ".unfinished", "whose.json"
_FILES = tuple(f"{split}.jsonl" for split in Split)


@dataclass
class Exported:
    """What was written where."""

    folder: Path
    examples: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    sha256: dict[str, str] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "examples": dict(sorted(self.examples.items())),
            "left_out": dict(sorted(self.left_out.items())),
            "sha256": dict(sorted(self.sha256.items())),
        }


def export(
    store: Store,
    snapshot: Snapshot,
    folder: Path,
    licences: tuple[str, ...] = (),
    sources: tuple[str, ...] = (),
) -> Exported:
    """Write `train.jsonl`, `validation.jsonl` and `manifest.json`.

    Stopped or out of space, the same call goes on; until it has ended there is no manifest.
    What leaves this machine is looked at once more: examples of a licence that is not established
    are left out unless it, or their source, is named here, also where the snapshot has them.
    Raises InputError for a folder that has files of another snapshot, DamagedSnapshot.
    """
    _refuse_strangers(folder, snapshot)
    examples = store.examples.of_snapshot(snapshot.id)
    check_frozen(snapshot, examples)
    done = Exported(folder)
    asked = Choice(licences=licences, include_sources=sources)
    with _beside(folder, snapshot) as place:
        taken = _write_splits(snapshot, examples, asked, done, place)
        manifest = {
            "snapshot": snapshot.id,
            "format": "one object a line: id, messages (user, assistant), family, source, licence",
            "examples": dict(sorted(done.examples.items())),
            "left_out": dict(sorted(done.left_out.items())),
            "sources_and_licences": dict(sorted(taken.items())),
            "sha256": dict(sorted(done.sha256.items())),
        }
        text = json.dumps(manifest, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        write_text(place / MANIFEST, text)
    return done


def _write_splits(
    snapshot: Snapshot, examples: Sequence[Example], asked: Choice, done: Exported, place: Path
) -> Counter[str]:
    taken: Counter[str] = Counter()
    for split in Split:
        lines = []
        for example in examples:
            if snapshot.members[example.id] is not split:
                continue
            if asked.withholds(example.licence, example.source):
                done.left_out[f"licence not asked for: {example.licence}"] += 1
                continue
            taken[f"{example.source}, {example.licence}"] += 1
            lines.append(line(example))
        if lines:
            text = "".join(lines)
            write_text(place / f"{split}.jsonl", text)
            done.examples[str(split)] = len(lines)
            done.sha256[f"{split}.jsonl"] = text_hash(text)
    return taken


@contextmanager
def _beside(folder: Path, snapshot: Snapshot) -> Iterator[Path]:
    """A place for the files until all of them are there; then they take their places in `folder`.

    What stood in `folder` before stays whole where the disk is full or the process is killed.
    """
    place = folder / _UNFINISHED
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        write_text(place / _WHOSE, json.dumps({"snapshot": snapshot.id}))
        yield place
        # Last on purpose: a manifest says that all files are there.
        for name in (*_FILES, MANIFEST):
            if (place / name).exists():
                (place / name).replace(folder / name)
            else:
                (folder / name).unlink(missing_ok=True)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def line(example: Example) -> str:
    """One example as a line; text that is no Unicode (lone surrogates) is escaped."""
    plain = {
        "id": example.id,
        "messages": [
            {"role": "user", "content": example.instruction},
            {"role": "assistant", "content": example.code},
        ],
        "family": example.family,
        "source": example.source,
        "licence": example.licence,
        "version": example.version,
        "style": example.style,
        "kind": example.kind,
    }
    text = json.dumps(plain, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = json.dumps(plain)
    return text + "\n"


def _refuse_strangers(folder: Path, snapshot: Snapshot) -> None:
    if folder.is_file():
        raise InputError(f"{folder} is a file. Name a folder: qc-lora snapshot export ID --out DIR")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    found = _whose(folder / MANIFEST) or _whose(folder / _UNFINISHED / _WHOSE)
    if found != snapshot.id:
        whose = f"snapshot {str(found)[:12]}" if found else "something else"
        raise InputError(f"{folder} has files of {whose}. Name an empty folder, or empty it first.")


def _whose(path: Path) -> object:
    try:
        return json.loads(path.read_text("utf-8")).get("snapshot")
    except (OSError, ValueError, AttributeError):
        return None


def differences(store: Store, first: Snapshot, second: Snapshot) -> Iterator[tuple[str, Example]]:
    """Members of only one of two snapshots (`-` the first, `+` the second), and those that changed
    sides (`!`: never, if both were made in one store)."""
    keys = sorted(set(first.members) | set(second.members))
    changed = [key for key in keys if first.members.get(key) != second.members.get(key)]
    found = {example.id: example for example in store.examples.fetch(changed)}
    for key in changed:
        sign = "!" if key in first.members and key in second.members else "+"
        yield ("-" if key not in second.members else sign), found[key]
