"""Code whose source asks for it in other words today: the old words are taught no more."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from qc_builder_lora.cli.corpus import command
from qc_builder_lora.harvest.corpus.candidate import Candidate, Execution, Funnel, keep
from qc_builder_lora.harvest.corpus.standing import forget_changed, reasons, standings
from qc_builder_lora.harvest.corpus.wording import EarlierWordings, supersede
from qc_builder_lora.harvest.snapshot import build_snapshot
from qc_builder_lora.records import BacktestStatus
from qc_builder_lora.store import Store

from ..conftest import Engine, Told
from .test_candidate import candidate, passes


def worded(words: str, day: int, **changed: Any) -> Candidate:
    given = {"source": "lean", "version": "LEAN 1", "parameters": {}, "place": f"{day}.py"}
    return candidate(day, instruction=f"{words} after day {day}.", **{**given, **changed})


def added(store: Store, given: list[Candidate], engine: Engine | None = None) -> Funnel:
    """What `corpus add` does of a whole source."""
    funnel = keep(store, given, Execution(engine or Engine(), passes), Funnel(given[0].source))
    forget_changed(store, funnel, given[0].version)
    supersede(store, given)
    return funnel


def taught(store: Store) -> set[str]:
    """The instructions that a snapshot built now has."""
    snapshot, _ = build_snapshot(store, [])
    return {one.instruction for one in store.examples.of_snapshot(snapshot.id)}


def asked(given: list[Candidate]) -> set[str]:
    return {one.instruction for one in given}


def test_todays_words_take_the_place_of_the_old_ones_and_old_snapshots_keep_theirs(
    store: Store,
) -> None:
    old = [worded("Buy AAPL when the month is", day) for day in (3, 9, 15, 21)]
    added(store, old)
    before, _ = build_snapshot(store, [])
    # Comments are no other code, and another commit is no other source.
    new = [replace(worded("Hold AAPL in each month", day), code=f"# v2\n{worded('', day).code}",
                   version="LEAN 2") for day in (3, 9, 15, 21)]  # fmt: skip
    added(store, new)
    after, report = build_snapshot(store, [])
    members = {one.instruction for one in store.examples.of_snapshot(after.id)}
    assert members
    assert members <= asked(new)
    assert report.left_out["an earlier wording"] == 4
    kept_of_old = {one.instruction for one in store.examples.of_snapshot(before.id)}
    assert kept_of_old
    assert kept_of_old <= asked(old)
    assert store.examples.count() == 8


def test_the_old_words_are_in_no_table_and_no_reason(store: Store) -> None:
    added(store, [worded("Buy AAPL", day) for day in (3, 9)])
    new = [worded("Hold AAPL", day) for day in (3, 9)]
    added(store, new)
    # A second time nothing changes.
    added(store, new)
    (row,) = standings(store)
    assert (row.counts["in"], row.counts["kept"], row.not_applicable) == (2, 2, 0)
    assert reasons(store, "lean") == []
    earlier = EarlierWordings(store)
    assert sum(map(earlier.has, store.examples.each())) == 2


def test_words_that_come_back_are_todays_again(store: Store) -> None:
    first, second = [worded("Buy AAPL", 3)], [worded("Hold AAPL", 3)]
    others = [worded("Trade AAPL", day) for day in (9, 15, 21, 27)]
    for given in (first, second, first):
        added(store, [*given, *others])
    found = taught(store)
    assert not asked(second) & found
    earlier = EarlierWordings(store)
    assert [one.instruction for one in store.examples.each() if earlier.has(one)] == [
        "Hold AAPL after day 3."
    ]


def test_nothing_is_superseded_by_what_is_not_kept_or_is_of_elsewhere(store: Store) -> None:
    added(store, [worded("Buy AAPL", 3)])
    fails = {worded("", 3).code: {"status": BacktestStatus.FAILED, "phase": "run"}}
    added(store, [worded("Hold AAPL", 3)], Engine(fails))
    added(store, [worded("Mine: hold AAPL", 3, source="folder", version="mine")])
    added(store, [worded("Yours: hold AAPL", 3, source="folder", version="yours")])
    added(store, [worded("Free: hold AAPL", 3, source="folder", version="mine", licence="ISC")])
    earlier = EarlierWordings(store)
    assert not any(map(earlier.has, store.examples.each()))
    added(store, [worded("Now: hold AAPL", 3, source="folder", version=f"mine {'a1' * 20}")])
    earlier = EarlierWordings(store)
    assert [one.instruction for one in store.examples.each() if earlier.has(one)] == [
        "Mine: hold AAPL after day 3."
    ]


def test_pairs_of_the_old_words_go_with_them(store: Store) -> None:
    old = worded("Buy AAPL", 3)
    added(store, [old])
    origin = {"kind": "fix", "mutation": "m", "base": old.id, "source": "lean", "broken": "x = ("}
    pair = Told(store).example(7, source="error-fix", origin=origin)
    others = [worded("Trade AAPL", day) for day in (9, 15, 21, 27)]
    added(store, [worded("Hold AAPL", 3), *others])
    snapshot, report = build_snapshot(store, [])
    assert pair.id not in snapshot.members
    assert report.left_out["made from an earlier wording"] == 1


def test_the_list_of_examples_counts_todays_words_alone(
    store: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    added(store, [worded("Buy AAPL", day) for day in (3, 9, 15)])
    added(store, [worded("Hold AAPL", day) for day in (3, 9)])
    monkeypatch.setenv("QC_LORA_DATABASE", url)
    said = CliRunner().invoke(command, ["list", "--json"])
    assert json.loads(said.stdout) == [{"source": "lean", "family": "calendar", "examples": 3}]
