"""What hosted models cost, by build, day or model, and what the local one saved.

Spent is what was settled, and what is still set aside by calls that never ended. Saved is what the
first hosted model of the chain would have taken for the tokens that the local model read and
wrote: an estimate by its price, not a measurement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from qc_builder_lora.errors import UnknownPrice
from qc_builder_lora.models.prices import Prices
from qc_builder_lora.records import Generation, Role, Spending

if TYPE_CHECKING:
    from qc_builder_lora.store import Store

KEYS = ("build", "day", "model")


@dataclass(kw_only=True)
class Line:
    """One row of the bill, US dollars."""

    key: str
    calls: int = 0
    """Calls of hosted models."""
    spent: Decimal = Decimal(0)
    open: Decimal = Decimal(0)
    """Of `spent`: set aside for calls that have not ended, or whose process died."""
    local: int = 0
    """Answers of the local model."""
    saved: Decimal | None = Decimal(0)
    """None where its tokens, or the price to compare with, are not known."""

    def plain(self, by: str) -> dict[str, Any]:
        """As JSON values; money as text, exact."""
        return {
            by: self.key,
            "hosted_calls": self.calls,
            "spent_usd": str(self.spent),
            "still_open_usd": str(self.open),
            "local_answers": self.local,
            "saved_usd": None if self.saved is None else str(self.saved),
        }


def bill(
    store: Store,
    by: str,
    *,
    since: datetime | None,
    instead: tuple[str, str],
    hosted: frozenset[str],
    prices: Prices,
) -> list[Line]:
    """One Line a build, day or model, the latest first (models by name).

    `instead` is the provider and model that the local one is compared with, `hosted` the models
    that are not local ones.
    """
    lines: dict[str, Line] = {}

    def line(key: str) -> Line:
        return lines.setdefault(key, Line(key=key))

    for one in store.spendings.find(since=since):
        found = line(_SPENDING[by](one))
        amount = one.reserved_usd if one.cost_usd is None else one.cost_usd
        found.calls += 1
        found.spent += amount
        found.open += amount if one.cost_usd is None else 0
    for answer in store.generations.find(role=Role.SERVED, since=since):
        if answer.model in hosted or answer.cost_usd != 0:
            continue
        found = line(_ANSWER[by](answer))
        found.local += 1
        worth = _worth(answer, instead, prices)
        found.saved = None if worth is None or found.saved is None else found.saved + worth
    return sorted(lines.values(), key=lambda one: one.key, reverse=by != "model")


def _worth(answer: Generation, instead: tuple[str, str], prices: Prices) -> Decimal | None:
    read, written = answer.prompt_tokens, answer.completion_tokens
    if read is None or written is None:
        return None
    try:
        return prices.price_of(*instead, read).cost(read, written)
    except UnknownPrice:
        return None


_SPENDING: Mapping[str, Callable[[Spending], str]] = {
    "build": lambda one: one.build_id,
    "day": lambda one: f"{one.created_at:%Y-%m-%d}",
    "model": lambda one: one.model,
}
_ANSWER: Mapping[str, Callable[[Generation], str]] = {
    "build": lambda one: one.build_id or "no build",
    "day": lambda one: f"{one.created_at:%Y-%m-%d}",
    "model": lambda one: one.model or "unknown",
}
