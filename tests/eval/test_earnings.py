"""Sharpe ratios by pairs: who has none is counted, and what is unknown is no zero."""

from __future__ import annotations

import pytest

from qc_builder_lora.eval.earnings import sharpe_of, sharpe_sentence
from qc_builder_lora.eval.markdown import as_markdown
from qc_builder_lora.eval.score import Judged
from tests.eval.stand_ins import contest, judged, scores


def traded(prompt_id: str, sharpe: str) -> Judged:
    return judged(prompt_id, statistics={"Sharpe Ratio": sharpe})


@pytest.mark.parametrize("text", ["", "nan", "inf", "n/a"])
def test_a_sharpe_ratio_that_is_no_number_is_none(text: str) -> None:
    assert sharpe_of(judged("a", statistics={"Sharpe Ratio": text})) is None
    assert sharpe_of(judged("a")) is None


def test_a_strategy_that_did_not_trade_has_no_sharpe_ratio() -> None:
    assert sharpe_of(judged("a", "runs", statistics={"Sharpe Ratio": "0"})) is None


def test_only_pairs_with_two_ratios_are_compared_and_the_rest_is_counted() -> None:
    champion = scores(traded("a", "1.0"), traded("b", "0.5"), judged("c", "runs"), model="old")
    challenger = scores(traded("a", "1.5"), judged("b", None), judged("c", None))
    found = contest(champion, challenger).sharpe()
    assert (found["pairs"], found["wins"], found["losses"]) == (1, 1, 0)
    assert found["without"] == {"champion": 1, "challenger": 2}
    assert found["median_difference"] == 0.5


def test_a_steady_lead_is_seen_and_its_p_is_wilcoxons() -> None:
    champion = scores(*(traded(str(n), "0.1") for n in range(12)), model="old")
    challenger = scores(*(traded(str(n), str(0.2 + 0.01 * n)) for n in range(12)))
    found = contest(champion, challenger).sharpe()
    # All of twelve signs alike: 2 of 2**12 arrangements.
    assert found["signed_rank_p"] == pytest.approx(2 / 4096)
    assert found["e_value"] > 1
    assert "higher 12 times, lower 0 times, equal 0 times in the 12 pairs" in sharpe_sentence(found)


def test_without_a_pair_the_answer_is_unknown_not_zero() -> None:
    found = contest(scores(judged("a", None), model="old"), scores(traded("a", "1")))
    outcome = found.plain()["sharpe"]
    assert outcome["median_difference"] is outcome["signed_rank_p"] is outcome["e_value"] is None
    text = as_markdown(found.plain(), {"path": "r.html", "sha256": "a"})
    assert "Sharpe ratio: unknown, in no pair have both strategies one." in text
