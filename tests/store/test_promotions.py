"""A person's decision: bound to hashes, whole or not at all, never rewritten."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from qc_builder_lora.errors import NotFound, PromotionRefused, StoreError
from qc_builder_lora.ids import text_hash
from qc_builder_lora.records import PromotionAction, Stage
from qc_builder_lora.store import Store

BASE = "base:gemma"
Child = Callable[..., subprocess.Popen[str]]


def stages(store: Store) -> dict[str, str]:
    return {model.id: model.stage.value for model in store.models.each()}


def test_the_promoted_model_answers_and_the_one_before_is_archived(store: Store, make: Any) -> None:
    first = make.promoted(store, "m1")
    assert first.previous_model_id is None
    second = make.promoted(store, "m2", champion="m1")
    assert second.previous_model_id == "m1"
    production = store.models.production()
    assert production is not None
    assert production.id == "m2"
    assert stages(store) == {"m1": "archived", "m2": "production"}
    assert store.promotions.history() == [first, second]
    assert store.promotions.find(limit=1) == [second]
    assert store.promotions.find(model_id="m1") == [first]
    assert store.promotions.get(first.id) == first


def test_the_row_says_who_what_and_why(store: Store, make: Any) -> None:
    model = make.candidate(store, "m1")
    report = text_hash(BASE + "m1")
    made = store.promotions.promote("m1", model.sha256, report, "Ada", "Twice as many compile.")
    assert made.action is PromotionAction.PROMOTE
    assert (made.model_sha256, made.report_sha256) == (model.sha256, report)
    assert (made.decided_by, made.reason) == ("Ada", "Twice as many compile.")
    assert store.promotions.history() == [made]


def refused(store: Store, fact: str, *arguments: Any, **options: Any) -> str:
    """The sentence of the refusal; nothing may have changed."""
    before = (stages(store), store.promotions.history())
    with pytest.raises(PromotionRefused, match=fact) as caught:
        store.promotions.promote(*arguments, **options)
    assert (stages(store), store.promotions.history()) == before
    return str(caught.value)


def test_another_artefact_than_the_stored_one_is_refused(store: Store, make: Any) -> None:
    model = make.candidate(store, "m1")
    other = text_hash("tampered")
    message = refused(store, "The artefact has", "m1", other, text_hash(BASE + "m1"), "Ada")
    assert model.sha256 in message
    assert other in message


def test_a_report_that_is_not_stored_is_refused_naming_those_that_are(
    store: Store, make: Any
) -> None:
    model = make.candidate(store, "m1")
    message = refused(store, "is not in the store", "m1", model.sha256, "f" * 64, "Ada")
    assert "f" * 64 in message
    assert text_hash(BASE + "m1") in message
    bare = store.models.add(make.model("m2"))
    assert "none yet" in refused(store, "reports about", "m2", bare.sha256, "f" * 64, "Ada")


def test_a_report_about_another_model_is_refused(store: Store, make: Any) -> None:
    make.candidate(store, "m1")
    model = make.candidate(store, "m2")
    report = text_hash(BASE + "m1")
    refused(
        store, "does not belong to model 'm2': it is about 'm1'", "m2", model.sha256, report, "A"
    )


def test_a_report_against_a_model_that_no_longer_answers_is_refused(
    store: Store, make: Any
) -> None:
    make.promoted(store, "m1")
    stale = make.candidate(store, "m2", champion="m1")
    make.promoted(store, "m3", champion="m1")
    message = refused(
        store, "compares 'm2' with 'm1'", "m2", stale.sha256, text_hash("m1m2"), "Ada"
    )
    assert "'m3' is in production now" in message


def test_what_answers_already_is_not_promoted_again(store: Store, make: Any) -> None:
    made = make.promoted(store, "m1")
    refused(
        store, "'m1' is in production already", "m1", made.model_sha256, made.report_sha256, "Ada"
    )


def test_a_decision_needs_a_name(store: Store, make: Any) -> None:
    model = make.candidate(store, "m1")
    refused(store, "needs the name", "m1", model.sha256, text_hash(BASE + "m1"), "  ")


def test_an_unknown_model_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="No model named 'm9'"):
        store.promotions.promote("m9", "a", "b", "Ada")


def test_production_must_be_what_the_person_saw(store: Store, make: Any) -> None:
    made = make.promoted(store, "m1")
    model = make.candidate(store, "m2")
    arguments = ("m2", model.sha256, text_hash(BASE + "m2"), "Ada")
    refused(
        store, "was to replace no model, but 'm1' is in production now", *arguments, replaces=None
    )
    assert store.promotions.promote(*arguments, replaces="m1").previous_model_id == made.model_id


def test_rollback_goes_back_one_promotion_at_a_time(store: Store, make: Any) -> None:
    make.promoted(store, "m1")
    make.promoted(store, "m2")
    back = store.promotions.rollback("Ada", "It stopped trading.")
    assert (back.action, back.model_id, back.previous_model_id) == ("rollback", "m1", "m2")
    assert (back.reason, back.model_sha256) == ("It stopped trading.", text_hash("m1"))
    make.promoted(store, "m3")
    make.promoted(store, "m4")
    assert [store.promotions.rollback("Ada").model_id for _ in range(2)] == ["m3", "m1"]
    assert stages(store) == {
        "m1": "production",
        "m2": "archived",
        "m3": "archived",
        "m4": "archived",
    }
    with pytest.raises(PromotionRefused, match="no earlier model to go back to: 'm1' is the first"):
        store.promotions.rollback("Ada")
    assert len(store.promotions.history()) == 7


def test_rollback_of_nothing_is_refused(store: Store, make: Any) -> None:
    with pytest.raises(PromotionRefused, match="none was ever in production"):
        store.promotions.rollback("Ada")
    make.promoted(store, "m1")
    make.promoted(store, "m2")
    with pytest.raises(PromotionRefused, match="needs the name"):
        store.promotions.rollback("")


def test_a_model_taken_back_may_be_promoted_again(store: Store, make: Any) -> None:
    make.promoted(store, "m1")
    second = make.promoted(store, "m2", champion="m1")
    store.promotions.rollback("Ada")
    again = store.promotions.promote("m2", second.model_sha256, second.report_sha256, "Ada")
    assert again.previous_model_id == "m1"
    assert stages(store) == {"m1": "archived", "m2": "production"}


def test_order_does_not_depend_on_the_clock(store: Store, make: Any, url: str) -> None:
    rows = []
    for number, moment in enumerate((make.later(), make.later(), make.later())):
        rows.append(make.promotion(f"m{number}", created_at=moment))
        store.models.add(make.model(f"m{number}"))
    store.promotions.restore(list(reversed(rows)))
    assert store.promotions.history() == list(reversed(rows))


@pytest.mark.parametrize(
    "statement", ["UPDATE promotions SET decided_by = 'Eve'", "DELETE FROM promotions"]
)
def test_the_database_refuses_to_rewrite_history(store: Store, make: Any, statement: str) -> None:
    made = make.promoted(store, "m1")
    with pytest.raises(StoreError, match="append-only"), store.database.writing() as connection:
        connection.execute(text(statement))
    assert store.promotions.history() == [made]
    assert not hasattr(store.promotions, "update")
    assert not hasattr(store.promotions, "add")


def test_postgresql_refuses_to_empty_the_history_too(databases: Any, make: Any) -> None:
    with Store.open(databases.migrated("postgresql")) as store:
        make.promoted(store, "m1")
        with pytest.raises(StoreError, match="append-only"), store.database.writing() as link:
            link.execute(text("TRUNCATE promotions"))


def test_the_database_refuses_a_second_model_in_production(store: Store, make: Any) -> None:
    make.promoted(store, "m1")
    store.models.add(make.model("m2"))
    with pytest.raises(StoreError), store.database.writing() as connection:
        connection.execute(text("UPDATE models SET stage = 'production' WHERE id = 'm2'"))
    with pytest.raises(StoreError, match="'m1' is in production here, and only one can be"):
        store.models.restore([make.model("m3", stage=Stage.PRODUCTION)])
    assert stages(store) == {"m1": "production", "m2": "candidate"}


def test_production_is_not_left_by_the_back_door(store: Store, make: Any) -> None:
    make.promoted(store, "m1")
    with pytest.raises(StoreError, match="only a promotion moves"):
        store.models.set_stage("m1", Stage.ARCHIVED)
    with pytest.raises(StoreError, match="differs in stage"):
        store.models.add(replace(store.models.get("m1"), stage=Stage.ARCHIVED))


def test_a_promotion_that_fails_late_changes_no_stage(store: Store, make: Any) -> None:
    make.promoted(store, "m1")
    model = make.candidate(store, "m2", champion="m1")
    with suppress(ZeroDivisionError), store.transaction():
        store.promotions.promote("m2", model.sha256, text_hash("m1m2"), "Ada")
        raise ZeroDivisionError
    assert stages(store) == {"m1": "production", "m2": "candidate"}
    assert len(store.promotions.history()) == 1


PROMOTE = """
import sys
from qc_builder_lora.errors import PromotionRefused
from qc_builder_lora.store import Store
url, model, sha256, report = sys.argv[1:]
with Store.open(url) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        store.promotions.promote(model, sha256, report, "Ada", replaces="m0")
        print("won")
    except PromotionRefused as error:
        print(error)
"""


def test_of_two_promotions_at_once_one_wins_and_the_other_is_told(
    url: str, make: Any, child: Child
) -> None:
    with Store.open(url) as store:
        make.promoted(store, "m0")
        for key in ("m1", "m2"):
            make.candidate(store, key)
        both = [
            child(PROMOTE, url, key, text_hash(key), text_hash(BASE + key)) for key in ("m1", "m2")
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
        assert "Another decision came first" in loser or "is in production now" in loser
        assert len(store.promotions.history()) == 2
        assert sorted(stages(store).values()) == ["archived", "candidate", "production"]


def test_a_promotion_that_waited_for_another_notices_it(databases: Any, make: Any) -> None:
    """Deterministically: the second has begun before the first is complete."""
    import threading

    url = databases.migrated("postgresql")
    with Store.open(url) as store:
        for key in ("m1", "m2"):
            make.candidate(store, key)
        said: list[str] = []

        def second() -> None:
            try:
                store.promotions.promote("m2", text_hash("m2"), text_hash(BASE + "m2"), "Bob")
            except PromotionRefused as error:
                said.append(str(error))

        thread = threading.Thread(target=second)
        with store.transaction():
            store.promotions.promote("m1", text_hash("m1"), text_hash(BASE + "m1"), "Ada")
            thread.start()
            _wait_for_a_waiting_lock(url)
        thread.join()
        assert len(said) == 1
        assert "Another decision came first: promote of 'm1' by Ada" in said[0]
        assert stages(store) == {"m1": "production", "m2": "candidate"}


def _wait_for_a_waiting_lock(url: str) -> None:
    import time

    with Store.open(url) as watcher:
        for _ in range(600):
            with watcher.database.reading() as connection:
                waiting = connection.scalar(
                    text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype='advisory'")
                )
            if waiting:
                return
            time.sleep(0.05)
    raise AssertionError("nobody waits")
