"""Money in the store: exact, never over the limit, never lost with its process."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from qc_builder_lora.errors import StoreError
from qc_builder_lora.records import Preference, PromotionAction
from qc_builder_lora.store import Store

FIVE = Decimal(5)


def reserve(store: Store, amount: str, build: str = "b", limit: Decimal = FIVE) -> str | None:
    return store.spendings.reserve(build, "anthropic", "claude", Decimal(amount), limit)


def test_fifty_calls_at_once_never_pass_the_limit(url: str) -> None:
    with Store.open(url) as store:
        taken: list[str | None] = []
        start = threading.Barrier(50)

        def call() -> None:
            start.wait()
            taken.append(reserve(store, "0.30"))

        threads = [threading.Thread(target=call) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(taken) == 50
        # 16 times 0.30 are 4.80; a seventeenth would be 5.10.
        assert sum(one is not None for one in taken) == 16
        assert store.spendings.spent("b") == Decimal("4.8")


def test_what_a_dead_process_set_aside_stays_spent_after_a_restart(url: str) -> None:
    with Store.open(url) as store:
        assert reserve(store, "4.9") is not None
    with Store.open(url) as store:
        assert store.spendings.spent("b") == Decimal("4.9")
        assert reserve(store, "0.2") is None
        assert reserve(store, "0.1") is not None


def test_settling_frees_the_rest_and_a_second_time_changes_nothing(store: Store) -> None:
    key = reserve(store, "5")
    assert key is not None
    assert reserve(store, "0.000001") is None
    store.spendings.settle(key, Decimal("0.0000123"))
    store.spendings.settle(key, Decimal(4))
    assert store.spendings.spent("b") == Decimal("0.0000123")
    assert store.spendings.get(key).settled_at is not None


def test_each_build_has_a_budget_of_its_own(store: Store) -> None:
    assert reserve(store, "5", "one") is not None
    assert reserve(store, "5", "two") is not None
    assert store.spendings.spent("three") == 0


def test_a_thousand_small_amounts_add_up_exactly(store: Store) -> None:
    with store.transaction():
        for _ in range(1000):
            assert reserve(store, "0.001") is not None
    assert store.spendings.spent("b") == Decimal(1)


def pair(store: Store, make: Any) -> str:
    request = store.requests.add(make.request())
    answers = [store.generations.add(make.generation(request.id)) for _ in range(2)]
    found: str = store.comparisons.add(make.comparison(request.id, answers[0].id, answers[1].id)).id
    return found


def test_a_rater_may_change_their_mind_but_rates_a_pair_once(store: Store, make: Any) -> None:
    key = pair(store, make)
    store.ratings.rate(make.rating(key))
    changed = store.ratings.rate(make.rating(key, preferred=Preference.TIE, score=None))
    assert store.ratings.find(comparison_id=key) == [changed]
    assert changed.preferred is Preference.TIE
    store.ratings.rate(make.rating(key, rater="Bob"))
    assert len(store.ratings.find(comparisons=[key])) == 2
    assert store.ratings.find(comparisons=[]) == []


def test_a_pair_that_is_not_in_the_store_cannot_be_rated(store: Store, make: Any) -> None:
    with pytest.raises(StoreError, match="comparison_id 'nowhere' is not in the store"):
        store.ratings.rate(make.rating("nowhere"))


def test_a_rejection_is_not_taken_back_by_a_rollback(store: Store, make: Any) -> None:
    make.promoted(store, "m1")
    make.promoted(store, "m2", champion="m1")
    store.promotions.restore([make.promotion("m1", action=PromotionAction.REJECT)])
    store.promotions.rollback("Ada")
    production = store.models.production()
    assert production is not None
    assert production.id == "m1"


def test_promotions_are_still_append_only_after_the_fourth_migration(
    store: Store, make: Any
) -> None:
    make.promoted(store, "m1")
    for verb in ("UPDATE promotions SET decided_by = 'x'", "DELETE FROM promotions"):
        with pytest.raises(StoreError, match="append-only"), store.database.writing() as link:
            link.execute(text(verb))
