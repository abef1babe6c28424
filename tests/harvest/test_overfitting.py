import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skfolio.measures import (
    deflated_sharpe_ratio,
    expected_max_sharpe_ratio,
    probabilistic_sharpe_ratio,
)

from qc_builder_lora.errors import InputError
from qc_builder_lora.harvest.overfitting import (
    deflated_sharpe,
    effective_trials,
    expected_maximum,
    minimum_backtest_years,
    minimum_track_record,
    moments,
    overfitting_probability,
    probabilistic_sharpe,
    sharpe_ratio,
)


def drawn(seed: int, days: int, trials: int, mean: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 0.01, (days, trials))


def test_the_published_example_of_the_deflated_ratio_is_reproduced() -> None:
    """Bailey and López de Prado (2014): an annual ratio of 2.5 over 1,250 days, 100 trials."""
    daily = 2.5 / math.sqrt(250)
    variance = 0.5 / 250
    assert expected_maximum(100, variance) == pytest.approx(0.1132, abs=5e-5)
    found = deflated_sharpe(daily, 1250, -3, 10, trials=100, variance=variance)
    assert found == pytest.approx(0.9004, abs=5e-5)


@pytest.mark.parametrize(
    ("trials", "deviations", "years"),
    [(5, 1.19, 1.42), (10, 1.575, 2.48), (20, 1.90, 3.61), (45, 2.24, 5.00), (100, 2.53, 6.40),
     (1000, 3.26, 10.6), (2000, 3.45, 11.9)],
)  # fmt: skip
def test_the_best_of_so_many_trials_and_the_years_that_they_need_are_the_papers(
    trials: int, deviations: float, years: float
) -> None:
    assert expected_maximum(trials) == pytest.approx(deviations, abs=0.01)
    assert minimum_backtest_years(trials, 1.0) == pytest.approx(years, abs=0.05)
    assert years < 2 * math.log(trials)


@pytest.mark.parametrize(("annual", "years"), [(0.5, 10.8), (1.0, 2.71), (1.5, 1.21), (2.0, 0.69)])
def test_a_normal_track_record_must_be_this_long(annual: float, years: float) -> None:
    days = minimum_track_record(annual / math.sqrt(252), 0.0, 0.0, 3.0)
    assert days is not None
    assert days / 252 == pytest.approx(years, abs=0.05)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(40, 600), st.integers(2, 30), st.floats(-2e-3, 2e-3))
def test_skfolio_finds_the_same(seed: int, days: int, trials: int, mean: float) -> None:
    matrix = drawn(seed, days, trials, mean)
    ratios = [sharpe_ratio(column) for column in matrix.T]
    chosen = matrix[:, 0]
    skewness, kurtosis = moments(chosen)
    ours = probabilistic_sharpe(ratios[0], 0.01, days, skewness, kurtosis)
    # skfolio's small-sample corrections of the moments differ by a part in the number of days.
    assert ours == pytest.approx(probabilistic_sharpe_ratio(chosen, 0.01), abs=2 / days)
    variance = float(np.var(ratios, ddof=1))
    maximum = expected_maximum(trials, variance)
    assert maximum == pytest.approx(expected_max_sharpe_ratio(trials, math.sqrt(variance)))
    deflated = deflated_sharpe(
        ratios[0], days, skewness, kurtosis, trials=trials, variance=variance
    )
    assert deflated == pytest.approx(deflated_sharpe_ratio(chosen, ratios), abs=4 / days)


def test_luck_alone_is_overfitted_half_of_the_time_and_skill_never() -> None:
    lucky = [overfitting_probability(drawn(seed, 640, 20), 10) for seed in range(40)]
    assert 0.4 < float(np.mean(lucky)) < 0.6
    skilled = drawn(1, 640, 20)
    skilled[:, 7] += 0.01
    assert overfitting_probability(skilled, 10) == 0.0


def test_overfitting_is_counted_as_by_hand() -> None:
    """Four blocks of two days, three trials, all six halves counted in plain Python."""
    from itertools import combinations

    matrix = drawn(3, 8, 3)
    parts = matrix.reshape(4, 2, 3)
    below = 0
    for half in combinations(range(4), 2):
        rest = [block for block in range(4) if block not in half]
        inside, outside = (
            [sharpe_ratio(np.concatenate(parts[blocks])[:, n]) for n in range(3)]
            for blocks in (list(half), rest)
        )
        best = max(range(3), key=inside.__getitem__)
        rank = sorted(outside).index(outside[best]) + 1
        below += math.log((rank / 4) / (1 - rank / 4)) <= 0
    assert overfitting_probability(matrix, 4) == pytest.approx(below / 6)


def test_equal_trials_are_neither_better_nor_worse_than_their_median() -> None:
    column = drawn(1, 64, 1)
    assert overfitting_probability(np.hstack([column] * 4), 4) == 1.0
    assert effective_trials(np.hstack([column] * 4)) == pytest.approx(1.0)
    assert effective_trials(drawn(2, 5000, 8)) == pytest.approx(8, abs=0.5)


@pytest.mark.parametrize(
    "returns", [np.zeros(50), np.array([]), np.array([0.01]), np.full(9, 0.001)]
)
def test_a_line_that_does_not_move_has_no_ratio(returns: np.ndarray) -> None:
    assert sharpe_ratio(returns) is None


def test_what_cannot_be_said_is_none_and_never_a_number() -> None:
    assert overfitting_probability(drawn(1, 100, 1)) is None
    assert overfitting_probability(drawn(1, 20, 5)) is None
    assert minimum_track_record(0.0, 0.0, 0.0, 3.0) is None
    assert minimum_backtest_years(10, -0.2) is None
    assert probabilistic_sharpe(1.0, 0.0, 1, 0.0, 3.0) is None
    assert probabilistic_sharpe(1.0, 0.0, 100, 5.0, 3.0) is None
    assert expected_maximum(1) == 0.0


def test_odd_blocks_and_no_trials_are_refused_with_their_value() -> None:
    with pytest.raises(InputError, match="blocks must be even and at least 2, got 5"):
        overfitting_probability(drawn(1, 100, 3), 5)
    with pytest.raises(InputError, match="trials must be at least 1 and variance not negative: 0"):
        expected_maximum(0)
