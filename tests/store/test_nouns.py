"""Adding, getting, finding and changing records, on both databases."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from qc_builder_lora.errors import (
    DiskFull,
    NotFound,
    StoreBusy,
    StoreError,
    StoreUnavailable,
)
from qc_builder_lora.ids import text_hash
from qc_builder_lora.records import BacktestStatus, Outcome, Role, RunStatus, Split, Stage
from qc_builder_lora.store import Store

HARVEST = ("G1 parse", "G2 compile")


# Values


def test_a_time_comes_back_aware_and_in_utc(store: Store, make: Any) -> None:
    kathmandu = timezone(timedelta(hours=5, minutes=45))
    moment = datetime(2026, 3, 1, 0, 30, 0, 7, tzinfo=kathmandu)
    build = store.builds.get(store.builds.add(make.build(started_at=moment)).id)
    assert build.started_at == moment
    assert build.started_at.tzinfo is UTC
    assert build.started_at.isoformat() == "2026-02-28T18:45:00.000007+00:00"


def test_a_time_without_zone_is_refused(store: Store, make: Any) -> None:
    with pytest.raises(StoreError) as caught:
        store.builds.add(make.build(started_at=datetime(2026, 1, 1)))
    assert "Build.started_at is 2026-01-01T00:00:00, which has no time zone" in str(caught.value)
    assert "qc_builder_lora.ids.now()" in str(caught.value)
    with pytest.raises(StoreError, match="no time zone"):
        store.builds.find(since=datetime(2026, 1, 1))
    assert store.builds.count() == 0


@pytest.mark.parametrize(
    "amount", ["0", "0.10", "1E+3", "-0", "0.00000000000000000000001", "123456789012345678901.01"]
)
def test_money_is_exact(store: Store, make: Any, amount: str) -> None:
    build = store.builds.add(make.build(cost_usd=Decimal(amount)))
    kept = store.builds.get(build.id).cost_usd
    assert isinstance(kept, Decimal)
    assert kept == Decimal(amount)


def test_unknown_money_is_none_and_not_zero(store: Store, make: Any) -> None:
    build = store.builds.add(make.build())
    assert store.builds.get(build.id).cost_usd is None


@pytest.mark.parametrize(
    ("amount", "fact"),
    [
        (0.1, "money is never a float"),
        (1, "must be a Decimal"),
        (Decimal("NaN"), "Use None for unknown"),
        (Decimal("Infinity"), "must be a finite amount"),
        (Decimal("1E+999999"), "at most 60 digits"),
        (Decimal("1E-999999"), "at most 60 digits"),
    ],
)
def test_money_that_cannot_be_kept_exactly_is_refused(
    lite: Store, make: Any, amount: Any, fact: str
) -> None:
    with pytest.raises(StoreError, match=fact) as caught:
        lite.builds.add(make.build(cost_usd=amount))
    assert str(caught.value).startswith("Build.cost_usd ")


HOSTILE = "a\x00b \ud800 \udfff\ud83d\ude00 \x1a0000 🚀 \r\n\u2028 ' \" \\"


def test_any_text_comes_back_as_it_was(store: Store, make: Any) -> None:
    request = store.requests.add(make.request(HOSTILE, id=text_hash(HOSTILE)))
    generation = store.generations.add(make.generation(request.id, code=HOSTILE, error=HOSTILE))
    kept = store.generations.get(generation.id)
    assert (kept.code, kept.error) == (HOSTILE, HOSTILE)
    assert store.requests.get(request.id).instruction == HOSTILE


def test_any_json_comes_back_as_it_was(store: Store, make: Any) -> None:
    strategy = store.strategies.add(make.strategy())
    evidence = {
        HOSTILE: [HOSTILE, {"deep": [[], {}, None, True, False, 1, 1.0, -0.5, 1e300, 5e-324]}],
        "big": 10**30,
        "": {"z": 1, "a": 2},
    }
    gate = store.gates.add(make.gate(strategy.id, "G1 parse", Outcome.PASS, evidence=evidence))
    kept = store.gates.get(gate.id).evidence
    assert kept == evidence
    assert list(kept) == list(evidence)
    assert [type(item) for item in kept[HOSTILE][1]["deep"][5:8]] == [int, float, float]


@pytest.mark.parametrize(
    ("evidence", "fact"),
    [
        ({"a": [1, {"b": float("nan")}]}, r"has nan at .a\[1\].b; JSON has no such number"),
        ({"a": {1: 2}}, r"has the key 1 at .a; keys must be text"),
        ({"a": Decimal(1)}, r"has a Decimal at .a, which JSON cannot hold"),
        ([1], r"must be a mapping, got \[1\]"),
    ],
)
def test_what_json_would_change_is_refused_with_its_path(
    lite: Store, make: Any, evidence: Any, fact: str
) -> None:
    with pytest.raises(StoreError, match=f"Gate.evidence {fact}"):
        lite.gates.add(make.gate("s", "G1 parse", Outcome.PASS, evidence=evidence))


def test_json_without_end_is_refused(lite: Store, make: Any) -> None:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    with pytest.raises(StoreError, match="nested too deeply"):
        lite.gates.add(make.gate("s", "G1 parse", Outcome.PASS, evidence=loop))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_refused(store: Store, make: Any, value: float) -> None:
    request = store.requests.add(make.request())
    with pytest.raises(StoreError, match=r"Generation.fitness must be finite.*None for unknown"):
        store.generations.add(make.generation(request.id, fitness=value))


def test_equity_comes_back_to_the_last_bit(store: Store, make: Any) -> None:
    strategy = store.strategies.add(make.strategy())
    series = tuple((f"2026-01-{day:02d}", 100000 / 3 * day) for day in range(1, 29))
    backtest = store.backtests.add(make.backtest(strategy.id, equity=series))
    assert store.backtests.get(backtest.id).equity == series


def test_damaged_equity_says_so(store: Store, make: Any) -> None:
    strategy = store.strategies.add(make.strategy())
    backtest = store.backtests.add(make.backtest(strategy.id, equity=(("2026-01-02", 1.0),)))
    with store.database.writing() as connection:
        connection.execute(text("UPDATE backtests SET equity = :x"), {"x": b"junk"})
    with pytest.raises(StoreError, match="equity series in the database is damaged"):
        store.backtests.get(backtest.id)


def test_enums_are_checked_before_and_by_the_database(store: Store, make: Any) -> None:
    with pytest.raises(StoreError, match=r"Turn.status is 'asleep'; known are running, finished"):
        store.turns.add(make.turn(status="asleep"))
    turn = store.turns.add(make.turn())
    assert store.turns.get(turn.id).status is RunStatus.RUNNING
    with pytest.raises(StoreError, match="ck_turns_status"), store.database.writing() as connection:
        connection.execute(text("UPDATE turns SET status = 'asleep'"))


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"title": None}, "Build.title must not be None"),
        ({"title": 3}, "Build.title must be text, got 3"),
        ({"id": "x" * 256}, "Build.id has 256 characters; at most 255 fit"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(
    lite: Store, make: Any, change: dict[str, Any], fact: str
) -> None:
    with pytest.raises(StoreError, match=fact):
        lite.builds.add(make.build(**change))


def test_numbers_out_of_range_are_refused(lite: Store, make: Any) -> None:
    with pytest.raises(StoreError, match="does not fit in 64 bits"):
        lite.generations.add(make.generation("r", prompt_tokens=2**63))
    with pytest.raises(StoreError, match="must be a whole number, got True"):
        lite.generations.add(make.generation("r", prompt_tokens=True))


# Adding


def test_a_request_asked_again_is_the_same_and_the_first_stays(store: Store, make: Any) -> None:
    first = store.requests.add(make.request("Buy."))
    again = make.request("Buy.")
    assert again.created_at > first.created_at
    assert store.requests.add(again) == first
    assert store.requests.get(first.id) == first
    assert store.requests.count() == 1


def test_another_request_under_the_same_id_is_refused(store: Store, make: Any) -> None:
    first = store.requests.add(make.request("Buy."))
    with pytest.raises(StoreError) as caught:
        store.requests.add(replace(first, instruction="Sell."))
    assert f"request {first.id!r} is already in the store and differs in instruction" in str(
        caught.value
    )
    assert store.requests.get(first.id) == first


def test_the_same_tree_in_another_layout_is_the_same_strategy(store: Store, make: Any) -> None:
    first = store.strategies.add(make.strategy("class A: pass"))
    other = make.strategy("class A:\n    pass", id=first.id, source="corpus")
    assert store.strategies.add(other) == first


def test_an_event_added_again_is_no_error_but_a_changed_one_is(store: Store, make: Any) -> None:
    build = store.builds.add(make.build())
    assert store.builds.add(build) == build
    with pytest.raises(StoreError, match="differs in title, status"):
        store.builds.add(replace(build, title="Other", status="done"))
    assert store.builds.find() == [build]


def test_a_reference_to_nothing_is_named(store: Store, make: Any) -> None:
    request = store.requests.add(make.request())
    with pytest.raises(StoreError) as caught:
        store.generations.add(make.generation(request.id, build_id="b7"))
    assert "build_id 'b7' is not in the store. Add it to builds first" in str(caught.value)
    assert store.generations.count() == 0


def test_a_changed_reference_to_nothing_is_named(store: Store, make: Any) -> None:
    request = store.requests.add(make.request())
    generation = store.generations.add(make.generation(request.id))
    with pytest.raises(StoreError, match="strategy_id 's7' is not in the store"):
        store.generations.update(generation.id, strategy_id="s7")
    assert store.generations.get(generation.id).strategy_id is None


def test_many_are_added_at_once_and_counted(store: Store, make: Any) -> None:
    examples = [make.example(f"Buy {number}.") for number in range(1203)]
    store.examples.add(examples[7])
    assert store.examples.add_all(iter(examples)) == 1202
    assert store.examples.add_all(examples) == 0
    assert list(store.examples.each()) == sorted(examples, key=lambda item: item.id)


def test_one_bad_record_among_many_is_named_and_none_is_added(store: Store, make: Any) -> None:
    request = store.requests.add(make.request())
    many = [make.generation(request.id) for _ in range(600)]
    many[599] = make.generation("gone")
    with pytest.raises(StoreError, match="request_id 'gone' is not in the store"):
        store.generations.add_all(many)
    assert store.generations.count() == 0


def test_a_record_of_another_noun_is_refused(lite: Store, make: Any) -> None:
    with pytest.raises(StoreError, match="A build must be a Build, got Turn"):
        lite.builds.add(make.turn())


# Getting and finding


def test_a_missing_one_names_the_nearest(store: Store, make: Any) -> None:
    store.models.add(make.model("gemma-q5"))
    with pytest.raises(NotFound, match=r"No model named 'gemma-q4'. Did you mean 'gemma-q5'?"):
        store.models.get("gemma-q4")
    with pytest.raises(NotFound, match="List them with: qc-lora model list"):
        store.models.get("zzz")
    with pytest.raises(NotFound, match="The store has no turn yet"):
        store.turns.get("zzz")
    turn = store.turns.add(make.turn())
    with pytest.raises(NotFound, match=f"The newest are: {turn.id}"):
        store.turns.get("zzz")
    with pytest.raises(NotFound, match="No turn named 'zzz'"):
        store.turns.update("zzz", error="x")


def test_generations_are_found_by_what_they_belong_to(store: Store, make: Any) -> None:
    build, other = (store.builds.add(make.build()) for _ in range(2))
    request = store.requests.add(make.request())
    strategy = store.strategies.add(make.strategy())
    first = store.generations.add(make.generation(request.id, build_id=build.id, iteration=1))
    second = store.generations.add(
        make.generation(request.id, build_id=build.id, iteration=2, strategy_id=strategy.id)
    )
    shadow = store.generations.add(
        make.generation(request.id, build_id=other.id, role=Role.SHADOW, model="m", label="kept")
    )
    find = store.generations.find
    assert find(build_id=build.id, oldest_first=True) == [first, second]
    assert find(build_id=build.id) == [second, first]
    assert find(request_id=request.id, limit=1) == [shadow]
    assert find(strategy_id=strategy.id) == [second]
    assert find(role=Role.SHADOW) == [shadow]
    assert find(model="m", label="kept") == [shadow]
    assert find(model="m", label="lost") == []
    assert find(since=second.created_at) == [shadow, second]


def test_backtests_of_a_strategy_come_newest_first(store: Store, make: Any) -> None:
    strategy = store.strategies.add(make.strategy())
    tests = [store.backtests.add(make.backtest(strategy.id)) for _ in range(3)]
    unknown = store.backtests.add(
        make.backtest(strategy.id, status=BacktestStatus.UNKNOWN, reason="Option data")
    )
    assert store.backtests.find(strategy_id=strategy.id) == [unknown, *reversed(tests)]
    assert store.backtests.find(status=BacktestStatus.UNKNOWN) == [unknown]
    assert store.backtests.find(engine="lean") == []


def test_the_latest_answer_of_a_gate_counts(store: Store, make: Any) -> None:
    strategy = store.strategies.add(make.strategy())
    store.gates.add(make.gate(strategy.id, "G2 compile", Outcome.PASS))
    store.gates.add(make.gate(strategy.id, "G1 parse", Outcome.FAIL))
    latest = store.gates.add(make.gate(strategy.id, "G1 parse", Outcome.PASS))
    found = store.gates.latest(strategy.id)
    assert list(found) == ["G1 parse", "G2 compile"]
    assert found["G1 parse"] == latest
    assert [gate.outcome for gate in store.gates.find(name="G1 parse")] == ["PASS", "FAIL"]


def test_only_a_strategy_that_passes_every_gate_now_is_accepted(store: Store, make: Any) -> None:
    def judged(code: str, *outcomes: tuple[str, Outcome]) -> str:
        strategy = store.strategies.add(make.strategy(code))
        for name, outcome in outcomes:
            store.gates.add(make.gate(strategy.id, name, outcome))
        return strategy.id

    one, two = HARVEST
    good = judged("good", (one, Outcome.PASS), (two, Outcome.PASS), ("G9 other", Outcome.FAIL))
    healed = judged("healed", (one, Outcome.FAIL), (two, Outcome.PASS), (one, Outcome.PASS))
    judged("unknown", (one, Outcome.PASS), (two, Outcome.UNKNOWN))
    judged("half", (one, Outcome.PASS))
    judged("relapsed", (one, Outcome.PASS), (two, Outcome.PASS), (two, Outcome.FAIL))
    judged("none")
    assert [item.id for item in store.strategies.accepted(HARVEST)] == [healed, good]
    assert store.strategies.accepted_since(None, HARVEST) == 2
    assert store.strategies.accepted_since(None, (one, one)) == 5
    assert store.strategies.accepted_since(None, HARVEST, source="corpus") == 0
    assert store.strategies.accepted(HARVEST, limit=1)[0].id == healed


def test_accepted_since_counts_from_the_first_time_all_gates_passed(
    store: Store, make: Any
) -> None:
    strategy = store.strategies.add(make.strategy())
    store.gates.add(make.gate(strategy.id, HARVEST[0], Outcome.PASS))
    moment = make.later()
    assert store.strategies.accepted_since(moment, HARVEST) == 0
    # The strategy is older than the moment; that it is accepted is news all the same.
    last = store.gates.add(make.gate(strategy.id, HARVEST[1], Outcome.PASS))
    assert store.strategies.accepted_since(moment, HARVEST) == 1
    assert store.strategies.accepted_since(last.created_at, HARVEST) == 0
    moment = make.later()
    for name in HARVEST:
        store.gates.add(make.gate(strategy.id, name, Outcome.PASS))
    assert store.strategies.accepted_since(moment, HARVEST) == 0


def test_accepted_by_no_gate_at_all_is_refused(lite: Store) -> None:
    with pytest.raises(StoreError, match="No gates were named, so every strategy would pass"):
        lite.strategies.accepted_since(None, ())


def test_examples_are_found_and_counted_by_family(store: Store, make: Any) -> None:
    trend = store.examples.add(make.example("a"))
    pairs = store.examples.add(make.example("b", family="pairs", source="docs", licence="MIT"))
    assert store.examples.find(family="pairs") == [pairs]
    assert store.examples.find(source="docs", licence="MIT") == [pairs]
    assert store.examples.find() == [pairs, trend]
    assert store.examples.families() == {"pairs": 1, "trend": 1}


def test_a_snapshot_keeps_its_members_and_their_splits(store: Store, make: Any) -> None:
    examples = [store.examples.add(make.example(f"Buy {number}.")) for number in range(1100)]
    splits = list(Split)
    members = {item.id: splits[number % 3] for number, item in enumerate(examples)}
    snapshot = store.snapshots.add(make.snapshot(members))
    assert store.snapshots.get(snapshot.id) == snapshot
    golden = store.examples.of_snapshot(snapshot.id, Split.GOLDEN)
    assert {item.id for item in golden} == {k for k, v in members.items() if v is Split.GOLDEN}
    assert len(store.examples.of_snapshot(snapshot.id)) == 1100
    assert store.snapshots.add(replace(snapshot, created_at=make.later())) == snapshot
    members[examples[0].id] = Split.VALIDATION
    with pytest.raises(StoreError, match="differs in members"):
        store.snapshots.add(replace(snapshot, members=members))


def test_a_snapshot_of_an_unknown_example_is_refused_whole(store: Store, make: Any) -> None:
    known = store.examples.add(make.example())
    snapshot = make.snapshot({known.id: Split.TRAIN, "zz": Split.TRAIN})
    with pytest.raises(StoreError, match="example 'zz' is not in the store"):
        store.snapshots.add(snapshot)
    with pytest.raises(StoreError, match="is 'test'; known are train, validation, golden"):
        store.snapshots.add(make.snapshot({known.id: "test"}))
    assert store.snapshots.count() == 0


def test_evaluations_are_found_by_what_decides_their_figures(store: Store, make: Any) -> None:
    first = store.evaluations.add(make.evaluation("base:gemma"))
    again = store.evaluations.add(make.evaluation("base:gemma"))
    store.evaluations.add(make.evaluation("base:gemma", engine="llama.cpp 2"))
    store.evaluations.add(make.evaluation("other"))
    key = {"model_sha256": first.model_sha256, "suite_sha256": first.suite_sha256}
    assert store.evaluations.find(**key, engine=first.engine) == [again, first]


def test_comparisons_are_found_by_the_models_that_answered(store: Store, make: Any) -> None:
    request = store.requests.add(make.request())
    hosted = store.generations.add(make.generation(request.id, model="claude"))
    local = store.generations.add(make.generation(request.id, model="m1", role=Role.SHADOW))
    pair = store.comparisons.add(make.comparison(request.id, hosted.id, local.id))
    assert store.comparisons.find(champion="claude", challenger="m1") == [pair]
    assert store.comparisons.find(champion="m1") == []
    assert store.comparisons.find(request_id=request.id) == [pair]


def test_runs_adapters_and_turns_are_found(store: Store, make: Any) -> None:
    example = store.examples.add(make.example())
    snapshot = store.snapshots.add(make.snapshot({example.id: Split.TRAIN}))
    run = store.runs.add(make.run(snapshot.id))
    adapter = store.adapters.add(make.adapter(run.id))
    turn = store.turns.add(make.turn())
    assert store.runs.find(status=RunStatus.RUNNING, recipe="gemma-3-270m") == [run]
    assert store.adapters.find(run_id=run.id) == [adapter]
    assert store.turns.find(status=RunStatus.RUNNING) == [turn]
    done = store.turns.update(turn.id, status=RunStatus.FINISHED, stages={"retrain": {"id": 1}})
    assert store.turns.get(turn.id) == done
    assert store.turns.find(status=RunStatus.RUNNING) == []
    assert store.runs.update(run.id, metrics={"tok_s": 91.5}).metrics == {"tok_s": 91.5}


# Changing


def test_what_may_change_is_changed_and_the_rest_is_named(store: Store, make: Any) -> None:
    build = store.builds.add(make.build())
    changed = store.builds.update(build.id, status="ok", cost_usd=Decimal("0.30"))
    assert changed == replace(build, status="ok", cost_usd=Decimal("0.3"))
    assert store.builds.get(build.id) == changed
    with pytest.raises(StoreError, match=r"'host' cannot be changed.*Known are: cost_usd"):
        store.builds.update(build.id, host="other")
    with pytest.raises(StoreError, match=r"'statu' cannot be changed. Did you mean 'status'?"):
        store.builds.update(build.id, statu="other")
    with pytest.raises(StoreError, match=r"Build.cost_usd must be a Decimal"):
        store.builds.update(build.id, cost_usd=0.3)
    assert store.builds.get(build.id) == changed


def test_production_is_reached_only_by_a_promotion(store: Store, make: Any) -> None:
    model = store.models.add(make.model("m1"))
    assert store.models.set_stage("m1", Stage.SHADOW).stage is Stage.SHADOW
    assert store.models.find(stage=Stage.SHADOW) == [replace(model, stage=Stage.SHADOW)]
    with pytest.raises(StoreError, match="only a promotion moves a model into production"):
        store.models.set_stage("m1", Stage.PRODUCTION)
    with pytest.raises(StoreError, match="cannot be added in production"):
        store.models.add(make.model("m2", stage=Stage.PRODUCTION))
    assert store.models.production() is None


# Transactions


def test_a_transaction_happens_whole_or_not_at_all(store: Store, make: Any) -> None:
    with suppress(ZeroDivisionError), store.transaction():
        store.builds.add(make.build())
        store.turns.add(make.turn())
        raise ZeroDivisionError
    assert (store.builds.count(), store.turns.count()) == (0, 0)
    with store.transaction():
        store.builds.add(make.build())
        store.turns.add(make.turn())
    assert (store.builds.count(), store.turns.count()) == (1, 1)


def test_an_inner_transaction_joins_the_outer_one(store: Store, make: Any) -> None:
    with suppress(ZeroDivisionError), store.transaction():
        with store.transaction():
            store.builds.add(make.build())
        assert store.builds.count() == 1
        raise ZeroDivisionError
    assert store.builds.count() == 0


def test_a_refused_call_does_not_spoil_the_transaction_around_it(store: Store, make: Any) -> None:
    with store.transaction():
        store.builds.add(make.build())
        with pytest.raises(StoreError, match="is not in the store"):
            store.generations.add(make.generation("gone"))
        with suppress(ZeroDivisionError), store.transaction():
            store.turns.add(make.turn())
            raise ZeroDivisionError
        store.builds.add(make.build())
    assert (store.builds.count(), store.turns.count()) == (2, 0)


def test_others_see_a_transaction_only_when_it_is_complete(store: Store, make: Any) -> None:
    seen = []
    with store.transaction():
        store.builds.add(make.build())
        thread = threading.Thread(target=lambda: seen.append(store.builds.count()))
        thread.start()
        thread.join()
    assert seen == [0]
    assert store.builds.count() == 1


def test_threads_may_share_a_store(store: Store, make: Any) -> None:
    errors = []

    def work() -> None:
        try:
            for _ in range(10):
                with store.transaction():
                    build = store.builds.add(make.build())
                    store.builds.update(build.id, status="done")
        except StoreError as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(store.builds.find(status="done")) == 80


def test_reading_one_by_one_while_writing_is_allowed(store: Store, make: Any) -> None:
    store.builds.add_all(make.build() for _ in range(30))
    for build in store.builds.each():
        store.builds.update(build.id, status="seen")
    assert len(store.builds.find(status="seen")) == 30


def test_counts_name_every_table(store: Store, make: Any) -> None:
    store.builds.add(make.build())
    counts = store.counts()
    assert counts["builds"] == 1
    assert len(counts) == 21
    assert sum(counts.values()) == 1


# Ingestion


def test_an_event_is_taken_once(store: Store) -> None:
    assert store.ingested.last("spool-1") is None
    assert store.ingested.take("spool-1", 1)
    assert not store.ingested.take("spool-1", 1)
    assert store.ingested.take("spool-2", 1)
    assert store.ingested.take("spool-1", 7)
    assert store.ingested.last("spool-1") == 7
    assert (store.ingested.count("spool-1"), store.ingested.count()) == (2, 3)


def test_what_a_failed_ingestion_took_is_taken_again(store: Store, make: Any) -> None:
    with suppress(ZeroDivisionError), store.transaction():
        assert store.ingested.take("spool", 1)
        store.builds.add(make.build())
        raise ZeroDivisionError
    assert store.ingested.take("spool", 1)


# Bad weather


def test_a_lock_held_for_too_long_says_so(databases: Any, make: Any) -> None:
    url = databases.migrated("sqlite")
    path = url.removeprefix("sqlite:///")
    holder = sqlite3.connect(path, isolation_level=None)
    with Store.open(url, busy_s=0.2) as store:
        holder.execute("BEGIN IMMEDIATE")
        assert store.builds.count() == 0  # Readers go on.
        with pytest.raises(StoreBusy) as caught:
            store.builds.add(make.build())
        assert f"{path}: another process has been writing" in str(caught.value)
        assert "Nothing was changed" in str(caught.value)
        holder.execute("ROLLBACK")
        store.builds.add(make.build())
        assert store.builds.count() == 1
    holder.close()


def test_a_lock_released_in_time_is_waited_for(databases: Any, make: Any) -> None:
    url = databases.migrated("sqlite")
    holder = sqlite3.connect(
        url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False
    )
    with Store.open(url, busy_s=60) as store:
        holder.execute("BEGIN IMMEDIATE")
        threading.Timer(0.5, lambda: holder.execute("ROLLBACK")).start()
        store.builds.add(make.build())
        assert store.builds.count() == 1
    holder.close()


def test_a_row_locked_for_too_long_in_postgresql_says_so(databases: Any, make: Any) -> None:
    url = databases.migrated("postgresql")
    with Store.open(url, busy_s=0.3) as store, Store.open(url) as other:
        build = store.builds.add(make.build())
        with other.transaction():
            other.builds.update(build.id, status="mine")
            with pytest.raises(StoreBusy, match="another process holds it"):
                store.builds.update(build.id, status="yours")
        assert store.builds.get(build.id).status == "mine"


@pytest.mark.parametrize("size", [20, 5000])
def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path, size: int) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"not a database at all " * size)
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable) as caught:
        Store.open(f"sqlite:///{path}")
    assert f"{path}: the file is damaged or is not a database" in str(caught.value)
    assert "qc-lora store import FILE" in str(caught.value)
    assert path.read_bytes() == before


def test_a_damaged_page_says_so(databases: Any, make: Any) -> None:
    url = databases.migrated("sqlite")
    path = Path(url.removeprefix("sqlite:///"))
    with Store.open(url) as store:
        store.requests.add_all(make.request(f"Buy {number}. " * 40) for number in range(300))
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = b"\xa5" * (len(content) - len(content) // 2)
    path.write_bytes(content)
    with pytest.raises(StoreUnavailable, match="the file is damaged"), Store.open(url) as store:
        list(store.requests.each())


def test_a_full_disk_keeps_what_was_there(lite: Store, make: Any) -> None:
    build = lite.builds.add(make.build())
    with lite.database.reading() as connection:
        pages = connection.scalar(text("PRAGMA page_count"))
        # The real SQLITE_FULL, without filling a real disk.
        connection.execute(text(f"PRAGMA max_page_count = {pages + 2}"))
    with pytest.raises(DiskFull) as caught:
        lite.requests.add(make.request("x" * 200_000))
    assert "no space left on the disk" in str(caught.value)
    assert "What was stored before is still there" in str(caught.value)
    assert lite.builds.find() == [build]
    assert lite.requests.count() == 0


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="unable to open database file"):
        Store.open(f"sqlite:///{tmp_path}")


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("x")
    with pytest.raises(StoreUnavailable, match="its folder cannot be made"):
        Store.open(f"sqlite:///{tmp_path}/home/store.db")


def test_a_connection_that_broke_is_replaced(databases: Any, make: Any) -> None:
    url = databases.migrated("postgresql")
    with Store.open(url) as store:
        store.builds.add(make.build())
        with Store.open(url) as other, other.database.writing() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        assert store.builds.count() == 1


def test_a_forked_child_has_connections_of_its_own(store: Store, make: Any) -> None:
    import os

    store.builds.add(make.build())
    pid = os.fork()
    if pid == 0:
        try:
            store.builds.add(make.build())
            os._exit(0 if store.builds.count() == 2 else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert store.builds.count() == 2


def test_an_example_says_what_it_was_made_from_and_most_were_made_from_nothing(
    store: Store, make: Any
) -> None:
    plain = store.examples.add(make.example())
    origin = {"kind": "fix", "base": plain.id, "seed": 1, "broken": "def (\0\ud800"}
    fix = store.examples.add(make.example(instruction="Mend it.", origin=origin))
    assert store.examples.get(fix.id) == fix
    assert (fix.kind, store.examples.get(fix.id).origin) == ("fix", origin)
    assert (store.examples.get(plain.id).origin, plain.kind) == (None, "write")
