"""G9 on direction, size of the bars and kind of order: left out is FAIL, unsure is not."""

import pytest

from qc_builder_lora.harvest.fidelity import judge
from qc_builder_lora.harvest.rules import Rules
from qc_builder_lora.records import Outcome

CODE = """from AlgorithmImports import *


class A(QCAlgorithm):
    def initialize(self):
        self._ibm = self.add_equity("IBM"{resolution}).symbol

    def on_data(self, data):
        self.{order}
        self.liquidate()
"""
LONG = "set_holdings(self._ibm, 1 / 2)"


def judged(asked: str, order: str = LONG, resolution: str = ", Resolution.DAILY") -> Outcome:
    code = CODE.replace("{order}", order).replace("{resolution}", resolution)
    return judge(asked, code, Rules())[0]


@pytest.mark.parametrize(
    "asked",
    ["Sell IBM short on Mondays.", "Go short IBM.", "Trade IBM long and short.",
     "IBM: a long/short rule", "Short IBM on Fridays", "It shorts IBM in May."],
)  # fmt: skip
def test_short_was_asked_for_and_nothing_is_ever_sold_short(asked: str) -> None:
    assert judged(asked) is Outcome.FAIL
    for able in (
        "set_holdings(self._ibm, -0.5)", "market_order(self._ibm, -10)", "sell(self._ibm, 5)",
        "set_holdings(self._ibm, self._weight)", "market_order(self._ibm, quantity=self._n)",
    ):  # fmt: skip
        assert judged(asked, able) is Outcome.PASS, able


@pytest.mark.parametrize(
    "asked",
    ["Hold IBM over the short term.", "Buy IBM, no short selling.", "Never go short; buy IBM.",
     "Hold IBM while the shorter mean is up.", "IBM in a short window.", "Do not short IBM."],
)  # fmt: skip
def test_the_word_short_alone_asks_for_nothing(asked: str) -> None:
    assert judged(asked) is Outcome.PASS


def test_long_only_and_yet_sold_short() -> None:
    for asked in ("Long only: IBM.", "IBM, without short positions.", "Be long or flat in IBM."):
        assert judged(asked, "set_holdings(self._ibm, -1)") is Outcome.FAIL, asked
        assert judged(asked) is Outcome.PASS, asked
        assert judged(asked, "market_order(self._ibm, -10)") is Outcome.PASS, asked


@pytest.mark.parametrize(
    ("asked", "resolution", "outcome"),
    [
        ("Use minute bars of IBM.", ", Resolution.DAILY", Outcome.FAIL),
        ("Use minute bars of IBM.", ", Resolution.HOUR", Outcome.FAIL),
        ("Use minute bars of IBM.", ", Resolution.MINUTE", Outcome.PASS),
        ("Use minute bars of IBM.", "", Outcome.PASS),
        ("On hourly data buy IBM.", ", Resolution.DAILY", Outcome.FAIL),
        ("On hourly data buy IBM.", ", Resolution.HOUR", Outcome.PASS),
        ("ticker: IBM\nresolution: minute", ", Resolution.DAILY", Outcome.FAIL),
        ("Daily bars of IBM.", ", Resolution.MINUTE", Outcome.FAIL),
        ("Daily bars of IBM.", ", Resolution.DAILY", Outcome.PASS),
        ("Buy IBM a minute after the open.", ", Resolution.DAILY", Outcome.PASS),
        ("Daily bars of IBM, not minute bars.", ", Resolution.DAILY", Outcome.PASS),
    ],
)
def test_the_size_of_the_bars_is_the_one_that_was_asked_for(
    asked: str, resolution: str, outcome: Outcome
) -> None:
    assert judged(asked, resolution=resolution) is outcome


def test_the_kind_of_order_is_looked_for_unless_it_is_not_wanted() -> None:
    assert judged("Buy IBM with limit orders.") is Outcome.FAIL
    assert judged("Buy IBM, no limit orders.") is Outcome.PASS
    assert judged("Buy IBM with limit orders.", "limit_order(self._ibm, 5, 9.5)") is Outcome.PASS
    assert judged("Buy IBM at the close by market-on-close.") is Outcome.FAIL


def test_a_manner_alone_is_no_question_that_can_be_answered() -> None:
    assert judged("Write something long only on daily bars.") is Outcome.UNKNOWN


def test_what_is_missing_stands_in_the_evidence() -> None:
    code = CODE.replace("{order}", LONG).replace("{resolution}", "")
    _, evidence = judge("Go short IBM.", code, Rules())
    assert evidence["reason"] == "the direction that was asked for is not in the code"
    assert evidence["missing"] == "Go short"
