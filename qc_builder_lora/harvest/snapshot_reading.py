"""What goes into a snapshot, read from the store once: what may be taken, and why the rest not.

Keeps of each Example what the choice needs; codes stay in the store. Whatever a suite asks, and
whatever is like its answers, is counted and left out here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from qc_builder_lora.harvest.accept import SOURCE as BUILDER
from qc_builder_lora.harvest.choice import Choice
from qc_builder_lora.harvest.essence import essence_of
from qc_builder_lora.harvest.likeness import Clusters, cluster
from qc_builder_lora.harvest.withheld import Answers, Prompts, codes_in
from qc_builder_lora.ids import json_hash, text_hash
from qc_builder_lora.records import Example, Split
from qc_builder_lora.store import Store

WRITE, FIX, CHANGE = "write", "fix", "change"
"""The kinds of examples: what answers a request, what mends broken code, what changes good code."""
_TEACHES = {FIX: "mutation", CHANGE: "change"}
"""Kind of a pair → what of its origin names what it teaches."""
_SHOWN = 40
"""Pairs of duplicates that are kept for the report, of each reason."""
LIKE_AN_ANSWER = "near-copy of an answer to a suite's prompt"


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

    def remove(self, why: str, item: Item, stays: Item) -> None:
        """Count one that another one stands for."""
        self.left_out[why] += 1
        if sum(reason == why for _, _, reason in self.removed) < _SHOWN:
            self.removed.append((item.id, stays.id, why))

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
class Item:
    """What the choice needs of one Example; its code stays in the store."""

    id: str
    instruction: str
    family: str
    source: str
    code: str
    """Key of the code: the Strategy, or the hash of the text."""
    fraction: float
    created_at: datetime
    shown: str | None = None
    """Key of the code in the question of a pair: the broken one, or the one to be changed."""
    request: str = ""
    """What the broken code should have done, or the changed one shall do."""
    kind: str = WRITE
    teaches: str | None = None
    """Of a pair: the mistake that it mends, or the change that it makes."""
    other: float | None = None
    """Where the group stands that a change leads to, where that is another one."""
    version: str | None = None
    """Of its source."""
    base: str | None = None
    """The example that a pair was made from."""
    drawn: str = ""
    """Family and parameters of what was drawn, not of pairs: the same however it is asked for."""

    @property
    def codes(self) -> tuple[str, ...]:
        """Keys of all codes that it shows."""
        return (self.code,) if self.shown is None else (self.code, self.shown)

    @property
    def questions(self) -> tuple[str, ...]:
        """All that it asks for."""
        return (self.instruction, self.request) if self.request else (self.instruction,)


class Reading:
    """Goes through the Examples once, in the order of their ids, and keeps what may be taken."""

    def __init__(
        self, prompts: Sequence[Mapping[str, Any]], choice: Choice, report: SnapshotReport
    ) -> None:
        self.items: list[Item] = []
        self._choice, self._report = choice, report
        self._keys = {
            json_hash([p.get("family"), p["parameters"]]) for p in prompts if p.get("parameters")
        }
        self._reserved = {str(p["family"]) for p in prompts if p.get("reserved")}
        self._asked, self._known = Prompts(), Answers()
        self._literals: dict[str, str] = {}
        self._answers: dict[str, str | None] = {}
        """Key of a code that answers a prompt → the code, where it stands in the suite."""
        self._holder: dict[str, tuple[str, str | None]] = {}
        self._shown: dict[str, str] = {}
        """Key of a code that a question shows → the code."""
        for prompt in prompts:
            self._asked.add(prompt["instruction"])
            answer = prompt.get("code", prompt.get("answer"))
            if isinstance(answer, str) and answer.strip():
                key = f"answer {text_hash(answer)}"
                self._answers[key] = answer
                self._literals[key] = essence_of(answer).key
                self._known.add(answer)

    def take(self, example: Example) -> None:
        """Keep it, or count why not."""
        choice, left_out = self._choice, self._report.left_out
        if choice.sources and example.source not in choice.sources:
            left_out["source not chosen"] += 1
            return
        key = example.strategy_id or text_hash(example.code)
        answers = key in self._answers
        if key not in self._holder:
            self._holder[key] = (example.id, example.backtest_id)
            self._literals[key] = essence_of(example.code).key
            answers = self._known.like(example.code)
        origin = example.origin or {}
        becomes = origin.get("becomes")
        request = str(origin.get("request") or "")
        shown = [*codes_in(example.instruction), *filter(None, [_code_shown(origin)])]
        answers = answers or any(map(self._known.like, shown))
        if example.family in self._reserved:
            left_out["its family is kept for evaluation"] += 1
            self._answers[key] = None
        elif self._keys.intersection(
            json_hash([example.family, dict(one)])
            for one in (example.parameters, becomes)
            if one is not None
        ):
            left_out["held out by a suite"] += 1
            self._answers[key] = None
        elif self._asked.near(example.instruction) or (request and self._asked.near(request)):
            left_out["near-copy of a suite's prompt"] += 1
            self._answers[key] = None
        elif answers:
            left_out[LIKE_AN_ANSWER] += 1
            self._answers[key] = None
        elif choice.withholds(example.licence, example.source):
            left_out[f"licence not asked for: {example.licence}"] += 1
        else:
            self.items.append(
                Item(
                    example.id, example.instruction, example.family, example.source, key,
                    fraction_of(example), example.created_at, self._shown_key(origin), request,
                    example.kind, _taught(example),
                    None if becomes is None
                    else fraction_of(replace(example, parameters=dict(becomes))),
                    example.version, origin.get("base"), _drawn(example),
                )
            )  # fmt: skip

    def _shown_key(self, origin: Mapping[str, Any]) -> str | None:
        """A code in a question is compared like an answer: it may be nearly a held-out one."""
        code = _code_shown(origin)
        if code is None:
            return None
        key = f"shown {text_hash(code)}"
        if key not in self._shown:
            self._shown[key] = code
            self._literals[key] = essence_of(code).key
        return key

    def clusters(self, store: Store) -> Clusters:
        """Which of the codes are alike."""

        def codes(keys: Sequence[str]) -> dict[str, str]:
            held = {self._holder[key][0]: key for key in keys if key in self._holder}
            found = {held[one.id]: one.code for one in store.examples.fetch(list(held))}
            told = {key: self._answers.get(key) or self._shown.get(key) for key in keys}
            return {**found, **{key: text for key, text in told.items() if text is not None}}

        def equity(keys: Sequence[str]) -> dict[str, Sequence[tuple[str, float]]]:
            runs = {key: self._holder[key][1] for key in keys if key in self._holder}
            series = {
                key: store.backtests.get(run).equity for key, run in runs.items() if run is not None
            }
            return {key: points for key, points in series.items() if points}

        return cluster(self._literals, codes, equity)

    def without_answers(self, items: Iterable[Item], clusters: Clusters) -> Iterator[Item]:
        """Those whose code is not like an answer to what a suite asks."""
        answers = {clusters.find(key) for key in self._answers}
        for item in items:
            if any(clusters.find(code) in answers for code in item.codes):
                self._report.left_out[LIKE_AN_ANSWER] += 1
            else:
                yield item


def _taught(example: Example) -> str | None:
    """What a pair teaches; None for an example that is none."""
    name = _TEACHES.get(example.kind)
    return None if name is None else str((example.origin or {}).get(name))


def _drawn(example: Example) -> str:
    if example.kind != WRITE or not example.parameters:
        return ""
    return json_hash([example.family, dict(example.parameters)])


def _code_shown(origin: Mapping[str, Any]) -> str | None:
    code = origin.get("broken", origin.get("before"))
    return code if isinstance(code, str) and code.strip() else None


def fraction_of(example: Example) -> float:
    """Where the example's group stands between 0 and 1, whatever else is in the store."""
    # The code stands in where nothing says what the example is a variant of.
    group = example.strategy_id or text_hash(example.code)
    if example.parameters:
        group = json_hash([example.family, dict(example.parameters)])
    elif BUILDER in (example.source, (example.origin or {}).get("source")):
        # A builder's iterations answer one specification, which is their family.
        group = example.family
    return int(text_hash(f"split/{group}")[:8], 16) / 2**32
