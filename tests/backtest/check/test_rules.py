"""Every rule finds what its own example shows, and not what the better one does."""

from __future__ import annotations

import ast

import pytest

from qc_builder_lora.backtest.check.example import as_strategy
from qc_builder_lora.backtest.check.finding import Rule
from qc_builder_lora.backtest.check.lint import lint
from qc_builder_lora.backtest.check.repair import repair
from qc_builder_lora.backtest.check.rules import RULES


def ids(text: str) -> list[str]:
    return [one.rule for one in lint(text)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_finds_its_bad_example_and_not_its_good_one(rule: Rule) -> None:
    assert rule.id in ids(as_strategy(rule.bad))
    assert rule.id not in ids(as_strategy(rule.good))


@pytest.mark.parametrize("rule", [one for one in RULES if one.repairs], ids=lambda rule: rule.id)
def test_a_repair_makes_the_good_example_of_the_bad_one(rule: Rule) -> None:
    repaired = repair(as_strategy(rule.bad), [rule])
    assert repaired.text == as_strategy(rule.good)
    assert repair(repaired.text, [rule]).text == repaired.text
    ast.parse(repaired.text)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_says_what_it_finds_why_and_what_to_do(rule: Rule) -> None:
    found = [one for one in lint(as_strategy(rule.bad)) if one.rule == rule.id]
    assert rule.summary.endswith(".")
    assert rule.why.endswith(".")
    assert all(one.message and one.cure and one.message != one.cure for one in found)
    assert any(one.edits for one in found) == rule.repairs


def test_ids_and_names_are_each_there_once() -> None:
    assert len({rule.id for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES)
