"""Read a file as it was handed in, and say what it is where it is no Python source.

Line ends and a byte order mark are kept, so that a repaired file differs by the repairs alone.
"""

from __future__ import annotations

import codecs
import io
import json
import re
import tokenize
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qc_builder_lora.backtest.check.parsing import MOST_CHARACTERS, tree_of
from qc_builder_lora.errors import InputError
from qc_builder_lora.files import atomic_write

_KINDS = (
    (b"PK\x03\x04", "a zip archive"), (b"\x1f\x8b", "a gzip archive"), (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"), (b"GIF8", "an image"), (b"%PDF", "a PDF"),
    (b"\x7fELF", "a program"), (b"MZ\x90", "a program"), (b"SQLite format 3", "a database"),
)  # fmt: skip
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"), (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16"),
)  # fmt: skip

_CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*[-\w.]+")  # PEP 263


@dataclass(frozen=True)
class HandedIn:
    """A file's text and how it was encoded; `refused`, the sentence that says what it is where it
    is no Python; or `unread`, why nobody can say."""

    path: str
    content: bytes
    text: str = ""
    encoding: str = "utf-8"
    refused: str = ""
    unread: str = ""
    decoded: bool = True
    """Whether `text` is what the file holds; else `refused` says at which byte it is no text."""

    def write(self, path: Path, text: str) -> None:
        """The new text in the file's own encoding, atomically."""
        mark = codecs.BOM_UTF8 if self.content.startswith(codecs.BOM_UTF8) else b""
        with atomic_write(path) as file:
            file.write(mark + text.encode(self.encoding, "surrogatepass"))


def read(path: Path) -> HandedIn:
    """The file as it is. Raises InputError where it cannot be read at all."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from error
    return read_bytes(str(path), content)


def read_of_folder(path: Path) -> HandedIn:
    """As `read`; a file that cannot be read at all says so, and hides none of the others."""
    try:
        return read(path)
    except InputError as error:
        return HandedIn(str(path), b"", unread=str(error), decoded=False)


def read_bytes(name: str, content: bytes) -> HandedIn:
    """As `read`, of bytes."""
    refused = _not_text(name, content)
    if refused:
        return HandedIn(name, content, refused=refused, decoded=False)
    try:
        encoding = _encoding_of(content)
        text = content.decode(encoding)
    except (SyntaxError, LookupError) as error:
        refused = f"its encoding is not known: {error}. Save it as UTF-8"
        return HandedIn(name, content, refused=refused, decoded=False)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        refused = (
            f"not {error.encoding.upper()}: byte 0x{content[error.start]:02x} in line {line}. "
            "Save it as UTF-8, or name its encoding in the first line: # -*- coding: latin-1 -*-"
        )
        return HandedIn(name, content, refused=refused, decoded=False)
    plain = "utf-8" if encoding in ("utf-8-sig", "utf_8_sig") else encoding
    return HandedIn(name, content, text.removeprefix("\ufeff"), plain, _no_python(name, text))


def _encoding_of(content: bytes) -> str:
    """As Python tells it. SyntaxError for a name that it does not know."""
    if not any(map(_CODING.match, content.removeprefix(codecs.BOM_UTF8).splitlines()[:2])):
        # Where it looks for a name it would call every other byte a missing one.
        return "utf-8-sig" if content.startswith(codecs.BOM_UTF8) else "utf-8"
    return tokenize.detect_encoding(io.BytesIO(content).readline)[0]


def _not_text(name: str, content: bytes) -> str:
    if len(content) > 4 * MOST_CHARACTERS:
        return f"{len(content)} bytes, more than any strategy ({4 * MOST_CHARACTERS})"
    for start, kind in _KINDS:
        if content.startswith(start):
            return f"{kind}, not Python source"
    for start, encoding in _MARKS:
        if content.startswith(start):
            return f"in {encoding}, which Python does not read. Save it as UTF-8"
    if b"\0" in content:
        if name.endswith(".pyc") or content[2:4] == b"\r\n":
            return "compiled Python, not source"
        at = content.index(b"\0")
        return (
            f"a null byte in line {content[:at].count(10) + 1}, which Python's source cannot "
            "contain. Save it as plain UTF-8 text"
        )
    return ""


def _no_python(name: str, text: str) -> str:
    """What a text is that does not parse, where that can be told; empty for Python."""
    if not text.strip():
        return "an empty file"
    if isinstance(tree_of(text), str):
        for is_one, what in _LANGUAGES:
            if is_one(text):
                return what
    elif text.lstrip()[0] in "[{" and _is_json(text):
        # which is a Python expression too
        return _NOTEBOOK if _is_notebook(text) else "JSON, not Python source"
    return ""


_NOTEBOOK = (
    "a Jupyter notebook. Hand in the strategy alone, or turn it into a file with: jupyter "
    "nbconvert --to script NOTEBOOK"
)


def _is_notebook(text: str) -> bool:
    if '"cells"' not in text or '"nbformat"' not in text:
        return False
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return True
    return isinstance(found, dict) and "cells" in found


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _looks(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.MULTILINE)
    return lambda text: compiled.search(text) is not None


_LANGUAGES: tuple[tuple[Callable[[str], bool], str], ...] = (
    (_is_notebook, _NOTEBOOK),
    (_looks(r"^\s*using\s+[\w.]+;|^\s*(?:public|internal)\s+(?:partial\s+)?class\s+\w+\s*:"
            r"\s*QCAlgorithm|^\s*namespace\s+[\w.]+\s*[{;]|\bpublic\s+override\s+void\b"),
     "C#. Only Python strategies are checked"),
    (_looks(r"\A\s*(?:<!DOCTYPE|<html|<\?xml)"), "a web page, not Python source"),
    (_looks(r"\A(?:diff --git |--- \S+\n\+\+\+ )"), "a patch. Hand in the patched file"),
    (_looks(r"^<{7} |^>{7} "), "a file with unresolved merge conflicts"),
    (_looks(r"^\s*(?:```|~~~)"),
     "an answer with Markdown around the code. Hand in only what stands between the fences"),
    (_looks(r"^\s*print\s+[\"'\w]|^\s*except\s+\w+\s*,\s*\w+\s*:|\bxrange\(|^\s*exec\s+[\"']"),
     "Python 2. LEAN runs Python 3.11"),
    (_looks(r"\A\s*[\[{][\s\S]*[\]}]\s*\Z"), "JSON, not Python source"),
)  # fmt: skip
