"""The second rate of the promotion rule: a model that trades more must not be less faithful."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qc_builder_lora.errors import SettingsError
from qc_builder_lora.eval.compare import Contest, Rule
from qc_builder_lora.eval.score import Scores
from qc_builder_lora.records import VerdictKind
from tests.eval.stand_ins import contest, judged, scores


def some(count: int, trades: int, faithful: int | None, model: str) -> Scores:
    """The first of so many prompts trade, and are faithful; None: nobody can say of any."""
    ones = [judged(f"{n}", "trades" if n < trades else None) for n in range(count)]
    told = [None if faithful is None else n < faithful for n in range(count)]
    return scores(
        *(replace(one, faithful=of) for one, of in zip(ones, told, strict=True)), model=model
    )


def between(count: int, old: tuple[int, int | None], new: tuple[int, int | None]) -> Contest:
    return contest(some(count, *old, "old"), some(count, *new, "new"))


def test_better_by_both_is_better_and_says_so_of_both() -> None:
    found = between(60, (4, 2), (56, 40))
    assert found.kind is VerdictKind.BETTER
    assert found.more_pairs == 0
    assert found.sentence.startswith("new is better than old: 52 prompts won, 0 lost by 'trades'")
    assert found.sentence.endswith(
        "By 'faithful' it is better too: 38 prompts won, 0 lost of 60 judged pairs."
    )
    assert found.plain()["guard_kind"] == "better"


def test_a_model_that_trades_more_and_does_less_of_what_was_asked_is_worse() -> None:
    found = between(60, (20, 20), (56, 2))
    assert found.kind is VerdictKind.WORSE
    assert found.sentence.startswith("Worse: by 'faithful' new loses (0 prompts won, 18 lost of 60")
    assert "new is better than old: 36 prompts won" in found.sentence
    assert found.plain()["kind"] == "worse"


def test_better_by_one_and_not_shown_to_be_no_worse_by_the_other_is_undecided() -> None:
    found = between(60, (20, 12), (56, 10))
    assert found.kind is VerdictKind.UNDECIDED
    assert found.sentence.startswith(
        "Undecided: by 'trades' new is better, but that it is not worse by 'faithful' is not shown"
    )
    more = found.more_pairs
    if more is None:
        assert found.sentence.endswith("More pairs at this rate would not decide it.")
    else:
        assert f"{more} more judged pairs would decide it." in found.sentence


def test_not_worse_by_both_is_not_worse_and_the_guard_alone_makes_nobody_better() -> None:
    assert between(400, (200, 100), (200, 100)).kind is VerdictKind.NOT_WORSE
    assert between(400, (200, 50), (200, 150)).kind is VerdictKind.NOT_WORSE
    assert between(24, (12, 1), (12, 12)).kind is VerdictKind.UNDECIDED
    assert between(24, (22, 1), (2, 22)).kind is VerdictKind.WORSE


def test_a_suite_of_which_faithful_cannot_be_told_is_decided_by_the_rate_alone_and_says_so() -> (
    None
):
    found = between(24, (2, None), (22, None))
    assert found.kind is VerdictKind.BETTER
    assert found.sentence.endswith("By 'faithful' nothing was decided: it can be told of no pair.")
    assert found.plain()["guard_kind"] is None


def test_fewer_pairs_than_the_rule_asks_for_are_not_heard() -> None:
    told = some(24, 22, None, "new")
    few = scores(
        *(replace(one, faithful=False) if n < 19 else one for n, one in enumerate(told.judged)),
        model="new",
    )
    found = contest(some(24, 2, 2, "old"), few)
    assert found.kind is VerdictKind.BETTER
    assert "it can be told of 19 pairs only" in found.sentence


def test_without_a_guard_the_rate_alone_decides() -> None:
    alone = replace(between(60, (20, 20), (56, 2)), rule=Rule(guard=""))
    assert alone.kind is VerdictKind.BETTER
    assert "faithful" not in alone.sentence
    same = replace(alone, rule=Rule(metric="faithful"))
    assert same.kind is VerdictKind.WORSE
    with pytest.raises(
        SettingsError, match=r"guard must be one of .*, faithful or empty, got 'pro"
    ):
        Rule(guard="profit")
