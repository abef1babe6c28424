"""What each serving process says of itself, in a file of its own that others read.

A process that has not spoken for a while, or has said that it ends, serves no more; the newest of
those is kept, so that the last figures can still be read.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from qc_builder_lora.files import write_json
from qc_builder_lora.ids import now

_SILENT_S = 30.0
"""They speak every two seconds; a busy machine may delay that."""


def tell(home: Path, found: Mapping[str, Any], *, ends: bool = False) -> None:
    """Say so for this process."""
    process = f"{socket.gethostname()}:{os.getpid()}"
    path = home / "serving" / f"{process.replace(':', '-').replace('/', '-')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {**found, "process": process, "at": now().isoformat(), "ended": ends})


def told(home: Path) -> list[dict[str, Any]]:
    """What each process said last, the newest first, with `serves`: whether it still does."""
    found = [one for path in (home / "serving").glob("*.json") if (one := _read(path)) is not None]
    return sorted(found, key=lambda one: str(one["at"]), reverse=True)


def forget(home: Path) -> None:
    """Remove what processes said that serve no more, except the last word of all."""
    kept = told(home)[:1]
    for path in (home / "serving").glob("*.json"):
        one = _read(path)
        if one is None or not (one["serves"] or one in kept):
            with suppress(OSError):
                path.unlink()


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        silent_s = (now() - datetime.fromisoformat(found["at"])).total_seconds()
        return {**found, "serves": not found["ended"] and silent_s <= _SILENT_S}
    except (OSError, ValueError, KeyError, TypeError):
        return None
