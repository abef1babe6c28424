"""How far what each source of the corpus had has come: the table of sources, out of the store.

Examples of a store older than its entries are counted as kept, and nothing else is said of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from qc_builder_lora.harvest.corpus.candidate import STEPS, Funnel
from qc_builder_lora.harvest.corpus.wording import EARLIER_WORDING
from qc_builder_lora.records import Entry, Outcome, Step
from qc_builder_lora.store import Store

WAYS = {
    "starter": "qc-lora corpus build",
    "families": "qc-lora corpus build --manifest full",
    "alphas": "qc-lora corpus add alphas",
    "error-fix": "qc-lora corpus add fixes",
    "changes": "qc-lora corpus add changes",
    "worldquant": "qc-lora corpus add worldquant --paper FILE",
    "qc-docs": "qc-lora corpus add qc-docs",
    "lean": "qc-lora corpus add lean --checkout DIR",
    "folder": "qc-lora corpus add folder DIR --licence SPDX",
}
"""Source → the command that adds it."""


@dataclass
class Standing:
    """One source in one version under one licence; a count of None is not known."""

    source: str
    version: str | None
    licence: str
    counts: dict[str, int | None]
    unknown: int | None = 0
    not_applicable: int | None = 0
    stopped: Counter[str] = field(default_factory=Counter)
    last: datetime | None = None
    """When something of it was looked at."""

    def plain(self) -> dict[str, Any]:
        return {
            "source": self.source,
            **self.counts,
            "unknown": self.unknown,
            "not applicable": self.not_applicable,
            "licence": self.licence,
            "version": self.version,
            "last": None if self.last is None else self.last.isoformat(timespec="seconds"),
            "stopped": dict(self.stopped.most_common()),
        }


def standings(store: Store) -> list[Standing]:
    """One for each source, version and licence that the store has anything of, sorted."""
    found: dict[tuple[str, str | None, str], Standing] = {}
    for row in store.entries.counts():
        if row["reason"] == EARLIER_WORDING:
            # Today's words for the same code are counted.
            continue
        key = (row["source"], row["version"], row["licence"])
        one = found.setdefault(key, Standing(*key, dict.fromkeys(STEPS, 0)))
        _add(one, row)
    with_entries = {one.source for one in found.values()}
    kept: Counter[tuple[str, str | None, str]] = Counter()
    for example in store.examples.each():
        kept[example.source, example.version, example.licence] += 1
    for key, count in kept.items():
        # Kept by something that writes no entries: a builder's own, or a version before them.
        if key[0] not in with_entries:
            counts: dict[str, int | None] = {**dict.fromkeys(STEPS), "kept": count}
            found[key] = Standing(*key, counts, unknown=None, not_applicable=None)
    return sorted(found.values(), key=lambda one: (one.source, one.version or "", one.licence))


def _add(one: Standing, row: dict[str, Any]) -> None:
    count = row["count"]
    for step in STEPS[: STEPS.index(row["step"]) + 1]:
        one.counts[step] = (one.counts[step] or 0) + count
    if row["outcome"] is None:
        one.not_applicable = (one.not_applicable or 0) + count
    elif row["outcome"] is Outcome.UNKNOWN:
        one.unknown = (one.unknown or 0) + count
    if row["reason"] is not None:
        one.stopped[row["reason"]] += count
    one.last = row["last"] if one.last is None else max(one.last, row["last"])


def forget_changed(store: Store, funnel: Funnel, version: str) -> int:
    """Forget what was said of places that say something else today; what is kept stays.

    Only after all of a source was looked at: `funnel` has to have seen each of its places.
    """
    known = [one for one in store.entries.find(source=funnel.source) if one.version == version]
    places = {_file(one) for one in known if one.id in funnel.seen}
    return store.entries.forget(
        [
            one.id
            for one in known
            if _file(one) in places
            and one.id not in funnel.seen
            and one.step is not Step.KEPT
            and one.reason != EARLIER_WORDING
        ]
    )


def _file(entry: Entry) -> str:
    """The file or page of a place: of `trend.ipynb#2`, the notebook. Without one, the entry."""
    return (entry.place or entry.id).partition("#")[0]


def reasons(store: Store, source: str) -> list[tuple[str, str, int]]:
    """What stopped the entries of a source, with what checker or engine said: most first."""
    told: Counter[tuple[str, str]] = Counter()
    for entry in store.entries.find(source=source):
        if entry.outcome is not Outcome.PASS and entry.reason != EARLIER_WORDING:
            told[entry.reason or "", entry.detail or ""] += 1
    return [(reason, detail, count) for (reason, detail), count in told.most_common()]
