"""Pairs of the store's own examples: proven, kept once, with all that says where they are from."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from qc_builder_lora.backtest.check import CheckResult
from qc_builder_lora.harvest.corpus.candidate import Execution, Funnel, keep
from qc_builder_lora.harvest.corpus.fixes import pairs
from qc_builder_lora.harvest.corpus.fixes.asking import STYLES, asked
from qc_builder_lora.harvest.corpus.fixes.kinds import MUTATIONS
from qc_builder_lora.harvest.corpus.fixes.mutation import Stage
from qc_builder_lora.harvest.corpus.fixes.pairs import add_pairs, break_one, broken_ones
from qc_builder_lora.harvest.corpus.standing import standings
from qc_builder_lora.harvest.corpus.starter import draws, load_manifest
from qc_builder_lora.ids import now
from qc_builder_lora.records import BacktestStatus, Example, Outcome
from qc_builder_lora.store import Store

from ..conftest import Engine, code
from ..corpus.test_candidate import candidate, passes

GOOD = [code(day) for day in range(1, 41)]


def refuses_what_is_new(codes: Sequence[str]) -> list[CheckResult]:
    """A checker that knows the good codes and lets nothing else pass."""
    return [
        CheckResult(Outcome.PASS, ())
        if one in GOOD
        else CheckResult(Outcome.FAIL, ("line 5: no such thing [attr-defined]",))
        for one in codes
    ]


@pytest.fixture
def bases(kept: Store) -> Store:
    given = [candidate(day) for day in range(1, 41)]
    keep(kept, given, Execution(Engine(), passes), Funnel("test"))
    return kept


def add(store: Store, count: int = 40, seed: int = 1, **changed: Any) -> pairs.FixFunnel:
    execution = changed.pop("execution", Execution(Engine(), refuses_what_is_new))
    return add_pairs(store, execution, count, seed, **changed)


def fixes(store: Store) -> list[Example]:
    return store.examples.find(source="error-fix")


def test_a_pair_holds_the_broken_code_its_message_and_the_good_code_as_the_answer(
    bases: Store,
) -> None:
    funnel = add(bases)
    assert funnel.counts["kept"] == len(fixes(bases)) > 20
    for one in fixes(bases):
        origin = one.origin
        assert origin is not None
        base = bases.examples.get(origin["base"])
        assert one.kind == origin["kind"] == "fix"
        assert base.kind == "write"
        assert one.code == base.code != origin["broken"]
        assert origin["broken"].strip("\n") in one.instruction
        assert origin["mutation"] in MUTATIONS
        assert (origin["seed"], origin["source"]) == (1, "test")
        said = "no such thing" if origin["stage"] == "compile" else "line "
        assert said in one.instruction or "class" in one.instruction
        assert (one.family, one.licence, one.parameters) == (
            base.family,
            base.licence,
            base.parameters,
        )
        assert (one.strategy_id, one.backtest_id) == (base.strategy_id, base.backtest_id)


def test_the_second_time_nothing_is_proven_and_nothing_is_added(bases: Store) -> None:
    first = add(bases)
    asked_for: list[int] = []

    def check(codes: Sequence[str]) -> list[CheckResult]:
        asked_for.append(len(codes))
        return refuses_what_is_new(codes)

    second = add(bases, execution=Execution(Engine(), check))
    assert second.counts["new"] == 0
    assert second.counts["kept"] == first.counts["kept"] == len(fixes(bases))
    assert not asked_for, "what was refused is remembered too"
    assert second.stopped == first.stopped
    add(bases, execution=Execution(Engine(), check, again=True))
    assert sum(asked_for) <= first.counts["in"] - first.counts["kept"]


def test_the_table_of_sources_has_a_row_for_them(bases: Store) -> None:
    funnel = add(bases, execution=Execution(Engine(), passes))
    (row,) = (one.plain() for one in standings(bases) if one.source == "error-fix")
    assert row["in"] == row["trades"] == 40
    assert row["kept"] == funnel.counts["kept"] < 40
    assert row["stopped"] == dict(funnel.stopped)


def test_another_checker_or_engine_is_asked_again(bases: Store) -> None:
    add(bases, execution=Execution(Engine(), passes))
    newer = Engine()
    newer.version = "2"
    funnel = add(bases, execution=Execution(newer, refuses_what_is_new))
    assert funnel.counts["new"] > 0


def test_stopped_in_the_middle_it_goes_on_to_what_an_unbroken_run_gives(
    bases: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "CHUNK", 7)
    chunks: list[int] = []

    def stops(codes: Sequence[str]) -> list[CheckResult]:
        chunks.append(len(codes))
        if len(chunks) == 3:
            raise KeyboardInterrupt
        return refuses_what_is_new(codes)

    with pytest.raises(KeyboardInterrupt):
        add(bases, execution=Execution(Engine(), stops))
    part = {one.id for one in fixes(bases)}
    assert part
    add(bases)
    whole = {one.id for one in fixes(bases)}
    assert part < whole
    wanted = {one.key for one in broken_ones(bases, 40, 1, lambda _: True)}
    having = {
        (one.origin["base"], one.origin["mutation"], one.origin["seed"])
        for one in fixes(bases)
        if one.origin
    }
    assert having <= wanted


def test_a_larger_count_adds_to_a_smaller_one_and_another_seed_gives_others(bases: Store) -> None:
    add(bases, count=10)
    few = {one.id for one in fixes(bases)}
    add(bases, count=40)
    many = {one.id for one in fixes(bases)}
    assert few < many
    add(bases, count=40, seed=2)
    assert many < {one.id for one in fixes(bases)}


def test_every_example_is_broken_once_before_any_is_broken_twice(bases: Store) -> None:
    drawn = [one.base.id for one in broken_ones(bases, 60, 1, lambda _: True)]
    assert len(set(drawn[:40])) == 40
    assert len(drawn) == 60
    both = [one for one in broken_ones(bases, 80, 1, lambda _: True) if one.base.id == drawn[0]]
    assert len({one.mutation.name for one in both}) == 2


def test_mistakes_that_few_codes_have_a_place_for_are_taken_too() -> None:
    drawn = list(draws(load_manifest("full"), set()))
    taken: Counter[str] = Counter()
    for number, draw in enumerate(drawn[:: len(drawn) // 700]):
        base = Example(
            id=f"base {number}", instruction="Buy.", code=draw.code, family=draw.family.name,
            source="families", licence="Apache-2.0", created_at=now(),
        )  # fmt: skip
        broken = break_one(base, 0, 1)
        assert broken is not None
        taken[broken.mutation.name] += 1
    assert len(set(MUTATIONS) - set(taken)) <= 3
    assert taken["window_holds_the_bar"] >= 3
    assert taken["wrong_scale"] >= 3
    # And what every code has a place for is not taken all the time.
    assert max(taken.values()) < sum(taken.values()) / 20, taken.most_common(3)


def test_what_does_not_fail_and_what_the_engine_cannot_say_is_dropped_and_counted(
    bases: Store,
) -> None:
    fine = add(bases, execution=Execution(Engine(), passes))
    assert fine.counts["in"] == 40
    assert fine.stopped["did not fail"] > 0
    assert fine.counts["kept"] + sum(fine.stopped.values()) == 40
    drawn = list(broken_ones(bases, 40, 2, lambda _: True))
    table = {
        one.code: {"status": BacktestStatus.UNKNOWN, "reason": "not modelled: x"} for one in drawn
    }
    cannot = add(bases, seed=2, execution=Execution(Engine(table), passes))
    assert cannot.stopped["the engine says UNKNOWN"] > 0
    assert cannot.stages["run"] == cannot.stages["trades"] == 0


def test_the_engines_own_words_are_the_message(bases: Store) -> None:
    drawn = list(broken_ones(bases, 80, 1, lambda _: True))
    reason = "KeyError: Close (line 14: x)"
    table = {one.code: {"status": BacktestStatus.FAILED, "reason": reason} for one in drawn}
    funnel = add(bases, count=80, execution=Execution(Engine(table), passes))
    assert funnel.stages["run"] > 0
    ran = [one for one in fixes(bases) if (one.origin or {})["stage"] == "run"]
    assert all(f"Runtime Error: {reason}" in one.instruction for one in ran)


def test_no_trades_is_told_with_the_engines_figures(
    bases: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = {key: kind for key, kind in MUTATIONS.items() if Stage.TRADES in kind.meant}
    monkeypatch.setattr(pairs, "MUTATIONS", silent)
    drawn = list(broken_ones(bases, 40, 1, lambda _: True))
    refused = {"id": 1, "status": "invalid", "message": "Insufficient buying power", "fills": []}
    table = {
        one.code: {"orders": (refused,), "statistics": {"Total Orders": "1", "Net Profit": "0%"}}
        for one in drawn
    }
    funnel = add(bases, execution=Execution(Engine(table), passes))
    assert funnel.stages["trades"] > 0
    one = next(one for one in fixes(bases) if (one.origin or {})["stage"] == "trades")
    assert "no order was filled: Total Orders 1, Net Profit 0%" in one.instruction
    assert "Order 1: invalid: Insufficient buying power" in one.instruction


def test_what_is_not_taken_and_what_was_not_executed_is_never_broken(bases: Store) -> None:
    drawn = broken_ones(bases, 99, 1, lambda one: one.parameters["day"] > 20)
    assert {one.base.parameters["day"] for one in drawn} == set(range(21, 41))
    add(bases)
    again = {one.base.id for one in broken_ones(bases, 999, 3, lambda _: True)}
    assert not again & {one.id for one in fixes(bases)}, "a pair was broken again"


def test_the_styles_of_asking_are_many_and_each_holds_code_and_message() -> None:
    texts = [asked(number, "Buy AAPL.", "line 1: no", "x = 1\n") for number in range(len(STYLES))]
    assert len({text for _, text in texts}) == len(STYLES) >= 6
    assert all("x = 1" in text and "line 1: no" in text for _, text in texts)
    assert [style for style, text in texts if "Buy AAPL." not in text] == ["bare"]
    assert asked(3, "$x", "$message $y", "z")[1].count("$message $y") == 1
