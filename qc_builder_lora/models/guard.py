"""Figures of the models that answer, and whether the one on trial is shown to be worse.

Only counts requests and times that were measured with a clock that does not jump: nothing here
looks at the time of day. Takes nobody back; that is `watch`'s.
"""

from __future__ import annotations

import ast
import threading
import warnings
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qc_builder_lora.models.call import Outcome
from qc_builder_lora.models.evidence import Gap, Seen, gap
from qc_builder_lora.models.faults import Kind
from qc_builder_lora.models.rollback_rule import FIGURES, RollbackRule
from qc_builder_lora.records import Promotion

if TYPE_CHECKING:
    from qc_builder_lora.store.course import Course

HOSTED = "hosted models"
"""What is compared with where no local model was there before."""
_NOBODYS = {Kind.CANCELLED, Kind.BUDGET, Kind.CONTEXT_OVERFLOW, Kind.BAD_REQUEST}
"""Failures that say nothing of the model."""
_KEPT, _NOT_COUNTED = 5000, 2000


@dataclass
class Tally:
    """What one model did, since it began to answer or this process was started."""

    asked: int = 0
    failed: int = 0
    passed: int = 0
    unlike: int = 0
    """Answers that did not pass."""
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))
    """Seconds."""

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {**vars(self), "latencies": [round(one, 4) for one in self.latencies]}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Tally:
        """From `plain`."""
        return cls(**{**plain, "latencies": deque(plain["latencies"], maxlen=_KEPT)})


@dataclass(frozen=True, kw_only=True)
class Trialled:
    """Who is watched, since which decision, and with whom it is compared."""

    decision: Promotion
    model: str
    other: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A model that is shown to be worse, and by what."""

    trialled: Trialled
    figure: str
    """`error rate`, `slow answers` or `pass rate`."""
    gap: Gap
    alpha: float

    @property
    def sentence(self) -> str:
        """The reason, with its figures."""
        one, words = self.gap, _WORDS[self.figure]
        return (
            f"{self.figure}: {one.mine} requests {words}, of {self.trialled.other} {one.theirs}; "
            f"at least {one.low:.1%} against at most {one.high:.1%}, {one.margin:.0%} more is "
            f"allowed (alpha {self.alpha:g})"
        )

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "figure": self.figure,
            "bad": self.gap.mine.bad,
            "of": self.gap.mine.all,
            "other": self.trialled.other,
            "other_bad": self.gap.theirs.bad,
            "other_of": self.gap.theirs.all,
            "at_least": round(self.gap.low, 4),
            "other_at_most": round(self.gap.high, 4),
            "margin": self.gap.margin,
            "alpha": self.alpha,
        }


_WORDS = {
    "error rate": "failed",
    "slow answers": "were slow",
    "pass rate": "did not pass",
}


def trialled(course: Course) -> Trialled | None:
    """Who is on trial: the canary, else the model in production."""
    if course.canary is not None:
        other = course.production or HOSTED
        return Trialled(decision=course.canary, model=course.canary.model_id, other=other)
    if not course.promoted:
        return None
    last = course.promoted[-1]
    other = course.promoted[-2].model_id if len(course.promoted) > 1 else HOSTED
    return Trialled(decision=last, model=last.model_id, other=other)


def judged(
    trial: Trialled, figures: Mapping[str, tuple[Seen, Seen, float]], rule: RollbackRule
) -> Finding | None:
    """The first figure by which it is worse: name → its own, the other's, and the margin."""
    for figure, (mine, theirs, margin) in figures.items():
        if min(mine.all, theirs.all) < rule.minimum:
            continue
        found = gap(mine, theirs, margin, rule.alpha / FIGURES)
        if found.worse:
            return Finding(trialled=trial, figure=figure, gap=found, alpha=rule.alpha)
    return None


class Guard:
    """Takes outcomes from any thread; is asked by one."""

    def __init__(self, rule: RollbackRule) -> None:
        self.rule = rule
        self._lock = threading.Lock()
        # Bounded for where nobody counts: an outcome holds the whole answer.
        self._arrived: deque[Outcome] = deque(maxlen=_NOT_COUNTED)
        self.tallies: dict[str, Tally] = {}
        """By Model id, and all hosted models together."""
        self._limits: dict[tuple[str, str], float] = {}
        """Slower than that is slow, seconds, by who is watched and with whom compared."""

    def note(self, outcome: Outcome) -> None:
        """One more; microseconds."""
        self._arrived.append(outcome)

    def count(self) -> None:
        """Take what has arrived into the tallies; looks at the code of every answer."""
        while self._arrived:
            one = self._arrived.popleft()
            if one.kind in _NOBODYS:
                continue
            key = one.model if one.provider == "local" else HOSTED
            tally = self.tallies.setdefault(key, Tally())
            tally.asked += 1
            if one.draft is None:
                tally.failed += 1
                continue
            if one.draft.latency_s is not None:
                tally.latencies.append(one.draft.latency_s)
            if parses(one.draft.code):
                tally.passed += 1
            else:
                tally.unlike += 1

    def find(self, course: Course) -> Finding | None:
        """Who is shown to be worse, if anybody; what is counted of others is forgotten."""
        self._forget(course)
        trial = trialled(course)
        if trial is None or not self.rule.enabled:
            return None
        mine, theirs = (self.tallies.get(key, Tally()) for key in (trial.model, trial.other))
        if course.canary is None and mine.asked > self.rule.watch:
            return None
        return judged(trial, self._figures(trial, mine, theirs), self.rule)

    def _figures(
        self, trial: Trialled, mine: Tally, theirs: Tally
    ) -> dict[str, tuple[Seen, Seen, float]]:
        rule = self.rule
        found = {
            "error rate": (Seen(mine.failed, mine.asked), Seen(theirs.failed, theirs.asked),
                           rule.error_margin),
            "pass rate": (Seen(mine.unlike, mine.unlike + mine.passed),
                          Seen(theirs.unlike, theirs.unlike + theirs.passed), rule.pass_margin),
        }  # fmt: skip
        limit = self._limit(trial, theirs)
        if limit is not None:
            found["slow answers"] = (slow(mine, limit), slow(theirs, limit), rule.slow_margin)
        return found

    def _limit(self, trial: Trialled, theirs: Tally) -> float | None:
        """Set once, by the other's first answers: it must not follow what it is to judge."""
        key = (trial.model, trial.other)
        if key not in self._limits and len(theirs.latencies) >= self.rule.minimum:
            self._limits[key] = slow_limit(list(theirs.latencies)[: self.rule.minimum], self.rule)
        return self._limits.get(key)

    def _forget(self, course: Course) -> None:
        # One that was taken back and is tried again by a person's word begins anew.
        kept = {HOSTED, course.canary.model_id if course.canary else HOSTED}
        kept |= {one.model_id for one in course.promoted[-2:]}
        self.tallies = {key: tally for key, tally in self.tallies.items() if key in kept}
        self._limits = {key: limit for key, limit in self._limits.items() if key[0] in kept}


def slow_limit(latencies: list[float], rule: RollbackRule) -> float:
    """Seconds beyond which an answer is slow."""
    return rule.slow_factor * sorted(latencies)[len(latencies) // 2]


def slow(tally: Tally, limit: float) -> Seen:
    """How many answers took longer."""
    return Seen(sum(one > limit for one in tally.latencies), len(tally.latencies))


def parses(code: str) -> bool:
    """Whether there is code, and it is Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return bool(ast.parse(code).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
