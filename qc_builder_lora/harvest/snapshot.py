"""Snapshots: a frozen, content-addressed choice of Examples, split so that nothing leaks.

Which side an Example falls on depends on the group it belongs to (family and parameters, a
builder's specification, or the Strategy) and, but in a very small store, on nothing else, so it
does not change sides as the store grows. Prompts of evaluation suites, and near-copies of them,
are left out.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from qc_builder_lora.errors import EmptySnapshot, InputError, SettingsError
from qc_builder_lora.harvest.accept import LICENCE as OWN_WORK
from qc_builder_lora.harvest.accept import SOURCE as BUILDER
from qc_builder_lora.ids import json_hash, now, text_hash
from qc_builder_lora.records import Example, Snapshot, Split
from qc_builder_lora.store import Store

NEAR = 0.9
"""Share of common word pairs from which two instructions count as the same one."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What goes into a snapshot; part of what its name is a hash of."""

    validation_share: float = 0.08
    family_quota: int = 200
    """Most Examples of one family."""
    sources: tuple[str, ...] = ()
    """Only these sources; all where empty."""
    licences: tuple[str, ...] = ()
    """Reserved licences that are asked for; see `is_reserved`."""

    def __post_init__(self) -> None:
        if not 0 < self.validation_share < 0.5:
            raise SettingsError(f"validation_share must be in (0, 0.5): {self.validation_share}.")
        if self.family_quota < 1:
            raise SettingsError(f"family_quota must be at least 1, got {self.family_quota}.")


@dataclass
class SnapshotReport:
    """Where the Examples went."""

    snapshot_id: str = ""
    splits: Counter[str] = field(default_factory=Counter)
    families: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    def plain(self) -> dict[str, Any]:
        return {
            "id": self.snapshot_id,
            "examples": self.splits[Split.TRAIN],
            "validation": self.splits[Split.VALIDATION],
            "families": len(self.families),
            "by_family": dict(sorted(self.families.items())),
            "by_source": dict(sorted(self.sources.items())),
            "left_out": dict(sorted(self.left_out.items())),
        }


def build_snapshot(
    store: Store, suites: Sequence[Path], choice: Choice | None = None
) -> tuple[Snapshot, SnapshotReport]:
    """Choose, split, and keep a Snapshot of what the store holds now.

    The same Examples and the same choice give the same Snapshot. Raises EmptySnapshot when nothing
    is left to train on.
    """
    choice = choice or Choice()
    report = SnapshotReport()
    prompts = list(suite_prompts(suites))
    members: dict[str, Split] = {}
    clean = _clean(store.examples.each(), prompts, choice, report)
    chosen = list(_within_quota(clean, choice, report))
    share = _share(chosen, choice)
    for example, split in _split(chosen, share, report):
        members[example.id] = split
        report.splits[split] += 1
        report.families[example.family] += 1
        report.sources[example.source] += 1
    if not report.splits[Split.TRAIN]:
        reasons = "".join(f", {count} {why}" for why, count in sorted(report.left_out.items()))
        raise EmptySnapshot(f"{store.examples.count()} in the store{reasons}")
    settings = {
        "validation_share": choice.validation_share,
        "family_quota": choice.family_quota,
        "sources": list(choice.sources),
        "suites": {path.name: text_hash(path.read_text("utf-8")) for path in suites},
    }
    if choice.licences:
        settings["licences"] = sorted(choice.licences)
    snapshot_id = json_hash({"members": {k: str(v) for k, v in members.items()}, **settings})
    snapshot = Snapshot(id=snapshot_id, created_at=now(), members=members, settings=settings)
    report.snapshot_id = snapshot_id
    return store.snapshots.add(snapshot), report


def _share(chosen: Sequence[Example], choice: Choice) -> float:
    """The share asked for; in a small store such that each side has a group at least."""
    fractions = sorted({_fraction(example) for example in chosen})
    if len(fractions) < 2:
        return 0.0
    return min(max(choice.validation_share, fractions[1]), fractions[-1])


def _split(
    chosen: Sequence[Example], share: float, report: SnapshotReport
) -> Iterable[tuple[Example, Split]]:
    """Each with its side; nothing is learnt whose code or question is asked for afterwards."""
    sides = [(example, split_of(example, share)) for example in chosen]
    held_out = {
        key for example, side in sides if side is Split.VALIDATION for key in _content(example)
    }
    for example, side in sides:
        if side is Split.TRAIN and held_out & _content(example):
            report.left_out["its code or question is held out"] += 1
        else:
            yield example, side


def _content(example: Example) -> set[str]:
    code = example.strategy_id or text_hash(example.code)
    return {f"code {code}", f"question {_normalised(example.instruction)}"}


def split_of(example: Example, validation_share: float) -> Split:
    """The side of the example's group: a hash of it, compared with the share."""
    inside = _fraction(example) < validation_share
    return Split.VALIDATION if inside else Split.TRAIN


def _fraction(example: Example) -> float:
    """Where the example's group stands between 0 and 1, whatever else is in the store."""
    # The code stands in where nothing says what the example is a variant of.
    group = example.strategy_id or text_hash(example.code)
    if example.parameters:
        group = json_hash([example.family, dict(example.parameters)])
    elif example.source == BUILDER:
        # A builder's iterations answer one specification, which is their family.
        group = example.family
    return int(text_hash(f"split/{group}")[:8], 16) / 2**32


def suite_prompts(suites: Iterable[Path]) -> Iterable[Mapping[str, Any]]:
    """The prompts of evaluation suites, one mapping each; InputError names a line that is none."""
    for suite in suites:
        for number, line in enumerate(suite.read_text("utf-8").splitlines(), 1):
            if line.strip():
                yield _prompt(line, suite, number)


def _prompt(line: str, suite: Path, number: int) -> Mapping[str, Any]:
    try:
        prompt: dict[str, Any] = json.loads(line)
        # What a suite holds out must be known for certain: a guess could let it into training.
        return {**prompt, "instruction": str(prompt["instruction"])}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{suite}, line {number}: not a prompt ({error!r}). A line is a JSON object with id "
            "and instruction."
        ) from error


def _clean(
    examples: Iterable[Example],
    prompts: Sequence[Mapping[str, Any]],
    choice: Choice,
    report: SnapshotReport,
) -> Iterable[Example]:
    """Examples of the chosen sources, one a pair, none that a suite asks about."""
    keys = {json_hash([p.get("family"), p["parameters"]]) for p in prompts if p.get("parameters")}
    asked = [_pairs(p["instruction"]) for p in prompts]
    seen: set[str] = set()
    for example in sorted(examples, key=lambda e: e.id):
        if choice.sources and example.source not in choice.sources:
            report.left_out["source not chosen"] += 1
        elif is_reserved(example.licence) and example.licence not in choice.licences:
            report.left_out[f"licence not asked for: {example.licence}"] += 1
        elif json_hash([example.family, dict(example.parameters)]) in keys:
            report.left_out["held out by a suite"] += 1
        elif _asked(example, asked):
            report.left_out["near-copy of a suite's prompt"] += 1
        elif (pair := text_hash(_normalised(example.instruction) + example.code)) in seen:
            report.left_out["duplicate"] += 1
        else:
            seen.add(pair)
            yield example


def is_reserved(licence: str) -> bool:
    """Whether somebody else may hold the rights: a licence of no standard, and not the owner's."""
    return licence.startswith("LicenseRef-") and licence != OWN_WORK


def _asked(example: Example, asked: Sequence[frozenset[str]]) -> bool:
    own = _pairs(example.instruction)
    return any(len(own & other) >= NEAR * len(own | other) for other in asked)


def _within_quota(
    examples: Iterable[Example], choice: Choice, report: SnapshotReport
) -> Iterable[Example]:
    taken: Counter[str] = Counter()
    for example in examples:
        if taken[example.family] >= choice.family_quota:
            report.left_out["over its family's quota"] += 1
            continue
        taken[example.family] += 1
        yield example


def _normalised(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9.%$]+", text.lower()))


def _pairs(text: str) -> frozenset[str]:
    """Pairs of neighbouring words; numbers are words too, for they are what differs."""
    words = _normalised(text).split()
    return frozenset(f"{left} {right}" for left, right in pairwise(words))
