"""A budget in the store: it outlives its process, and an hour without the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from qc_builder_lora.errors import StoreUnavailable
from qc_builder_lora.models.ledger import StoreLedger
from qc_builder_lora.store import Store

FIVE = Decimal(5)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def opened(url: str) -> Callable[[], Store]:
    return lambda: Store.open(url, busy_s=0.05)


def reserve(ledger: StoreLedger, amount: str, limit: Decimal = FIVE) -> str | None:
    return ledger.reserve("b", "openai", "gpt", Decimal(amount), limit)


def test_nothing_is_opened_before_the_first_paid_call(opened: Callable[[], Store]) -> None:
    calls: list[int] = []

    def counting() -> Store:
        calls.append(1)
        return opened()

    ledger = StoreLedger(counting)
    assert calls == []
    assert reserve(ledger, "1") is not None
    assert reserve(ledger, "1") is not None
    assert calls == [1]
    ledger.close()


def test_a_second_process_finds_the_budget_as_the_first_one_left_it(
    opened: Callable[[], Store],
) -> None:
    first, second = StoreLedger(opened), StoreLedger(opened)
    key = reserve(first, "4")
    assert key is not None
    assert reserve(second, "2") is None
    first.settle(key, Decimal("0.5"))
    assert second.spent("b") == Decimal("0.5")
    assert reserve(second, "4.5") is not None
    first.close()
    second.close()


def test_while_the_store_is_locked_the_budget_holds_and_is_written_afterwards(
    opened: Callable[[], Store], tmp_path: Path
) -> None:
    clock = Clock()
    ledger = StoreLedger(opened, clock)
    before = reserve(ledger, "2")
    assert before is not None
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    during = reserve(ledger, "2.5")
    assert during is not None
    # What the store said before it was locked still counts.
    assert reserve(ledger, "0.6") is None
    ledger.settle(before, Decimal("0.1"))
    ledger.settle(during, Decimal("0.25"))
    ledger.settle(during, Decimal(4))
    other.execute("ROLLBACK")
    other.close()
    assert ledger.waiting == 2
    clock.now += 60
    assert ledger.spent("b") == Decimal("0.35")
    assert ledger.waiting == 0
    ledger.close()
    with opened() as store:
        assert store.spendings.spent("b") == Decimal("0.35")
        assert {one.id: one.cost_usd for one in store.spendings.find()} == {
            before: Decimal("0.1"),
            during: Decimal("0.25"),
        }


def test_a_call_that_began_without_the_store_is_settled_in_it(
    opened: Callable[[], Store],
) -> None:
    clock, gone = Clock(), [True]

    def flaky() -> Store:
        if gone[0]:
            raise StoreUnavailable("the database is not reachable.")
        return opened()

    ledger = StoreLedger(flaky, clock)
    key = reserve(ledger, "3")
    assert key is not None
    gone[0] = False
    clock.now += 60
    assert ledger.spent("b") == Decimal(3)
    ledger.settle(key, Decimal(1))
    assert ledger.spent("b") == Decimal(1)
    ledger.close()


def test_a_store_that_stays_away_loses_nothing_silently(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def never() -> Store:
        raise StoreUnavailable("the database is not reachable.")

    ledger = StoreLedger(never)
    assert reserve(ledger, "3") is not None
    assert reserve(ledger, "3") is None
    ledger.close()
    told = caplog.text
    assert "spending is counted in memory" in told
    assert "spending could not be written to the store" in told
