"""The text of a file in somebody's folder, if it is a file of that folder and is text."""

from __future__ import annotations

from pathlib import Path

from qc_builder_lora.errors import InputError
from qc_builder_lora.harvest.sources.piece import LARGEST_CODE, decoded


def text_of(top: Path, path: Path, most: int = LARGEST_CODE) -> str:
    """InputError for links out of the folder, what is no file, and what is larger than `most`."""
    if path.is_symlink() and not path.exists():
        raise InputError("a link to nothing")
    if path.is_symlink() and not path.resolve().is_relative_to(top.resolve()):
        raise InputError("a link that leads out of the folder")
    if path.is_dir():
        raise InputError("a link to a folder" if path.is_symlink() else "a folder")
    # Opened, a pipe would wait for ever.
    if not path.is_file():
        raise InputError("not a regular file")
    if path.stat().st_size > most:
        raise InputError(f"more than {most:,} bytes")
    return decoded(path.read_bytes(), "its text")


def said(error: InputError | OSError) -> str:
    """Why it could not be read, in words for a list of files."""
    told = error.strerror if isinstance(error, OSError) else str(error)
    return (told or "").removeprefix("its text: ")
