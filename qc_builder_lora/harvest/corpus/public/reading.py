"""The text of a file in somebody's folder, if it is a file of that folder and is text.

No encoding is guessed: where a text has few letters of its own a guess is wrong as often as not,
and what it gives is taught. A file says what it is in, or its owner does.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from qc_builder_lora.errors import InputError
from qc_builder_lora.harvest.sources.piece import LARGEST_CODE, decoded

_LONGEST_LINE = 60
_IN_UTF8 = re.compile(rb"[\xc3-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}")
"""Letters of UTF-8, and in an encoding of one byte a letter what nobody writes."""


def checked_encoding(name: str | None) -> str | None:
    """The name as Python knows it; InputError for one that it does not know."""
    if name is None:
        return None
    try:
        if not isinstance(b"a".decode(name), str):
            raise LookupError(name)
        return codecs.lookup(name).name
    except (LookupError, UnicodeDecodeError) as error:
        raise InputError(
            f"--encoding {name!r}: no encoding of text that is known. Name one as Python does: "
            "cp1252 (Western Europe), cp1250 (Central Europe), cp1251 (Cyrillic), gb18030, cp932."
        ) from error


def text_of(top: Path, path: Path, most: int = LARGEST_CODE, encoding: str | None = None) -> str:
    """InputError for links out of the folder, what is no file, and what is larger than `most`.

    `encoding` is what a file is in that is not what it says, or UTF-8 where it says nothing.
    """
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
    raw = path.read_bytes()
    try:
        return decoded(raw, "its text")
    except InputError as error:
        if b"\x00" in raw:
            raise
        if encoding is None:
            raise InputError(
                f"{str(error).removesuffix(' Save it as UTF-8.')} {_cure(raw)}"
            ) from error
    if _IN_UTF8.search(raw) and len("é".encode(encoding, "replace")) == 1:
        raise InputError("is UTF-8 in some places and not in others: damaged. Save it as UTF-8.")
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"is neither UTF-8 nor {encoding} ({error}). Save it as UTF-8.") from error


def _cure(raw: bytes) -> str:
    """What to do, with the first line that is no ASCII as the most usual encoding has it."""
    line = next((one for one in raw.splitlines() if not one.isascii()), None)
    if line is None:
        return "Save it as UTF-8."
    told = " ".join(line.decode("cp1252", "replace").split()).strip("\"'# ")
    if len(told) > _LONGEST_LINE:
        told = f"{told[:_LONGEST_LINE]}…"
    return (
        "Save it as UTF-8, or name what it is in: with --encoding cp1252 its first such line reads "
        f"{told!r}."
    )


def said(error: InputError | OSError) -> str:
    """Why it could not be read, in words for a list of files."""
    told = error.strerror if isinstance(error, OSError) else str(error)
    return (told or "").removeprefix("its text: ")
