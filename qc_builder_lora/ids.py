"""Identifiers: random ones that sort by time, and content hashes.

A thing that happens (a Build, a Generation, a Run) gets a UUIDv7; a thing that *is* its content
(a Strategy, a Request, an Example, a Snapshot) gets the SHA-256 of that content.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path


def new_id() -> str:
    """A UUIDv7 (RFC 9562, section 5.7) as 36 characters; later ids sort after earlier ones."""
    return _uuid7(time.time_ns(), os.urandom(10))


def id_at(time_ns: int, *key: object) -> str:
    """The UUIDv7 of something that happened at that moment: the same key, the same id."""
    return _uuid7(time_ns, bytes.fromhex(json_hash(key))[:10])


def _uuid7(time_ns: int, random: bytes) -> str:
    value = (time_ns // 1_000_000 & (2**48 - 1)) << 80 | int.from_bytes(random, "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def now() -> datetime:
    """The present moment, in UTC with its zone."""
    return datetime.now(UTC)


def text_hash(text: str) -> str:
    """SHA-256 of the text's UTF-8 bytes, 64 hexadecimal digits; lone surrogates are kept apart."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def json_hash(value: object) -> str:
    """SHA-256 of canonical JSON: sorted keys, no blanks, NaN refused with ValueError."""
    return text_hash(canonical_json(value))


def example_id(instruction: str, code: str) -> str:
    """The id of the Example with these two texts: their hash."""
    return json_hash({"instruction": instruction, "code": code})


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no blanks, so that equal values give equal text."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
