import math
import random
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from qc_builder_lora.eval.sequential import (
    Counts,
    better_e_value,
    difference_interval,
    is_refuted,
    not_worse_e_value,
    pairs_needed,
    signed_rank_e_value,
    signed_rank_p,
)

counts = st.builds(Counts, st.integers(0, 60), st.integers(0, 60), st.integers(0, 200))


def test_of_nothing_judged_nothing_is_known() -> None:
    nothing = Counts(0, 0, 0)
    assert difference_interval(nothing) == (-1.0, 1.0)
    assert not_worse_e_value(nothing, 0.1) == 1.0
    assert pairs_needed(nothing, lambda seen: True) is None


@given(counts)
def test_the_interval_holds_the_difference_seen_and_narrows_with_pairs(seen: Counts) -> None:
    if seen.pairs == 0:
        return
    low, high = difference_interval(seen)
    centre = (seen.wins - seen.losses) / seen.pairs
    assert -1 <= low <= centre <= high <= 1
    narrow = difference_interval(seen.times(4))
    assert narrow[1] - narrow[0] < high - low


@given(counts)
def test_swapping_the_arms_mirrors_the_interval(seen: Counts) -> None:
    low, high = difference_interval(seen)
    mirrored = difference_interval(Counts(seen.losses, seen.wins, seen.ties))
    assert mirrored == pytest.approx((-high, -low), abs=1e-9)


@given(counts, st.floats(0.01, 0.5))
@settings(max_examples=40)
def test_the_evidence_divides_by_the_largest_likelihood_of_the_hypothesis(
    seen: Counts, margin: float
) -> None:
    if seen.pairs == 0 or (seen.wins - seen.losses) / seen.pairs <= -margin:
        return

    def loss(q: float) -> float:
        terms = ((seen.wins, q - margin), (seen.losses, q), (seen.ties, 1 + margin - 2 * q))
        return -sum(n * math.log(max(p, 1e-300)) for n, p in terms if n)

    found = optimize.minimize_scalar(
        loss, bounds=(margin, (1 + margin) / 2), method="bounded", options={"xatol": 1e-12}
    )
    seen_counts = (seen.wins, seen.losses, seen.ties)
    mixture = math.lgamma(1.5) - math.lgamma(seen.pairs + 1.5)
    mixture += sum(math.lgamma(n + 0.5) - math.lgamma(0.5) for n in seen_counts)
    expected = mixture + found.fun
    assert math.log(not_worse_e_value(seen, margin)) == pytest.approx(expected, abs=1e-4)


def _walk(source: random.Random, win: float, loss: float, pairs: int) -> list[Counts]:
    wins = losses = ties = 0
    seen = []
    for _ in range(pairs):
        draw = source.random()
        wins += draw < win
        losses += win <= draw < win + loss
        ties += draw >= win + loss
        seen.append(Counts(wins, losses, ties))
    return seen


def _naive_not_worse(seen: Counts, margin: float) -> bool:
    """The rule of thumb: a 95 % normal interval, looked at after every pair."""
    rate = (seen.wins - seen.losses) / seen.pairs
    spread = (seen.wins + seen.losses) / seen.pairs - rate * rate
    return seen.pairs >= 10 and rate - 1.645 * math.sqrt(spread / seen.pairs) > -margin


def test_the_interval_misses_the_truth_at_some_look_in_at_most_alpha_of_the_walks() -> None:
    source = random.Random(11)
    missed = 0
    for _ in range(1000):
        missed += any(is_refuted(seen, 0.10) for seen in _walk(source, 0.25, 0.15, 60)[::2])
    assert missed / 1000 <= 0.05
    low, high = difference_interval(Counts(25, 15, 60))
    for difference in (low + 1e-6, high - 1e-6):
        assert not is_refuted(Counts(25, 15, 60), difference)
    for difference in (low - 1e-6, high + 1e-6):
        assert is_refuted(Counts(25, 15, 60), difference)


def test_a_model_worse_by_the_margin_is_called_not_worse_at_most_alpha_of_the_time() -> None:
    source = random.Random(5)
    alarms = naive = 0
    for _ in range(2000):
        seen = _walk(source, 0.10, 0.20, 150)
        alarms += any(not_worse_e_value(look, 0.10) >= 20 for look in seen[::2])
        naive += any(_naive_not_worse(look, 0.10) for look in seen)
    assert alarms / 2000 <= 0.05
    # What a look after every pair does to the usual interval: the reason for the e-value.
    assert naive / 2000 > 0.15


def test_equal_models_are_found_not_worse_in_time() -> None:
    assert not_worse_e_value(Counts(4, 4, 192), 0.10) >= 20
    assert not_worse_e_value(Counts(0, 0, 20), 0.10) < 20


def test_pairs_needed_are_enough_and_one_in_ten_less_are_not() -> None:
    seen = Counts(8, 3, 20)

    def decided(look: Counts) -> bool:
        return better_e_value(look) >= 20

    more = pairs_needed(seen, decided)
    assert more is not None
    assert more > 0
    assert decided(seen.times((seen.pairs + more) / seen.pairs))
    assert not decided(seen.times((seen.pairs + more - 2) / seen.pairs))


def test_pairs_needed_are_none_where_more_of_the_same_decides_nothing() -> None:
    assert pairs_needed(Counts(5, 5, 5), lambda look: better_e_value(look) >= 20) is None
    assert pairs_needed(Counts(40, 0, 0), lambda look: better_e_value(look) >= 20) == 0


@given(st.lists(st.integers(-9, 9), max_size=12))
def test_the_signed_rank_p_is_scipys_exact_one(values: list[int]) -> None:
    kept = [value for value in values if value]
    if len(kept) < 2 or len({abs(value) for value in kept}) < len(kept):
        return  # scipy has no exact p with ties
    expected = stats.wilcoxon(kept, method="exact").pvalue
    assert signed_rank_p([float(v) for v in values]) == pytest.approx(expected, rel=1e-9)


def test_the_signed_rank_p_of_tied_sizes_counts_all_signs() -> None:
    # Four equal sizes, all positive: 2 of 16 sign patterns are as extreme.
    assert signed_rank_p([1.0, 1.0, 1.0, 1.0, 0.0]) == pytest.approx(2 / 16)
    assert signed_rank_p([0.0, 0.0]) == 1.0


def test_symmetric_differences_raise_the_signed_rank_alarm_at_most_alpha_of_the_time() -> None:
    source = random.Random(3)
    alarms = naive = 0
    for _ in range(2000):
        values = [source.gauss(0, 1) for _ in range(40)]
        looks = range(6, 41, 2)
        alarms += any(signed_rank_e_value(values[:n]) >= 20 for n in looks)
        if _ < 300:
            naive += any(stats.wilcoxon(values[:n]).pvalue < 0.05 for n in looks)
    assert alarms / 2000 <= 0.05
    assert naive / 300 > 0.10


def test_a_clear_shift_is_seen_and_the_order_of_signs_decides() -> None:
    assert signed_rank_e_value([0.5 + 0.01 * n for n in range(30)]) >= 20
    alternating = [(-1) ** n * (1 + n / 100) for n in range(30)]
    assert signed_rank_e_value(alternating) < 1.5
    assert signed_rank_e_value([]) == pytest.approx(1.0)
    assert list(accumulate([signed_rank_e_value([0.0])])) == pytest.approx([1.0])
