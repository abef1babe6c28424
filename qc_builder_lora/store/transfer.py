"""A store as one JSONL file, and back: lossless, from either database to either.

First line: format and revision. Then one record a line, each after those that it refers to. Last
line: how many of each, and the SHA-256 of everything before it, so that a file that was cut short
or changed is known. Leases and tallies are left out: they belong to processes that live.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from qc_builder_lora.errors import InputError, StoreError
from qc_builder_lora.files import atomic_write
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.store.escapes import escape_json, unescape_json
from qc_builder_lora.store.revisions import HEAD, REVISIONS
from qc_builder_lora.store.rows import BATCH
from qc_builder_lora.store.store import Store

FORMAT = 1
_FIRST, _LAST = "qc-lora-store", "end"
_INGESTED, _REDACTION = "ingested", "redaction"
_COUNTED_SINCE = "0010"
"""Before this revision nobody counted what was taken out."""


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """What went over: records by their word, how many of them were new, and the file's hash."""

    counts: dict[str, int]
    added: int
    sha256: str

    @property
    def total(self) -> int:
        """Records in the file."""
        return sum(self.counts.values())


def export_store(store: Store, path: Path, progress: Progress = SILENT) -> Transfer:
    """Write everything to `path`, as it is at one moment; the same content gives the same bytes.

    The file takes its name only when it is complete. `progress` counts records. Raises DiskFull,
    OSError, StoreError.
    """
    digest = hashlib.sha256()
    counts: Counter[str] = Counter()
    with store.database.frozen(), atomic_write(path) as file:
        for kind, line in _lines(store):
            file.write(line)
            digest.update(line)
            if kind != _FIRST:
                counts[kind] += 1
                if counts.total() % BATCH == 0:
                    progress.update(counts.total())
        file.write(_dump(_LAST, {"counts": dict(counts), "sha256": digest.hexdigest()}))
    progress.update(counts.total())
    return Transfer(counts=dict(counts), added=0, sha256=digest.hexdigest())


def _lines(store: Store) -> Iterator[tuple[str, bytes]]:
    yield _FIRST, _dump(_FIRST, {"format": FORMAT, "revision": HEAD})
    for noun in store.nouns():
        for record in noun.each():
            yield noun.word, _dump(noun.word, {"record": noun.to_plain(record)})
    for source, sequence in store.ingested.each():
        record = {"source": source, "sequence": sequence}
        yield _INGESTED, _dump(_INGESTED, {"record": record})
    for source, batch, kind, count in store.redactions.each():
        record = {"source": source, "batch": batch, "kind": kind, "count": count}
        yield _REDACTION, _dump(_REDACTION, {"record": record})


def _dump(kind: str, rest: dict[str, Any]) -> bytes:
    text = json.dumps(escape_json({"type": kind, **rest}), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8") + b"\n"


def import_store(store: Store, path: Path, progress: Progress = SILENT) -> Transfer:
    """Take in a file that `export_store` wrote: all of it or, when anything is wrong, nothing.

    What is there already and equal stays as it is, so a second time changes nothing. `progress`
    counts bytes. Raises InputError with the number of the first line that cannot be taken.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}.") from error
    with file, store.transaction():
        return _Reading(store, path, progress).read(file)


class _Reading:
    """One file on its way in."""

    def __init__(self, store: Store, path: Path, progress: Progress) -> None:
        self._path, self._progress = path, progress
        self._redactions = store.redactions
        self._nouns = {noun.word: noun for noun in store.nouns()}
        self._targets: dict[str, Any] = {
            **self._nouns, _INGESTED: store.ingested, _REDACTION: store.redactions,
        }  # fmt: skip
        self._counted = True
        self._counts: Counter[str] = Counter()
        self._added = 0
        self._bytes = 0
        self._kind = ""
        self._waiting: list[tuple[int, Any]] = []

    def read(self, file: IO[bytes]) -> Transfer:
        digest = hashlib.sha256()
        number, ended = 0, False
        for number, line in enumerate(file, 1):
            if ended:
                raise self._refusal(number, "comes after the last line of the export")
            content = self._parsed(number, line)
            kind = content["type"]
            if number == 1:
                self._check_first(kind, content)
            elif kind == _LAST:
                self._flush()
                self._check_last(number, content, digest.hexdigest())
                ended = True
            else:
                self._take(number, kind, content)
            digest.update(line)
            self._bytes += len(line)
        if not ended:
            raise self._refusal(number + 1, "is missing: the file is empty or was cut short")
        if not self._counted and self._counts["generation"]:
            self._redactions.note_uncounted()
        self._progress.update(self._bytes)
        return Transfer(counts=dict(self._counts), added=self._added, sha256=digest.hexdigest())

    def _parsed(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            content = unescape_json(json.loads(line.decode("utf-8"), parse_constant=_no_constant))
        except (ValueError, RecursionError) as error:
            raise self._refusal(number, f"is not JSON ({error})") from error
        if not isinstance(content, dict) or not isinstance(content.get("type"), str):
            raise self._refusal(number, "is not an object with a type")
        return content

    def _check_first(self, kind: str, content: dict[str, Any]) -> None:
        if kind != _FIRST:
            raise self._refusal(1, f"is a {kind!r}; an export of a store begins with {_FIRST!r}")
        found, revision = content.get("format"), content.get("revision")
        if found != FORMAT or revision not in REVISIONS:
            raise self._refusal(
                1,
                f"says format {found!r}, revision {revision!r}; this version knows format "
                f"{FORMAT} up to revision {HEAD!r}. Import it with the qc-lora that wrote it, or "
                "a newer one",
            )

        self._counted = REVISIONS.index(revision) >= REVISIONS.index(_COUNTED_SINCE)

    def _check_last(self, number: int, content: dict[str, Any], digest: str) -> None:
        if content.get("counts") != dict(self._counts):
            raise self._refusal(
                number, f"counts {content.get('counts')}, the file has {dict(self._counts)}"
            )
        if content.get("sha256") != digest:
            raise self._refusal(
                number,
                f"says SHA-256 {content.get('sha256')}, the lines before it have {digest}: the "
                "file was changed after it was written",
            )

    def _take(self, number: int, kind: str, content: dict[str, Any]) -> None:
        if kind != self._kind or len(self._waiting) == BATCH:
            self._flush()
            self._kind = kind
        self._waiting.append((number, self._record(number, kind, content.get("record"))))
        self._counts[kind] += 1

    def _record(self, number: int, kind: str, plain: Any) -> Any:
        if kind not in self._targets:
            known = ", ".join(self._targets)
            raise self._refusal(number, f"has the unknown type {kind!r}; known are {known}")
        try:
            if kind == _INGESTED:
                return str(plain["source"]), int(plain["sequence"])
            if kind == _REDACTION:
                names = (str(plain[name]) for name in ("source", "batch", "kind"))
                return (*names, _count(plain["count"]))
            return self._nouns[kind].from_plain(plain)
        except (StoreError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise self._refusal(number, f"is not a {kind}: {error}") from error

    def _flush(self) -> None:
        if not self._waiting:
            return
        lines, self._waiting = self._waiting, []
        target = self._targets[self._kind]
        try:
            self._added += target.restore([record for _, record in lines])
        except StoreError:
            # Once more, one by one, to find the line it was.
            for number, record in lines:
                try:
                    self._added += target.restore([record])
                except StoreError as error:
                    raise self._refusal(number, f"cannot be taken: {error}") from error
        self._progress.update(self._bytes)

    def _refusal(self, number: int, fact: str) -> InputError:
        return InputError(f"{self._path}: line {number} {fact.rstrip('.')}. Nothing was imported.")


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no number of things")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
