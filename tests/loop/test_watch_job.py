"""The daemon judges what was served by who is on trial, and takes it back where it does worse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.config import Settings
from qc_builder_lora.ids import new_id, now, text_hash
from qc_builder_lora.models.guard import doubt_of
from qc_builder_lora.records import Generation, Model, Role, Stage, Verdict, VerdictKind
from qc_builder_lora.requests import new_request
from qc_builder_lora.store import Store
from qc_builder_lora.watch_job import AT_ONCE, JudgedWatch, funnel_judge

GOOD, BAD = "good", "bad"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.chdir(tmp_path)
    with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        for key, champion, share in (("m1", "base", None), ("m2", "m1", 0.3)):
            opened.models.add(
                Model(id=key, adapter_id=None, path="x", sha256=text_hash(key), manifest={},
                      quantization="F16", stage=Stage.CANDIDATE, created_at=now())
            )  # fmt: skip
            report = text_hash(champion + key)
            opened.verdicts.add(
                Verdict(id=new_id(), champion=champion, challenger=key, evidence={},
                        kind=VerdictKind.BETTER, created_at=now(), report_sha256=report)
            )  # fmt: skip
            opened.promotions.promote(key, text_hash(key), report, "Ada", share=share)
        yield opened


def serve(store: Store, model: str, code: str, number: int) -> None:
    for _ in range(number):
        request = store.requests.add(new_request(new_id()))
        store.generations.add(
            Generation(id=new_id(), request_id=request.id, code=code, role=Role.SERVED,
                       created_at=now(), model=model)
        )  # fmt: skip


def watch(store: Store, told: list[Any]) -> JudgedWatch:
    def judge(answers: list[Generation]) -> dict[str, bool | None]:
        assert len(answers) <= AT_ONCE
        return {one.id: {GOOD: True, BAD: False}.get(one.code) for one in answers}

    return JudgedWatch(Settings(home=Path()), judge, told.append)


def looks(one: JudgedWatch, store: Store, number: int) -> list[Any]:
    return [one.look(store) for _ in range(number)]


def test_a_canary_whose_answers_do_not_pass_is_taken_back(store: Store) -> None:
    serve(store, "m1", GOOD, 40)
    serve(store, "m2", BAD, 40)
    told: list[Any] = []
    found = looks(watch(store, told), store, 3)
    assert found[0] is None
    row = store.promotions.history()[-1]
    assert row.automatic
    assert row.decided_by.startswith("automatic (daemon ")
    assert row.reason is not None
    assert "pass rate: 20 of 20 requests did not pass, of m1 0 of 20" in row.reason
    assert (told[0]["model"], told[0]["answers"]) == ("m2", "m1")
    assert len(told) == 1


@pytest.mark.parametrize("code", [GOOD, "nobody can say"])
def test_who_passes_or_cannot_be_judged_is_left_alone(store: Store, code: str) -> None:
    serve(store, "m1", GOOD, 60)
    serve(store, "m2", code, 60)
    assert looks(watch(store, []), store, 7) == [None] * 7
    assert store.promotions.course().canary is not None


def test_answers_given_before_the_trial_are_not_held_against_it(store: Store) -> None:
    old = store.promotions.course().canary
    assert old is not None
    serve(store, "m2", BAD, 60)
    store.promotions.rollback("Ada")
    store.promotions.promote("m2", old.model_sha256, str(old.report_sha256), "Ada", share=0.3)
    serve(store, "m1", GOOD, 60)
    serve(store, "m2", GOOD, 30)
    assert looks(watch(store, []), store, 7) == [None] * 7


def finished(store: Store) -> Store:
    """m2 in production, which was the canary until now."""
    one = store.promotions.course().canary
    assert one is not None
    store.promotions.promote("m2", one.model_sha256, str(one.report_sha256), "Ada")
    return store


def test_a_fresh_promotion_that_does_worse_than_before_is_doubted_first(store: Store) -> None:
    serve(store, "m1", GOOD, 40)
    decision = finished(store).promotions.course().promoted[-1].id
    serve(store, "m2", BAD, 40)
    told: list[Any] = []
    one = watch(store, told)
    assert looks(one, store, 4) == [None] * 4
    assert store.tallies.began(doubt_of(decision)) is not None
    serve(store, "m2", GOOD, 30)
    serve(store, "m1", GOOD, 30)
    assert looks(one, store, 5) == [None] * 5
    assert told == []


def test_worse_on_the_same_traffic_it_is_taken_back_by_the_daemon(store: Store) -> None:
    serve(store, "m1", GOOD, 40)
    finished(store)
    serve(store, "m2", BAD, 40)
    told: list[Any] = []
    one = watch(store, told)
    looks(one, store, 4)
    serve(store, "m2", BAD, 30)
    serve(store, "m1", GOOD, 30)
    looks(one, store, 4)
    assert (told[0]["model"], told[0]["answers"]) == ("m2", "m1")
    assert store.promotions.course().production == "m1"


def test_where_nobody_holds_back_the_daemon_goes_by_what_was_before(store: Store) -> None:
    serve(store, "m1", GOOD, 40)
    finished(store)
    serve(store, "m2", BAD, 40)
    one = watch(store, [])
    looks(one, store, 4)
    serve(store, "m2", BAD, 39)
    assert looks(one, store, 4) == [None] * 4
    serve(store, "m2", BAD, 1)
    assert any(looks(one, store, 4))


def test_the_funnel_judges_by_the_metric_of_the_promotion_rule(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval/promotion.toml").write_text('metric = "parses"\n')
    serve(store, "m2", "x = 1", 1)
    serve(store, "m2", "def f(:", 1)
    answers = store.generations.find(model="m2")

    class Engine:
        def run_many(self, codes: list[str], *_: Any, **__: Any) -> list[Any]:
            return []

    monkeypatch.setattr("qc_builder_lora.backtest.engines.ready_engine", lambda _: Engine())
    monkeypatch.setattr("qc_builder_lora.eval.score.compiles", lambda codes, cache: [])
    by_code = {one.id: one.code for one in answers if one.code == "def f(:"}
    bad = [one for one in answers if one.id in by_code]
    assert funnel_judge(Settings(home=tmp_path))(bad) == {bad[0].id: False}
