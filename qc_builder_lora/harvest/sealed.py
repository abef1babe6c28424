"""A spool whose process has ended and whose records are all in the store, without its secrets.

The host writes what it sees, as fast as it can; secrets are taken out on the way to the store.
When nothing will be added and nothing waits any more, the file is written anew with its records
redacted and takes the old one's place. Stopped before that, the old one stays, and the next pass
tries again. A damaged stretch, which nobody can read, is kept as its length only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from qc_builder_lora.harvest import events
from qc_builder_lora.harvest.spool import Damage, Event, Spool, read, rewritten, torn_bytes
from qc_builder_lora.redact import Redactor

_MARK = "redacted"
_LONGEST_DAMAGE = 1000


def is_sealed(spool: Spool) -> bool:
    """Whether a spool was redacted before."""
    return any(
        isinstance(item, Event) and item.kind == events.OPENED and item.body.get(_MARK) is True
        for item in islice(read(spool.path), 1)
    )


def seal(spool: Spool) -> int | None:
    """Redact a spool that is finished and wholly taken; its new length, None where it was left.

    Left are a spool whose writer may still live, one without a beginning, and all on a full disk.
    """
    if _may_live(spool) or not _begins(spool) or is_sealed(spool):
        return None
    new = spool.path.with_suffix(".sealing")
    try:
        before = spool.path.stat().st_size
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            for line in _lines(spool.path):
                file.write(line)
            file.flush()
            os.fsync(file.fileno())
            length = file.tell()
        if spool.path.stat().st_size != before:
            new.unlink()
            return None
        new.replace(spool.path)
    except OSError:
        new.unlink(missing_ok=True)
        return None
    return length


def _begins(spool: Spool) -> bool:
    return any(
        isinstance(item, Event) and item.kind == events.OPENED
        for item in islice(read(spool.path), 1)
    )


def _may_live(spool: Spool) -> bool:
    """Whether there is a process of the number that the file is named after."""
    number = spool.id.split("-")[1:2]
    if not number or not number[0].isdigit():
        return True
    try:
        os.kill(int(number[0]), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _lines(path: Path) -> Iterator[bytes]:
    clean, end = Redactor(), 0
    for item in read(path):
        end = item.end
        if isinstance(item, Damage):
            yield b"x" * min(item.end - item.start, _LONGEST_DAMAGE) + b"\n"
        else:
            yield rewritten(item, _body(item, clean))
    yield b"x" * torn_bytes(path, end)


def _body(event: Event, clean: Redactor) -> Any:
    if event.kind == events.OPENED:
        return {**clean.mapping(event.body), _MARK: True}
    return clean.mapping(event.body)
