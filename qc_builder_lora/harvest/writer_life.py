"""Whether the process that wrote a spool may still live; a number that was given again is another.

A host that closes all its descriptors lets go of the lock on its file, and opens the file again
with its next record. So the lock alone does not say that nothing more will come.
"""

from __future__ import annotations

import os
from pathlib import Path

from qc_builder_lora.harvest import events
from qc_builder_lora.harvest.spool import Event, Spool, born


def may_live(spool: Spool, first: Event) -> bool:
    """Whether the writer of a spool, whose first record this is, may write to it again."""
    number = spool.id.split("-")[1:2]
    if not number or not number[0].isdigit():
        return True
    pid = int(number[0])
    told = first.body.get("born") if first.kind == events.OPENED else None
    found = born(pid)
    if isinstance(told, str) and found is not None:
        return found == told and not _is_zombie(pid)
    return _is_there(pid)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False
