"""What the store keeps of the sources of the corpus, on SQLite and on PostgreSQL."""

from typing import Any

from qc_builder_lora.records import Outcome, Step
from qc_builder_lora.store import Store


def test_a_later_look_takes_the_place_of_an_earlier_one(store: Store, make: Any) -> None:
    assert store.entries.put([make.entry("a"), make.entry("b")]) == 2
    later = make.entry("a", step=Step.KEPT, outcome=Outcome.PASS, reason=None, detail=None)
    assert store.entries.put([later]) == 1
    assert store.entries.get(later.id) == later
    assert store.entries.count() == 2


def test_what_says_the_same_again_keeps_its_moment(store: Store, make: Any) -> None:
    first = make.entry("a")
    store.entries.put([first])
    assert store.entries.put([make.entry("a")]) == 0
    assert store.entries.get(first.id).created_at == first.created_at


def test_of_two_under_one_id_in_one_call_the_later_one_counts(store: Store, make: Any) -> None:
    later = make.entry("a", reason="no trades")
    assert store.entries.put([make.entry("a"), later]) == 1
    assert store.entries.get(later.id).reason == "no trades"


def test_they_are_counted_by_source_step_and_outcome(store: Store, make: Any) -> None:
    many = [make.entry(f"{number}") for number in range(1100)]
    left = make.entry("x", step=Step.IN, outcome=None, reason="C#", detail=None)
    other = make.entry("y", source="lean", licence="Apache-2.0")
    store.entries.put([*many, left, other])
    counts = {(row["source"], row["outcome"]): row["count"] for row in store.entries.counts()}
    assert counts == {("docs", Outcome.UNKNOWN): 1100, ("docs", None): 1, ("lean", "UNKNOWN"): 1}
    assert {row["last"] for row in store.entries.counts()} >= {left.created_at, other.created_at}
    assert store.entries.find(source="docs", reason="C#") == [left]


def test_forgotten_entries_are_gone_and_the_others_stay(store: Store, make: Any) -> None:
    entries = [make.entry(name) for name in "abc"]
    store.entries.put(entries)
    assert store.entries.forget([entries[0].id, entries[2].id, "not there"]) == 2
    assert store.entries.find() == [entries[1]]
    assert store.entries.forget([]) == 0
