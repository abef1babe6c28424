"""A folder of somebody's strategies: Python files and notebooks, under a licence that is named.

Links that lead out of the folder are not followed. A file that cannot be decoded, is too large, is
in C#, or says that it is under another licence is named with its reason, and the rest is taken.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Set
from functools import cache
from pathlib import Path

from qc_builder_lora.errors import InputError
from qc_builder_lora.harvest.corpus.candidate import Candidate, LeftOut
from qc_builder_lora.harvest.corpus.public.commit import commit_of
from qc_builder_lora.harvest.corpus.public.describe import without_header
from qc_builder_lora.harvest.corpus.public.licence import (
    checked_licence,
    contradicts,
    licence_file,
    stated_licence,
)
from qc_builder_lora.harvest.corpus.public.notebook import cells_of
from qc_builder_lora.harvest.corpus.public.reading import said, text_of
from qc_builder_lora.harvest.corpus.public.taking import Origin, Taking, slug
from qc_builder_lora.harvest.sources.piece import LARGEST_CODE

SOURCE = "folder"
ANOTHER_LICENCE = "says another licence"
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


def candidates(
    folder: Path, files: list[Path], taking: Taking, encoding: str | None = None
) -> Iterator[Candidate | LeftOut]:
    """Each strategy in these files as a candidate, or why a file gives none.

    `encoding` is what those are in that are not UTF-8 and do not say what they are.
    """
    family = f"folder_{slug(folder.resolve().name)}"
    # Once a folder, not once a file: folders of thousands are usual.
    beside = cache(lambda parent: licence_file(parent, folder))
    modules = cache(lambda parent: frozenset(one.stem for one in parent.glob("*.py")))
    for path in files:
        place = _shown(path.relative_to(folder))
        try:
            if path.suffix.lower() == ".cs":
                # Nothing of it is read: C# is for another model.
                yield taking.left_out(place, "C#", place)
                continue
            is_notebook = path.suffix.lower() == ".ipynb"
            most = LARGEST_NOTEBOOK if is_notebook else LARGEST_CODE
            text = text_of(folder, path, most, encoding)
            another = _another_licence(folder, text, beside(path.parent), taking.origin.licence)
            if another is not None:
                yield taking.left_out(place, ANOTHER_LICENCE, place, another)
            elif is_notebook:
                yield from _notebook(text, place, family, taking)
            else:
                siblings = modules(path.parent) - {path.stem}
                yield _file(path, text, place, family, siblings, taking)
        except (InputError, OSError) as error:
            yield taking.left_out(place, "cannot be read", place, said(error))


def _another_licence(
    folder: Path, text: str, beside: tuple[Path, str] | None, named: str
) -> str | None:
    """What the file, or the licence beside it, says against the licence that was named."""
    stated = stated_licence(text)
    if stated is not None:
        told = f"it says {stated.rstrip('-')}, --licence says {named}"
        return told if contradicts(stated, named) else None
    if beside is None or not contradicts(beside[1], named):
        return None
    shown = _shown(beside[0].relative_to(folder))
    return f"{shown} says {beside[1].rstrip('-')}, --licence says {named}"


def _shown(path: Path) -> str:
    """A path as text that every database takes, also where its name is no Unicode."""
    return os.fsencode(path.as_posix()).decode("utf-8", "replace")


def _file(
    path: Path, text: str, place: str, family: str, siblings: Set[str], taking: Taking
) -> Candidate | LeftOut:
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
