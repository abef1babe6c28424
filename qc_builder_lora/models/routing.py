"""Which of two local models a Build gets while one of them is on trial as canary.

A stable hash of canary and Build: the same Build gets the same model in every process and after
every restart, and one that had the canary at a small share keeps it at a larger one. A request
that names no Build is picked by the hash of what it asks, so that a crowd of clients without
a name is not all on one side.
"""

from __future__ import annotations

import hashlib

_SCALE = 2**64


def takes(canary: str, share: float, key: str) -> bool:
    """Whether the canary (a Model's id) answers for the Build, or the request, of that id."""
    digest = hashlib.sha256(f"canary:{canary}:{key}".encode()).digest()
    return int.from_bytes(digest[:8]) < share * _SCALE
