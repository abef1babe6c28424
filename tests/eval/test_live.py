"""Pairs from the builder's own traffic: found, judged alike, counted when they cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from qc_builder_lora.errors import InputError
from qc_builder_lora.eval import live
from qc_builder_lora.eval.contest import build_report
from qc_builder_lora.eval.score import Scores
from qc_builder_lora.eval.suite import load_suite
from qc_builder_lora.ids import new_id
from qc_builder_lora.records import BacktestStatus, Generation, Role
from qc_builder_lora.requests import new_request
from qc_builder_lora.store import Store
from tests.eval.stand_ins import CODE, NOON, Oracle, judged, model, scores, unknown

NEW = model().id


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        yield opened


def ask(
    store: Store,
    text: str,
    *answers: tuple[Role, str, str],
    cost: str | None = "0.02",
    hour: int = 0,
) -> str:
    """A Request with answers of (role, model, code); served ones cost money."""
    request = store.requests.add(new_request(text, created_at=NOON))
    for role, name, code in answers:
        served = role is Role.SERVED
        store.generations.add(
            Generation(
                id=new_id(), request_id=request.id, code=code, role=role, model=name,
                created_at=NOON + timedelta(hours=hour), finish_reason="stop", prompt_tokens=10,
                completion_tokens=20, latency_s=1.0,
                cost_usd=Decimal(cost) if served and cost else Decimal(0) if not served else None,
            )
        )  # fmt: skip
    return request.id


def served(name: str = "claude", code: str = CODE) -> tuple[Role, str, str]:
    return Role.SERVED, name, code


def shadow(code: str = CODE, name: str = NEW) -> tuple[Role, str, str]:
    return Role.SHADOW, name, code


Judge = Callable[..., live.Judging]


@pytest.fixture(scope="module")
def judging(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """One cache of the compile check for all tests here: mypy reads LEAN's stubs once."""
    cache = tmp_path_factory.mktemp("cache")

    def made(status: BacktestStatus = BacktestStatus.COMPLETED) -> live.Judging:
        return live.Judging(engine=Oracle(status), cache=cache)

    return made


def test_only_requests_answered_by_both_are_paired_and_the_rest_is_counted(store: Store) -> None:
    both = ask(store, "one", served(), shadow())
    ask(store, "two", served("gpt"), shadow())
    ask(store, "three", shadow())
    ask(store, "four", served())
    found = live.find_traffic(store, NEW, "claude")
    assert [pair.request.id for pair in found.pairs] == [both]
    assert found.dropped == {
        "another model was served": 1,
        "never served, as the prompts of a suite are": 1,
    }
    assert found.served == 2


def statements(store: Store, work: Callable[[], object]) -> int:
    """How many statements the database is sent by `work`."""
    seen: list[str] = []

    def note(*given: Any) -> None:
        seen.append(given[2])

    engine = store.database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return sum(one.startswith("SELECT") for one in seen)


def test_any_number_of_pairs_takes_the_same_few_queries(store: Store) -> None:
    def work() -> None:
        traffic = live.find_traffic(store, NEW)
        assert set(live.other_arms(store, traffic)) == {"base:tiny"}

    counts = []
    for number in (2, 20):
        for at in range(number):
            ask(store, f"{number} {at}", served(), shadow(), shadow(name="base:tiny"))
        counts.append(statements(store, work))
    assert counts[0] == counts[1] <= 5


def test_a_capital_makes_another_model(store: Store) -> None:
    ask(store, "one", served(), shadow(), shadow(name="Base:tiny"), shadow(name="base:tiny"))
    found = live.other_arms(store, live.find_traffic(store, NEW))
    assert list(found) == ["base:tiny"]


def test_the_model_served_most_often_is_the_champion(store: Store) -> None:
    for text in ("one", "two"):
        ask(store, text, served("gpt"), shadow())
    ask(store, "three", served("claude"), shadow())
    assert live.find_traffic(store, NEW).champion == "gpt"


def test_without_pairs_the_error_says_what_there_is_and_how_to_get_more(store: Store) -> None:
    ask(store, "one", served(), shadow(name="other-model"))
    with pytest.raises(InputError, match=r"shadow answers: other-model.*qc-lora shadow replay"):
        live.find_traffic(store, NEW)


def test_both_sides_go_through_the_same_funnel(store: Store, judging: Judge) -> None:
    ask(store, "one", served(), shadow("not python ("))
    ask(store, "two", served(code=""), shadow(), hour=1)
    traffic = live.find_traffic(store, NEW)
    champion, challenger, contest, _ = live.judge_traffic(traffic, judging())
    assert [one.parses for one in champion.judged] == [True, False]
    assert [one.trades for one in challenger.judged] == [False, True]
    assert contest.outcome("trades")["wins"] == contest.outcome("trades")["losses"] == 1


def test_an_engine_that_cannot_say_drops_the_pair_for_both(store: Store, judging: Judge) -> None:
    ask(store, "one", served(), shadow())
    traffic = live.find_traffic(store, NEW)
    _, _, contest, _ = live.judge_traffic(traffic, judging(BacktestStatus.UNKNOWN))
    assert contest.outcome("trades")["unknown"] == 1
    assert contest.outcome("trades")["pairs"] == 0


def test_comparisons_are_kept_once(store: Store, judging: Judge) -> None:
    ask(store, "one", served(), shadow("x ="))
    traffic = live.find_traffic(store, NEW)
    contest = live.judge_traffic(traffic, judging())[2]
    assert live.keep_comparisons(store, traffic, contest) == 1
    assert live.keep_comparisons(store, traffic, contest) == 0
    (kept,) = store.comparisons.find(champion="claude", challenger=NEW)
    assert kept.judged["trades"] == [True, False]


def test_money_saved_is_the_champions_price_at_the_traffic_seen(store: Store) -> None:
    ask(store, "one", served(), shadow())
    ask(store, "two", served(), shadow(), hour=24)
    ask(store, "three", served(), hour=12)
    saving = live.monthly_saving(live.find_traffic(store, NEW))
    # Three served in one day at 2 cents: 90 a month.
    assert saving["usd_an_answer"] == "0.020000"
    assert saving["usd_a_month"] == "1.80"


def test_a_month_is_reckoned_by_all_that_was_served_and_not_by_the_days_of_the_shadow(
    store: Store,
) -> None:
    ask(store, "one", served(), shadow())
    ask(store, "two", served(), shadow(), hour=1)
    for day in range(1, 11):
        ask(store, f"day {day}", served(), hour=24 * day)
    traffic = live.find_traffic(store, NEW)
    saving = live.monthly_saving(traffic)
    # Twelve served in ten days at 2 cents: 36 a month, though both pairs are of the first hour.
    assert (saving["served"], saving["days_observed"]) == (12, 10.0)
    assert saving["usd_a_month"] == "0.72"


def test_traffic_of_a_time_in_which_only_the_shadow_answered_has_no_span(store: Store) -> None:
    ask(store, "one", served())
    request = store.requests.find()[0]
    store.generations.add(
        Generation(id=new_id(), request_id=request.id, code=CODE, role=Role.SHADOW, model=NEW,
                   created_at=NOON + timedelta(days=3))
    )  # fmt: skip
    traffic = live.find_traffic(store, NEW, since=NOON + timedelta(days=2))
    assert (len(traffic.pairs), traffic.served) == (1, 0)
    assert live.monthly_saving(traffic)["usd_a_month"] is None


def test_a_champion_of_unknown_cost_saves_an_unknown_amount(store: Store) -> None:
    ask(store, "one", served(), shadow(), cost=None)
    ask(store, "two", served(), shadow(), cost=None, hour=3)
    saving = live.monthly_saving(live.find_traffic(store, NEW))
    assert (saving["usd_an_answer"], saving["usd_a_month"]) == (None, None)
    assert saving["answers_of_known_cost"] == 0


def test_agreement_counts_equal_ends_of_judged_pairs() -> None:
    first = scores(judged("a"), judged("b", "parses"), unknown("c"))
    second = scores(judged("a"), judged("b"), judged("c"))
    found = live.agreement((first, second))
    assert found["parses"] == {"pairs": 3, "unknown": 0, "agree": 1.0}
    assert found["trades"] == {"pairs": 2, "unknown": 1, "agree": 0.5}
    assert live.agreement((scores(unknown("a")), scores(judged("a"))))["runs"]["agree"] is None


def test_the_report_of_live_pairs_says_what_they_cost_and_where_they_came_from(
    store: Store, tmp_path: Path, judging: Judge
) -> None:
    for number in range(24):
        ask(store, f"Do {number}", served(), shadow("x ="), hour=number)
    traffic = live.find_traffic(store, NEW)
    found = live.judge_traffic(traffic, judging())
    path = live.save_live(
        tmp_path, traffic, judging(), found, challenger_sha256="e" * 64, ceiling=None
    )
    prompts, scores_path = live.live_files(tmp_path, NEW)
    assert path == scores_path
    made = build_report(
        store, model(), path, load_suite(str(prompts)), tmp_path / "report.html",
        data_note="the sample data", training={}, prices=(),
    )  # fmt: skip
    assert made["verdict"] == "worse"
    text = (tmp_path / "report.html").read_text()
    assert "The traffic" in text
    assert "unknown: it was not asked twice" in text
    assert "No hosted model was asked" not in text
    (kept,) = store.verdicts.find(challenger=NEW)
    assert kept.champion == "claude"


def test_the_base_and_its_few_shot_arm_stand_beside_in_the_report(
    store: Store, tmp_path: Path, judging: Judge
) -> None:
    for number in range(3):
        base = shadow("not python (", "base:tiny") if number else shadow(CODE, "base:tiny")
        shots = [shadow(CODE, "base:tiny+2-shot")] if number < 2 else []
        ask(store, f"Do {number}", served(), shadow(), base, *shots, hour=number)
    traffic = live.find_traffic(store, NEW)
    arms = live.other_arms(store, traffic)
    others = [live.judge_arm(traffic, name, found, judging()) for name, found in arms.items()]
    assert {one.model: (len(one.judged), one.count("trades")) for one in others} == {
        "base:tiny": (3, 1), "base:tiny+2-shot": (2, 2),
    }  # fmt: skip
    found = live.judge_traffic(traffic, judging())
    path = live.save_live(
        tmp_path, traffic, judging(), found, challenger_sha256="e" * 64, ceiling=None, others=others
    )
    build_report(
        store, model(), path, load_suite(str(live.live_files(tmp_path, NEW)[0])),
        tmp_path / "report.html", data_note="the sample data", training={}, prices=(),
    )  # fmt: skip
    text = (tmp_path / "report.html").read_text()
    assert "Was training needed?" in text
    assert "<td>base:tiny+2-shot</td>" in text


def test_scores_come_back_with_their_costs(store: Store, judging: Judge) -> None:
    ask(store, "one", served(), shadow())
    champion = live.judge_traffic(live.find_traffic(store, NEW), judging())[0]
    again = Scores.restored(champion.saved())
    assert again.judged[0].answer.cost_usd == "0.02"
