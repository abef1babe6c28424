"""Which commit a checkout is at, read from its `.git` without running anything."""

from __future__ import annotations

import re
from pathlib import Path


def commit_of(checkout: Path) -> str | None:
    """The commit that is checked out, read from `.git`; None where there is none."""
    folder = checkout / ".git"
    try:
        if folder.is_file():
            # A worktree or submodule says where its folder is.
            folder = checkout / folder.read_text("utf-8").partition("gitdir:")[2].strip()
        head = (folder / "HEAD").read_text("utf-8").strip()
        if not head.startswith("ref:"):
            return _as_commit(head)
        name = head.partition(":")[2].strip()
        shared = folder
        if (folder / "commondir").is_file():
            shared = folder / (folder / "commondir").read_text("utf-8").strip()
        for one in (folder / name, shared / name):
            if one.is_file():
                return _as_commit(one.read_text("utf-8").strip())
        packed = (shared / "packed-refs").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    found = re.search(rf"^([0-9a-f]{{40,64}}) {re.escape(name)}$", packed, re.MULTILINE)
    return found[1] if found else None


def _as_commit(text: str) -> str | None:
    return text if re.fullmatch(r"[0-9a-f]{40,64}", text) else None
