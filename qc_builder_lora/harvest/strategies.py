"""The Strategy that a text is, whoever wrote it; none where it is no syntax tree."""

from __future__ import annotations

from datetime import datetime

from qc_builder_lora.backtest.check import strategy_hash
from qc_builder_lora.errors import InputError
from qc_builder_lora.ids import text_hash
from qc_builder_lora.records import Strategy


def strategy_of(
    code: str,
    *,
    created_at: datetime,
    source: str,
    family: str | None = None,
    licence: str | None = None,
) -> Strategy | None:
    """None for what does not parse: the text stays in its Generation."""
    try:
        identity = strategy_hash(code)
    except InputError:
        return None
    return Strategy(
        id=identity,
        code=code,
        code_sha256=text_hash(code),
        created_at=created_at,
        source=source,
        family=family,
        licence=licence,
    )
