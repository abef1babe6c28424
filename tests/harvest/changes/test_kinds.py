"""The kinds of changes, on strategies of every family."""

import random
import re
from collections import Counter
from functools import cache
from itertools import product

import pytest

from qc_builder_lora.harvest.corpus.changes.change import Based, Edit, frame_of
from qc_builder_lora.harvest.corpus.changes.kinds import KINDS
from qc_builder_lora.harvest.corpus.changes.proof import MOST_LINES, too_wide
from qc_builder_lora.harvest.corpus.changes.shape import set_up, shape_of, warmed_up

from .conftest import manifest, taken_apart


@cache
def edits() -> list[tuple[Based, str, Edit]]:
    found = []
    for apart, name in product(taken_apart(), KINDS):
        edit = KINDS[name].make(apart, random.Random(f"{apart.example.id}/{name}"))
        if edit is not None:
            found.append((apart, name, edit))
    return found


def test_every_kind_finds_a_place_and_every_family_can_be_changed() -> None:
    assert {name for _, name, _ in edits()} == set(KINDS)
    ways = Counter(apart.family.name for apart, _, _ in edits())
    assert set(ways) == set(manifest().chosen_families())
    assert min(ways.values()) >= 2


def test_every_change_is_small_and_keeps_class_and_methods() -> None:
    for apart, name, edit in edits():
        if edit.before != edit.after:
            assert too_wide(edit.before, edit.after) is None, (apart.family.name, name)


def test_one_side_of_every_change_is_the_executed_code_itself() -> None:
    for apart, name, edit in edits():
        assert apart.code in (edit.before, edit.after), name


def test_what_a_pattern_demands_is_in_the_answer_and_not_all_in_the_question() -> None:
    for apart, name, edit in edits():
        patterns = [(kind, str(value)) for kind, value in edit.demands if kind in ("has", "lacks")]
        if edit.before == edit.after or not patterns:
            continue
        after, before = (
            [bool(re.search(value, code)) is (kind == "has") for kind, value in patterns]
            for code in (edit.after, edit.before)
        )
        assert all(after), (apart.family.name, name, patterns)
        only_patterns = len(patterns) == len(edit.demands)
        assert not (only_patterns and all(before)), (apart.family.name, name, patterns)


def test_every_part_of_a_request_has_three_wordings_at_least() -> None:
    for _, name, edit in edits():
        assert edit.asks, name
        assert all(len(set(asks)) >= 3 for asks in edit.asks), name
        assert not any("{" in ask or "$ " in ask for asks in edit.asks for ask in asks), name


def test_a_rule_taken_out_leaves_the_code_as_it_was_before_it_was_put_in() -> None:
    for apart, name, edit in edits():
        if name.endswith("_removed"):
            assert edit.after == apart.code


@pytest.mark.parametrize(
    ("after", "why"),
    [
        ("class B(QCAlgorithm):\n    def initialize(self):\n        x = 1\n", "another class"),
        ("class A(QCAlgorithm):\n    def initialize(self, x):\n        x = 1\n", "other methods"),
        ("class A(QCAlgorithm):\n    def initialize(self):\n        x = 1\n", "nothing is"),
        (
            "class A(QCAlgorithm):\n    def initialize(self):\n"
            + "".join(f"        y{n} = 1\n" for n in range(MOST_LINES))
            + "        x = 1\n",
            "",
        ),
        (
            "class A(QCAlgorithm):\n    def initialize(self):\n"
            + "".join(f"        y{n} = 1\n" for n in range(MOST_LINES + 1))
            + "        x = 1\n",
            "more lines differ",
        ),
        ("class A(QCAlgorithm):\n    def initialize(self):\n        x = 1 2\n", "another class"),
    ],
)
def test_what_is_more_than_a_small_change_is_told(after: str, why: str) -> None:
    before = "class A(QCAlgorithm):\n    def initialize(self):\n        x = 1\n"
    said = too_wide(before, after)
    assert (said is None) if not why else (said is not None and why in said)


def test_code_of_another_shape_is_left_alone() -> None:
    assert shape_of("class A:\n    pass\n") is None
    assert frame_of("self.set_cash(10_000)") is None
    assert warmed_up("self.set_warm_up(self._bars)", 10) is None
    assert warmed_up("self.set_warm_up(20 * 3)", 50) == "self.set_warm_up(20 * 3)"
    assert warmed_up("self.set_warm_up(20 + 1)", 50) == "self.set_warm_up(50)"


def test_lines_of_the_set_up_come_before_the_warm_up_or_last() -> None:
    head = "class A:\n    def initialize(self):\n        a = 1\n"
    tail = "\n    def on_data(self, data):\n        pass\n"
    assert set_up(head + tail, "b = 2") == f"{head}        b = 2\n{tail}"
    warm = "        self.set_warm_up(3)\n"
    assert set_up(head + warm + tail, "b = 2") == f"{head}        b = 2\n{warm}{tail}"
