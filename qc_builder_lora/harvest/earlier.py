"""Of what a source answers to one question in two versions of it, the newer one.

A corpus that is made again by a newer generator has its old answers beside the new ones in the
store, and a snapshot would teach both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from qc_builder_lora.harvest.likeness import normalised
from qc_builder_lora.harvest.snapshot_reading import Item, SnapshotReport

EARLIER = "answer of an earlier version of its source"
MENDS_EARLIER = "mends an answer of an earlier version"


def without_earlier(items: Sequence[Item], report: SnapshotReport) -> list[Item]:
    """Those that no newer version of their source answers, and no pairs made from the others."""
    newest: dict[tuple[str, ...], Item] = {}
    for item in items:
        for key in _questions(item):
            before = newest.get(key)
            if before is None or _age(before) < _age(item):
                newest[key] = item
    found, gone = [], {}
    for item in items:
        stays = max((newest[key] for key in _questions(item)), key=_age)
        if stays.version == item.version:
            found.append(item)
        else:
            gone[item.id] = stays
            report.remove(EARLIER, item, stays)
    kept = []
    for item in found:
        if item.base in gone:
            report.remove(MENDS_EARLIER, item, gone[item.base])
        else:
            kept.append(item)
    return kept


def _questions(item: Item) -> list[tuple[str, ...]]:
    """What one version answers and another one answers otherwise, or asks otherwise: the question
    in its words, and the draw that it asks for. Two folders are two sources."""
    origin = re.split(r"[ ,;]", item.version or "", maxsplit=1)[0]
    asked = (item.source, origin, item.teaches or "", normalised(item.instruction))
    return [asked, (item.source, origin, "", item.drawn)] if item.drawn else [asked]


def _age(item: Item) -> tuple[object, ...]:
    """Later is newer; made at once, the higher number is."""
    numbers = tuple(int(one) for one in re.findall(r"\d{1,15}", item.version or ""))
    return (item.created_at, numbers, item.version or "", item.id)
