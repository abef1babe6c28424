"""What `harvest status` and `status` say of secrets: how many were taken out so far, by kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qc_builder_lora.store import Store


def taken_out(store: Store) -> dict[str, Any]:
    """The totals of a store as JSON values."""
    found = store.redactions.totals()
    return {
        "total": found.kinds.total(),
        "kinds": dict(sorted(found.kinds.items())),
        "sources": {source: dict(counts) for source, counts in found.sources.items()},
        # Records from before anything was counted: of those it is not known.
        "earlier": "UNKNOWN" if found.uncounted else None,
    }


def told_of(plain: Mapping[str, Any]) -> str:
    """All sources together, in one line."""
    told = f"{plain['total']:,}: {by_kind(plain['kinds'])}" if plain["total"] else "none found"
    if plain["earlier"]:
        return f"{told}; out of what was taken before they were counted: {plain['earlier']}"
    return told


def by_kind(counts: Mapping[str, int]) -> str:
    """`anthropic_key 3, email 2`, or that there was none."""
    told = ", ".join(f"{kind} {number:,}" for kind, number in sorted(counts.items()))
    return told or "none found"
