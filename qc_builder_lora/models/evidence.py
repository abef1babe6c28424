"""Whether one rate is larger than another by a margin, shown by samples that are looked at always.

Each rate has a confidence sequence: the likelihood of what was seen, mixed over all rates with a
Beta(1/2, 1/2) prior, divided by that of one rate, has a mean of at most 1 under that rate at every
stopping time (Ville 1939; Robbins 1970): rates for which it reaches 1 / alpha are refuted, however
often one looks. Two samples are told apart where their intervals are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Seen:
    """How many of how many."""

    bad: int
    all: int

    @property
    def rate(self) -> float | None:
        """A fraction; None where nothing was seen."""
        return self.bad / self.all if self.all else None

    def __str__(self) -> str:
        return f"{self.bad} of {self.all}"


def rate_interval(seen: Seen, alpha: float) -> tuple[float, float]:
    """Where the rate lies, at all times together with probability 1 - alpha; fractions."""
    if not seen.all:
        return 0.0, 1.0
    good = seen.all - seen.bad
    mixture = _log_beta(seen.bad + 0.5, good + 0.5) - _log_beta(0.5, 0.5)
    limit = mixture - math.log(1 / alpha)

    def stands(rate: float) -> bool:
        return _times_log(seen.bad, rate) + _times_log(good, 1 - rate) > limit

    centre = seen.bad / seen.all
    return _edge(stands, centre, 0.0), _edge(stands, centre, 1.0)


@dataclass(frozen=True)
class Gap:
    """Two rates beside each other."""

    mine: Seen
    theirs: Seen
    low: float
    """The least that mine may be."""
    high: float
    """The most that theirs may be."""
    margin: float

    @property
    def worse(self) -> bool:
        """Whether mine is shown to be larger by more than the margin."""
        return self.low > self.high + self.margin


def gap(mine: Seen, theirs: Seen, margin: float, alpha: float) -> Gap:
    """`alpha` is the chance that a rate which is not larger by the margin is ever called worse."""
    low, _ = rate_interval(mine, alpha / 2)
    _, high = rate_interval(theirs, alpha / 2)
    return Gap(mine, theirs, low, high, margin)


def _times_log(count: int, chance: float) -> float:
    if count == 0:
        return 0.0
    return count * math.log(chance) if chance > 0 else -math.inf


def _edge(stands: Callable[[float], bool], inside: float, outside: float) -> float:
    if stands(outside):
        return outside
    for _ in range(30):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if stands(middle) else (inside, middle)
    return outside


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
