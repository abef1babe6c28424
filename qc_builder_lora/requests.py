"""The one way to make a Request, so that the same question has the same id wherever it is asked."""

from __future__ import annotations

from datetime import datetime

from qc_builder_lora.ids import json_hash, now
from qc_builder_lora.records import Request


def new_request(instruction: str, context: str = "", created_at: datetime | None = None) -> Request:
    """A Request with its canonical hash as id: equal questions have equal ids."""
    instruction = "\n".join(line.rstrip() for line in instruction.strip().splitlines())
    return Request(
        id=json_hash({"instruction": instruction, "context": context.strip()}),
        instruction=instruction,
        context=context.strip(),
        created_at=created_at or now(),
    )


def not_text(value: str) -> str:
    """What keeps a text from being sent anywhere, in words; empty where nothing does."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        sign = f"U+{ord(value[error.start]):04X}"
        return f"has half a character ({sign}, at {error.start}), which is no valid Unicode"
    return ""
