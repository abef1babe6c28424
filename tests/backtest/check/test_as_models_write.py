"""Code as models write it: right code that looks odd, and the mistakes in their usual clothes.

Each section of the two text files is a whole strategy under a line `### what it shows: rules`. In
`odd_but_right.txt` the rules are matters of taste that may be found; in `wrong_as_models_write.txt`
the one that has to be.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from qc_builder_lora.backtest.check import compiles
from qc_builder_lora.backtest.check.example import as_strategy
from qc_builder_lora.backtest.check.finding import Found, Rule, Severity
from qc_builder_lora.backtest.check.lint import lint
from qc_builder_lora.backtest.check.repair import repair
from qc_builder_lora.backtest.check.tree import Code

HERE = Path(__file__).parent
Section = tuple[str, set[str], str]


def sections(name: str) -> list[Section]:
    parts = re.split(r"^### (.*)\n", (HERE / name).read_text("utf-8"), flags=re.MULTILINE)[1:]
    found = []
    for head, text in zip(parts[::2], parts[1::2], strict=True):
        title, _, rules = head.partition(":")
        found.append((title, {*rules.split()}, text))
    return found


RIGHT, WRONG = sections("odd_but_right.txt"), sections("wrong_as_models_write.txt")


def of(section: Section) -> str:
    return section[0]


@pytest.mark.parametrize("section", RIGHT, ids=of)
def test_nothing_is_found_in_right_code_that_looks_odd(section: Section) -> None:
    _, of_taste, text = section
    assert [str(one) for one in lint(text) if one.rule not in of_taste] == []


@pytest.mark.parametrize("section", RIGHT, ids=of)
def test_repairs_of_right_code_change_spelling_and_imports_alone(section: Section) -> None:
    _, of_taste, text = section
    repaired = repair(text).text
    assert repair(repaired).text == repaired
    assert ast.parse(repaired)
    if not of_taste:
        assert repaired == text


@pytest.mark.parametrize("section", WRONG, ids=of)
def test_the_mistake_is_found_and_its_repair_is_made_once(section: Section) -> None:
    _, rules, text = section
    assert rules <= {one.rule for one in lint(text)}
    repaired = repair(text).text
    assert repair(repaired).text == repaired
    ast.parse(repaired)


def test_a_class_of_the_strategys_own_may_have_the_name_of_one_of_leans() -> None:
    """Position, Trade, Leg, Field and Enum are exported by AlgorithmImports."""
    own = (
        "from AlgorithmImports import *\nfrom dataclasses import dataclass\nfrom enum import Enum\n\n\n"
        "class Regime(Enum):\n    CALM = 1\n    WILD = 2\n\n\n@dataclass\nclass Position:\n"
        "    symbol: Symbol\n    entry: float = 0.0\n\n\nclass Leg:\n    def __init__(self, weight):\n"
        "        self.weight = weight\n\n\nclass A(QCAlgorithm):\n    def initialize(self):\n"
        "        self._p = Position(self.add_equity('SPY').symbol)\n        self._leg = Leg(0.5)\n"
        "        self._regime = Regime.CALM\n\n    def on_data(self, data):\n"
        "        self.set_holdings(self._p.symbol, self._leg.weight)\n"
    )
    wrong = own.replace("self.set_holdings", "self.set_holding")
    missing = own.replace("self._p.symbol, self", "self._p.simbol, self")
    right, no_method, no_attribute = compiles([own, wrong, missing])
    assert right.messages == ()
    assert '"A" has no attribute "set_holding"' in no_method.messages[0]
    assert '"Position" has no attribute "simbol"' in no_attribute.messages[0]


def test_a_member_that_an_enum_does_not_have_is_not_called_an_older_spelling() -> None:
    code = as_strategy(
        "self.add_equity('SPY', Resolution.WEEKLY)\nself.x = MovingAverageType.EMA\n"
    )
    found = [one for one in lint(code) if one.rule in ("QC001", "QC007")]
    assert found == []
    assert "Resolution.weekly" not in repair(code).text
    (answer,) = compiles([code])
    assert 'has no attribute "WEEKLY"' in answer.messages[0]
    assert 'has no attribute "EMA"' in answer.messages[1]


def _replacing(rule: str, text: str) -> Rule:
    def find(code: Code) -> Iterator[Found]:
        for node in code.all(ast.Name):
            if node.id == "wrong":
                yield Found(node=node, message=rule, cure=rule, edits=(code.instead(node, text),))

    return Rule(
        id=rule, name=rule, severity=Severity.STYLE, summary=rule, why=rule, bad="", good="",
        find=find, repairs=True,
    )  # fmt: skip


def test_a_repair_that_cannot_be_made_holds_up_none_that_waited_for_it() -> None:
    rules = (_replacing("QC801", "1 2"), _replacing("QC802", "right"))
    repaired = repair("x = wrong\ny = wrong\n", rules)
    assert repaired.text == "x = right\ny = right\n"
    assert [one.rule for one in repaired.done] == ["QC802", "QC802"]


def test_a_comment_in_another_script_is_not_thrown_away() -> None:
    code = as_strategy(
        "self.set_cash(1000)  # Größe, naïve, ½ → 🚀 done\n"
        "self.set_start_date(2020, 1, 1)  # 买入信号\n"
        "self.set_end_date(2021, 1, 1)  # начало — конец\n"
    )
    repaired = repair(code).text
    assert "# Grosse, naive, 1/2 -> " in repaired
    assert "🚀" not in repaired
    assert "# 买入信号" in repaired
    assert "# начало — конец" in repaired
    assert repair(repaired).text == repaired


def test_constants_of_leans_classes_keep_their_capitals() -> None:
    right = as_strategy(
        "def initialize(self):\n    self.x = PerformanceMetrics.TOTAL_ORDERS\n"
        "    self.y = MarketOnCloseOrder.DEFAULT_SUBMISSION_TIME_BUFFER\n    self.z = Market.USA\n"
    )
    assert repair(right).text == right
    assert [one for one in lint(right) if one.rule in ("QC001", "QC007")] == []
    older = right.replace("TOTAL_ORDERS", "TotalOrders").replace("def initialize", "def Initialize")
    repaired = repair(older).text
    assert "PerformanceMetrics.TotalOrders" in repaired  # LEAN runs it, and no wrong name is made
    assert "def initialize" in repaired
    created = as_strategy("self.x = Symbol.Create('SPY', SecurityType.Equity, Market.USA)\n")
    assert "Symbol.create('SPY', SecurityType.EQUITY, Market.USA)" in repair(created).text


def test_an_event_of_leans_that_is_added_to_is_no_attribute_of_the_strategys_own() -> None:
    code = as_strategy(
        "def Initialize(self):\n    self.insights_generated += self.heard\n\n"
        "def heard(self, algorithm, insights):\n    self.Log('x')\n"
    )
    assert "self.insights_generated += self.heard" in repair(code).text


def test_a_module_that_the_star_import_hides_is_the_class_to_both_checks() -> None:
    code = as_strategy(
        "import datetime\nimport time\nfrom AlgorithmImports import *\n\n\nclass A(QCAlgorithm):\n"
        "    def initialize(self):\n        self.set_start_date(datetime(2020, 1, 1))\n"
        "        self._at = time(10, 30)\n"
    )
    wrong = code.replace("datetime(2020", "datetime.datetime(2020")
    assert "QC044" not in {one.rule for one in lint(code)}
    assert "QC044" in {one.rule for one in lint(wrong)}
    assert repair(wrong).text == code
    assert [one.messages for one in compiles([code])] == [()]
