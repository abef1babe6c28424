"""Pairs from builders' iterations: what failed, what was said, and what was accepted after it."""

from pathlib import Path
from typing import Any

import pytest

from qc_builder_lora.config import Settings
from qc_builder_lora.harvest.corpus.fixes.chains import add_chains
from qc_builder_lora.harvest.rules import Rules
from qc_builder_lora.ids import new_id
from qc_builder_lora.records import (
    Example,
    Gate,
    Generation,
    Outcome,
    RunStatus,
    Strategy,
    Turn,
)
from qc_builder_lora.stages import Stages, _quietly
from qc_builder_lora.store import Store

from ..conftest import NOON, Told, code

RULES = Rules(line=("G1 parse",))
ASKED = "Follow the trend of AAPL from 2010 on."


def accept(store: Store, strategy: Strategy) -> None:
    store.gates.add(
        Gate(
            id=new_id(), strategy_id=strategy.id, name="G1 parse", outcome=Outcome.PASS,
            evidence={}, created_at=NOON,
        )
    )  # fmt: skip


def judged(told: Told, text: str, build: str, iteration: int, **given: Any) -> Strategy:
    """An answer with what became of it."""
    asked = ASKED if iteration == 1 else "It failed: see above."
    strategy = told.served(text, asked, build_id=build, iteration=iteration)
    (one,) = [
        generation
        for generation in told.store.generations.find(build_id=build)
        if generation.iteration == iteration
    ]
    told.store.generations.update(one.id, **given)
    return strategy


def fixes(store: Store) -> list[Example]:
    return store.examples.find(source="error-fix")


def test_a_failure_and_the_accepted_answer_after_it_make_a_pair(told: Told) -> None:
    build = told.build("Trend: AAPL")
    error = "Runtime Error: 'NoneType' object is not subscriptable at line 12"
    judged(told, code(3), build, 1, label="runtime_error", error=error)
    judged(told, code(4), build, 2, label="no_trades", error="The backtest made no trades.")
    accept(told.store, judged(told, code(5), build, 3, label="traded"))
    funnel = add_chains(told.store, RULES)
    assert (funnel.counts["in"], funnel.counts["kept"], funnel.counts["new"]) == (2, 2, 2)
    found = {str((one.origin or {})["stage"]): one for one in fixes(told.store)}
    first = found["runtime_error"]
    assert error in first.instruction
    assert code(3).strip() in first.instruction
    assert first.code == code(5)
    assert first.family == "builder/trend_aapl"
    assert first.kind == "fix"
    assert first.origin is not None
    assert (first.origin["source"], first.origin["request"]) == ("builder", ASKED)
    assert first.origin["broken"] == code(3)
    assert "The backtest made no trades." in found["no_trades"].instruction


def test_twice_gives_the_same_and_no_more(told: Told) -> None:
    build = told.build()
    judged(told, code(3), build, 1, label="compile_error", error="line 3: wrong")
    accept(told.store, judged(told, code(5), build, 2))
    add_chains(told.store, RULES)
    before = [one.id for one in fixes(told.store)]
    funnel = add_chains(told.store, RULES)
    assert (funnel.counts["kept"], funnel.counts["new"]) == (1, 0)
    assert [one.id for one in fixes(told.store)] == before


@pytest.mark.parametrize(
    ("broken", "mended", "why"),
    [
        ({"label": "runtime_error"}, True, "no message was recorded"),
        ({"label": "runtime_error", "error": " "}, True, "no message was recorded"),
        ({"label": "runtime_error", "error": "x"}, False, "never mended"),
    ],
)
def test_a_failure_without_a_message_or_without_a_cure_is_counted(
    told: Told, broken: dict[str, str], mended: bool, why: str
) -> None:
    build = told.build()
    judged(told, code(3), build, 1, **broken)
    last = judged(told, code(5), build, 2, label="traded")
    if mended:
        accept(told.store, last)
    funnel = add_chains(told.store, RULES)
    assert dict(funnel.stopped) == {why: 1}
    assert not fixes(told.store)


def test_what_was_accepted_before_or_in_another_build_mends_nothing(told: Told) -> None:
    build = told.build()
    accept(told.store, judged(told, code(5), build, 1, label="traded"))
    judged(told, code(3), build, 2, label="runtime_error", error="x")
    other = told.build()
    accept(told.store, judged(told, code(6), other, 1, label="traded"))
    assert add_chains(told.store, RULES).stopped == {"never mended": 1}


def test_the_same_strategy_accepted_later_did_not_fail_for_its_code(told: Told) -> None:
    build = told.build()
    judged(told, code(5), build, 1, label="runtime_error", error="the engine was away")
    accept(told.store, judged(told, "# again\n" + code(5), build, 2))
    assert add_chains(told.store, RULES).stopped == {"the same strategy was accepted": 1}


def test_what_traded_or_was_never_judged_is_no_failure(told: Told) -> None:
    build = told.build()
    for iteration, label in enumerate(("losing", "traded", "unknown", "no_code"), 1):
        judged(told, code(iteration), build, iteration, label=label, error="x")
    accept(told.store, judged(told, code(9), build, 9))
    assert add_chains(told.store, RULES).counts["in"] == 0


def test_a_long_trace_is_cut_in_its_middle(told: Told) -> None:
    build = told.build()
    trace = "first line" + "x" * 9000 + "last line"
    judged(told, code(3), build, 1, label="runtime_error", error=trace)
    accept(told.store, judged(told, code(5), build, 2))
    add_chains(told.store, RULES)
    (one,) = fixes(told.store)
    assert "first line" in one.instruction
    assert "last line" in one.instruction
    assert len(one.instruction) < 5000


def test_generations_without_a_build_are_no_chain(told: Told) -> None:
    request = told.store.requests.find(limit=1)
    assert not request
    told.served(code(3), ASKED)
    (only,) = told.store.generations.find()
    assert isinstance(only, Generation)
    assert add_chains(told.store, RULES).counts["in"] == 0


@pytest.mark.parametrize(("asked", "pairs"), [("true", 1), ("false", 0)])
def test_a_turn_makes_pairs_only_where_gates_toml_says_so(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, pairs: int
) -> None:
    build = told.build()
    judged(told, code(3), build, 1, label="runtime_error", error="x")
    accept(told.store, judged(told, code(5), build, 2))
    told.example(1)
    (tmp_path / "harvest").mkdir()
    (tmp_path / "harvest" / "gates.toml").write_text(
        f'line = ["G1 parse"]\n[snapshot]\nfixes_of_builders = {asked}\n'
    )
    monkeypatch.chdir(tmp_path)
    turn = Turn(id=new_id(), trigger="test", status=RunStatus.RUNNING, started_at=NOON)
    made = Stages(Settings(home=tmp_path), told.store, turn).snapshot(_quietly)
    assert made["by_kind"].get("fix", 0) == len(fixes(told.store)) == pairs
