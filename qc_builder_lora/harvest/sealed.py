"""A spool whose process has ended and whose records are all in the store, without its secrets.

The host writes what it sees, as fast as it can; secrets are taken out on the way to the store.
When nothing will be added and nothing waits any more, the file is written anew with its records
redacted, one at a time, and takes the old one's place. Stopped before that, the old one stays, and
the next pass tries again. A damaged stretch, which nobody can read, is kept as its length only.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from qc_builder_lora.harvest.spool import Damage, Event, Spool, read, rewritten, torn_bytes
from qc_builder_lora.harvest.writer_life import may_live
from qc_builder_lora.redact import Redactor

_MARK = "redacted"
"""In the first whole record, whatever it is: the beginning may be lost."""
_LONGEST_DAMAGE = 1000
_LEFT_FREE = 16 * 2**20
"""Bytes that stay free on the disk: a host may be writing on it."""


def is_redacted(event: Event) -> bool:
    """Whether a spool with this first record was redacted before."""
    return event.body.get(_MARK) is True


def seal(spool: Spool) -> int | None:
    """Redact a spool that is finished and wholly taken; its new length, None where it was left.

    Left are a spool whose writer may still live, one without any record, and all where the disk
    has no room for a second file.
    """
    first = next((item for item in read(spool.path) if isinstance(item, Event)), None)
    if first is None or is_redacted(first) or may_live(spool, first):
        return None
    new = spool.path.with_suffix(".sealing")
    try:
        # The file itself, where the spool is a link to it.
        old = spool.path.resolve()
        new = old.with_suffix(".sealing")
        return _replaced(old, new)
    except OSError:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        return None


def _replaced(old: Path, new: Path) -> int | None:
    before = old.stat()
    if shutil.disk_usage(old.parent).free < before.st_size + _LEFT_FREE:
        return None
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with os.fdopen(os.open(new, flags, 0o600), "wb") as file:
        _belongs_as(file.fileno(), before)
        for line in _lines(old):
            file.write(line)
        file.flush()
        os.fsync(file.fileno())
        length = file.tell()
    if old.stat().st_size != before.st_size:
        new.unlink()
        return None
    new.replace(old)
    return length


def _belongs_as(descriptor: int, before: os.stat_result) -> None:
    """Whoever could read the old file can read the new one; raises OSError where that cannot be."""
    mine = os.fstat(descriptor)
    if (mine.st_uid, mine.st_gid) != (before.st_uid, before.st_gid):
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, before.st_mode & 0o777)


def _lines(path: Path) -> Iterator[bytes]:
    clean, end, marked = Redactor(), 0, False
    for item in read(path):
        end = item.end
        if isinstance(item, Damage):
            yield b"x" * min(item.end - item.start, _LONGEST_DAMAGE) + b"\n"
            continue
        body: dict[str, Any] = clean.mapping(item.body)
        yield rewritten(item, body if marked else {**body, _MARK: True})
        marked = True
    yield b"x" * torn_bytes(path, end)
