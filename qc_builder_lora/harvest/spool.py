"""The append-only files between the host and the store: one a process, one record a line.

A line is the CRC-32 of what follows, a blank, JSON, and after it the long texts as they are: to
escape a strategy's code takes longer than all the rest. The writer is called inside the host: it
never raises, takes no lock, and appends each record with one write on a descriptor opened O_APPEND,
so that a record whose `append` returned True survives a kill -9. The reader takes any number of
passes from any offset, skips what is damaged and leaves a torn last line alone.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import threading
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

VERSION = 2
"""2: long texts stand behind the JSON. Files of version 1 are read as well."""
SUFFIX = ".spool"
LONGEST_LINE = 256 * 2**20
"""A longer line was not written by us; the reader steps over it without loading it whole."""
_LONG = 512
"""Characters from which a text is kept out of the JSON."""
_PLACES = (
    ("params", "arguments", "model", "content"),
    ("params", "arguments", "content"),
    ("text",),
)
"""Where the hooks' records have the files that were uploaded or written. A long text elsewhere is
in the JSON, which takes longer and is just as good."""
# Neither is ever in our JSON, whose control characters are escaped.
_BEFORE_TEXT = b"\x1f"
_LINE_BREAK = b"\x1e"
# Out of the way of hosts that count on low numbers, or close all low descriptors.
_LOWEST_DESCRIPTOR = 512


class Event(NamedTuple):
    """One record that came through whole."""

    kind: str
    sequence: int
    time_ns: int
    thread: int
    body: Mapping[str, Any]
    start: int
    end: int
    """Offsets in the file: of the line, and of the one after it."""


class Damage(NamedTuple):
    """A stretch of a file that is not a record."""

    start: int
    end: int
    fact: str


class Spool(NamedTuple):
    """One file; `id` is unique over machines, processes and time."""

    id: str
    path: Path


class _File:
    """What one process writes to. Made anew after a fork, so that nobody shares a file."""

    def __init__(self, folder: str, parent: str | None) -> None:
        self.parent = parent
        self.pid = os.getpid()
        self.id = f"{time.time_ns():016x}-{self.pid}-{os.urandom(4).hex()}"
        self.path = f"{folder}/{self.id}{SUFFIX}"
        self.sequence = count()
        self.opened = False
        self.torn = False
        self._marked = False
        self._descriptor = -1
        self._identity: tuple[int, int] | None = None

    def descriptor(self) -> int:
        """The open descriptor. The host may have closed it and been given its number again for a
        file of its own, so its identity is checked before every write."""
        if self._identity is not None:
            try:
                found = os.fstat(self._descriptor)
            except OSError:
                return self._open()
            if (found.st_dev, found.st_ino) == self._identity and found.st_nlink:
                if not self._marked:
                    self._mark_alive()
                return self._descriptor
        return self._open()

    def close(self) -> None:
        """Let go of the file, which tells readers that no more will come."""
        if self._identity is not None:
            os.close(self.descriptor())
            self._identity = None

    def _open(self) -> int:
        self._identity = None
        self._marked = False
        _make_folder(os.path.dirname(self.path))  # noqa: PTH120
        first = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(first).st_mode & 0o600 != 0o600:
                os.fchmod(first, 0o600)
            self._descriptor = fcntl.fcntl(first, fcntl.F_DUPFD_CLOEXEC, _LOWEST_DESCRIPTOR)
            os.close(first)
        except OSError:
            self._descriptor = first
        found = os.fstat(self._descriptor)
        self._identity = (found.st_dev, found.st_ino)
        self._mark_alive()
        return self._descriptor

    def _mark_alive(self) -> None:
        try:
            # Held until the process ends: this is how a reader knows that no more will come.
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._marked = True
        except OSError:
            # A reader is just looking, or this file system has no locks: tried again next time.
            return


def _make_folder(folder: str) -> None:
    """With those above it; whatever the host's umask is, its user can read them back and no
    stranger can write there."""
    if os.path.isdir(folder):  # noqa: PTH112
        return
    _make_folder(os.path.dirname(folder))  # noqa: PTH120
    try:
        os.mkdir(folder)  # noqa: PTH102
    except FileExistsError:
        # Another process was quicker, or something else is in the way and opening will say so.
        return
    mode = os.stat(folder).st_mode & 0o7777  # noqa: PTH116
    if mode & 0o702 != 0o700:
        os.chmod(folder, mode & ~0o002 | 0o700)  # noqa: PTH101


class SpoolWriter:
    """Appends records for this process and its forks, and counts what it could not append."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = os.path.abspath(folder)  # noqa: PTH100 (Path costs the host more)
        self.recorded = 0
        self.lost = 0
        self.last_error: str | None = None
        self._file: _File | None = None

    @property
    def path(self) -> Path | None:
        """The file in use, once there was something to write."""
        return Path(self._file.path) if self._file else None

    def close(self) -> None:
        """End the file; appending again begins another. A process that ends need not call it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def append(self, kind: str, body: Mapping[str, Any]) -> bool:
        """Whether the record is in the file. Raises nothing."""
        try:
            file = self._file
            if file is None or file.pid != os.getpid():
                file = self._file = _File(self.folder, file.id if file else None)
            if not file.opened:
                self._write(file, _line(next(file.sequence), "opened", self._about(file)))
                file.opened = True
            self._write(file, _line(next(file.sequence), kind, body))
        except Exception as error:  # noqa: BLE001 (the host must not notice, whatever it is)
            self.lost += 1
            self.last_error = f"{type(error).__name__}: {error}"
            return False
        self.recorded += 1
        return True

    def _about(self, file: _File) -> dict[str, Any]:
        return {
            "version": VERSION,
            "pid": file.pid,
            "parent": file.parent,
            "arguments": sys.argv,
            "folder": os.getcwd(),  # noqa: PTH109
            "python": sys.version.split()[0],
            "born": born(file.pid),
        }

    def _write(self, file: _File, line: bytes) -> None:
        descriptor = file.descriptor()
        if file.torn:
            # What a full disk cut short must not swallow the record after it.
            line = b"\n" + line
        written = os.write(descriptor, line)
        file.torn = written != len(line)
        if file.torn:
            raise OSError(f"{file.path}: {written} of {len(line)} bytes written")


def born(pid: int) -> str | None:
    """When a process was started, as its machine tells it; None where it does not. With the
    number it is the process itself: numbers are given again."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 (Path costs the host more)
            after_name = file.read().rpartition(b")")[2].split()
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:  # noqa: PTH123
            return f"{file.read().decode().strip()} {int(after_name[19])}"
    except (OSError, LookupError, ValueError):
        return None


def _line(sequence: int, kind: str, body: Mapping[str, Any]) -> bytes:
    record = {
        "s": sequence,
        "t": time.time_ns(),
        "h": threading.get_ident(),
        "k": kind,
        "b": body,
    }
    texts: list[bytes] = []
    try:
        lifted = _lifted(body)
        if lifted is not None:
            record["b"], record["r"], raw = lifted
            texts.append(raw)
        text = _encode(record)
    except Exception as error:  # noqa: BLE001 (a host's own objects raise what they like)
        texts.clear()
        record.pop("r", None)
        record["b"] = {"unreadable": f"{type(error).__name__}: {error}"}
        text = _encode(record)
    raw = _BEFORE_TEXT.join([text.encode("ascii"), *texts])
    return b"%08x %b\n" % (zlib.crc32(raw), raw)


def rewritten(event: Event, body: Any) -> bytes:
    """The line of an event with another body; its number, time and thread stay."""
    record = {
        "s": event.sequence,
        "t": event.time_ns,
        "h": event.thread,
        "k": event.kind,
        "b": body,
    }
    raw = _encode(record).encode("ascii")
    return b"%08x %b\n" % (zlib.crc32(raw), raw)


def _lifted(body: Any) -> tuple[Any, list[tuple[str, ...]], bytes] | None:
    """The body with None in place of its long text, where that was, and the text. A copy along the
    way there, for the body is the host's; None where no known place has one."""
    for place in _PLACES:
        text = body
        for key in place:
            text = text.get(key) if type(text) is dict else None
        if type(text) is str and len(text) >= _LONG:
            raw = _raw(text)
            return None if raw is None else (_without(body, place), [place], raw)
    return None


def _without(body: Any, place: tuple[str, ...]) -> Any:
    copy = {**body}
    inner = copy
    for key in place[:-1]:
        inner[key] = inner = {**inner[key]}
    inner[place[-1]] = None
    return copy


def _raw(text: str) -> bytes | None:
    """As it stands in a line; None for the rare text that has our own marks in it."""
    raw = text.encode("utf-8", "surrogatepass")
    if _BEFORE_TEXT in raw or _LINE_BREAK in raw:
        return None
    return raw.replace(b"\n", _LINE_BREAK)


def _plain(value: object) -> object:
    """What a host's own object becomes; its `repr` is not called, for that is the host's code."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, set | frozenset):
        return list(value)
    kind = type(value)
    if hasattr(kind, "__float__"):
        return float(value)  # type: ignore[arg-type]
    if hasattr(kind, "__dataclass_fields__") or hasattr(kind, "model_dump"):
        return vars(value)
    return f"<{kind.__name__}>"


_careful = json.JSONEncoder(default=_plain, skipkeys=True, separators=(",", ":"))
_pieces: Any = None
"""The same in C alone, made once; None where Python has no such encoder."""
if _make_encoder := getattr(json.encoder, "c_make_encoder", None):
    _pieces = _make_encoder(
        None, _plain, json.encoder.encode_basestring_ascii, None, ":", ",", False, True, True
    )


def _encode(record: Any) -> str:
    if _pieces is not None:
        try:
            return "".join(_pieces(record, 0))
        except RecursionError:
            # The slower one says whether it is a circle.
            pass
    return _careful.encode(record)


def spools(folder: Path) -> list[Spool]:
    """All files of a spool folder, the oldest first; none if the folder is missing."""
    return [Spool(path.stem, path) for path in sorted(folder.glob(f"*{SUFFIX}"))]


def is_finished(spool: Spool) -> bool:
    """Whether its writer has ended, so that nothing will be added."""
    with spool.path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


def read(path: Path, offset: int = 0) -> Iterator[Event | Damage]:
    """The records from an offset on that are there when it begins: a host that appends faster than
    they are read is not chased. A last line without its end is left for the next pass."""
    with path.open("rb") as file:
        until = os.fstat(file.fileno()).st_size
        file.seek(offset)
        while (start := file.tell()) < until:
            line = file.readline(LONGEST_LINE)
            if not line.endswith(b"\n"):
                if len(line) < LONGEST_LINE:
                    return
                _skip_line(file)
                yield Damage(start, file.tell(), f"a line of more than {LONGEST_LINE} bytes")
            elif line != b"\n":
                yield _parse(line, start)


def torn_bytes(path: Path, end: int) -> int:
    """Bytes after the last whole line, given where `read` ended."""
    return max(path.stat().st_size - end, 0)


def _skip_line(file: Any) -> None:
    while True:
        piece = file.readline(LONGEST_LINE)
        if not piece or piece.endswith(b"\n"):
            return


def _parse(line: bytes, start: int) -> Event | Damage:
    end = start + len(line)
    raw = line[9:-1]
    if line[8:9] != b" " or line[:8] != b"%08x" % zlib.crc32(raw):
        return Damage(start, end, "the checksum does not match")
    try:
        text, *texts = raw.split(_BEFORE_TEXT)
        record = json.loads(text)
        for place, lifted in zip(record.get("r", ()), texts, strict=True):
            _put_back(record["b"], place, lifted)
        return Event(record["k"], record["s"], record["t"], record["h"], record["b"], start, end)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        return Damage(start, end, f"not a record of ours: {error!r}")


def _put_back(body: Any, place: Sequence[Any], raw: bytes) -> None:
    *path, last = place
    for key in path:
        body = body[key]
    body[last] = raw.replace(_LINE_BREAK, b"\n").decode("utf-8", "surrogatepass")
