"""Repairs: only what the rule says, comments and layout kept, the same the second time."""

from __future__ import annotations

import ast

import pytest

from qc_builder_lora.backtest.check.example import as_strategy
from qc_builder_lora.backtest.check.finding import Edit, Found, Rule, Severity
from qc_builder_lora.backtest.check.lint import chosen, lint
from qc_builder_lora.backtest.check.repair import repair
from qc_builder_lora.backtest.check.tree import Code

OLD = '''# A strategy  of old
from AlgorithmImports import *   # all of LEAN

class Cross( QCAlgorithm ):
\t"""OnData and Initialize stay as they are in a text."""

\tdef Initialize(self):   # LEAN's SetStartDate
\t\tself.SetStartDate(2015,  1, 1) ; self.SetCash( 100000 )
\t\tself.symbol = self.AddEquity("SPY", Resolution.Daily).Symbol
\t\tself.sma = self.SMA(self.symbol, 20)  # keep  two  spaces
\t\tself.rsi = self.RSI(
\t\t\tself.symbol, 14,
\t\t\tMovingAverageType.Wilders, Resolution.Daily,
\t\t)

\tdef OnData(self, data):
\t\tif not self.sma.IsReady: return
\t\tfor holding in self.Portfolio.Values:
\t\t\tself.Log(f"{self.Time} {holding.Quantity} {'SetHoldings'}")
\t\tif self.rsi.Current.Value < 30 and not self.Portfolio[self.symbol].Invested:
\t\t\tself.SetHoldings(self.symbol, 1.0)
'''
NEW = '''# A strategy  of old
from AlgorithmImports import *   # all of LEAN

class Cross( QCAlgorithm ):
\t"""OnData and Initialize stay as they are in a text."""

\tdef initialize(self):   # LEAN's SetStartDate
\t\tself.set_start_date(2015,  1, 1) ; self.set_cash( 100000 )
\t\tself._symbol = self.add_equity("SPY", Resolution.DAILY).symbol
\t\tself._sma = self.sma(self._symbol, 20)  # keep  two  spaces
\t\tself._rsi = self.rsi(
\t\t\tself._symbol, 14,
\t\t\tMovingAverageType.WILDERS, Resolution.DAILY,
\t\t)

\tdef on_data(self, data):
\t\tif not self._sma.is_ready: return
\t\tfor holding in self.portfolio.values():
\t\t\tself.log(f"{self.time} {holding.quantity} {'SetHoldings'}")
\t\tif self._rsi.current.value < 30 and not self.portfolio[self._symbol].invested:
\t\t\tself.set_holdings(self._symbol, 1.0)
'''


def test_an_old_strategy_becomes_a_new_one_and_nothing_else_moves() -> None:
    repaired = repair(OLD)
    assert repaired.text == NEW
    assert repair(NEW).text == NEW
    assert {one.rule for one in repaired.done} == {"QC001", "QC007"}


def test_an_own_name_in_capitals_and_a_column_stay() -> None:
    text = OLD + "\t\tself.Weight = frame['Close']; x = frame.Close; y = self.Weight\n"
    assert repair(text).text.endswith(
        "self.Weight = frame['Close']; x = frame.Close; y = self.Weight\n"
    )


def test_an_attribute_that_other_classes_read_is_not_renamed() -> None:
    text = (
        OLD + "\nclass Watch:\n\tdef go(self, algorithm):\n\t\treturn algorithm.sma.Current.Value\n"
    )
    repaired = repair(text).text
    assert "self.sma = self.SMA(self._symbol, 20)" in repaired
    assert "return algorithm.sma.current.value" in repaired
    ast.parse(repaired)


def test_a_hidden_method_is_renamed_everywhere_but_where_the_method_is_meant() -> None:
    text = as_strategy(
        "def initialize(self):\n    self.sma = self.sma('SPY', 20)\n    self._sma = 3\n\n"
        "def on_data(self, data):\n    if self.sma.is_ready and self.sma.current.value > self._sma:\n"
        "        self.other = self.sma('QQQ', 5)\n"
    )
    repaired = repair(text, chosen(["QC008"])).text
    assert "self._sma_ = self.sma('SPY', 20)" in repaired
    assert "if self._sma_.is_ready and self._sma_.current.value > self._sma:" in repaired
    assert "self.other = self.sma('QQQ', 5)" in repaired


def test_an_attribute_that_is_also_named_in_a_text_is_left_to_the_user() -> None:
    text = as_strategy("def initialize(self):\n    self.sma = self.sma('SPY', 20)\n"
                       "    x = getattr(self, 'sma')\n")  # fmt: skip
    assert repair(text, chosen(["QC008"])).text == text


def test_several_rules_in_one_line_are_repaired_in_turn() -> None:
    text = as_strategy(
        "def _n(self):\n    if not self.portfolio.is_invested():\n        return null\n"
    )
    repaired = repair(text)
    assert "if not self.portfolio.invested:\n            return None\n" in repaired.text
    assert [one.rule for one in repaired.done] == ["QC013", "QC046", "QC022"]


def test_a_silenced_finding_is_not_repaired() -> None:
    text = as_strategy('self.add_equity("SPY", Resolution.Daily)  # noqa: QC007')
    assert repair(text).text == text


def test_what_does_not_parse_is_left_as_it_is() -> None:
    assert repair("class (:\n").text == "class (:\n"


def broken(edit: str) -> Rule:
    """A rule whose repair of `x = 1` is not what it should be."""

    def find(code: Code) -> list[Found]:
        return [
            Found(node=node, message="one", cure="none", edits=(code.instead(node, edit),))
            for node in code.all(ast.Constant) if node.value == 1
        ]  # fmt: skip

    return Rule(id="QC999", name="broken", severity=Severity.STYLE, summary=".", why=".", bad="x = 1",
                good="x = 2", find=find, repairs=True)  # fmt: skip


@pytest.mark.parametrize("edit", ["2)", "2\nelse:", "2\ny = 3", "2\n  z"])
def test_a_repair_that_breaks_the_file_or_adds_to_it_is_refused(edit: str) -> None:
    text = "if True:\n    x = 1\nw = 0\n"
    assert repair(text, [broken(edit)]).text in (text, text.replace("1", edit))
    after = repair(text, [broken(edit)]).text
    assert ast.dump(ast.parse(after).body[-1]) == ast.dump(ast.parse(text).body[-1])


def test_a_repair_that_reaches_into_another_statement_is_refused() -> None:
    def find(code: Code) -> list[Found]:
        (node,) = code.all(ast.Constant)[:1]
        place = code.text.find("w")
        edits = (code.instead(node, "2"), Edit(place, place + 5, "v = 9"))
        return [Found(node=node, message="one", cure="none", edits=edits)] if place > 0 else []

    rule = Rule(id="QC999", name="far", severity=Severity.STYLE, summary=".", why=".", bad="", good="",
                find=find, repairs=True)  # fmt: skip
    # Both statements are edited openly, so both may change; a third may not.
    assert repair("x = 1\nw = 0\nz = 1\n", [rule]).text == "x = 2\nv = 9\nz = 1\n"


def test_a_repair_that_never_ends_is_stopped() -> None:
    def find(code: Code) -> list[Found]:
        return [Found(node=node, message=f"{node.value}", cure="none",
                      edits=(code.instead(node, str(int(node.value) + 1)),))
                for node in code.all(ast.Constant) if isinstance(node.value, int)]  # fmt: skip

    rule = Rule(id="QC999", name="more", severity=Severity.STYLE, summary=".", why=".", bad="", good="",
                find=find, repairs=True)  # fmt: skip
    assert repair("x = 1\n", [rule]).text == "x = 21\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"""Doc."""\n\nfrom __future__ import annotations\n\nclass A(QCAlgorithm): pass\n',
         '"""Doc."""\n\nfrom __future__ import annotations\n\nfrom AlgorithmImports import *\n\n\n'
         "class A(QCAlgorithm): pass\n"),
        ("# Only a comment\n@once\nclass A(QCAlgorithm): pass\n",
         "# Only a comment\nfrom AlgorithmImports import *\n\n\n@once\nclass A(QCAlgorithm): pass\n"),
        ("import math\nclass A(QCAlgorithm): pass\n",
         "from AlgorithmImports import *\nimport math\nclass A(QCAlgorithm): pass\n"),
    ],
)  # fmt: skip
def test_the_import_goes_where_an_import_may_stand(before: str, after: str) -> None:
    assert repair(before, chosen(["QC042"])).text == after


def test_redundant_imports_go_with_their_comments_and_others_stay() -> None:
    text = (
        "from clr import AddReference  # as of old\nAddReference('System')\n"
        "from AlgorithmImports import *\nfrom QuantConnect.DataSource import *\n"
        "from System.Collections.Generic import List; import math\nimport json\n"
    )
    assert repair(text, chosen(["QC043"])).text == (
        "from AlgorithmImports import *\nfrom QuantConnect.DataSource import *\n"
        "from System.Collections.Generic import List; import math\nimport json\n"
    )


def test_only_comments_lose_their_signs_outside_ascii() -> None:
    text = as_strategy('self.log("\u2192")  # up \u2192 down \U0001f680')
    assert repair(text, chosen(["QC045"])).text == text
    text = as_strategy('self.log("x")  # up \u2192 down \U0001f680')
    assert repair(text, chosen(["QC045"])).text == as_strategy('self.log("x")  # up -> down')


def test_a_pair_in_a_loop_is_added_as_what_it_is_only_where_all_are() -> None:
    text = as_strategy("for t in ['BTCUSD', 'ETHUSD']:\n    self.add_equity(t, Resolution.DAILY)\n")
    assert "self.add_crypto(t, Resolution.DAILY)" in repair(text, chosen(["QC009"])).text
    mixed = text.replace("ETHUSD", "SPY")
    assert [one.rule for one in lint(mixed) if one.rule == "QC009"] == []
