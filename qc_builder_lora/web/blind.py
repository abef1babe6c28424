"""Pairs to be rated without knowing which answer is whose, and what the ratings say.

Which answer stands first is decided by a hash of the Comparison and the rater: the same page comes
again after a break, and nobody's habit of preferring the first favours a model. Who is who is told
to a rater only when all pairs are rated.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from qc_builder_lora.errors import InputError, NotFound
from qc_builder_lora.ids import new_id, now
from qc_builder_lora.records import Comparison, Generation, Preference, Rating, Request
from qc_builder_lora.store import Store

_OTHER = {
    Preference.CHAMPION: Preference.CHALLENGER,
    Preference.CHALLENGER: Preference.CHAMPION,
}
_CHOICES = ("a", "b", "tie")
MACHINE = "llm:"
"""Before the name of a rater that is a model."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What a rater sees of a Comparison."""

    comparison: Comparison
    request: Request
    a: Generation
    b: Generation
    first: Preference
    """Whose answer `a` is."""
    rated: Rating | None
    number: int
    """Its place among all pairs, from 1."""


class Blind:
    """The pairs of one challenger."""

    def __init__(self, store: Store, challenger: str) -> None:
        """Raises NotFound when the challenger has no Comparisons."""
        self._store = store
        self.challenger = challenger
        found = store.comparisons.find(challenger=challenger, oldest_first=True)
        # The order says nothing of the outcome, and is the same for everybody.
        self._comparisons = sorted(found, key=lambda one: _hash("order", one.id))
        if not found:
            raise NotFound(
                "comparison", challenger, f"Make some with: qc-lora eval {challenger}, or "
                f"qc-lora shadow judge {challenger}",
            )  # fmt: skip

    def __len__(self) -> int:
        return len(self._comparisons)

    def rated(self, rater: str) -> dict[str, Rating]:
        """This rater's ratings by Comparison."""
        ids = [one.id for one in self._comparisons]
        return {
            one.comparison_id: one for one in self._store.ratings.find(comparisons=ids, rater=rater)
        }

    def next_for(self, rater: str) -> Pair | None:
        """The first pair that the rater has not rated; None when there is none left."""
        return next(self.unrated(rater), None)

    def unrated(self, rater: str) -> Iterator[Pair]:
        """The pairs that the rater had not rated when this was called."""
        done = self.rated(rater)
        for number, one in enumerate(self._comparisons, 1):
            if one.id not in done:
                yield self._pair(one, rater, number, None)

    def pair(self, number: int, rater: str) -> Pair:
        """A pair by its place; NotFound for a place that there is not."""
        if not 1 <= number <= len(self):
            raise NotFound("pair", str(number), f"There are {len(self)} pairs.")
        one = self._comparisons[number - 1]
        return self._pair(one, rater, number, self.rated(rater).get(one.id))

    def rate(self, number: int, rater: str, choice: str, score: str, comment: str) -> Rating:
        """Keep what the rater chose: `a`, `b` or `tie`; raises InputError for anything else."""
        pair = self.pair(number, rater)
        if choice not in _CHOICES:
            raise InputError(f"The choice must be one of a, b, tie; got {choice!r}.")
        if score and score not in ("1", "2", "3", "4", "5"):
            raise InputError(f"The score must be from 1 to 5; got {score!r}.")
        preferred = {"a": pair.first, "b": _OTHER[pair.first], "tie": Preference.TIE}[choice]
        return self._store.ratings.rate(
            Rating(
                id=new_id(),
                comparison_id=pair.comparison.id,
                rater=rater,
                preferred=preferred,
                created_at=now(),
                first=pair.first,
                score=int(score) if score else None,
                comment=comment or None,
            )
        )

    def summary(self) -> dict[str, Any]:
        """Preferences and agreement of all raters; only for those who may know who is who."""
        ids = [one.id for one in self._comparisons]
        by_rater: dict[str, dict[str, Rating]] = {}
        for one in self._store.ratings.find(comparisons=ids):
            by_rater.setdefault(one.rater, {})[one.comparison_id] = one
        return {
            "pairs": len(ids),
            "raters": [
                _tally(name, list(found.values())) for name, found in sorted(by_rater.items())
            ],
            "agreement": [
                {"raters": [left, right], **_agreement(by_rater[left], by_rater[right])}
                for left, right in combinations(sorted(by_rater), 2)
            ],
        }

    def _pair(self, one: Comparison, rater: str, number: int, rated: Rating | None) -> Pair:
        champion = self._store.generations.get(one.champion_generation_id)
        challenger = self._store.generations.get(one.challenger_generation_id)
        swapped = _hash("side", one.id, rater)[0] % 2 == 1
        return Pair(
            comparison=one,
            request=self._store.requests.get(one.request_id),
            a=challenger if swapped else champion,
            b=champion if swapped else challenger,
            first=Preference.CHALLENGER if swapped else Preference.CHAMPION,
            rated=rated,
            number=number,
        )


def _hash(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()


def _tally(name: str, found: Sequence[Rating]) -> dict[str, Any]:
    counts = Counter(one.preferred.value for one in found)
    decided = [one for one in found if one.preferred is not Preference.TIE]
    scores = [one.score for one in found if one.score is not None]
    return {
        "rater": name,
        "rated": len(found),
        **{kind.value: counts[kind.value] for kind in Preference},
        # How often the one that stood first was preferred: far from a half is a habit.
        "first_preferred": sum(one.preferred is one.first for one in decided) / len(decided)
        if decided
        else None,
        "mean_score": sum(scores) / len(scores) if scores else None,
    }


def _agreement(left: dict[str, Rating], right: dict[str, Rating]) -> dict[str, Any]:
    both = sorted(left.keys() & right.keys())
    pairs = [(left[key].preferred.value, right[key].preferred.value) for key in both]
    return {"pairs": len(pairs), "kappa": cohens_kappa(pairs)}


def cohens_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Agreement beyond chance of two raters (Cohen 1960): 1 is perfect, 0 is chance.

    None where there is nothing to compare, or where both always said the same one thing: chance
    alone then explains all of it.
    """
    if not pairs:
        return None
    count = len(pairs)
    seen = sum(left == right for left, right in pairs) / count
    lefts, rights = Counter(one for one, _ in pairs), Counter(one for _, one in pairs)
    chance = sum(lefts[word] * rights[word] for word in lefts) / count**2
    return None if chance == 1 else (seen - chance) / (1 - chance)
