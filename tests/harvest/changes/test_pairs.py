"""Change pairs of the store's own examples: proven, kept once, with both sides' evidence."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from qc_builder_lora.backtest.check import CheckResult
from qc_builder_lora.harvest.corpus.candidate import Execution
from qc_builder_lora.harvest.corpus.changes import pairs
from qc_builder_lora.harvest.corpus.changes.asking import WORDINGS, asked, reason
from qc_builder_lora.harvest.corpus.changes.change import Edit
from qc_builder_lora.harvest.corpus.changes.funnel import ChangeFunnel
from qc_builder_lora.harvest.corpus.changes.kinds import KINDS
from qc_builder_lora.harvest.corpus.changes.pairs import add_changes, changed_ones
from qc_builder_lora.harvest.corpus.changes.proof import CHARACTERS, Drawn, Refused, prove
from qc_builder_lora.harvest.corpus.standing import standings
from qc_builder_lora.harvest.snapshot_reading import fraction_of
from qc_builder_lora.records import BacktestStatus, Example, Outcome
from qc_builder_lora.store import Store

from ..conftest import Engine
from .conftest import Believes, Checks, ground, passes


def add(store: Store, count: int = 80, seed: int = 1, **changed: Any) -> ChangeFunnel:
    given: dict[str, Any] = {
        "execution": Execution(Engine(), passes), "faithful": Believes(), "ground": ground(),
        **changed,
    }  # fmt: skip
    return add_changes(store, given["execution"], given["faithful"], given["ground"], count, seed)


def changes(store: Store) -> list[Example]:
    return store.examples.find(source="changes")


def test_a_pair_shows_the_code_before_and_answers_with_the_whole_file_after(bases: Store) -> None:
    funnel = add(bases)
    assert funnel.counts["kept"] == funnel.counts["fits"] == len(changes(bases)) > 40
    for one in changes(bases):
        origin = one.origin
        assert origin is not None
        base = bases.examples.get(origin["base"])
        assert one.kind == "change"
        assert (base.kind, origin["source"], origin["seed"]) == ("write", "families", 1)
        assert f"```python\n{origin['before'].strip()}\n```" in one.instruction
        assert base.code in (origin["before"], one.code)
        assert origin["before"] != one.code
        assert origin["change"] in KINDS
        assert (one.family, one.licence, one.parameters) == (
            base.family, base.licence, base.parameters,
        )  # fmt: skip
        assert len(one.instruction) + len(one.code) <= CHARACTERS


def test_both_backtests_are_kept_as_evidence(bases: Store) -> None:
    add(bases)
    for one in changes(bases):
        assert one.origin is not None
        assert one.backtest_id is not None
        before = bases.backtests.get(one.origin["before_backtest"])
        after = bases.backtests.get(one.backtest_id)
        assert bases.strategies.get(before.strategy_id).code == one.origin["before"]
        assert bases.strategies.get(after.strategy_id).code == one.code
        assert before.statistics["Sharpe Ratio"] == after.statistics["Sharpe Ratio"] == "0.7"


def test_the_second_time_nothing_is_proven_and_nothing_is_added(bases: Store) -> None:
    first = add(bases)

    def never(codes: Sequence[str]) -> list[CheckResult]:
        raise AssertionError("asked again")

    second = add(bases, execution=Execution(Engine(), never))
    assert second.counts["new"] == 0
    assert second.counts["kept"] == first.counts["kept"] == len(changes(bases))
    assert second.stopped == first.stopped


def test_a_larger_count_adds_to_a_smaller_one_and_another_seed_gives_others(bases: Store) -> None:
    add(bases, count=20)
    few = {one.id for one in changes(bases)}
    add(bases, count=60)
    many = {one.id for one in changes(bases)}
    assert few < many
    add(bases, count=40, seed=2)
    assert many < {one.id for one in changes(bases)}


def test_stopped_in_the_middle_it_goes_on_to_what_an_unbroken_run_gives(
    bases: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "CHUNK", 9)
    calls: list[int] = []

    def stops(codes: Sequence[str]) -> list[CheckResult]:
        calls.append(len(codes))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return passes(codes)

    with pytest.raises(KeyboardInterrupt):
        add(bases, count=50, execution=Execution(Engine(), stops))
    part = {one.id for one in changes(bases)}
    add(bases, count=50)
    whole = {one.id for one in changes(bases)}
    assert part < whole
    wanted = {one.key for one in changed_ones(bases, ground(), 50, 1)}
    assert {
        (one.origin["base"], one.origin["change"], one.origin["seed"])
        for one in changes(bases)
        if one.origin
    } <= wanted


def test_the_table_of_sources_has_a_row_for_them(bases: Store) -> None:
    funnel = add(bases)
    (row,) = (one.plain() for one in standings(bases) if one.source == "changes")
    assert (row["in"], row["kept"]) == (80, funnel.counts["kept"])
    assert row["stopped"] == dict(funnel.stopped)


def test_nothing_comes_of_an_example_or_of_parameters_that_may_not_be_taken(bases: Store) -> None:
    asked_for: list[Example] = []

    def taken(example: Example) -> bool:
        asked_for.append(example)
        return "AAPL" not in example.parameters["tickers"]

    for one in changed_ones(bases, ground(taken=taken), 200, 1):
        assert "AAPL" not in one.base.parameters["tickers"]
        assert one.edit.becomes is None or "AAPL" not in one.edit.becomes["tickers"]
    assert asked_for


def test_what_a_change_leads_to_is_on_the_side_of_its_base(bases: Store) -> None:
    for one in changed_ones(bases, ground(), 400, 1):
        if one.edit.becomes is not None:
            other = replace(one.base, parameters=dict(one.edit.becomes))
            assert (fraction_of(other) < 0.08) is (fraction_of(one.base) < 0.08)


def test_short_strategies_are_changed_before_long_ones(bases: Store) -> None:
    lengths = [len(one.base.code) for one in changed_ones(bases, ground(), 140, 1)]
    assert max(lengths[:100]) <= (CHARACTERS - 450) / 2


def first(store: Store, kind: str) -> Drawn:
    return next(
        one for seed in range(9) for one in changed_ones(store, ground(), 140, seed)
        if one.kind.name == kind
    )  # fmt: skip


def refused(one: Drawn, engine: Engine, faithful: Checks | None = None) -> Refused:
    ((_, proof),) = prove([one], Execution(engine, passes), faithful or Believes())
    assert isinstance(proof, Refused), proof
    return proof


def test_orders_that_stay_as_they_are_are_no_change_but_for_cash(bases: Store) -> None:
    one = first(bases, "stop_loss_added")
    order = {"id": 1, "time": "2010-01-01", "fills": [{"quantity": 1}]}
    same = {code: {"orders": (order,)} for code in one.codes}
    assert refused(one, Engine(same)).reason == "no order is different"
    money = first(bases, "cash")
    same = {code: {"orders": (order,)} for code in money.codes}
    assert "no order" not in refused(money, Engine(same), Checks()).reason


def test_a_request_that_the_code_meets_already_is_refused(bases: Store) -> None:
    one = first(bases, "one_number")
    so = replace(one, edit=replace(one.edit, demands=[("has", "QCAlgorithm")]))
    assert refused(so, Engine()).reason == "it is so before the change"


def test_an_answer_without_the_change_is_refused(bases: Store) -> None:
    one = first(bases, "one_number")
    other = replace(one, edit=replace(one.edit, demands=[("has", "no such thing")]))
    assert refused(other, Engine()).reason == "the change is not seen in the answer"


def test_an_answer_that_is_not_what_the_words_ask_for_is_refused_with_them(bases: Store) -> None:
    class Never(Believes):
        def read(self, instruction: str) -> list[tuple[str, Any]]:
            return [("number", 98765.0)]

    proof = refused(first(bases, "one_number"), Engine(), Never())
    assert proof.reason == "the answer is not what the words ask for"
    assert "```python" in (proof.detail or "")


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(
    ("told", "reason", "outcome"),
    [
        ({"status": BacktestStatus.FAILED, "reason": "KeyError"}, "run: failed", Outcome.FAIL),
        ({"status": BacktestStatus.UNKNOWN, "reason": "x"}, "run: unknown", Outcome.UNKNOWN),
        ({"orders": ()}, "no trades", Outcome.FAIL),
    ],
)
def test_each_side_must_run_and_trade(
    bases: Store, side: int, told: dict[str, Any], reason: str, outcome: Outcome
) -> None:
    one = first(bases, "trailing_stop_added")
    proof = refused(one, Engine({one.codes[side]: told}))
    assert (proof.reason, proof.outcome) == (reason, outcome)


def test_each_side_must_compile(bases: Store) -> None:
    one = first(bases, "trailing_stop_added")
    for bad in one.codes:

        def check(codes: Sequence[str], bad: str = bad) -> list[CheckResult]:
            said = {bad: CheckResult(Outcome.FAIL, ("line 3: no",))}
            return [said.get(code, CheckResult(Outcome.PASS, ())) for code in codes]

        ((_, proof),) = prove([one], Execution(Engine(), check), Believes())
        assert isinstance(proof, Refused)
        assert (proof.reason, proof.detail) == ("compile: FAIL", "line 3: no")


EDIT = Edit(
    before="x = 1\n\n\ny = 2\n", after="x = 2\n\n\ny = 2\n",
    asks=[["x 2 instead of 1"], ["y_z: 3"]], demands=[], afterwards="Buy AAPL.",
)  # fmt: skip
FIGURES = {"Sharpe Ratio": "0.4", "Drawdown": "12.500%", "Total Orders": "9"}


def test_there_are_many_wordings_and_each_holds_the_code_and_the_request() -> None:
    found: dict[str, str] = {}
    for number in range(400):
        name, text = asked(EDIT, "results", FIGURES, number)
        found.setdefault(name, text)
        assert "```python\nx = 1\n\n\ny = 2\n```" in text
        assert re.search("x 2 instead of 1", text, re.I)
        assert "y_z: 3" in text
        assert "\n\n\n" not in text.replace("x = 1\n\n\ny = 2", "")
        assert "$" not in text
    assert set(found) == set(WORDINGS)
    assert len(WORDINGS) >= 8


def test_no_wording_is_that_of_the_suite() -> None:
    for text in WORDINGS.values():
        assert "leave the rest of it as it is" not in text
        assert "What it shall do afterwards" not in text


def test_the_reason_is_in_the_figures_of_the_backtest_or_there_is_none() -> None:
    said = {reason("results", FIGURES, number) for number in range(9)}
    assert all("0.4" in text for text in said)
    assert any("9 orders are too few" in text for text in said)
    assert all("12.5 %" in reason("risk", FIGURES, number) for number in range(9))
    assert reason("", FIGURES, 0) == reason("risk", {"Sharpe Ratio": "1"}, 0) == ""
