"""Formulas of our own: simplified, different from one another, worth trading, and reproducible."""

import itertools
import random
import re

import numpy as np
import pytest
import yaml

from qc_builder_lora.errors import InputError, SettingsError
from qc_builder_lora.harvest.corpus.alphas.evaluate import bars_needed, evaluate
from qc_builder_lora.harvest.corpus.alphas.examples import STYLES, Origin, candidate, candidates
from qc_builder_lora.harvest.corpus.alphas.grammar import parse
from qc_builder_lora.harvest.corpus.alphas.language import LEVELS
from qc_builder_lora.harvest.corpus.alphas.market import Market, _in_common, _years
from qc_builder_lora.harvest.corpus.alphas.operators import Array, rank
from qc_builder_lora.harvest.corpus.alphas.panel import Listing, Panel, random_panel
from qc_builder_lora.harvest.corpus.alphas.paper import PaperAlpha
from qc_builder_lora.harvest.corpus.alphas.sampling import Sampler
from qc_builder_lora.harvest.corpus.alphas.sieve import PANEL, Sieve, own_formulas
from qc_builder_lora.harvest.corpus.alphas.simplify import (
    formula_hash,
    simplified,
    without_scale,
)
from qc_builder_lora.harvest.corpus.alphas.tree import Expr, Number, walk
from qc_builder_lora.harvest.corpus.alphas.wording import THEMES, in_words, theme

from .conftest import FORMULAS

TRIED = random_panel(*PANEL)
OURS = Origin(source="alphas", licence="Apache-2.0", version="alphas 2")
TICKERS = ("AAPL", "IBM", "INTC", "MSFT", "GOOG", "KO", "WMT")
LISTINGS = {
    t: Listing({level: f"{level} {n % 3}" for level in LEVELS}, 1e9) for n, t in enumerate(TICKERS)
}
MARKET = Market(tickers=TICKERS, listings=LISTINGS)


def drawn(count: int, seed: int = 5) -> list[Expr]:
    return list(itertools.islice(own_formulas(TRIED, seed, LEVELS), count))


def sampled(count: int, seed: int = 0) -> list[Expr]:
    sampler = Sampler(random.Random(seed), LEVELS)
    return [sampler.formula() for _ in range(count)]


def same_where_known(left: Array, right: Array) -> bool:
    known = ~np.isnan(left)
    return bool(np.allclose(left[known], right[known], rtol=1e-6, atol=1e-9))


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("-(-close)", "close"),
        ("close + close - 2 * close + open", "open"),
        ("open * high * 3 - 3 * high * open + low", "low"),
        ("rank(rank(-2 * close))", "1 - rank(close)"),
        ("rank(scale(close))", "rank(close)"),
        ("rank(3 * volume + 2)", "rank(volume)"),
        ("scale(scale(returns))", "scale(returns)"),
        ("correlation(open, -2 * close + 1, 5)", "-1 * correlation(close, open, 5)"),
        ("covariance(2 * open, close, 5)", "2 * covariance(close, open, 5)"),
        ("delta(delay(3 * close + 1, 2), 4)", "3 * delay(delta(close, 4), 2)"),
        ("delay(delay(low, 2), 3)", "delay(low, 5)"),
        ("ts_max(-close, 4)", "-1 * ts_min(close, 4)"),
        ("ts_argmin(-3 * close, 4)", "ts_argmax(close, 4)"),
        ("ts_rank(1 - close, 4)", "1 - ts_rank(close, 4)"),
        ("stddev(3 - 2 * close, 4)", "2 * stddev(close, 4)"),
        ("sum(close, 1) + product(open, 1)", "close + open"),
        ("sum(close + 1, 5)", "sum(close, 5) + 5"),
        ("sum(close, 3) / 3", "sum(close, 3) / 3"),
        ("close / close * volume", "volume"),
        ("volume / volume", "volume / volume"),
        ("abs(-1 * rank(close))", "rank(close)"),
        ("sign(sign(returns))", "sign(returns)"),
        ("max(close, open)", "max(close, open)"),
        ("max(open, close) - max(close, open) + low", "low"),
        ("close > open ? low : low", "low"),
        ("close > open ? 1 : 2", "open < close ? 1 : 2"),
        ("close^1 + signedpower(open, 1)", "close + open"),
        ("(1 - 0.25) * close", "0.75 * close"),
    ],
)
def test_a_formula_has_one_normal_form(text: str, normal: str) -> None:
    assert str(simplified(parse(text))) == normal


def test_normal_forms_have_the_values_of_the_original(panel: Panel, broken_panel: Panel) -> None:
    trees = [parse(text) for text in FORMULAS] + sampled(150)
    differing = []
    for tree in trees:
        normal = simplified(tree)
        assert simplified(normal) == normal, str(tree)
        for on in (panel, broken_panel):
            if not same_where_known(evaluate(tree, on), evaluate(normal, on)):
                differing.append(tree)
    # Ranks of sums of ranks, and of days since: what is equal in theory ties or does not, as the
    # order of adding has it.
    steps = {"rank", "ts_rank", "ts_argmin", "ts_argmax"}
    assert all(
        sum(getattr(one, "name", "") in steps for one in walk(tree)) >= 2 for tree in differing
    )
    assert len(differing) <= 4


def test_normal_forms_of_the_paper_have_its_values(paper: list[PaperAlpha], panel: Panel) -> None:
    # In these, sums of ranks that are equal in theory tie or do not, as the order of adding has it.
    ties = {34, 88}
    for alpha in paper:
        found = same_where_known(
            evaluate(alpha.tree, panel), evaluate(simplified(alpha.tree), panel)
        )
        assert found or alpha.number in ties, alpha.number


def test_formulas_that_are_one_have_one_hash() -> None:
    assert formula_hash(parse("high - low + 0 * open")) == formula_hash(parse("-(low - high)"))
    assert formula_hash(parse("high - low")) != formula_hash(parse("low - high"))


def test_a_coefficient_that_no_weight_sees_is_dropped() -> None:
    assert str(without_scale(parse("3 * returns"))) == "returns"
    assert str(without_scale(simplified(parse("-0.5 * returns")))) == "-1 * returns"
    assert str(without_scale(parse("returns + 1"))) == "returns + 1"


def test_the_same_seed_draws_the_same_and_a_larger_count_adds_to_it() -> None:
    assert drawn(30) == drawn(60)[:30]
    assert not set(map(str, drawn(60))) & set(map(str, drawn(60, seed=6)))


def test_what_is_drawn_is_written_in_the_language_and_in_normal_form() -> None:
    for tree in drawn(80):
        assert parse(str(tree)) == tree
        assert simplified(tree) == tree


def test_no_two_that_are_drawn_say_the_same() -> None:
    places = []
    for tree in drawn(80):
        ranks = np.nan_to_num(rank(evaluate(tree, TRIED))[130:] - 0.5).ravel()
        places.append(ranks / np.linalg.norm(ranks))
    alike = np.abs(np.array(places) @ np.array(places).T)
    np.fill_diagonal(alike, 0)
    # Measured there on one day in eight.
    assert alike.max() < 0.99


def test_what_is_drawn_is_known_differs_by_symbol_and_changes() -> None:
    for tree in drawn(80):
        values = evaluate(tree, TRIED)[bars_needed(tree) - 1 :]
        assert np.isfinite(values).mean() >= 0.95
        assert np.nanstd(values, axis=1).min() >= 0
        assert np.median(np.nanstd(values, axis=1)) > 0
        assert np.abs(np.diff(values, axis=0))[~np.isnan(np.diff(values, axis=0))].max() > 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("close - close", "no series"),
        ("rank(log(returns))", "unknown too often"),
        ("sign(close)", "the same for all symbols"),
        ("decay_linear(cap, 100)", "does not change"),
        ("signedpower(close, 40)", "all in one symbol"),
        ("sum(close, 200)", "too long"),
        ("returns < 0 || close < open", "no series"),
    ],
)
def test_a_degenerate_formula_is_refused_with_the_reason(text: str, reason: str) -> None:
    sieve = Sieve(TRIED)
    assert sieve.take(parse(text)) is None
    assert sieve.refused == {reason: 1}


@pytest.mark.parametrize(
    "text",
    [
        "indneutralize(close - close, IndClass.industry)", "rank(close - close) * open",
        "ts_rank(open - open, 5) + close", "correlation(open - open, close, 5)",
        "sum(close - close, 3) + low", "scale(open - open + 2) * high",
    ],
)  # fmt: skip
def test_a_function_of_what_is_always_the_same_has_a_value_and_is_not_taken(
    text: str, panel: Panel
) -> None:
    normal = simplified(parse(text))
    assert evaluate(normal, panel).shape == (len(panel.days), len(panel.symbols))
    assert same_where_known(evaluate(parse(text), panel), evaluate(normal, panel))
    small = random_panel(200, 8, seed=5)
    assert Sieve(small).take(parse(text)) is None


def test_the_same_idea_in_other_words_is_refused() -> None:
    sieve = Sieve(TRIED)
    assert sieve.take(parse("rank(delta(close, 5))")) is not None
    assert sieve.take(parse("1 - rank(-delta(close, 5))")) is None
    assert sieve.take(parse("-1 * rank(delta(close, 5) + 0.000001 * volume / volume)")) is None
    assert sieve.refused == {"the same formula": 1, "the same idea": 1}


def test_likes_are_compared_with_likes() -> None:
    """A price scaled by 10, and volumes by 7, change no formula: nothing mixes dimensions."""
    bars = {k: v * (7 if k == "volume" else 10) for k, v in TRIED.bars.items()}
    scaled = Panel(TRIED.days, TRIED.symbols, bars, TRIED.listings)
    for tree in sampled(200, seed=2):
        one, other = evaluate(tree, TRIED), evaluate(tree, scaled)
        disagree = ~np.isclose(one, other, rtol=1e-6, atol=1e-9, equal_nan=True)
        # Where a sum of ranks meets its double, rounding may decide.
        assert disagree.mean() < 0.01, str(tree)


@pytest.mark.parametrize("text", FORMULAS)
def test_words_mention_every_number_of_days_and_have_balanced_brackets(text: str) -> None:
    words = in_words(parse(text))
    for one in walk(parse(text)):
        days = getattr(one, "days", None)
        if days and days > 1:
            assert str(days) in words
    assert words.count("(") == words.count(")")
    assert not re.search(r"[{}?]|\|\|", words)


def test_words_say_what_the_formula_does() -> None:
    assert in_words(parse("-1 * correlation(open, volume, 10)")) == (
        "minus the 10-day correlation of the open with volume"
    )
    assert in_words(parse("sum(close, 5) / 5 - low")) == (
        "(the 5-day average of the close) minus the low"
    )
    assert in_words(parse("close < delay(open, 1) ? rank(high) : 0")) == (
        "the cross-sectional rank of the high if the close is below the open one day ago, "
        "otherwise 0"
    )


def test_there_are_eight_styles_and_each_names_formula_or_words_and_all_tickers() -> None:
    tree = parse("rank(delta(close, 5))")
    texts = [candidate(tree, n, MARKET, OURS) for n in range(len(STYLES))]
    assert len({one.instruction for one in texts}) == len(STYLES) == 8
    for one in texts:
        assert str(tree) in one.instruction or in_words(tree) in one.instruction
        assert all(t in one.instruction for t in one.parameters["tickers"])
        wanted = "long-only" if "long" in one.parameters["weighting"] else "dollar-neutral"
        assert wanted in one.instruction.lower().replace("long only", "long-only")
        assert "$" not in one.instruction.replace("$1", "").replace("$2", "").replace("$5", "")
    assert len({one.code for one in texts}) == 1


def test_a_specification_is_yaml_as_a_builder_writes_it() -> None:
    number = list(STYLES).index("specification")
    for text in FORMULAS[:10]:
        spec = yaml.safe_load(candidate(parse(text), number, MARKET, OURS).instruction)
        assert spec["alpha"] == str(parse(text))
        assert {"title", "description", "symbols", "weighting", "rebalance"} <= set(spec)


def test_every_candidate_says_source_licence_and_version() -> None:
    one = candidate(parse("rank(close)"), 0, MARKET, OURS)
    assert (one.source, one.licence, one.version) == ("alphas", "Apache-2.0", "alphas 2")
    assert one.family == "alpha_price_change"
    assert one == candidate(parse("rank(close)"), 0, MARKET, OURS)


def test_an_industry_alpha_is_given_whole_groups_of_tickers() -> None:
    one = candidate(parse("indneutralize(close, IndClass.industry)"), 0, MARKET, OURS)
    groups = [LISTINGS[t].groups["industry"] for t in one.parameters["tickers"]]
    assert all(groups.count(name) >= 2 for name in groups)


def test_groups_and_shares_in_the_code_are_told_in_the_request() -> None:
    tree = parse("indneutralize(rank(cap), IndClass.sector)")
    for number, style in enumerate(STYLES):
        one = candidate(tree, number, MARKET, OURS)
        for ticker in one.parameters["tickers"]:
            assert f"{ticker}: {LISTINGS[ticker].groups['sector']}" in one.instruction
            assert f"{ticker}: 1000000000" in one.instruction
        if style == "specification":
            spec = yaml.safe_load(one.instruction)
            assert set(spec["sector"]) == set(one.parameters["tickers"])
    assert "ector" not in candidate(parse("rank(close)"), 0, MARKET, OURS).instruction


def test_an_alpha_that_cannot_be_traded_is_an_error_in_its_place() -> None:
    bare = Market(tickers=TICKERS)
    found = list(candidates([parse("rank(cap)"), parse("rank(close)")], bare, OURS))
    assert isinstance(found[0], InputError)
    assert "cap needs a classification" in str(found[0])
    assert not isinstance(found[1], InputError)
    lonely = {t: Listing({"sector": t}) for t in TICKERS}
    with pytest.raises(InputError, match="no group with two of"):
        candidate(
            parse("indneutralize(close, IndClass.sector)"), 0,
            Market(tickers=TICKERS, listings=lonely), OURS,
        )  # fmt: skip


def test_a_market_of_one_ticker_or_an_unknown_weighting_is_refused() -> None:
    with pytest.raises(SettingsError, match="An alpha compares symbols, and there is 1"):
        Market(tickers=("AAPL",))
    with pytest.raises(SettingsError, match="weighting is 'x'; it is dollar-neutral or long-only"):
        Market(tickers=TICKERS, weighting="x")


def test_daily_orders_stay_below_leans_limit() -> None:
    wide = Market(tickers=[f"T{n}" for n in range(40)], symbols=(30, 40))
    for number, tree in enumerate(drawn(20)):
        try:
            one = candidate(tree, number, wide, OURS)
        except InputError:
            continue
        start, end = re.findall(r"set_(?:start|end)_date\((\d+),", one.code)
        assert len(one.parameters["tickers"]) * 252 * (int(end) - int(start) + 1) <= 10_000 * 1.02


def test_tickers_whose_bars_end_early_make_way_for_common_years() -> None:
    from datetime import date

    spans = {f"T{n}": (date(2000, 1, 3), date(2012, 12, 31)) for n in range(6)}
    spans["OLD"] = (date(1990, 1, 2), date(2001, 5, 1))
    spans["NEW"] = (date(2012, 3, 1), date(2012, 12, 31))
    kept = _in_common(spans)
    assert set(kept) == {f"T{n}" for n in range(6)}
    assert _years(kept) == (2001, 2012)


def test_themes_are_many_and_never_empty() -> None:
    themes = {theme(tree) for tree in drawn(200)}
    assert len(themes) >= 10
    assert themes <= set(THEMES)


def test_numbers_in_normal_forms_are_readable() -> None:
    for tree in drawn(200):
        for one in walk(tree):
            if isinstance(one, Number):
                assert len(str(one)) <= 8, str(tree)
