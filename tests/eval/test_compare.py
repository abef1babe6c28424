from pathlib import Path

import pytest

from qc_builder_lora.errors import InputError, SettingsError, UnknownKey
from qc_builder_lora.eval.compare import Rule, load_rule, regressions
from qc_builder_lora.eval.score import Scores
from qc_builder_lora.records import VerdictKind
from tests.eval.stand_ins import contest, judged, scores, unknown


def many(count: int, good: int, model: str = "m") -> Scores:
    """The first `good` of so many prompts trade, the others do not parse."""
    return scores(
        *(judged(f"{n}", "trades" if n < good else None) for n in range(count)), model=model
    )


def test_a_clear_winner_is_better_and_the_other_way_round_worse() -> None:
    assert contest(many(24, 2), many(24, 22)).kind is VerdictKind.BETTER
    assert contest(many(24, 22), many(24, 2)).kind is VerdictKind.WORSE


def test_two_equal_models_are_not_worse_once_there_are_enough_prompts() -> None:
    assert contest(many(24, 12), many(24, 12)).kind is VerdictKind.UNDECIDED
    found = contest(many(400, 200, "old"), many(400, 200, "new"))
    assert found.kind is VerdictKind.NOT_WORSE
    assert found.sentence.startswith("new is not worse than old by 10 points or more: 0 prompts")
    assert found.more_pairs == 0


def test_a_model_that_loses_more_than_the_margin_is_never_called_not_worse() -> None:
    found = contest(many(60, 40, "old"), many(60, 34, "new"))
    assert found.kind is VerdictKind.UNDECIDED
    low, high = found.outcome("trades")["interval"]
    assert low < -6 / 60 < high


def test_undecided_says_how_many_more_pairs_would_decide() -> None:
    found = contest(many(24, 2), many(24, 6))
    assert found.kind is VerdictKind.UNDECIDED
    more = found.more_pairs
    assert more is not None
    assert f"At this rate {more} more judged pairs would decide it." in found.sentence
    factor = (24 + more) // 24 + 1
    assert contest(many(24 * factor, 2 * factor), many(24 * factor, 6 * factor)).kind in (
        VerdictKind.BETTER,
        VerdictKind.NOT_WORSE,
    )


def test_too_few_pairs_decide_nothing_even_when_all_are_won() -> None:
    assert contest(many(19, 0), many(19, 19)).kind is VerdictKind.UNDECIDED
    assert contest(many(20, 0), many(20, 20)).kind is VerdictKind.BETTER


def test_unknown_pairs_do_not_count_towards_the_pairs_needed() -> None:
    champion = scores(*many(19, 0).judged, unknown("x"))
    challenger = scores(*many(19, 19).judged, judged("x"))
    found = contest(champion, challenger)
    assert found.outcome("trades")["unknown"] == 1
    assert found.outcome("trades")["wins"] == 19
    assert found.kind is VerdictKind.UNDECIDED


def test_an_arm_that_could_not_be_judged_does_not_lose() -> None:
    champion = scores(*(unknown(f"{n}") for n in range(24)))
    found = contest(champion, many(24, 24))
    assert found.kind is VerdictKind.UNDECIDED
    assert "of 0 judged pairs" in found.sentence


def test_the_verdict_comes_with_the_numbers_it_rests_on() -> None:
    sentence = contest(many(24, 2, "old"), many(24, 22, "new")).sentence
    assert sentence.startswith("new is better than old: 20 prompts won, 0 lost by 'trades' of 24")
    open_ = contest(many(24, 2, "old"), many(24, 4, "new")).sentence
    assert open_.startswith("Undecided: the evidence does not tell new from old")
    assert "20 needed, and at least 20 pairs" in open_


def test_models_asked_different_prompts_are_not_compared() -> None:
    with pytest.raises(InputError, match=r"did not answer the same prompts: a, b\."):
        contest(scores(judged("a")), scores(judged("b")))


def test_the_worst_regression_comes_first_and_unknown_is_none() -> None:
    champion = scores(judged("a"), judged("b"), judged("c"), judged("d", None))
    challenger = scores(judged("a", "compiles"), judged("b", None), unknown("c"), judged("d"))
    assert [one.prompt_id for one in regressions(contest(champion, challenger))] == ["b", "a"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"metric": "profit"}, "must be one of .*, trades, faithful, got 'profit"),
        ({"alpha": 0}, r"alpha must be in \(0, 1\), got 0"),
        ({"alpha": 1.5}, "got 1.5"),
        ({"margin": 0}, r"margin must be in \(0, 1\), got 0"),
    ],
)
def test_a_rule_that_decides_nothing_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Rule(**values)  # type: ignore[arg-type]


def test_the_users_rule_wins_and_an_unknown_key_of_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "eval").mkdir()
    path = tmp_path / "eval/promotion.toml"
    path.write_text('metric = "runs"\n')
    monkeypatch.chdir(tmp_path)
    assert load_rule() == Rule(metric="runs")
    path.write_text("minimum_pair = 3\n")
    with pytest.raises(UnknownKey, match=r"'minimum_pair'\. Did you mean 'minimum_pairs'"):
        load_rule()
    path.write_text("metric = \n")
    with pytest.raises(InputError, match=r"promotion\.toml: not valid TOML"):
        load_rule()
    path.write_bytes('# für uns\nmetric = "runs"\n'.encode("latin-1"))
    with pytest.raises(InputError, match=r"promotion\.toml: not valid TOML"):
        load_rule()


def test_the_path_takes_the_judged_pairs_in_their_order_and_leaves_the_unknown_out() -> None:
    champion = scores(judged("a", None), unknown("b"), judged("c"))
    challenger = scores(judged("a"), judged("b"), judged("c"))
    path = contest(champion, challenger).path()
    assert [(pairs, centre) for pairs, centre, _, _ in path] == [(1, 1.0), (2, 0.5)]
    assert all(low <= centre <= high for _, centre, low, high in path)
    assert contest(scores(unknown("a")), scores(judged("a"))).path() == []


def test_what_was_asked_and_not_done_can_decide_while_both_trade() -> None:
    champion = scores(*(judged(f"{n}", faithful=True) for n in range(30)), model="old")
    challenger = scores(*(judged(f"{n}", faithful=n < 5) for n in range(30)))
    assert contest(champion, challenger).kind is VerdictKind.UNDECIDED
    assert contest(champion, challenger, metric="faithful").kind is VerdictKind.WORSE


def test_faithfulness_that_nobody_can_tell_is_no_pair() -> None:
    found = contest(scores(judged("a", faithful=None), model="old"), scores(judged("a")))
    assert found.outcome("faithful")["pairs"] == 0
    assert found.outcome("faithful")["unknown"] == 1
