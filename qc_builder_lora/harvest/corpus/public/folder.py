"""A folder of somebody's strategies: Python files and notebooks, under a licence that is named.

Links that lead out of the folder are not followed. A file that cannot be decoded, is too large, or
is in C# is named with its reason, and the rest is taken.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from qc_builder_lora.errors import InputError
from qc_builder_lora.harvest.corpus.candidate import Candidate, LeftOut
from qc_builder_lora.harvest.corpus.public.commit import commit_of
from qc_builder_lora.harvest.corpus.public.describe import without_header
from qc_builder_lora.harvest.corpus.public.licence import checked_licence
from qc_builder_lora.harvest.corpus.public.notebook import cells_of
from qc_builder_lora.harvest.corpus.public.taking import Origin, Taking, slug
from qc_builder_lora.harvest.sources.piece import LARGEST_CODE, decoded

SOURCE = "folder"
LARGEST_NOTEBOOK = 10_000_000
"""Bytes; most of a notebook is its pictures."""
_KINDS = frozenset({".py", ".ipynb", ".cs"})
_NEVER = frozenset({
    ".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".ipynb_checkpoints",
    ".qc-lora", "site-packages", "bin", "obj",
})  # fmt: skip


def origin(folder: Path, licence: str | None) -> Origin:
    """What each example of a folder says; InputError without a licence, or without a folder."""
    if not folder.exists():
        raise InputError(f"{folder}: no such folder.")
    if not folder.is_dir():
        raise InputError(f"{folder}: is a file. Name the folder that it is in.")
    checked = checked_licence(licence, f"{folder}, --licence")
    name = _shown(folder.resolve()).rpartition("/")[2] or "folder"
    commit = commit_of(folder)
    return Origin(source=SOURCE, licence=checked, version=f"{name} {commit}" if commit else name)


def files_of(folder: Path) -> list[Path]:
    """All that might hold strategies, sorted; InputError where there is nothing of the kind."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if one not in _NEVER)
        found += [Path(parent) / one for one in names if Path(one).suffix.lower() in _KINDS]
        # A link to a folder is not entered; that it is there is said.
        found += [Path(parent) / one for one in folders if (Path(parent) / one).is_symlink()]
    if not found:
        raise InputError(f"{folder}: has no .py, .ipynb or .cs file, in no folder below it either.")
    return sorted(found)


def candidates(folder: Path, files: list[Path], taking: Taking) -> Iterator[Candidate | LeftOut]:
    """Each strategy in these files as a candidate, or why a file gives none."""
    family = f"folder_{slug(folder.resolve().name)}"
    for path in files:
        place = _shown(path.relative_to(folder))
        try:
            if path.suffix.lower() == ".cs":
                # Nothing of it is read: C# is for another model.
                yield taking.left_out(place, "C#", place)
                continue
            text = _text(folder, path)
            if path.suffix.lower() == ".ipynb":
                yield from _notebook(text, place, family, taking)
            else:
                yield _file(path, text, place, family, taking)
        except (InputError, OSError) as error:
            told = error.strerror if isinstance(error, OSError) else str(error)
            told = (told or "").removeprefix("its text: ")
            yield taking.left_out(place, "cannot be read", place, told)


def _shown(path: Path) -> str:
    """A path as text that every database takes, also where its name is no Unicode."""
    return os.fsencode(path.as_posix()).decode("utf-8", "replace")


def _text(folder: Path, path: Path) -> str:
    if path.is_symlink() and not path.exists():
        raise InputError("a link to nothing")
    if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
        raise InputError("a link that leads out of the folder")
    if path.is_dir():
        raise InputError("a link to a folder")
    # Opened, a pipe would wait for ever.
    if not path.is_file():
        raise InputError("not a regular file")
    most = LARGEST_NOTEBOOK if path.suffix.lower() == ".ipynb" else LARGEST_CODE
    if path.stat().st_size > most:
        raise InputError(f"more than {most:,} bytes")
    return decoded(path.read_bytes(), "its text")


def _file(path: Path, text: str, place: str, family: str, taking: Taking) -> Candidate | LeftOut:
    siblings = {one.stem for one in path.parent.glob("*.py")} - {path.stem}
    about = _description(path) if path.name == "main.py" else None
    return taking.take(without_header(text), place, family, about=about, siblings=siblings)


def _description(path: Path) -> str | None:
    """What the config.json of a LEAN project says of it; None where its author wrote nothing."""
    path = path.with_name("config.json")
    if path.is_symlink() or not path.is_file():
        return None
    try:
        found = json.loads(path.read_bytes()[:LARGEST_CODE])
    except (OSError, ValueError, RecursionError):
        return None
    text = found.get("description") if isinstance(found, dict) else None
    return text.strip() if isinstance(text, str) and text.strip() else None


def _notebook(text: str, place: str, family: str, taking: Taking) -> Iterator[Candidate | LeftOut]:
    found = list(cells_of(text))
    for cell in found:
        yield taking.take(cell.code, f"{place}#{cell.number}", family, about=cell.about)
    if not found:
        yield taking.left_out(place, "a notebook without a QCAlgorithm class", place)
