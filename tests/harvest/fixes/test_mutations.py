"""Mutations as text: every one has a place in our own strategies, and changes it for good."""

import ast
import random
from dataclasses import replace

import pytest

from qc_builder_lora.backtest.check import parses, strategy_hash
from qc_builder_lora.harvest.corpus.fixes.kinds import MUTATIONS
from qc_builder_lora.harvest.corpus.fixes.mutation import Mutation, Stage
from qc_builder_lora.harvest.corpus.starter import draws, load_manifest
from qc_builder_lora.records import Outcome

CODES = [draw.code for draw in draws(replace(load_manifest("full"), examples_per_family=2), set())]
KINDS = pytest.mark.parametrize("kind", MUTATIONS.values(), ids=lambda kind: kind.name)


def broken(kind: Mutation, seed: int = 1) -> list[tuple[str, str]]:
    found = []
    for number, code in enumerate(CODES):
        changed = kind.rewrite(code, random.Random(f"{seed}/{number}"))
        if changed is not None:
            found.append((code, changed))
    return found


def test_there_are_many_kinds_and_every_stage_has_some() -> None:
    assert len(MUTATIONS) >= 60
    for stage in Stage:
        assert sum(stage in kind.meant for kind in MUTATIONS.values()) >= 10


@KINDS
def test_it_has_a_place_in_some_family_and_the_same_seed_gives_the_same_mistake(
    kind: Mutation,
) -> None:
    pairs = broken(kind)
    assert pairs, "no family has a place for it"
    assert pairs == broken(kind)
    assert kind.about == kind.about.strip().rstrip(".")


@KINDS
def test_what_it_leaves_is_another_strategy_or_none(kind: Mutation) -> None:
    for code, changed in broken(kind):
        parsed = parses(changed).outcome is Outcome.PASS
        if parsed:
            assert strategy_hash(changed) != strategy_hash(code)
        assert parsed == (Stage.PARSE not in kind.meant), changed


@KINDS
def test_code_in_which_it_has_no_place_is_left_alone(kind: Mutation) -> None:
    general = {"fence_left", "prose_left"}
    assert kind.name in general or kind.rewrite("x: int\n", random.Random(1)) is None


def test_one_seed_after_the_other_gives_other_mistakes() -> None:
    kind = MUTATIONS["misspelt_name"]
    assert broken(kind, 1) != broken(kind, 2)
    assert all(ast.parse(changed) for _, changed in broken(kind, 2))
