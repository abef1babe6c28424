"""Each function against a slow one written from its definition alone."""

import math
import statistics
from collections.abc import Callable

import numpy as np
import pytest

from qc_builder_lora.errors import InputError, SettingsError
from qc_builder_lora.harvest.corpus.alphas.evaluate import (
    Conventions,
    bars_needed,
    evaluate,
    inputs,
)
from qc_builder_lora.harvest.corpus.alphas.grammar import parse
from qc_builder_lora.harvest.corpus.alphas.operators import Array
from qc_builder_lora.harvest.corpus.alphas.panel import Panel, random_panel

from .conftest import FORMULAS

SMALL = random_panel(60, 7, seed=1)
HOLED = random_panel(60, 7, seed=2, missing=0.05)
NAN = math.nan


def values(text: str, panel: Panel = SMALL) -> Array:
    return evaluate(parse(text), panel)


def by_window(step: Callable[[list[float]], float], days: int, name: str, panel: Panel) -> Array:
    """`step` of each window, oldest first; unknown where any value of it is."""
    bars = panel.bars[name]
    result = np.full_like(bars, NAN)
    for column in range(bars.shape[1]):
        for row in range(days - 1, len(bars)):
            window = list(bars[row - days + 1 : row + 1, column])
            if not any(map(math.isnan, window)):
                result[row, column] = step(window)
    return result


def days_since(window: list[float], wanted: float) -> float:
    return float(len(window) - 1 - window.index(wanted))


def standing(window: list[float]) -> float:
    today = window[-1]
    below = sum(value < today for value in window)
    equal = sum(value == today for value in window)
    return (below + (equal - 1) / 2) / (len(window) - 1)


STEPS: dict[str, Callable[[list[float]], float]] = {
    "sum": math.fsum,
    "product": math.prod,
    "stddev": statistics.pstdev,
    "ts_min": min,
    "ts_max": max,
    "ts_argmin": lambda w: days_since(w, min(w)),
    "ts_argmax": lambda w: days_since(w, max(w)),
    "ts_rank": standing,
    "delta": lambda w: w[-1] - w[0],
    "delay": lambda w: w[0],
}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("panel", [SMALL, HOLED], ids=["whole", "holed"])
def test_a_function_over_days_is_what_its_definition_says(name: str, panel: Panel) -> None:
    slower = by_window(STEPS[name], 6, "close", panel)
    shift = 5 if name in ("delta", "delay") else 6
    found = values(f"{name}(close, {shift})", panel)
    if shift == 5:
        # Only the two ends of the window have to be known.
        known = ~np.isnan(slower)
        np.testing.assert_allclose(found[known], slower[known], rtol=1e-12)
    else:
        np.testing.assert_allclose(found, slower, rtol=1e-12)


def test_correlation_and_covariance_are_those_of_numpy() -> None:
    x, y = SMALL.bars["close"], SMALL.bars["volume"]
    r, c = values("correlation(close, volume, 9)"), values("covariance(close, volume, 9)")
    for row in range(8, 60):
        for column in range(7):
            a, b = x[row - 8 : row + 1, column], y[row - 8 : row + 1, column]
            assert r[row, column] == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-10)
            assert c[row, column] == pytest.approx(np.cov(a, b, ddof=0)[0, 1], rel=1e-9)
    assert np.isnan(r[:8]).all()


def test_flat_windows_have_no_correlation_and_no_deviation() -> None:
    # 0.1 + 0.1 + 0.1 is not 0.3: the mean of equal values need not be that value.
    flat = "close * 0 + 0.1"
    assert np.isnan(values(f"correlation({flat}, volume, 3)")).all()
    assert (values(f"covariance({flat}, volume, 3)")[2:] == 0).all()
    assert (values(f"stddev({flat}, 3)")[2:] == 0).all()


def test_correlations_over_two_days_are_one_or_minus_one_and_tie() -> None:
    r = values("correlation(close, volume, 2)")[1:]
    assert set(np.unique(r)) == {-1.0, 1.0}


def test_rank_goes_from_0_to_1_and_ties_share_the_mean() -> None:
    row = evaluate(parse("rank(close)"), fixed([4, 3, 6, 10, 2]))[0]
    assert list(row) == [0.5, 0.25, 0.75, 1, 0]
    row = evaluate(parse("rank(close)"), fixed([1, 2, 2, 9]))[0]
    assert list(row) == [0, 0.5, 0.5, 1]
    row = evaluate(parse("rank(close)"), fixed([5, NAN, 7]))[0]
    np.testing.assert_equal(row, [0, NAN, 1])
    np.testing.assert_equal(evaluate(parse("rank(close)"), fixed([5, NAN]))[0], [NAN, NAN])


def test_scale_adds_up_to_one_a_day_and_all_zero_is_unknown() -> None:
    scaled = values("scale(returns)")[1:]
    np.testing.assert_allclose(np.abs(scaled).sum(axis=1), 1)
    assert np.isnan(values("scale(close - close)")).all()


def test_decay_weighs_today_most_and_counts_unknown_days_as_zero() -> None:
    panel = fixed([[1.0], [2.0], [3.0]])
    found = evaluate(parse("decay_linear(close, 3)"), panel)[2, 0]
    assert found == pytest.approx((1 * 1 + 2 * 2 + 3 * 3) / 6)
    panel = fixed([[1.0], [NAN], [3.0]])
    assert evaluate(parse("decay_linear(close, 3)"), panel)[2, 0] == pytest.approx((1 + 9) / 6)
    panel = fixed([[NAN], [NAN], [NAN]])
    assert np.isnan(evaluate(parse("decay_linear(close, 3)"), panel)[2, 0])


def test_an_argmax_of_equal_values_is_the_oldest() -> None:
    panel = fixed([[5.0], [5.0], [1.0]])
    assert evaluate(parse("ts_argmax(close, 3)"), panel)[2, 0] == 2
    assert evaluate(parse("ts_argmin(close, 3)"), panel)[2, 0] == 0


def test_neutralised_values_add_up_to_nothing_in_every_group() -> None:
    found = values("indneutralize(close, IndClass.sector)")
    groups = SMALL.groups("sector")
    for name in set(groups):
        members = [g == name for g in groups]
        np.testing.assert_allclose(found[:, members].sum(axis=1), 0, atol=1e-9)


def test_what_has_no_value_is_unknown_and_never_infinite() -> None:
    for text in ("close / (open - open)", "log(close - close)", "log(-close)", "(1 / close)^-9999"):
        assert np.isnan(values(text)).all(), text
    assert (values("(close - close)^-1") == 0).all()
    assert np.isnan(values("signedpower(close - close, -1)")).all()


def test_power_loses_the_sign_and_signedpower_keeps_it() -> None:
    panel = fixed([2.0, 3.0])
    assert list(evaluate(parse("(0 - close)^2"), panel)[0]) == [4, 9]
    assert list(evaluate(parse("(0 - close)^3"), panel)[0]) == [-8, -27]
    assert list(evaluate(parse("signedpower(0 - close, 2)"), panel)[0]) == [-4, -9]
    assert evaluate(parse("(0 - close)^0.5"), panel)[0, 0] == pytest.approx(math.sqrt(2))


def test_what_is_unknown_is_neither_true_nor_false() -> None:
    panel = fixed([[1.0, NAN], [2.0, 2.0]])
    text = "delay(close, 1) < 9"
    assert np.isnan(evaluate(parse(text), panel)[1, 1])
    assert np.isnan(evaluate(parse(f"{text} ? 1 : close"), panel)[1, 1])
    assert evaluate(parse(f"{text} || close > 0 ? close : 0 - close"), panel)[1, 1] == 2
    assert np.isnan(evaluate(parse(f"{text} || close < 0 ? close : 1"), panel)[1, 1])


def test_the_smaller_of_a_known_and_an_unknown_is_the_known() -> None:
    panel = fixed([[1.0], [2.0]])
    assert evaluate(parse("min(delay(close, 1), close)"), panel)[0, 0] == 1
    assert evaluate(parse("max(delay(close, 1), close)"), panel)[1, 0] == 2


def test_adv_is_dollars_unless_shares_are_asked_for() -> None:
    tree = parse("adv5")
    traded = SMALL.input("vwap") * SMALL.bars["volume"]
    assert evaluate(tree, SMALL)[4, 0] == pytest.approx(traded[:5, 0].mean())
    shares = evaluate(tree, SMALL, Conventions(adv="shares"))
    assert shares[4, 0] == pytest.approx(SMALL.bars["volume"][:5, 0].mean())
    with pytest.raises(SettingsError, match="adv is 'lots'; it is dollars or shares"):
        Conventions(adv="lots")


def test_a_panel_without_shares_or_groups_says_what_it_lacks() -> None:
    panel = fixed([1.0, 2.0])
    with pytest.raises(InputError, match="cap needs the shares outstanding of A"):
        evaluate(parse("cap"), panel)
    with pytest.raises(InputError, match=r"IndClass.sector needs a classification.*none of A, B"):
        evaluate(parse("indneutralize(close, IndClass.sector)"), panel)


@pytest.mark.parametrize("text", FORMULAS)
def test_a_value_of_a_day_is_the_same_when_the_days_after_it_are_not_there(
    text: str, panel: Panel, broken_panel: Panel
) -> None:
    tree = parse(text)
    for full in (panel, broken_panel):
        whole = evaluate(tree, full)
        for count in (1, 7, 50, len(full.days) - 1):
            np.testing.assert_array_equal(evaluate(tree, full.until(count)), whole[:count])


@pytest.mark.parametrize("text", FORMULAS)
def test_no_bar_older_than_it_needs_changes_a_value(text: str, panel: Panel) -> None:
    tree = parse(text)
    need = bars_needed(tree)
    cut = {name: values[-need:] for name, values in panel.bars.items()}
    short = Panel(panel.days[-need:], panel.symbols, cut, panel.listings)
    np.testing.assert_array_equal(evaluate(tree, short)[-1], evaluate(tree, panel)[-1])


def test_bars_needed_adds_up_what_is_nested() -> None:
    assert bars_needed(parse("close")) == 1
    assert bars_needed(parse("returns")) == 2
    assert bars_needed(parse("delta(close, 5)")) == 6
    assert bars_needed(parse("sum(delta(returns, 5), 10)")) == 16
    assert bars_needed(parse("correlation(adv20, delay(low, 3), 5)")) == 24
    assert inputs(parse("adv20 * indneutralize(low, IndClass.sector)")) == {
        "adv", "low", "IndClass.sector",
    }  # fmt: skip


def fixed(rows: list[float] | list[list[float]]) -> Panel:
    """A panel whose four prices and volume are these; one row if it is a flat list."""
    from datetime import date

    table = np.array(rows, dtype=float)
    table = table[None, :] if table.ndim == 1 else table
    bars = dict.fromkeys(("open", "high", "low", "close", "volume"), table)
    days = [date(2020, 1, 1 + row) for row in range(len(table))]
    return Panel(days, [chr(65 + n) for n in range(table.shape[1])], bars)
