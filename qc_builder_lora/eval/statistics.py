"""The statistics of rates and pairs, each from its textbook formula and checked against scipy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a rate, as fractions (Wilson 1927).

    With no trials nothing is known: (0, 1).
    """
    if trials == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate = successes / trials
    centre = (rate + z * z / (2 * trials)) / (1 + z * z / trials)
    half = (
        z
        * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
        / (1 + z * z / trials)
    )
    return max(0.0, centre - half), min(1.0, centre + half)


def mcnemar_exact(wins: int, losses: int) -> float:
    """Two-sided exact p-value of McNemar's test on discordant pairs (binomial with 1/2)."""
    discordant = wins + losses
    if discordant == 0:
        return 1.0
    fewer = min(wins, losses)
    tail = sum(math.comb(discordant, k) for k in range(fewer + 1)) / float(2**discordant)
    return min(1.0, 2 * tail)


def pair_e_value(wins: float, losses: float) -> float:
    """Evidence that wins and losses are not equally likely, valid at any time of looking.

    The mixture of the likelihood ratios (2p)^w (2(1-p))^l over p ~ Beta(1/2, 1/2):
    2^(w+l) B(w+1/2, l+1/2) / B(1/2, 1/2). Under equality its mean is 1 at every stopping time, so
    the chance that it ever reaches 1/alpha is at most alpha (Ville 1939).
    """
    log_value = (
        (wins + losses) * math.log(2) + _log_beta(wins + 0.5, losses + 0.5) - _log_beta(0.5, 0.5)
    )
    return math.exp(min(log_value, 700.0))


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def discordant(pairs: Sequence[tuple[bool | None, bool | None]]) -> tuple[int, int, int]:
    """(champion, challenger) outcomes → challenger's wins, its losses, pairs left out as unknown.

    A pair with an unknown side is left out whole, whichever side it is: no arm gains by it.
    """
    known = [pair for pair in pairs if None not in pair]
    wins = sum(1 for champion, challenger in known if challenger and not champion)
    losses = sum(1 for champion, challenger in known if champion and not challenger)
    return wins, losses, len(pairs) - len(known)


def quantile(values: Sequence[float], share: float) -> float | None:
    """The value below which `share` of them lie, interpolated; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def counted(number: float, word: str) -> str:
    """`1 pair`, `2 pairs`."""
    return f"{number:g} {word}" if number == 1 else f"{number:g} {word}s"
