"""How much of a Sharpe ratio is luck: PSR, its track record, the deflated ratio, MinBTL and PBO.

Formulas, each cited at its function, are of Bailey and López de Prado and their co-authors. A
Sharpe ratio here is the mean of the returns by their standard deviation, per period and never
annualised unless the name says so. Nothing here reads the store; numpy alone, no scipy.
"""

from __future__ import annotations

import math
from itertools import combinations
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qc_builder_lora.errors import InputError

Series = NDArray[np.float64]

PERIODS_A_YEAR = 252
EULER = 0.57721566490153286
_NORMAL = NormalDist()
_FLAT = 1e-12
"""Standard deviations below this are those of a flat line, which has no Sharpe ratio."""
_SPLITS_AT_A_TIME = 2048


def sharpe_ratio(returns: Series) -> float | None:
    """Mean by standard deviation (ddof 1); None where there are under two, or they do not move."""
    if len(returns) < 2:
        return None
    deviation = float(returns.std(ddof=1))
    if not math.isfinite(deviation) or deviation < _FLAT:
        return None
    return float(returns.mean()) / deviation


def moments(returns: Series) -> tuple[float, float]:
    """Skewness, and kurtosis as it stands (3 for a normal distribution, not 0)."""
    centred = returns - returns.mean()
    variance = float((centred**2).mean())
    return (
        float((centred**3).mean()) / variance**1.5,
        float((centred**4).mean()) / variance**2,
    )


def probabilistic_sharpe(
    sharpe: float, benchmark: float, observations: int, skewness: float, kurtosis: float
) -> float | None:
    """PSR: the probability that the true ratio is above the benchmark; None where undefined.

    Bailey and López de Prado (2012), The Sharpe Ratio Efficient Frontier, J. of Risk 15(2).
    """
    spread = _spread(sharpe, skewness, kurtosis)
    if observations < 2 or spread <= 0:
        return None
    return _NORMAL.cdf((sharpe - benchmark) * math.sqrt((observations - 1) / spread))


def minimum_track_record(
    sharpe: float, benchmark: float, skewness: float, kurtosis: float, confidence: float = 0.95
) -> float | None:
    """MinTRL: observations needed for a PSR of `confidence`; None if no number of them would do.

    The same paper as `probabilistic_sharpe`.
    """
    spread = _spread(sharpe, skewness, kurtosis)
    if sharpe <= benchmark or spread <= 0:
        return None
    return 1 + spread * (_NORMAL.inv_cdf(confidence) / (sharpe - benchmark)) ** 2


def _spread(sharpe: float, skewness: float, kurtosis: float) -> float:
    return 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2


def expected_maximum(trials: int, variance: float = 1.0) -> float:
    """The largest ratio that so many trials without any skill are expected to show.

    The false strategy theorem: Bailey and López de Prado (2014), The Deflated Sharpe Ratio, J. of
    Portfolio Management 40(5). One trial has nothing to choose from: 0.
    """
    if trials < 1 or variance < 0:
        raise InputError(
            f"trials must be at least 1 and variance not negative: {trials}, {variance}."
        )
    if trials == 1:
        return 0.0
    best = (1 - EULER) * _NORMAL.inv_cdf(1 - 1 / trials)
    best += EULER * _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * best


def deflated_sharpe(
    sharpe: float,
    observations: int,
    skewness: float,
    kurtosis: float,
    *,
    trials: int,
    variance: float,
) -> float | None:
    """DSR: the PSR against what the best of that many trials would show by luck alone.

    `variance` is that of the trials' ratios, per period. The paper of `expected_maximum`.
    """
    benchmark = expected_maximum(trials, variance)
    return probabilistic_sharpe(sharpe, benchmark, observations, skewness, kurtosis)


def minimum_backtest_years(trials: int, annual_sharpe: float) -> float | None:
    """MinBTL: years below which so many trials find that annual ratio by luck; None for none.

    Bailey, Borwein, López de Prado and Zhu (2014), Pseudo-Mathematics and Financial Charlatanism,
    Notices of the AMS 61(5). It is below 2·ln(trials)/annual_sharpe².
    """
    if annual_sharpe <= 0:
        return None
    return (expected_maximum(trials) / annual_sharpe) ** 2


def overfitting_probability(returns: Series, blocks: int = 16) -> float | None:
    """PBO: how often the trial that is best in half of the blocks is below the median in the rest.

    `returns` has one row a period and one column a trial. Combinatorially symmetric
    cross-validation over all halves of the blocks: Bailey, Borwein, López de Prado and Zhu, The
    Probability of Backtest Overfitting, J. of Computational Finance 20(4), SSRN 2326253. None for
    fewer than two trials or two periods a block. Ties get the mean of their ranks.
    """
    if blocks < 2 or blocks % 2:
        raise InputError(f"blocks must be even and at least 2, got {blocks}.")
    if returns.ndim != 2 or returns.shape[1] < 2 or len(returns) < 2 * blocks:
        return None
    # The oldest periods that do not fill a block are left out.
    parts = returns[len(returns) % blocks :].reshape(blocks, -1, returns.shape[1])
    size, sums, squares = parts.shape[1], parts.sum(axis=1), (parts**2).sum(axis=1)
    halves = list(combinations(range(blocks), blocks // 2))
    below = 0
    for start in range(0, len(halves), _SPLITS_AT_A_TIME):
        chosen = np.zeros((min(_SPLITS_AT_A_TIME, len(halves) - start), blocks))
        for row, half in enumerate(halves[start : start + _SPLITS_AT_A_TIME]):
            chosen[row, list(half)] = 1
        inside = _ratios(chosen, sums, squares, size)
        outside = _ratios(1 - chosen, sums, squares, size)
        below += _below_median(inside, outside)
    return below / len(halves)


def _ratios(chosen: Series, sums: Series, squares: Series, size: int) -> Series:
    """Sharpe ratio of each trial over the chosen blocks, a row a choice; flat lines have 0."""
    count = chosen[0].sum() * size
    mean = chosen @ sums / count
    variance = np.maximum((chosen @ squares - count * mean**2) / (count - 1), 0)
    deviation = np.sqrt(variance)
    flat = deviation < _FLAT
    ratios: Series = np.where(flat, 0.0, mean / np.where(flat, 1.0, deviation))
    return ratios


def _below_median(inside: Series, outside: Series) -> int:
    best = inside.argmax(axis=1)[:, None]
    there = np.take_along_axis(outside, best, axis=1)
    rank = (outside < there).sum(axis=1) + ((outside == there).sum(axis=1) + 1) / 2
    # The logit of rank/(trials + 1) is at most 0 where the rank is at most its middle.
    return int((rank <= (outside.shape[1] + 1) / 2).sum())


def effective_trials(returns: Series) -> float:
    """About how many independent trials correlated ones are worth: N(1 − ρ) + ρ, with ρ the mean
    correlation of the columns that move (not below 0)."""
    moving = returns[:, returns.std(axis=0) > _FLAT]
    trials = moving.shape[1]
    if trials < 2:
        return float(returns.shape[1])
    matrix: Any = np.corrcoef(moving, rowvar=False)
    mean = max(0.0, float((matrix.sum() - trials) / (trials * (trials - 1))))
    return float(trials * (1 - mean) + mean)
