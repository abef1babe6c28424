"""What every source gives: pieces of strategy code, each with what an engine said of it, or the
reason why something was left where it is.
"""

from __future__ import annotations

import codecs
import io
import tokenize
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from qc_builder_lora.backtest.check.parsing import imported_modules, tree_of
from qc_builder_lora.errors import InputError
from qc_builder_lora.ids import id_at
from qc_builder_lora.records import BacktestStatus

LARGEST_CODE = 1_000_000
"""Bytes; QuantConnect allows a quarter of it."""
_MARKS = (
    # Begins as UTF-16's does.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was said of the code by an engine, or by somebody who is not believed (UNKNOWN)."""

    key: str
    """The same backtest has the same key whenever it is harvested."""
    moment: datetime | None
    status: BacktestStatus
    engine: str
    reason: str | None = None
    phase: str | None = None
    engine_version: str | None = None
    code_sha256: str | None = None
    """Of the text that ran, where the source knows it."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    statistics: Mapping[str, str] = field(default_factory=dict)
    total_orders: int | None = None
    closed_trades: int | None = None
    equity: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One strategy as a source has it."""

    key: str
    """Unlike any other of the source; with another code it is another key."""
    group: str
    """What it was made for: a project, a folder, a build. Pieces of a group share a Build."""
    title: str
    code: str
    moment: datetime | None = None
    """When it was made; None where nobody knows."""
    instruction: str | None = None
    """What was asked for; the title where this is unknown."""
    spec: str | None = None
    status: str | None = None
    """The host's own words for how it ended: a claim."""
    model: str | None = None
    version: str | None = None
    iteration: int | None = None
    fitness: float | None = None
    """The Sharpe ratio that the host claims."""
    licence: str | None = None
    family: str | None = None
    measured: Measured | None = None
    where: str = ""
    """The place a person would look at; the title where there is none better."""


@dataclass(frozen=True)
class Skipped:
    """Something that was looked at and not taken."""

    where: str
    why: str


def record_id(source: str, moment: datetime | None, key: str, what: str) -> str:
    """The id of a record of a source: the same whenever and wherever it is harvested."""
    nanoseconds = 0 if moment is None else int(moment.timestamp()) * 1_000_000_000
    return id_at(max(0, nanoseconds), source, key, what)


def read_code(path: Path) -> str:
    """A source file in whatever encoding it says it is in; InputError where that is not so."""
    try:
        if path.stat().st_size > LARGEST_CODE:
            raise InputError(f"{path}: more than {LARGEST_CODE:,} bytes; not a strategy.")
        return decoded(path.read_bytes(), str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from error


def decoded(raw: bytes, where: str) -> str:
    """Text by its byte order mark, else by its coding line, else UTF-8; line ends as they are.

    UTF-16 and UTF-32 without a mark are known by their null bytes. Nothing else is guessed: a wrong
    guess gives other letters.
    """
    name = next((name for mark, name in _MARKS if raw.startswith(mark)), None) or _wide(raw)
    try:
        if name is None:
            name, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        text = raw.decode(name)
    except (UnicodeDecodeError, LookupError, SyntaxError) as error:
        raise InputError(
            f"{where}: is not {name or 'text'} ({error}). Save it as UTF-8."
        ) from error
    if "\x00" in text:
        raise InputError(f"{where}: has null bytes; not source code.")
    return text


def _wide(raw: bytes) -> str | None:
    """Which of UTF-32 and UTF-16 it is, where its first letters are ASCII and no byte order mark
    says so; None where it is neither."""
    first = raw[:8]
    if len(first) < 8 or 0 not in first:
        return None
    shapes = {
        "utf-32-le": "x000x000", "utf-32-be": "000x000x", "utf-16-le": "x0x0x0x0",
        "utf-16-be": "0x0x0x0x",
    }  # fmt: skip
    shape = "".join("x" if byte else "0" for byte in first)
    return next((name for name, known in shapes.items() if shape == known), None)


def shown(text: object) -> str:
    """A name or a value as text that can be kept and printed, whatever bytes it was made of."""
    return str(text).encode("utf-8", "replace").decode("utf-8")


def refusal(code: str, siblings: Set[str] = frozenset()) -> str | None:
    """Why a text is not one strategy that can stand alone; None if it is.

    A text with a syntax error is taken: a failed attempt is worth knowing.
    """
    if not code.strip():
        return "it is empty"
    if "QCAlgorithm" not in code:
        return "no class derives from QCAlgorithm"
    if not siblings:
        return None
    tree = tree_of(code)
    if isinstance(tree, str):
        return None
    needed = sorted(imported_modules(tree) & siblings)
    return f"it imports {', '.join(needed)} beside it, and one file is taken" if needed else None


def parsed_time(text: Any) -> datetime | None:
    """A moment in UTC out of ISO text; None where it is none."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
        found = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
        # The first and last hours of time, with a zone, are in no year that there is.
        found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found
