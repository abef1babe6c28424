"""Examples of an earlier wording: code that its source asks for in other words today.

What others have published is given words of ours, and those get better. An example with the old
words stays in the store, for old snapshots point to it; its Entry says what it is, and no new
snapshot, list or pair takes it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from qc_builder_lora.harvest.corpus.candidate import Candidate
from qc_builder_lora.ids import now
from qc_builder_lora.records import Entry, Example, Step
from qc_builder_lora.store import Store
from qc_builder_lora.store.entries import entry_id

EARLIER_WORDING = "an earlier wording"
"""Reason of the Entry of such an example."""


class EarlierWordings:
    """Which examples of a store are of an earlier wording, or made from one that is."""

    def __init__(self, store: Store) -> None:
        self._entries = {one.id for one in store.entries.find(reason=EARLIER_WORDING)}

    def has(self, example: Example) -> bool:
        """Whether its own source asks for its code in other words today."""
        return bool(self._entries) and entry_id(example.source, example.id) in self._entries

    def made(self, example: Example) -> bool:
        """Whether it is a pair of such an example, whose words it repeats."""
        origin = example.origin or {}
        source, base = origin.get("source"), origin.get("base")
        if not self._entries or source is None or base is None:
            return False
        return entry_id(str(source), str(base)) in self._entries


def supersede(store: Store, found: Sequence[Candidate]) -> int:
    """Mark what today's candidates of a source ask for in other words; returns how many there are.

    Only after all of the source was looked at: `found` has to be all that it gives today. The same
    code is known by its Strategy, so that comments and layout may differ. What today's words have
    not been kept for is left as it is, and so is code under another licence.
    """
    if not found:
        return 0
    source, today = found[0].source, {one.id: one for one in found}
    kept = [one for one in store.examples.fetch(list(today)) if one.source == source]
    stays = {_key(one): one for one in kept if one.strategy_id is not None}
    old = [
        one
        for one in store.examples.find(source=source)
        if one.id not in today and one.kind == "write" and _key(one) in stays
    ]
    before = store.entries.fetch([entry_id(source, one.id) for one in old])
    moment = now()
    store.entries.put(
        Entry(
            id=entry_id(source, one.id), source=source, version=one.version or "unknown",
            licence=one.licence, step=Step.IN, outcome=None, created_at=moment,
            reason=EARLIER_WORDING, detail=f"today: example {stays[_key(one)].id}",
            place=said.place if (said := before.get(entry_id(source, one.id))) else None,
            basis=said.basis if said else None,
        )
        for one in old
    )  # fmt: skip
    return len(old)


def _key(example: Example) -> tuple[str, str, str]:
    """The code, its licence, and where it is from: of two folders each has its own words."""
    version = example.version or ""
    name = re.sub(r" [0-9a-f]{40,64}$", "", version) if example.source == "folder" else ""
    return (str(example.strategy_id), example.licence, name)
