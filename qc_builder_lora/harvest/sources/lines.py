"""A JSONL file of strategies: one JSON object a line.

    code         required: the source text of one strategy
    instruction  what was asked for
    title        a name; default the instruction's first line
    build        what it was made for: lines of one build stay on one side of a snapshot
    iteration    which attempt of the build it is, from 1
    model        who wrote it
    version      its name within the build
    created_at   ISO 8601, UTC where it names no zone
    licence      an SPDX expression, if the code is not your own
    family       the kind of strategy

A line that is broken, or has a key that nobody reads, is reported with its number; the rest is
taken.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import InputError, UnknownKey
from qc_builder_lora.harvest.corpus.public.licence import checked_licence
from qc_builder_lora.harvest.corpus.public.taking import is_csharp
from qc_builder_lora.harvest.sources.piece import Piece, Skipped, parsed_time, refusal
from qc_builder_lora.ids import json_hash

SOURCE = "file"
TEXTS = ("code", "instruction", "title", "build", "model", "version", "created_at", "licence",
         "family")  # fmt: skip
KEYS = (*TEXTS, "iteration")
MOST_ITERATIONS = 1_000_000
LONGEST_LINE = 16 * 2**20


def total(path: Path) -> int:
    """How many lines there are, for a progress bar; 0 for a pipe, which gives its lines once."""
    if not path.is_file():
        return 0
    try:
        with path.open("rb") as file:
            return sum(1 for _ in file)
    except OSError:
        return 0


def pieces(path: Path) -> Iterator[Piece | Skipped]:
    """The lines of a file; InputError where there is no such file."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from error
    with file:
        number = 0
        while line := file.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                _skip_line(file)
                yield Skipped(f"{path}:{number}", f"longer than {LONGEST_LINE} bytes")
            elif line.strip():
                yield _piece(line.strip(), f"{path}:{number}", path.name)


def _skip_line(file: Any) -> None:
    while part := file.readline(LONGEST_LINE):
        if part.endswith(b"\n"):
            return


def _piece(line: bytes, where: str, name: str) -> Piece | Skipped:
    try:
        found = json.loads(line.decode("utf-8-sig"), object_pairs_hook=_object)
    except InputError as error:
        return Skipped(where, str(error))
    except (ValueError, RecursionError) as error:
        return Skipped(where, f"not JSON: {error}")
    wrong = _wrong(found, where)
    if wrong is not None:
        return Skipped(where, wrong)
    instruction = found.get("instruction")
    title = found.get("title") or (instruction or "").strip().partition("\n")[0] or name
    return Piece(
        # Of the content: a line that moves, or a copy of the file, is nothing new.
        key=json_hash(found),
        group=json_hash([found.get("build") or instruction or found["code"]]),
        title=title,
        code=found["code"],
        moment=parsed_time(found.get("created_at")),
        instruction=instruction,
        model=found.get("model"),
        version=found.get("version"),
        iteration=found.get("iteration"),
        licence=found.get("licence"),
        family=found.get("family"),
        where=where,
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise InputError(f"{twice!r} is there twice, and only one can be meant")
    return found


def _wrong(found: Any, where: str) -> str | None:
    if not isinstance(found, dict):
        return f"not an object but a {type(found).__name__}"
    for key, value in found.items():
        if key not in KEYS:
            return str(UnknownKey(where, key, KEYS)).removeprefix(f"{where}: ")
        if key in TEXTS and not isinstance(value, str | None):
            return f"{key!r} must be text, got {value!r}"[:200]
    iteration = found.get("iteration")
    if iteration is not None and (not isinstance(iteration, int) or isinstance(iteration, bool)):
        return f"'iteration' must be a whole number, got {iteration!r}"
    if iteration is not None and not 0 <= iteration <= MOST_ITERATIONS:
        return f"'iteration' must be from 0 to {MOST_ITERATIONS:,}, got {iteration:.3g}"
    if not isinstance(found.get("code"), str):
        return "it has no 'code'"
    licence = found.get("licence")
    if licence:
        try:
            found["licence"] = checked_licence(licence, "'licence'")
        except InputError as error:
            return str(error)
    if found.get("created_at") and parsed_time(found["created_at"]) is None:
        return f"'created_at' must be ISO 8601, got {found['created_at']!r}"
    try:
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        return f"its text cannot be kept: {error}"
    return "its code is C#" if is_csharp(found["code"]) else refusal(found["code"])
