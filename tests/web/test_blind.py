"""The blind review: who is who stays hidden until all is rated, and ratings are kept."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qc_builder_lora.errors import InputError, NotFound
from qc_builder_lora.eval.shown import Answers, highlighted
from qc_builder_lora.ids import new_id, now
from qc_builder_lora.records import Comparison, Generation, Preference, Role
from qc_builder_lora.requests import new_request
from qc_builder_lora.web.blind import Blind, cohens_kappa

CHAMPION, CHALLENGER = "claude-secret-name", "tuned-secret-name"


def generation(store: Any, request: str, model: str, code: str) -> str:
    made = store.generations.add(
        Generation(
            id=new_id(), request_id=request, code=code, role=Role.SHADOW, created_at=now(),
            model=model,
        )
    )  # fmt: skip
    return str(made.id)


@pytest.fixture
def pairs(project: Any) -> int:
    """Six comparisons between two models, and the challenger as a Model."""
    project.model(CHALLENGER)
    for number in range(6):
        request = project.store.requests.add(new_request(f"Ask <b>{number}</b>"))
        ids = [
            generation(project.store, request.id, model, f"# {side} {number}\nx = '<i>'\n")
            for model, side in ((CHAMPION, "one"), (CHALLENGER, "two"))
        ]
        project.store.comparisons.add(
            Comparison(
                id=new_id(), request_id=request.id, champion_generation_id=ids[0],
                challenger_generation_id=ids[1], judged={"trades": [True, False]},
                created_at=now(),
            )
        )  # fmt: skip
    return 6


@pytest.fixture
def blind(project: Any, pairs: int) -> Blind:
    return Blind(project.store, CHALLENGER)


def test_every_rater_gets_every_pair_once_and_goes_on_after_a_break(
    project: Any, blind: Blind
) -> None:
    seen = []
    while (pair := Blind(project.store, CHALLENGER).next_for("Ada")) is not None:
        seen.append(pair.comparison.id)
        blind.rate(pair.number, "Ada", "a", "", "")
    assert len(set(seen)) == len(seen) == 6
    first = blind.next_for("Bob")
    assert first is not None
    assert first.number == 1


def test_the_order_of_the_sides_is_random_but_the_same_again(blind: Blind) -> None:
    raters = [f"rater {number}" for number in range(60)]
    firsts = [blind.pair(1, rater).first for rater in raters]
    assert 15 < firsts.count(Preference.CHAMPION) < 45
    assert firsts == [blind.pair(1, rater).first for rater in raters]


def test_a_choice_is_kept_for_the_answer_that_stood_there(blind: Blind) -> None:
    for number in range(1, 7):
        pair = blind.pair(number, "Ada")
        rating = blind.rate(number, "Ada", "b", "3", "fine")
        wanted = CHALLENGER if rating.preferred is Preference.CHALLENGER else CHAMPION
        assert pair.b.model == wanted
        assert (rating.score, rating.comment, rating.first) == (3, "fine", pair.first)


@pytest.mark.parametrize(
    ("choice", "score", "fact"),
    [("", "", "one of a, b, tie; got ''"), ("a", "6", "from 1 to 5; got '6'")],
)
def test_what_is_no_rating_is_refused(blind: Blind, choice: str, score: str, fact: str) -> None:
    with pytest.raises(InputError, match=fact):
        blind.rate(1, "Ada", choice, score, "")
    assert blind.rated("Ada") == {}


def test_a_model_without_comparisons_says_how_to_get_some(project: Any) -> None:
    project.model("m1")
    with pytest.raises(NotFound, match="qc-lora eval m1, or qc-lora shadow judge m1"):
        Blind(project.store, "m1")


def test_the_page_hides_who_is_who_until_all_is_rated(page: Any, pairs: int) -> None:
    place = f"/review/{CHALLENGER}"
    assert "Your name" in page.get(place).text
    client = page.client
    shown = client.get(place, params={"token": page.token, "rater": "Ada"}, follow_redirects=True)
    for number in range(pairs):
        body = shown.text.split("<main", 1)[1]
        assert f"{number} of {pairs} rated" in body
        visible = re.sub(r"""(href|src|action)="[^"]*\"""", "", body)
        assert CHAMPION not in visible
        assert CHALLENGER not in visible
        assert "Ask &lt;b&gt;" in body
        assert "<i>" not in body
        action = re.findall(r'action="(/review/[^"]*)"', body)[0]
        form = {"token": page.token, "rater": "Ada", "choice": "tie", "score": "4"}
        shown = client.post(action, data=form, follow_redirects=True)
    done = shown
    assert done.status_code == 200
    assert "all 6 pairs are rated" in done.text
    assert CHALLENGER in done.text
    assert re.search(r'Ada</th><td class="n">6</td><td class="n">0</td>', done.text)


def test_a_rating_without_the_token_or_a_name_is_not_kept(
    project: Any, page: Any, pairs: int
) -> None:
    place = f"/review/{CHALLENGER}/1"
    form = {"rater": "Eve", "choice": "a"}
    assert page.client.post(place, data=form).status_code == 403
    nameless = page.client.post(place, data={"token": page.token, "choice": "a", "rater": " "})
    assert nameless.status_code == 409
    assert "A rating needs a name." in nameless.text
    wrong = page.client.post(place, data={"token": page.token, "rater": "Eve", "choice": "c"})
    assert wrong.status_code == 409
    assert project.store.ratings.count() == 0


def test_only_the_blind_page_may_run_its_one_script(page: Any, pairs: int) -> None:
    params = {"token": page.token, "rater": "Ada"}
    shown = page.client.get(f"/review/{CHALLENGER}/1", params=params)
    policy = shown.headers["content-security-policy"]
    assert re.search(r"script-src 'sha256-[\w+/=]+';", policy)
    assert "script-src" not in page.get("/").headers["content-security-policy"]
    plot = page.client.get(f"/review/{CHALLENGER}/1/plot.svg", params=params)
    assert plot.status_code == 404


def test_a_rejected_model_is_archived_and_the_decision_is_kept(project: Any, page: Any) -> None:
    verdict = project.report(project.model("m1"))
    place = f"/reports/{verdict.id}"
    done = page.decide(f"{place}/reject", page.fields(place), by="Ada", reason="too few trades")
    assert done.status_code == 303
    assert (
        "<b>m1</b> is archived. Decided by Ada." in page.client.get(done.headers["location"]).text
    )
    (kept,) = project.store.promotions.history()
    assert (kept.action.value, kept.reason) == ("reject", "too few trades")
    assert project.store.models.get("m1").stage.value == "archived"
    again = page.decide(f"{place}/reject", page.fields(place), by="Ada")
    assert again.status_code == 409
    assert "archived already" in again.text


def test_a_model_in_production_cannot_be_rejected(project: Any, page: Any) -> None:
    verdict = project.report(project.model("m1"))
    page.promote(verdict)
    place = f"/reports/{verdict.id}"
    fields = {**page.fields(place), "token": page.token}
    fields["seen"] = project.store.promotions.history()[-1].id
    refused = page.decide(f"{place}/reject", fields, by="Ada")
    assert refused.status_code == 409
    assert "qc-lora model rollback" in refused.text
    assert project.production() == "m1"


# Cohen 1960's formula on tables with known values.
@pytest.mark.parametrize(
    ("yes_yes", "yes_no", "no_yes", "no_no", "kappa"),
    [(20, 5, 10, 15, 0.4), (45, 15, 25, 15, 0.1304), (25, 35, 5, 35, 0.2593)],
)
def test_kappa_has_its_textbook_values(
    yes_yes: int, yes_no: int, no_yes: int, no_no: int, kappa: float
) -> None:
    pairs = [("y", "y")] * yes_yes + [("y", "n")] * yes_no
    pairs += [("n", "y")] * no_yes + [("n", "n")] * no_no
    assert cohens_kappa(pairs) == pytest.approx(kappa, abs=1e-4)


@given(st.lists(st.sampled_from("abt"), min_size=2).filter(lambda words: len(set(words)) > 1))
def test_full_agreement_is_one(words: list[str]) -> None:
    assert cohens_kappa([(word, word) for word in words]) == pytest.approx(1.0)


def test_kappa_of_nothing_or_of_one_word_only_is_unknown() -> None:
    assert cohens_kappa([]) is None
    assert cohens_kappa([("a", "a"), ("a", "a")]) is None


def test_curves_and_figures_are_found_by_the_code(tmp_path: Path) -> None:
    folder = tmp_path / "evaluations"
    folder.mkdir()
    one = {
        "answer": {"code": "x = 1"}, "parses": True, "compiles": True, "runs": True,
        "trades": None, "statistics": {"Net Profit": "3%", "Alpha": "1"},
        "equity": [["2020-01-02", 100.0], ["2020-01-03", 90.0]],
    }  # fmt: skip
    (folder / "m-few.json").write_text(json.dumps({"champion": {"judged": [one]}, "other": 1}))
    found = Answers(tmp_path)
    assert found.note("x = 1") == "runs (trades, faithful unknown), Net Profit 3%"
    assert found.note("x = 2") == "not judged yet"
    assert found.has_plot("x = 1", "x = 2")
    assert not found.has_plot("x = 2", "x = 3")
    drawn = found.plot("x = 1", "x = 2")
    assert "drawdown" in drawn
    assert found.plot("x = 2", "x = 2") == ""
    assert "<script>" not in highlighted("<script>")
