"""Figures of the models that answer, and whether the one on trial is shown to be worse.

Nothing here looks at the time of day. Takes nobody back; that is `watch`'s.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qc_builder_lora.models.call import Outcome
from qc_builder_lora.models.evidence import Gap, Seen, gap
from qc_builder_lora.models.faults import Kind
from qc_builder_lora.models.rollback_rule import FIGURES, RollbackRule
from qc_builder_lora.models.tally import Tally, together
from qc_builder_lora.records import Promotion

if TYPE_CHECKING:
    from qc_builder_lora.store.course import Course

HOSTED = "hosted models"
"""What is compared with where no local model was there before."""
_NOBODYS = {Kind.CANCELLED, Kind.BUDGET, Kind.CONTEXT_OVERFLOW, Kind.BAD_REQUEST}
"""Failures that say nothing of the model."""
_NOT_COUNTED = 2000
ALONE = 2
"""So many times the least number of requests: then the other one has had its chance to answer."""
_DOUBT = ":doubt"
Key = tuple[str, str]
"""Phase, and Model id or HOSTED."""


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
        # Bounded for where nobody counts: an outcome holds the whole answer.
        self._arrived: deque[Outcome] = deque(maxlen=_NOT_COUNTED)
        self.phase = ""
        """What is counted now; the id of the decision that stands, or its doubt."""
        self.tallies: dict[Key, Tally] = {}
        """Of this process, by phase and by Model id, all hosted models together."""
        self.others: dict[Key, list[Tally]] = {}
        """Of the processes that serve beside this one, or did before it."""
        self.suspicion: Finding | None = None
        """Why the model on trial is in doubt, where that was found here."""
        self._limits: dict[tuple[str, str], float] = {}
        """Slower than that is slow, seconds, by phase and by whom it is compared with."""

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
            self.tallies.setdefault((self.phase, key), Tally()).add(one)

    def stands(self, course: Course) -> None:
        """What is counted from now on belongs to this; figures that nobody needs are forgotten."""
        phase = _phase(course)
        doubt = doubt_of(phase)
        if phase != self.phase.removesuffix(_DOUBT):
            self.suspicion = None
        fresh = course.canary is None and bool(course.promoted)
        self.phase = doubt if fresh and self._doubted(doubt) else phase
        kept = phases_of(course)
        self.tallies = {key: one for key, one in self.tallies.items() if key[0] in kept}
        self._limits = {key: one for key, one in self._limits.items() if key[0] in kept}

    def find(self, course: Course) -> Finding | None:
        """Who is shown to be worse, if anybody. Call `stands` before.

        A canary is compared with who answers beside it. A fresh promotion is first compared with
        what the model before it did: where it looks worse, that may be the machine's doing, or the
        questions'. Then it is in doubt: the model before answers for a part of the Builds again
        (see `holding_back`), and only what both do from then on decides.
        """
        trial = trialled(course)
        if trial is None or not self.rule.enabled:
            return None
        if course.canary is not None:
            return self._worse(trial, (self.phase,), (self.phase,))
        if self._old(trial):
            return None
        doubt = doubt_of(trial.decision.id)
        if self.phase == doubt and not self._nobody_beside(trial, doubt):
            return self._worse(trial, (doubt,), (doubt,))
        before = course.promoted[-2].id if len(course.promoted) > 1 else ""
        found = self._worse(trial, _both(trial.decision.id), _both(before))
        if found is None or not self.rule.holdback or self.phase == doubt:
            return found
        self.suspicion, self.phase = found, doubt
        self.tallies.setdefault((doubt, trial.model), Tally())
        return None

    def holding_back(self, course: Course) -> Trialled | None:
        """The promotion in doubt, while the one before it is to answer for a part of the Builds."""
        trial = trialled(course)
        if trial is None or course.canary is not None or not self.rule.enabled:
            return None
        in_doubt = self.phase == doubt_of(trial.decision.id)
        return trial if in_doubt and self.rule.holdback and not self._old(trial) else None

    def all_of(self, phases: Iterable[str], model: str) -> Tally:
        """What all processes counted."""
        keys = [(phase, model) for phase in phases]
        mine = [self.tallies[key] for key in keys if key in self.tallies]
        return together([*mine, *(one for key in keys for one in self.others.get(key, []))])

    def _old(self, trial: Trialled) -> bool:
        return self.all_of(_both(trial.decision.id), trial.model).asked > self.rule.watch

    def _nobody_beside(self, trial: Trialled, doubt: str) -> bool:
        """Whether no process can let the model before answer: then its earlier figures decide."""
        mine = self.all_of((doubt,), trial.model).asked
        return mine >= ALONE * self.rule.minimum and not self.all_of((doubt,), trial.other).asked

    def _doubted(self, doubt: str) -> bool:
        return any(phase == doubt for phase, _ in (*self.tallies, *self.others))

    def _worse(
        self, trial: Trialled, phases: tuple[str, ...], others: tuple[str, ...]
    ) -> Finding | None:
        """By what the one on trial did in some phases, and the other in some."""
        mine, theirs = self.all_of(phases, trial.model), self.all_of(others, trial.other)
        limit = self._limit((others[-1], trial.other), theirs)
        return judged(trial, figures(mine, theirs, limit, self.rule), self.rule)

    def _limit(self, key: Key, theirs: Tally) -> float | None:
        """Set once, by the other's first answers: it must not follow what it is to judge."""
        if key not in self._limits and len(theirs.latencies) >= self.rule.minimum:
            self._limits[key] = slow_limit(list(theirs.latencies)[: self.rule.minimum], self.rule)
        return self._limits.get(key)


def figures(
    mine: Tally, theirs: Tally, limit: float | None, rule: RollbackRule
) -> dict[str, tuple[Seen, Seen, float]]:
    """Name → of the one on trial, of the other, and the margin."""
    found = {
        "error rate": (Seen(mine.failed, mine.asked), Seen(theirs.failed, theirs.asked),
                       rule.error_margin),
        "pass rate": (Seen(mine.unlike, mine.unlike + mine.passed),
                      Seen(theirs.unlike, theirs.unlike + theirs.passed), rule.pass_margin),
    }  # fmt: skip
    if limit is not None:
        found["slow answers"] = (slow(mine, limit), slow(theirs, limit), rule.slow_margin)
    return found


def _phase(course: Course) -> str:
    """The decision that stands; empty where there was none."""
    return course.latest.id if course.latest else ""


def _both(decision: str) -> tuple[str, str]:
    """The phase of a decision, and of its doubt."""
    return decision, doubt_of(decision)


def doubt_of(decision: str) -> str:
    """The phase in which the model before a promotion answers beside it."""
    return f"{decision}{_DOUBT}"


def phases_of(course: Course) -> set[str]:
    """The phases whose figures may still be needed."""
    decisions = [*course.promoted[-2:], *([course.canary] if course.canary else [])]
    return {"", *(phase for one in decisions for phase in _both(one.id))}


def slow_limit(latencies: list[float], rule: RollbackRule) -> float:
    """Seconds beyond which an answer is slow."""
    return rule.slow_factor * sorted(latencies)[len(latencies) // 2]


def slow(tally: Tally, limit: float) -> Seen:
    """How many answers took longer."""
    return Seen(sum(one > limit for one in tally.latencies), len(tally.latencies))
