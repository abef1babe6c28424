"""Stubs and placeholders as builders leave them: each compiles and is none."""

from __future__ import annotations

import pytest

from qc_builder_lora.backtest.check import lints, substance
from qc_builder_lora.backtest.check.example import as_strategy
from qc_builder_lora.backtest.check.lint import chosen, lint
from qc_builder_lora.records import Outcome

START = "def initialize(self):\n    self._spy = self.add_equity('SPY', Resolution.DAILY).symbol\n\n"
STUBS = {
    "pass": START + "def on_data(self, data):\n    pass\n",
    "docstring": START + "def on_data(self, data):\n    '''Trade on the signal.'''\n",
    "ellipsis": START + "def on_data(self, data):\n    ...\n",
    "return": START + "def on_data(self, data):\n    return\n",
    "no handler": START,
    "only sells": START + "def on_data(self, data):\n    self.liquidate()\n",
    "only logs": START + "def on_data(self, data):\n    self.log('set_holdings')\n",
    "never called": START + "def on_data(self, data):\n    self.log('a')\n\n"
                    "def _trade(self):\n    self.set_holdings(self._spy, 1)\n",
    "calls itself": START + "def _trade(self):\n    self.set_holdings(self._spy, 1)\n"
                    "    self._trade()\n",
    "if False": START + "def on_data(self, data):\n    if False:\n"
                "        self.set_holdings(self._spy, 1)\n",
    "else of True": START + "def on_data(self, data):\n    if True:\n        return\n    else:\n"
                    "        self.set_holdings(self._spy, 1)\n",
    "constant": START + "def on_data(self, data):\n    signal = 0\n    if signal > 0:\n"
                "        self.set_holdings(self._spy, 1)\n",
    "attribute": "def initialize(self):\n    self.score = 0.0\n\n"
                 "def on_data(self, data):\n    if self.score > 0.5 and self.portfolio.cash > 0:\n"
                 "        self.set_holdings('SPY', 1)\n",
    "method": START + "def on_data(self, data):\n    if self._alpha_012() > 0:\n"
              "        self.set_holdings(self._spy, 1)\n\ndef _alpha_012(self):\n"
              "    '''Alpha 12.'''\n    return 0.0\n",
    "flag only": "def initialize(self):\n    self._enabled = False\n\n"
                 "def on_data(self, data):\n    if self._enabled:\n"
                 "        self.set_holdings('SPY', 1)\n",
    "and": START + "def on_data(self, data):\n    0 > 1 and self.set_holdings(self._spy, 1)\n",
    "choice": START + "def on_data(self, data):\n"
              "    self.set_holdings(self._spy, 1) if 0 else self.log('a')\n",
    "while": START + "def on_data(self, data):\n    while False:\n"
             "        self.set_holdings(self._spy, 1)\n",
    "after return": START + "def on_data(self, data):\n    return\n"
                    "    self.set_holdings(self._spy, 1)\n",
    "after a sure return": START + "def on_data(self, data):\n    if 1:\n        return\n"
                           "    self.set_holdings(self._spy, 1)\n",
    "after both returns": START + "def on_data(self, data):\n    if data:\n        return\n"
                          "    else:\n        return\n    self.set_holdings(self._spy, 1)\n",
    "not": START + "def on_data(self, data):\n    done = True\n    if not done:\n"
           "        self.set_holdings(self._spy, 1)\n",
}  # fmt: skip


@pytest.mark.parametrize("name", STUBS)
def test_a_strategy_that_cannot_trade_is_found(name: str) -> None:
    found = lint(as_strategy(STUBS[name]), chosen(["QC060"]))
    assert [one.rule for one in found] == ["QC060"]
    assert "can never trade" in found[0].message


@pytest.mark.parametrize("name", ["constant", "attribute", "method"])
def test_a_signal_that_never_changes_is_shown_where_it_is_asked(name: str) -> None:
    text = as_strategy(STUBS[name])
    (found,) = lint(text, chosen(["QC063"]))
    assert "is never placed" in found.message
    assert "if " in text.splitlines()[found.line - 1]


def test_the_reason_names_the_line_of_the_order_and_of_the_test() -> None:
    (found,) = lint(as_strategy(STUBS["if False"]), chosen(["QC060"]))
    assert found.message == (
        "Example can never trade: its orders are never reached: of the one in line 10, "
        "the test in line 9 never holds"
    )
    (found,) = lint(as_strategy(STUBS["never called"]), chosen(["QC060"]))
    assert found.message.endswith("of the one in line 12, nothing that LEAN calls leads there")


@pytest.mark.parametrize(
    "body",
    [
        "raise NotImplementedError\n",
        "raise NotImplementedError('alpha 12')\n",
        "'''Later.'''\n    raise NotImplementedError()\n",
        "# TODO: compute the factor\n    return 0\n",
        "return None  # placeholder\n",
        "'''Placeholder for the real model.'''\n    return []\n",
        "pass  # your logic here\n",
        "'''Compute the signal (not implemented yet).'''\n",
    ],
)
def test_a_method_that_is_still_to_be_written_is_found(body: str) -> None:
    text = as_strategy(
        START + "def on_data(self, data):\n    x = self._factor()\n    self.buy(self._spy, x)\n\n"
        f"def _factor(self):\n    {body}"
    )
    (found,) = lint(text, chosen(["QC061"]))
    assert found.message.startswith("_factor ")


@pytest.mark.parametrize(
    "comment",
    [
        "TODO: exit rule", "FIXME", "placeholder signal", "Add your entry logic here",
        "... existing code ...", "... (rest of the strategy unchanged)", "rest of the code",
        "Simplified version of the HMM", "In a real implementation this would be a model",
        "Not implemented yet", "dummy value", "implement the regime filter here",
    ],
)  # fmt: skip
def test_a_comment_that_says_something_is_missing_is_found(comment: str) -> None:
    text = as_strategy(f"self.x = 1  # {comment}")
    assert [one.rule for one in lint(text, chosen(["QC062"]))] == ["QC062"]


def test_twenty_alphas_of_one_body_are_found_nineteen_times() -> None:
    body = "    fast = self._fast.current.value\n    slow = self._slow.current.value\n" \
           "    if fast > slow:\n        return 1\n    return -1\n"  # fmt: skip
    text = "".join(f"def alpha_{number:03d}(self):\n    '''Alpha {number}.'''\n{body}\n"
                   for number in range(1, 21))  # fmt: skip
    found = lint(as_strategy(text), chosen(["QC065"]))
    assert len(found) == 19
    assert found[0].message == "alpha_002 does the same as alpha_001 in line 8"


def test_the_gates_ask_for_faults_and_for_substance_apart_and_comments_silence_neither() -> None:
    faulty = as_strategy(START + "def on_data(self, data):  # noqa\n"
                         "    if not self.portfolio.is_invested:  # noqa\n"
                         "        self.set_holdings(self._spy, 1)\n")  # fmt: skip
    stub = as_strategy(STUBS["pass"]).replace("class Example(QCAlgorithm):",
                                              "class Example(QCAlgorithm):  # noqa")  # fmt: skip
    assert lints(faulty).messages == (
        "line 9: QC013 LEAN's SecurityPortfolioManager has no is_invested. Write invested",
    )
    assert substance(faulty).outcome is lints(stub).outcome is Outcome.PASS
    assert substance(stub).messages[0].startswith("line 4: QC060 Example can never trade")
    assert substance("class (").outcome is lints("class (").outcome is Outcome.FAIL


def test_a_new_projects_own_code_is_no_strategy_and_buying_the_same_otherwise_is() -> None:
    lean_cli = START.replace("self._spy = ", "").replace("DAILY).symbol", "MINUTE)") + (
        "def on_data(self, data: Slice):\n    if not self.portfolio.invested:\n"
        "        self.set_holdings('SPY', 1)\n        self.debug('Purchased Stock')\n"
    )
    assert substance(as_strategy(lean_cli)).outcome is Outcome.FAIL
    assert substance(as_strategy(lean_cli.replace("Purchased Stock", "in"))).outcome is Outcome.PASS
