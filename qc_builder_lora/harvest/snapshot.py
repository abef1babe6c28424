"""Snapshots: a frozen, content-addressed choice of Examples, split so that nothing leaks.

Which side an Example falls on depends on the group it belongs to (family and parameters, a
builder's specification, or the Strategy) and on nothing else, so it does not change sides as the
store grows; where a very small store needed a larger share, its sides are kept. Left out of
training, never moved: what a suite asks, what is like its answers whatever the dates and the cash,
what is of a family that a suite reserves, and what is like a held-out example.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import EmptySnapshot
from qc_builder_lora.harvest.accept import SOURCE as BUILDER
from qc_builder_lora.harvest.choice import Choice, is_reserved
from qc_builder_lora.harvest.corpus.wording import EARLIER_WORDING, EarlierWordings
from qc_builder_lora.harvest.earlier import without_earlier
from qc_builder_lora.harvest.frozen import name_of
from qc_builder_lora.harvest.likeness import Clusters, Questions, normalised
from qc_builder_lora.harvest.prompts import suite_prompts
from qc_builder_lora.harvest.snapshot_reading import (
    CHANGE,
    FIX,
    WRITE,
    Item,
    Reading,
    SnapshotReport,
    fraction_of,
)
from qc_builder_lora.ids import now, text_hash
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import Example, Snapshot, Split
from qc_builder_lora.store import Store

__all__ = ["Choice", "SnapshotReport", "build_snapshot", "is_reserved", "split_of", "suite_prompts"]

VERSION = 5
"""Of the rules below; another version gives a snapshot another name."""
HELD_OUT = "its code or question is held out"
MADE_FROM_EARLIER = "made from an earlier wording"
TORN = "its change leads to the other side of the split"
PHRASINGS = 3
"""Most questions that one code answers, and codes that are near it."""


def build_snapshot(
    store: Store, suites: Sequence[Path], choice: Choice | None = None, progress: Progress = SILENT
) -> tuple[Snapshot, SnapshotReport]:
    """Choose, split, and keep a Snapshot of what the store holds now.

    The same Examples and the same choice give the same Snapshot. Raises EmptySnapshot when nothing
    is left to train on, MissingExtra without datasketch where codes have to be compared.
    """
    choice = choice or Choice()
    report = SnapshotReport()
    reading = Reading(list(suite_prompts(suites)), choice, report)
    total = max(1, store.examples.count())
    earlier = EarlierWordings(store)
    for number, example in enumerate(store.examples.each()):
        if earlier.has(example):
            report.left_out[EARLIER_WORDING] += 1
        elif earlier.made(example):
            report.left_out[MADE_FROM_EARLIER] += 1
        else:
            reading.take(example)
        if number % 500 == 0:
            progress.update(0.7 * number / total, f"{number:,} read")
    clusters = reading.clusters(store)
    progress.update(0.9, "compared")
    newest = _newest(without_earlier(reading.items, report), report)
    clean = reading.without_answers(newest, clusters)
    chosen = _within_quota(_distinct(clean, clusters, report), choice, report)
    share = _share(chosen, choice)
    sides = _Sides(store, chosen, choice, share)
    members: dict[str, Split] = {}
    for item, split in _without_leaks(chosen, sides, clusters, report):
        members[item.id] = split
        report.splits[split] += 1
        report.families[item.family] += 1
        report.sources[item.source] += 1
        report.kinds[item.kind] += 1
    if not report.splits[Split.TRAIN]:
        reasons = "".join(f", {count} {why}" for why, count in sorted(report.left_out.items()))
        raise EmptySnapshot(f"{store.examples.count()} in the store{reasons}")
    snapshot = _frozen(members, choice, share, suites, report)
    progress.update(1.0)
    return store.snapshots.add(snapshot), report


def _frozen(
    members: dict[str, Split],
    choice: Choice,
    share: float,
    suites: Sequence[Path],
    report: SnapshotReport,
) -> Snapshot:
    settings: dict[str, Any] = {
        **choice.plain(),
        "version": VERSION,
        "suites": {path.name: text_hash(path.read_text("utf-8")) for path in suites},
    }
    if share != choice.validation_share:
        settings["share"] = share
    report.snapshot_id = name_of(members, settings)
    settings["left_out"] = dict(sorted(report.left_out.items()))
    settings["removed"] = [list(one) for one in report.removed]
    return Snapshot(id=report.snapshot_id, created_at=now(), members=members, settings=settings)


def _newest(items: Sequence[Item], report: SnapshotReport) -> Iterator[Item]:
    """Of a builder's accepted answers to one question the last one, and everything else."""
    last: dict[str, Item] = {}
    for item in items:
        if item.source == BUILDER:
            key = normalised(item.instruction)
            before = last.get(key)
            if before is None or (before.created_at, before.id) < (item.created_at, item.id):
                last[key] = item
    for item in items:
        stays = last[normalised(item.instruction)] if item.source == BUILDER else item
        if stays is item:
            yield item
        else:
            report.remove("an earlier iteration for the same question", item, stays)


def _distinct(items: Iterable[Item], clusters: Clusters, report: SnapshotReport) -> Iterator[Item]:
    """One of those that ask nearly the same and are answered alike: the smallest id.

    A pair is compared with those of the same mistake or change alone: its question holds most of
    the code that others of the same answer hold, and still teaches something else.
    """
    seen: dict[tuple[str, str, str | None], _Alike] = {}
    for item in items:
        name = (clusters.find(item.code), item.kind, item.teaches)
        before = seen.get(name)
        if before is None:
            seen[name] = _Alike(item)
            yield item
            continue
        same = before.same(item)
        if same is not None and same.code == item.code:
            report.remove("duplicate", item, same)
        elif same is not None or before.near(item):
            report.remove("near-duplicate", item, same or before.first)
        elif item.kind == WRITE and before.count >= PHRASINGS:
            report.remove("its code answers enough other questions", item, before.first)
        else:
            before.add(item)
            yield item


class _Alike:
    """Those of one cluster that stay. Most are alone, and an index for each would take most of the
    memory: it is made when there is a second one to look up."""

    __slots__ = ("_having", "_questions", "count", "first")

    def __init__(self, first: Item) -> None:
        self.first = first
        self.count = 1
        self._having: dict[str, Item] = {}
        self._questions: Questions | None = None

    def add(self, item: Item) -> None:
        """One more that stays."""
        self.count += 1
        self._index()
        self._note(item)

    def _note(self, item: Item) -> None:
        assert self._questions is not None
        self._having[normalised(item.instruction)] = item
        self._questions.add(item.instruction)

    def same(self, item: Item) -> Item | None:
        """The one with the same question, layout and capitals aside."""
        self._index()
        return self._having.get(normalised(item.instruction))

    def near(self, item: Item) -> bool:
        return self._index().near(item.instruction)

    def _index(self) -> Questions:
        if self._questions is None:
            self._questions = Questions(same_numbers=True)
            self._note(self.first)
        return self._questions


def _within_quota(items: Iterable[Item], choice: Choice, report: SnapshotReport) -> list[Item]:
    """No more of one family than its quota, counted for each kind of pairs by itself, and no more
    pairs of one mistake than theirs."""
    taken: Counter[tuple[str, str]] = Counter()
    items, found = list(items), []
    most = choice.most_of_one(Counter(one.family for one in items if one.kind == WRITE))
    for item in items:
        limits = _limits(item, choice, most)
        full = next((why for key, limit, why in limits if taken[key] >= limit), None)
        if full is not None:
            report.left_out[full] += 1
            continue
        taken.update(key for key, _, _ in limits)
        found.append(item)
    return found


def _limits(item: Item, choice: Choice, most: int) -> list[tuple[tuple[str, str], int, str]]:
    """What is counted for it, how many there may be, and what is said of the others."""
    family = item.family
    if item.kind == FIX:
        return [
            (("fixes of", family), choice.fix_quota, "over its family's quota of fixes"),
            (("mistake", str(item.teaches)), choice.mistake_quota, "over its mistake's quota"),
        ]
    if item.kind == CHANGE:
        over = "over its family's quota of changes"
        return [(("changes of", family), choice.change_quota, over)]
    return [(("family", family), most, "over its family's quota")]


def _share(chosen: Sequence[Item], choice: Choice) -> float:
    """The share asked for; in a small store such that each side has a group at least."""
    fractions = sorted({item.fraction for item in chosen})
    if len(fractions) < 2:
        return 0.0
    return min(max(choice.validation_share, fractions[1]), fractions[-1])


class _Sides:
    """The side of each group: its fraction, unless a smaller store has put it elsewhere before."""

    def __init__(self, store: Store, chosen: Sequence[Item], choice: Choice, share: float) -> None:
        self._share = share
        self._kept: dict[float, Split] = {}
        groups = {item.id: item.fraction for item in chosen}
        for key, settings in store.snapshots.settings().items():
            same = settings.get("validation_share") == choice.validation_share
            if same and "share" in settings:
                self._remember(store.snapshots.get(key).members, groups)

    def _remember(self, members: Mapping[str, Split], groups: Mapping[str, float]) -> None:
        for key, split in members.items():
            # Held out once is held out for good.
            if key in groups and self._kept.get(groups[key]) is not Split.VALIDATION:
                self._kept[groups[key]] = split

    def of(self, item: Item) -> Split:
        """Where it belongs."""
        kept = self._kept.get(item.fraction)
        return kept if kept is not None else _side(item.fraction, self._share)

    def torn(self, item: Item) -> bool:
        """Whether the group that a change leads to stands on another side than the pair."""
        if item.other is None:
            return False
        kept = self._kept.get(item.other)
        return (kept if kept is not None else _side(item.other, self._share)) is not self.of(item)


def _without_leaks(
    chosen: Sequence[Item], sides: _Sides, clusters: Clusters, report: SnapshotReport
) -> Iterator[tuple[Item, Split]]:
    """Each with its side; nothing is learnt that is like what is asked for afterwards."""
    held_codes: set[str] = set()
    held_questions = Questions(same_numbers=True)
    for item in chosen:
        if sides.of(item) is not Split.TRAIN:
            held_codes.update(map(clusters.find, item.codes))
            for question in item.questions:
                held_questions.add(question)
    for item in chosen:
        side = sides.of(item)
        like = any(clusters.find(code) in held_codes for code in item.codes)
        like = like or any(map(held_questions.near, item.questions))
        if side is Split.TRAIN and like:
            report.left_out[HELD_OUT] += 1
        elif sides.torn(item):
            report.left_out[TORN] += 1
        else:
            yield item, side


def split_of(example: Example, validation_share: float) -> Split:
    """The side of the example's group: a hash of it, compared with the share."""
    return _side(fraction_of(example), validation_share)


def _side(fraction: float, share: float) -> Split:
    return Split.VALIDATION if fraction < share else Split.TRAIN
