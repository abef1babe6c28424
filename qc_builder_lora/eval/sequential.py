"""Evidence and intervals from paired outcomes that hold at every moment of looking.

Each pair is a win of the challenger, a loss, or a tie. The likelihood of what was seen, mixed over
all probabilities of the three with a Dirichlet(1/2, 1/2, 1/2) prior, divided by the largest
likelihood that a hypothesis allows, has a mean of at most 1 under that hypothesis at every stopping
time (Ville 1939; Wasserman, Ramdas and Balakrishnan 2020): reaching 1 / alpha refutes it, however
often one looks. The differences that are not refuted form the confidence sequence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qc_builder_lora.eval.statistics import pair_e_value

_MOST_PAIRS = 1_000_000
"""Where looking for the number of pairs that would decide gives up."""
_GRID = tuple(step / 20 for step in range(-19, 20) if step)
"""Stakes that `signed_rank_e_value` mixes over."""


@dataclass(frozen=True)
class Counts:
    """Outcomes of the judged pairs, from the challenger's side."""

    wins: float
    losses: float
    ties: float

    @property
    def pairs(self) -> float:
        """All of them."""
        return self.wins + self.losses + self.ties

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(self.wins + other.wins, self.losses + other.losses, self.ties + other.ties)

    def times(self, factor: float) -> Counts:
        """As many more at the same rates."""
        return Counts(self.wins * factor, self.losses * factor, self.ties * factor)


def difference_interval(counts: Counts, alpha: float = 0.05) -> tuple[float, float]:
    """Confidence sequence for P(challenger passes) - P(champion passes), fractions in [-1, 1].

    Covers the true difference at all times together with probability 1 - alpha. (-1, 1) when
    nothing was judged.
    """
    if counts.pairs == 0:
        return -1.0, 1.0
    centre = (counts.wins - counts.losses) / counts.pairs

    def refuted(difference: float) -> bool:
        return is_refuted(counts, difference, alpha)

    # What is likelier lies nearer to the centre: the differences that stand are an interval.
    return _edge(refuted, centre, -1.0), _edge(refuted, centre, 1.0)


def is_refuted(counts: Counts, difference: float, alpha: float = 0.05) -> bool:
    """Whether a true difference of that size, a fraction, is outside the confidence sequence."""
    return _log_evidence(counts, difference) >= math.log(1 / alpha)


def not_worse_e_value(counts: Counts, margin: float) -> float:
    """Evidence that the challenger is not worse by `margin` (a fraction) or more."""
    if counts.pairs == 0 or (counts.wins - counts.losses) / counts.pairs <= -margin:
        # The likeliest probabilities are themselves of the hypothesis.
        return min(1.0, math.exp(_log_evidence(counts, None)))
    return _exp(_log_evidence(counts, -margin))


def pairs_needed(counts: Counts, decided: Callable[[Counts], bool]) -> int | None:
    """Judged pairs still to come before `decided`, at the rates seen; None if they never would."""
    if counts.pairs == 0:
        return None
    if decided(counts):
        return 0
    low, high = 1.0, 2.0
    while not decided(counts.times(high)):
        low, high = high, high * 2
        if counts.pairs * high > _MOST_PAIRS:
            return None
    while (high - low) * counts.pairs > 0.5:
        middle = (low + high) / 2
        low, high = (low, middle) if decided(counts.times(middle)) else (middle, high)
    return math.ceil(counts.pairs * high - counts.pairs)


def better_e_value(counts: Counts) -> float:
    """Evidence that wins and losses are not equally likely; see `pair_e_value`."""
    return pair_e_value(counts.wins, counts.losses)


def signed_rank_e_value(differences: Sequence[float]) -> float:
    """Evidence that differences, in the order they came, are not symmetric about zero.

    Each difference is bet on by its sign, with a stake in proportion to the rank of its size among
    those so far, and the gain mixed over stakes from -0.95 to 0.95. Where the sizes say nothing of
    the signs the signs are fair coins, so the mean is 1 at every stopping time: an anytime-valid
    relative of Wilcoxon's signed-rank test. Zeros say nothing and are left out.
    """
    sizes: list[float] = []
    logs = [0.0] * len(_GRID)
    for value in differences:
        if value == 0:
            continue
        sizes.append(abs(value))
        below = sum(1 for size in sizes if size < abs(value))
        equal = sum(1 for size in sizes if size == abs(value))
        share = math.copysign((below + (equal + 1) / 2) / (len(sizes) + 1), value)
        logs = [log + math.log1p(stake * share) for log, stake in zip(logs, _GRID, strict=True)]
    largest = max(logs)
    return _exp(largest + math.log(sum(math.exp(log - largest) for log in logs) / len(logs)))


def signed_rank_p(differences: Sequence[float]) -> float:
    """Wilcoxon's signed-rank test for a fixed number of pairs, two-sided, exact with mid-ranks.

    1 when no difference is left after the zeros are dropped. Looking again and again is not
    allowed with this one.
    """
    sizes = sorted(abs(value) for value in differences if value)
    if not sizes:
        return 1.0
    # Twice the mid-rank, a whole number: the distribution over all signs is counted exactly.
    first = {size: sizes.index(size) for size in set(sizes)}
    twice = {size: 2 * first[size] + sizes.count(size) + 1 for size in set(sizes)}
    ways = {0: 1}
    for size in sizes:
        step: dict[int, int] = {}
        for total, count in ways.items():
            step[total] = step.get(total, 0) + count
            step[total + twice[size]] = step.get(total + twice[size], 0) + count
        ways = step
    positive = sum(twice[abs(value)] for value in differences if value > 0)
    whole = sum(twice[size] for size in sizes)
    fewer = min(positive, whole - positive)
    tail = sum(count for total, count in ways.items() if total <= fewer)
    return min(1.0, 2 * tail / float(2 ** len(sizes)))


def _log_evidence(counts: Counts, difference: float | None) -> float:
    """Mixture over the best likelihood: at a difference of probabilities, or at any (None)."""
    seen = (counts.wins, counts.losses, counts.ties)
    mixture = math.lgamma(1.5) - math.lgamma(counts.pairs + 1.5)
    mixture += sum(math.lgamma(count + 0.5) - math.lgamma(0.5) for count in seen)
    if difference is None:
        best = tuple(count / counts.pairs if counts.pairs else 0.0 for count in seen)
    else:
        best = _likeliest(counts, difference)
    return mixture - sum(_term(count, chance) for count, chance in zip(seen, best, strict=True))


def _likeliest(counts: Counts, difference: float) -> tuple[float, float, float]:
    """The likeliest win, loss and tie probabilities with win - loss = difference.

    With loss probability q the derivative of the log-likelihood,
    w / (q + d) + l / q - 2 t / (1 - 2 q - d), falls throughout: bisection finds its zero.
    """
    low, high = max(0.0, -difference), (1 - difference) / 2
    for _ in range(80):
        q = (low + high) / 2
        slope = _over(counts.wins, q + difference) + _over(counts.losses, q)
        slope -= _over(2 * counts.ties, 1 - 2 * q - difference)
        low, high = (q, high) if slope > 0 else (low, q)
    q = (low + high) / 2
    return q + difference, q, 1 - 2 * q - difference


def _over(count: float, chance: float) -> float:
    return 0.0 if count == 0 else count / max(chance, 1e-300)


def _term(count: float, chance: float) -> float:
    return 0.0 if count == 0 else count * math.log(max(chance, 1e-300))


def _edge(refuted: Callable[[float], bool], inside: float, outside: float) -> float:
    """Between a difference that stands and the end of the scale, where standing ends."""
    if not refuted(outside):
        return outside
    for _ in range(60):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if refuted(middle) else (middle, outside)
    return outside


def _exp(log: float) -> float:
    return math.exp(min(log, 700.0))
