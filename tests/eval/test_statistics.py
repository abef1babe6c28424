import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from qc_builder_lora.eval.statistics import (
    discordant,
    mcnemar_exact,
    pair_e_value,
    quantile,
    wilson,
)


@given(st.integers(1, 400), st.data())
def test_wilsons_interval_is_scipys(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    expected = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    low, high = wilson(successes, trials)
    assert low == pytest.approx(expected.low, abs=1e-9)
    assert high == pytest.approx(expected.high, abs=1e-9)


# quant_eval.md, section 4.5: the published figures of the notes.
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(16, 20, 0.58, 0.92), (20, 20, 0.84, 1.0), (160, 200, 0.74, 0.85), (10, 20, 0.30, 0.70)],
)
def test_wilsons_interval_has_its_published_values(
    successes: int, trials: int, low: float, high: float
) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=0.005)


def test_without_trials_nothing_is_known() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemars_exact_p_is_the_two_sided_binomial(wins: int, losses: int) -> None:
    expected = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert mcnemar_exact(wins, losses) == pytest.approx(expected, rel=1e-9)


def test_six_to_nothing_is_the_least_that_is_significant() -> None:
    assert mcnemar_exact(6, 0) == pytest.approx(0.03125)
    assert mcnemar_exact(5, 0) > 0.05


@given(st.integers(0, 80), st.integers(0, 80))
def test_the_e_value_is_the_beta_mixture_of_likelihood_ratios(wins: int, losses: int) -> None:
    log = (wins + losses) * math.log(2)
    log += special.betaln(wins + 0.5, losses + 0.5) - special.betaln(0.5, 0.5)
    assert pair_e_value(wins, losses) == pytest.approx(math.exp(log), rel=1e-9)


def test_looking_after_every_pair_calls_equal_models_different_at_most_alpha_of_the_time() -> None:
    source = random.Random(7)
    alarms = naive = 0
    for _ in range(2000):
        wins = losses = 0
        alarm = naive_alarm = False
        for _ in range(120):
            wins, losses = (wins + 1, losses) if source.random() < 0.5 else (wins, losses + 1)
            alarm = alarm or pair_e_value(wins, losses) >= 20
            naive_alarm = naive_alarm or mcnemar_exact(wins, losses) < 0.05
        alarms += alarm
        naive += naive_alarm
    assert alarms / 2000 <= 0.05
    # What the naive rule would have done: the reason for the e-value.
    assert naive / 2000 > 0.15


def test_a_pair_with_an_unknown_side_is_left_out_whichever_side_it_is() -> None:
    pairs = [(True, None), (None, True), (False, True), (True, False), (True, True)]
    assert discordant(pairs) == (1, 1, 2)


def test_quantiles_are_interpolated_and_none_without_values() -> None:
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.5
    assert quantile([5.0], 0.95) == 5.0
    assert quantile([], 0.5) is None
