import json
from pathlib import Path

import pytest

from qc_builder_lora.backtest.sample_data import convert
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.errors import ProviderError, QcLoraError
from qc_builder_lora.eval.asking import ask_all
from qc_builder_lora.eval.score import Scores, funnel, judge_all
from qc_builder_lora.kinds import RATES
from qc_builder_lora.models.faults import Kind
from qc_builder_lora.records import BacktestStatus
from tests.eval.stand_ins import CODE, Oracle, Parrot, answer, judged, scores, suite, unknown


def ask(writer: Parrot, journal: Path, *ids: str) -> list[str]:
    found = ask_all(writer, suite(*ids), journal, max_tokens=10, deadline_s=1.0)
    return [one.code for one in found]


def test_what_was_answered_is_not_asked_again_after_a_stop(tmp_path: Path) -> None:
    journal = tmp_path / "answers/one.jsonl"
    assert ask(Parrot({"Do a.": "A"}), journal, "a") == ["A"]
    second = Parrot({"Do b.": "B"})
    assert ask(second, journal, "b", "a") == ["B", "A"]
    assert second.asked == ["Do b."]


def test_a_line_torn_by_a_power_cut_is_asked_again_and_the_rest_is_kept(tmp_path: Path) -> None:
    journal = tmp_path / "one.jsonl"
    ask(Parrot({"Do a.": "A", "Do b.": "B"}), journal, "a", "b")
    journal.write_text(journal.read_text()[:-20])
    again = Parrot({"Do b.": "B"})
    assert ask(again, journal, "a", "b") == ["A", "B"]
    assert again.asked == ["Do b."]
    assert ask(Parrot({}), journal, "a", "b") == ["A", "B"]


def test_a_model_with_nothing_to_say_has_answered(tmp_path: Path) -> None:
    empty = ProviderError("local", Kind.EMPTY, "the answer is empty")
    journal = tmp_path / "one.jsonl"
    assert ask(Parrot({"Do a.": empty}), journal, "a") == [""]
    assert ask(Parrot({}), journal, "a") == [""]


@pytest.mark.parametrize("kind", [Kind.REFUSED, Kind.CONNECTION, Kind.SERVER, Kind.AUTH])
def test_a_server_that_fails_says_nothing_about_the_model(tmp_path: Path, kind: Kind) -> None:
    failing = Parrot({"Do a.": ProviderError("local", kind, "nobody listens"), "Do b.": "B"})
    journal, asked = tmp_path / "one.jsonl", suite("a", "b")
    answers = ask_all(failing, asked, journal, max_tokens=10, deadline_s=1.0)
    found = judge_all(
        answers, asked, Oracle(BacktestStatus.COMPLETED), model="m", cache=tmp_path / "cache"
    )
    assert [getattr(found.judged[0], rate) for rate in RATES] == [None] * 4
    assert found.judged[0].reason == "local: nobody listens"
    assert found.judged[1].parses is False
    assert ask(Parrot({"Do a.": "A"}), journal, "a", "b") == ["A", "B"]


def test_a_model_that_could_never_be_asked_is_not_scored(tmp_path: Path) -> None:
    failing = Parrot({"Do a.": ProviderError("local", Kind.REFUSED, "nobody listens")})
    with pytest.raises(QcLoraError, match="put to parrot: local: nobody listens"):
        ask(failing, tmp_path / "one.jsonl", "a")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_every_answer_goes_as_far_as_it_can_on_the_real_engine(cache: Path, tmp_path: Path) -> None:
    codes = {
        "trades": CODE,
        "idle": CODE.replace("if not self.portfolio.invested", "if False"),
        "raises": CODE.replace("self.set_holdings(self.aapl, 1)", "raise ValueError('no')"),
        "misspelt": CODE.replace("set_holdings", "set_holdingz"),
        "unmodelled": CODE.replace('"AAPL"', '"SPY"'),
        "prose": "Sure! Here is a strategy.",
    }
    convert(tmp_path / "data")
    simulator = Simulator(tmp_path / "data")
    kept = []
    try:
        found = judge_all(
            [answer(name, code=code) for name, code in codes.items()],
            suite(*codes),
            simulator,
            model="m",
            cache=cache,
            keep=lambda one, result: kept.append((one.answer.prompt_id, result.status)),
        )
    finally:
        simulator.close()
    steps = {
        one.answer.prompt_id: tuple(getattr(one, rate) for rate in RATES) for one in found.judged
    }
    assert steps == {
        "trades": (True, True, True, True),
        "idle": (True, True, True, False),
        "raises": (True, True, False, False),
        "misspelt": (True, False, False, False),
        "unmodelled": (True, None, None, None),
        "prose": (False, False, False, False),
    }
    reasons = {one.answer.prompt_id: one.reason for one in found.judged}
    assert reasons["trades"] is None
    assert reasons["idle"] == "no order was filled"
    assert "ValueError: no" in str(reasons["raises"])
    assert "set_holdingz" in str(reasons["misspelt"])
    assert "SPY" in str(reasons["unmodelled"])
    assert [name for name, _ in kept] == list(codes)[:-1]
    assert found.judged[0].equity


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        (Oracle(BacktestStatus.UNKNOWN, "load"), (True, None, None, None)),
        (Oracle(BacktestStatus.UNKNOWN, "run"), (True, True, None, None)),
        (Oracle(BacktestStatus.FAILED, "initialize"), (True, False, False, False)),
        (Oracle(BacktestStatus.COMPLETED, filled=False), (True, True, True, False)),
    ],
    ids=["unknown at once", "unknown later", "fails in initialize", "never filled"],
)
def test_unknown_is_neither_passed_nor_failed(
    cache: Path, engine: Oracle, expected: tuple[bool | None, ...]
) -> None:
    found = judge_all([answer()], suite("a"), engine, model="m", cache=cache)
    assert tuple(getattr(found.judged[0], rate) for rate in RATES) == expected


def test_counts_leave_out_what_is_unknown_and_say_how_much_it_is() -> None:
    plain = scores(judged("a"), judged("b", "runs"), unknown("c")).plain()
    assert funnel(plain) == {"n": 3, "parses": 3, "compiles": 2, "runs": 2, "trades": 1}
    assert plain["unknown"] == {"parses": 0, "compiles": 1, "runs": 1, "trades": 1, "faithful": 3}
    low, high = plain["wilson95"]["trades"]
    assert (low, high) == (0.0945, 0.9055)  # 1 of 2, not of 3


def test_saved_scores_come_back_the_same_through_json() -> None:
    one = scores(judged("a", equity=(("2010-01-04", 100000.0),)), unknown("b"))
    assert Scores.restored(json.loads(json.dumps(one.saved()))) == one


def test_speed_is_unknown_without_tokens_and_never_zero() -> None:
    plain = scores(judged("a", answer=answer(completion_tokens=None))).plain()
    assert plain["tokens_per_s"] is None
    assert plain["completion_tokens"] is None
