from pathlib import Path

import pytest

from qc_builder_lora.harvest.accept import make_examples
from qc_builder_lora.harvest.gates import Rules, run_gates
from qc_builder_lora.records import BacktestStatus, Example, Role
from qc_builder_lora.store import Store
from tests.harvest.conftest import Engine, Told, code

RULES = Rules()
UNKNOWN = {"status": BacktestStatus.UNKNOWN, "phase": "load", "orders": ()}


@pytest.fixture
def examples(kept: Store, check_cache: Path) -> object:
    def call(engine: Engine | None = None) -> list[Example]:
        run_gates(kept, engine or Engine(), RULES, cache=check_cache)
        make_examples(kept, RULES)
        return sorted(kept.examples.find(), key=lambda one: one.instruction)

    return call


def test_an_accepted_strategy_teaches_what_was_asked(told: Told, examples) -> None:
    strategy = told.served(code(), "Follow AAPL.", build_id=told.build("My Trend: AAPL!"))
    (made,) = examples()
    assert (made.instruction, made.code) == ("Follow AAPL.", code())
    assert made.family == "builder/my_trend_aapl"
    assert made.strategy_id == strategy.id
    assert made.licence == "LicenseRef-own-work"


def test_what_the_engine_cannot_judge_teaches_nothing(told: Told, examples) -> None:
    told.served(code())
    assert examples(Engine({code(): UNKNOWN})) == []


def test_one_strategy_for_two_questions_is_two_examples(told: Told, examples) -> None:
    told.served(code(), "Follow AAPL.")
    told.served(code(), "Hold AAPL late in the month.")
    assert [one.instruction for one in examples()] == [
        "Follow AAPL.",
        "Hold AAPL late in the month.",
    ]


def test_a_later_iteration_is_an_answer_to_the_first_question(told: Told, examples) -> None:
    build = told.build()
    told.served(code(1), "Follow AAPL.", build_id=build, iteration=1)
    told.served(code(2), "It lost money. Do better.", build_id=build, iteration=2)
    found = examples()
    assert [one.instruction for one in found] == ["Follow AAPL."] * 2
    assert {one.code for one in found} == {code(1), code(2)}


@pytest.mark.parametrize(
    ("asked", "context"),
    [
        ("Fix it.", "class A(QCAlgorithm): ..."),
        ("Fix it:\n```python\nx\n```", ""),
        ("Fix:\nclass A(QCAlgorithm):\n    pass", ""),
    ],
    ids=["context", "fence", "class"],
)
def test_a_repair_is_no_plain_question(told: Told, examples, asked: str, context: str) -> None:
    told.served(code(), asked, context=context)
    assert examples() == []


def test_making_examples_again_makes_none_twice(kept: Store, told: Told, examples) -> None:
    told.served(code())
    assert len(examples()) == 1
    assert make_examples(kept, RULES) == 0
    assert kept.examples.count() == 1


def test_a_suites_prompt_never_becomes_an_example(told: Told, examples) -> None:
    told.served(code(), "Follow AAPL.")
    told.served(code(), "The suite's prompt.", role=Role.SHADOW)
    assert [one.instruction for one in examples()] == ["Follow AAPL."]
