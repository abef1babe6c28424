"""A canary: a Model that answers for a share of the Builds, bound and kept as a promotion is."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from qc_builder_lora.errors import PromotionRefused
from qc_builder_lora.ids import text_hash
from qc_builder_lora.records import PromotionAction, Stage
from qc_builder_lora.store import Store
from qc_builder_lora.store.checks import check_store

Child = Callable[..., subprocess.Popen[str]]


def stages(store: Store) -> dict[str, str]:
    return {model.id: model.stage.value for model in store.models.each()}


def canary(
    store: Store, make: Any, key: str = "m2", champion: str = "m1", share: float = 0.1
) -> Any:
    model = make.candidate(store, key, champion)
    report = text_hash(champion + key)
    return store.promotions.promote(key, model.sha256, report, "Ada", share=share)


def test_a_canary_leaves_production_where_it_is_and_says_its_share(store: Store, make: Any) -> None:
    make.promoted(store, "m1")
    made = canary(store, make)
    assert (made.action, made.share, made.previous_model_id) == (PromotionAction.CANARY, 0.1, "m1")
    assert made.report_sha256 == text_hash("m1m2")
    assert stages(store) == {"m1": "production", "m2": "shadow"}
    course = store.promotions.course()
    assert (course.production, course.canary, course.latest) == ("m1", made, made)
    assert store.promotions.history()[-1] == made


def test_a_canary_is_finished_and_the_one_before_is_archived(store: Store, make: Any) -> None:
    make.promoted(store, "m1")
    first = canary(store, make)
    made = store.promotions.promote("m2", first.model_sha256, first.report_sha256, "Bob")
    assert (made.action, made.share, made.previous_model_id) == ("promote", None, "m1")
    assert stages(store) == {"m1": "archived", "m2": "production"}
    assert store.promotions.course().canary is None
    assert store.promotions.rollback("Ada").model_id == "m1"


def test_a_rollback_ends_the_canary_first_and_a_promotion_only_then(
    store: Store, make: Any
) -> None:
    make.promoted(store, "m0")
    make.promoted(store, "m1", "m0")
    canary(store, make)
    ended = store.promotions.rollback("Ada", "It is slow.")
    assert (ended.action, ended.model_id, ended.previous_model_id) == ("rollback", "m1", "m2")
    assert stages(store) == {"m0": "archived", "m1": "production", "m2": "archived"}
    assert store.promotions.course().canary is None
    assert store.promotions.rollback("Ada").model_id == "m0"


def test_a_canary_beside_hosted_models_alone_ends_with_nobody_in_production(
    store: Store, make: Any
) -> None:
    made = canary(store, make, "m1", "base:gemma")
    assert (made.previous_model_id, store.models.production()) == (None, None)
    ended = store.promotions.rollback("Ada")
    assert (ended.model_id, ended.previous_model_id) == ("m1", "m1")
    assert store.promotions.course().latest is None
    assert stages(store) == {"m1": "archived"}


def test_its_share_can_be_changed_and_the_last_one_holds(store: Store, make: Any) -> None:
    make.promoted(store, "m1")
    first = canary(store, make)
    store.promotions.promote("m2", first.model_sha256, first.report_sha256, "Ada", share=0.5)
    found = store.promotions.course().canary
    assert found is not None
    assert found.share == 0.5
    store.promotions.rollback("Ada")
    assert store.promotions.course().canary is None


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_a_share_that_is_no_part_is_refused_with_its_value(
    store: Store, make: Any, share: float
) -> None:
    make.promoted(store, "m1")
    with pytest.raises(PromotionRefused, match=f"above 0 and below 1, got {share:g}"):
        canary(store, make, share=share)
    assert stages(store) == {"m1": "production", "m2": "candidate"}


def test_nobody_else_is_promoted_beside_a_canary(store: Store, make: Any) -> None:
    make.promoted(store, "m1")
    canary(store, make, share=0.25)
    model = make.candidate(store, "m3", "m1")
    for share in (None, 0.1):
        with pytest.raises(PromotionRefused, match=r"'m2' is on trial as canary for 25% of the B"):
            store.promotions.promote("m3", model.sha256, text_hash("m1m3"), "Ada", share=share)
    with pytest.raises(PromotionRefused, match="End that with: qc-lora model rollback"):
        store.promotions.reject("m2", text_hash("m1m2"), "Ada")
    assert stages(store) == {"m1": "production", "m2": "shadow", "m3": "candidate"}


def test_a_canary_is_bound_to_artefact_and_report_as_a_promotion_is(
    store: Store, make: Any
) -> None:
    make.promoted(store, "m1")
    model = make.candidate(store, "m2", "m1")
    for sha256, report, fact in (
        (text_hash("tampered"), text_hash("m1m2"), "The artefact has SHA-256"),
        (model.sha256, "f" * 64, "is not in the store"),
    ):
        with pytest.raises(PromotionRefused, match=fact):
            store.promotions.promote("m2", sha256, report, "Ada", share=0.1)
    assert len(store.promotions.history()) == 1


def test_a_rollback_of_a_decision_that_is_no_longer_the_latest_changes_nothing(
    store: Store, make: Any
) -> None:
    first = make.promoted(store, "m1")
    second = canary(store, make)
    with pytest.raises(PromotionRefused, match="Another decision came first: canary of 'm2'"):
        store.promotions.rollback("automatic", of=first.id)
    assert store.promotions.course().canary == second
    assert store.promotions.rollback("automatic", of=second.id).automatic


def test_the_first_promotion_is_taken_back_only_where_that_is_meant(
    store: Store, make: Any
) -> None:
    make.promoted(store, "m1")
    with pytest.raises(PromotionRefused, match="model rollback --to-hosted"):
        store.promotions.rollback("Ada")
    made = store.promotions.rollback("Ada", emptying=True)
    assert (made.model_id, made.previous_model_id) == ("m1", "m1")
    assert store.models.production() is None
    assert store.promotions.course().production is None
    assert store.models.get("m1").stage is Stage.ARCHIVED


def test_the_check_of_the_store_knows_canaries_and_rejections(
    store: Store, make: Any, url: str
) -> None:
    make.promoted(store, "m1")
    canary(store, make)
    store.promotions.rollback("Ada")
    make.candidate(store, "m3", "m1")
    store.promotions.reject("m3", text_hash("m1m3"), "Ada")
    assert [problem for problem in check_store(url).problems if "production" in problem] == []


DECIDE = """
import sys
from qc_builder_lora.errors import PromotionRefused
from qc_builder_lora.store import Store
url, model, sha256, report, share = sys.argv[1:]
with Store.open(url) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        store.promotions.promote(model, sha256, report, "Ada", share=float(share) or None)
        print("won")
    except PromotionRefused as error:
        print(error)
"""


@pytest.mark.parametrize("second", ["0.2", "0"])
def test_of_a_canary_and_another_decision_at_once_one_wins_and_the_other_is_told(
    url: str, make: Any, child: Child, second: str
) -> None:
    with Store.open(url) as store:
        make.promoted(store, "m0")
        for key in ("m1", "m2"):
            make.candidate(store, key, "m0")
        both = [
            child(DECIDE, url, key, text_hash(key), text_hash("m0" + key), share)
            for key, share in (("m1", "0.1"), ("m2", second))
        ]
        for process in both:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in both:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        said = [process.communicate(timeout=60)[0].strip() for process in both]
        assert sorted(line == "won" for line in said) == [False, True], said
        loser = next(line for line in said if line != "won")
        told = ("Another decision came first", "is on trial as canary", "is in production now")
        assert any(words in loser for words in told), loser
        assert len(store.promotions.history()) == 2
