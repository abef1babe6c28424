"""Snapshots: a frozen, content-addressed choice of Examples, split so that nothing leaks.

Which side an Example falls on depends on the group it belongs to (family and parameters, a
builder's specification, or the Strategy) and on nothing else, so it does not change sides as the
store grows; where a very small store needed a larger share, its sides are kept. What a suite asks,
what is like its answers, and what is like a held-out example is left out of training, never moved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import EmptySnapshot
from qc_builder_lora.harvest.accept import SOURCE as BUILDER
from qc_builder_lora.harvest.choice import Choice, is_reserved
from qc_builder_lora.harvest.likeness import (
    Clusters,
    Questions,
    cluster,
    literals_of,
    normalised,
)
from qc_builder_lora.harvest.prompts import suite_prompts
from qc_builder_lora.ids import json_hash, now, text_hash
from qc_builder_lora.progress import SILENT, Progress
from qc_builder_lora.records import Example, Snapshot, Split
from qc_builder_lora.store import Store

__all__ = ["Choice", "SnapshotReport", "build_snapshot", "is_reserved", "split_of", "suite_prompts"]

VERSION = 2
"""Of the rules below; another version gives a snapshot another name."""
HELD_OUT = "its code or question is held out"
FIX = "fix"
"""The kind of an example that mends broken code."""
_SHOWN = 40
"""Pairs of duplicates that are kept for the report."""


@dataclass
class SnapshotReport:
    """Where the Examples went."""

    snapshot_id: str = ""
    splits: Counter[str] = field(default_factory=Counter)
    families: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    removed: list[tuple[str, str, str]] = field(default_factory=list)
    """Some of the duplicates: id, id of the one that stayed, reason."""

    def plain(self) -> dict[str, Any]:
        return {
            "id": self.snapshot_id,
            "examples": self.splits[Split.TRAIN],
            "validation": self.splits[Split.VALIDATION],
            "families": len(self.families),
            "by_family": dict(sorted(self.families.items())),
            "by_source": dict(sorted(self.sources.items())),
            "by_kind": dict(sorted(self.kinds.items())),
            "left_out": dict(sorted(self.left_out.items())),
        }


@dataclass(slots=True)
class _Item:
    """What the choice needs of one Example; its code stays in the store."""

    id: str
    instruction: str
    family: str
    source: str
    code: str
    """Key of the code: the Strategy, or the hash of the text."""
    fraction: float
    created_at: datetime
    broken: str | None = None
    """Key of the broken code in the question of an error-fix pair."""
    request: str = ""
    """What the broken code of an error-fix pair should have done."""
    mutation: str | None = None
    """What is wrong with it; None for an example that is no error-fix pair."""

    @property
    def codes(self) -> tuple[str, ...]:
        """Keys of all codes that it shows."""
        return (self.code,) if self.broken is None else (self.code, self.broken)

    @property
    def questions(self) -> tuple[str, ...]:
        """All that it asks for."""
        return (self.instruction, self.request) if self.request else (self.instruction,)


def build_snapshot(
    store: Store, suites: Sequence[Path], choice: Choice | None = None, progress: Progress = SILENT
) -> tuple[Snapshot, SnapshotReport]:
    """Choose, split, and keep a Snapshot of what the store holds now.

    The same Examples and the same choice give the same Snapshot. Raises EmptySnapshot when nothing
    is left to train on, MissingExtra without datasketch where codes have to be compared.
    """
    choice = choice or Choice()
    report = SnapshotReport()
    reading = _Reading(list(suite_prompts(suites)), choice, report)
    total = max(1, store.examples.count())
    for number, example in enumerate(store.examples.each()):
        reading.take(example)
        if number % 500 == 0:
            progress.update(0.7 * number / total, f"{number:,} read")
    clusters = reading.clusters(store)
    progress.update(0.9, "compared")
    clean = reading.without_answers(_newest(reading.items, report), clusters)
    chosen = _within_quota(_distinct(clean, clusters, report), choice, report)
    share = _share(chosen, choice)
    sides = _Sides(store, chosen, choice, share)
    members: dict[str, Split] = {}
    for item, split in _without_leaks(chosen, sides, clusters, report):
        members[item.id] = split
        report.splits[split] += 1
        report.families[item.family] += 1
        report.sources[item.source] += 1
        report.kinds["write" if item.mutation is None else FIX] += 1
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
    report.snapshot_id = json_hash({"members": {k: str(v) for k, v in members.items()}, **settings})
    # For the report alone, and no part of the name.
    settings["left_out"] = dict(sorted(report.left_out.items()))
    settings["removed"] = [list(one) for one in report.removed]
    return Snapshot(id=report.snapshot_id, created_at=now(), members=members, settings=settings)


class _Reading:
    """Goes through the Examples once, in the order of their ids, and keeps what may be taken."""

    def __init__(
        self, prompts: Sequence[Mapping[str, Any]], choice: Choice, report: SnapshotReport
    ) -> None:
        self.items: list[_Item] = []
        self._choice, self._report = choice, report
        self._keys = {
            json_hash([p.get("family"), p["parameters"]]) for p in prompts if p.get("parameters")
        }
        self._asked = Questions(same_numbers=False)
        self._literals: dict[str, str] = {}
        self._answers: dict[str, str | None] = {}
        """Key of a code that answers a prompt → the code, where it stands in the suite."""
        self._holder: dict[str, tuple[str, str | None]] = {}
        self._broken: dict[str, str] = {}
        """Key of a broken code → the code."""
        for prompt in prompts:
            self._asked.add(prompt["instruction"])
            answer = prompt.get("code", prompt.get("answer"))
            if isinstance(answer, str) and answer.strip():
                key = f"answer {text_hash(answer)}"
                self._answers[key] = answer
                self._literals[key] = literals_of(answer)

    def take(self, example: Example) -> None:
        """Keep it, or count why not."""
        choice, left_out = self._choice, self._report.left_out
        if choice.sources and example.source not in choice.sources:
            left_out["source not chosen"] += 1
            return
        key = example.strategy_id or text_hash(example.code)
        if key not in self._holder:
            self._holder[key] = (example.id, example.backtest_id)
            self._literals[key] = literals_of(example.code)
        origin = example.origin or {}
        request = str(origin.get("request") or "")
        if json_hash([example.family, dict(example.parameters)]) in self._keys:
            left_out["held out by a suite"] += 1
            self._answers[key] = None
        elif self._asked.near(example.instruction) or (request and self._asked.near(request)):
            left_out["near-copy of a suite's prompt"] += 1
            self._answers[key] = None
        elif choice.withholds(example.licence, example.source):
            left_out[f"licence not asked for: {example.licence}"] += 1
        else:
            self.items.append(
                _Item(
                    example.id, example.instruction, example.family, example.source, key,
                    _fraction(example), example.created_at, self._broken_key(origin), request,
                    str(origin.get("mutation")) if example.kind == FIX else None,
                )
            )  # fmt: skip

    def _broken_key(self, origin: Mapping[str, Any]) -> str | None:
        """A broken code is compared like an answer: it may be nearly a held-out one."""
        code = origin.get("broken")
        if not isinstance(code, str) or not code.strip():
            return None
        key = f"broken {text_hash(code)}"
        if key not in self._broken:
            self._broken[key] = code
            self._literals[key] = literals_of(code)
        return key

    def clusters(self, store: Store) -> Clusters:
        """Which of the codes are alike."""

        def codes(keys: Sequence[str]) -> dict[str, str]:
            held = {self._holder[key][0]: key for key in keys if key in self._holder}
            found = {held[one.id]: one.code for one in store.examples.fetch(list(held))}
            told = {key: self._answers.get(key) or self._broken.get(key) for key in keys}
            return {**found, **{key: text for key, text in told.items() if text is not None}}

        def equity(keys: Sequence[str]) -> dict[str, Sequence[tuple[str, float]]]:
            runs = {key: self._holder[key][1] for key in keys if key in self._holder}
            series = {
                key: store.backtests.get(run).equity for key, run in runs.items() if run is not None
            }
            return {key: points for key, points in series.items() if points}

        return cluster(self._literals, codes, equity)

    def without_answers(self, items: Iterable[_Item], clusters: Clusters) -> Iterator[_Item]:
        """Those whose code is not like an answer to what a suite asks."""
        answers = {clusters.find(key) for key in self._answers}
        for item in items:
            if any(clusters.find(code) in answers for code in item.codes):
                self._report.left_out["near-copy of an answer to a suite's prompt"] += 1
            else:
                yield item


def _newest(items: Sequence[_Item], report: SnapshotReport) -> Iterator[_Item]:
    """Of a builder's accepted answers to one question the last one, and everything else."""
    last: dict[str, _Item] = {}
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
            _remove(report, "an earlier iteration for the same question", item, stays)


def _distinct(
    items: Iterable[_Item], clusters: Clusters, report: SnapshotReport
) -> Iterator[_Item]:
    """One of those that ask nearly the same and are answered alike: the smallest id.

    An error-fix pair is compared with those of the same mistake alone: its question holds most of
    the code that others of the same answer hold, and still teaches something else.
    """
    seen: dict[tuple[str, str | None], tuple[Questions, dict[str, _Item]]] = {}
    for item in items:
        name = (clusters.find(item.code), item.mutation)
        questions, having = seen.setdefault(name, (Questions(same_numbers=True), {}))
        same = having.get(normalised(item.instruction))
        if same is not None and same.code == item.code:
            _remove(report, "duplicate", item, same)
        elif same is not None or questions.near(item.instruction):
            _remove(report, "near-duplicate", item, same or next(iter(having.values())))
        else:
            questions.add(item.instruction)
            having[normalised(item.instruction)] = item
            yield item


def _remove(report: SnapshotReport, why: str, item: _Item, stays: _Item) -> None:
    report.left_out[why] += 1
    if len(report.removed) < _SHOWN:
        report.removed.append((item.id, stays.id, why))


def _within_quota(items: Iterable[_Item], choice: Choice, report: SnapshotReport) -> list[_Item]:
    """No more of one family than its quota, counted for error-fix pairs by themselves, and no more
    pairs of one mistake than theirs."""
    taken: Counter[tuple[str, str]] = Counter()
    found = []
    for item in items:
        fix = item.mutation is not None
        limits = [(("family", item.family), choice.family_quota, "over its family's quota")]
        if fix:
            limits = [
                (("fixes of", item.family), choice.fix_quota, "over its family's quota of fixes"),
                (("mistake", str(item.mutation)), choice.mistake_quota, "over its mistake's quota"),
            ]
        full = next((why for key, most, why in limits if taken[key] >= most), None)
        if full is not None:
            report.left_out[full] += 1
            continue
        taken.update(key for key, _, _ in limits)
        found.append(item)
    return found


def _share(chosen: Sequence[_Item], choice: Choice) -> float:
    """The share asked for; in a small store such that each side has a group at least."""
    fractions = sorted({item.fraction for item in chosen})
    if len(fractions) < 2:
        return 0.0
    return min(max(choice.validation_share, fractions[1]), fractions[-1])


class _Sides:
    """The side of each group: its fraction, unless a smaller store has put it elsewhere before."""

    def __init__(self, store: Store, chosen: Sequence[_Item], choice: Choice, share: float) -> None:
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

    def of(self, item: _Item) -> Split:
        """Where it belongs."""
        kept = self._kept.get(item.fraction)
        return kept if kept is not None else _side(item.fraction, self._share)


def _without_leaks(
    chosen: Sequence[_Item], sides: _Sides, clusters: Clusters, report: SnapshotReport
) -> Iterator[tuple[_Item, Split]]:
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
        else:
            yield item, side


def split_of(example: Example, validation_share: float) -> Split:
    """The side of the example's group: a hash of it, compared with the share."""
    return _side(_fraction(example), validation_share)


def _side(fraction: float, share: float) -> Split:
    return Split.VALIDATION if fraction < share else Split.TRAIN


def _fraction(example: Example) -> float:
    """Where the example's group stands between 0 and 1, whatever else is in the store."""
    # The code stands in where nothing says what the example is a variant of.
    group = example.strategy_id or text_hash(example.code)
    if example.parameters:
        group = json_hash([example.family, dict(example.parameters)])
    elif BUILDER in (example.source, (example.origin or {}).get("source")):
        # A builder's iterations answer one specification, which is their family.
        group = example.family
    return int(text_hash(f"split/{group}")[:8], 16) / 2**32
