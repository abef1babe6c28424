"""What serving processes count: each writes its own rows and reads the others'."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from qc_builder_lora.errors import StoreError
from qc_builder_lora.store import Store
from qc_builder_lora.store.transfer import export_store


def test_a_process_reads_all_but_its_own_and_what_it_said_last(store: Store) -> None:
    store.tallies.put("a", {("p", "m1"): {"asked": 1}, ("p", "m2"): {"asked": 2}})
    store.tallies.put("b", {("p", "m1"): {"asked": 5}})
    store.tallies.put("a", {("p", "m1"): {"asked": 7, "latencies": [0.5]}})
    found = {(one.process, one.model): one.figures for one in store.tallies.find(but="b")}
    assert found == {("a", "m1"): {"asked": 7, "latencies": [0.5]}, ("a", "m2"): {"asked": 2}}
    assert len(store.tallies.find()) == 3


def test_a_phase_begins_once(store: Store) -> None:
    assert store.tallies.began("p") is None
    store.tallies.put("a", {("p", "m1"): {"asked": 1}})
    first = store.tallies.began("p")
    assert first is not None
    assert first.tzinfo is not None
    store.tallies.put("a", {("p", "m1"): {"asked": 2}})
    store.tallies.put("b", {("p", "m1"): {"asked": 1}})
    assert store.tallies.began("p") == first


def test_phases_that_are_not_kept_are_forgotten(store: Store) -> None:
    store.tallies.put("a", {(phase, "m"): {} for phase in ("", "p", "p:doubt", "q")})
    assert store.tallies.keep({"", "p:doubt"}) == 2
    assert {one.phase for one in store.tallies.find()} == {"", "p:doubt"}


def test_nothing_to_say_asks_nothing_of_the_store(store: Store) -> None:
    store.tallies.put("a", {})
    assert store.tallies.find() == []


def test_many_at_once_lose_nothing(store: Store) -> None:
    def tell(name: str) -> None:
        for asked in range(10):
            store.tallies.put(name, {("p", "m"): {"asked": asked}})

    threads = [threading.Thread(target=tell, args=(f"process {at}",)) for at in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.figures["asked"] for one in store.tallies.find()] == [9] * 6


def test_figures_that_no_number_can_be_are_refused(store: Store) -> None:
    with pytest.raises(StoreError):
        store.tallies.put("a", {("p", "m"): {"asked": float("nan")}})


def test_an_export_leaves_them_out(store: Store, tmp_path: Path) -> None:
    store.tallies.put("a", {("p", "m"): {"asked": 1}})
    done = export_store(store, tmp_path / "all.jsonl")
    assert done.total == 0
    assert "asked" not in (tmp_path / "all.jsonl").read_text()
