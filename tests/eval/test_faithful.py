"""The mechanical judge of faithfulness: what it finds, must not find, and cannot say."""

import random
from dataclasses import replace
from typing import Any

import pytest

from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.errors import InputError
from qc_builder_lora.eval.asked import constraints_of
from qc_builder_lora.eval.faithful import KINDS, Constraint, constraints_from, judge, verdict
from qc_builder_lora.harvest.corpus.families import FAMILIES
from qc_builder_lora.harvest.corpus.family import Family, draw_frame
from qc_builder_lora.records import BacktestStatus, Outcome

CODE = """from AlgorithmImports import *


class Cross(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2010, 1, 4)
        self._symbol = self.add_equity("IBM", Resolution.DAILY).symbol
        self._rsi = self.rsi(self._symbol, 14)

    def on_data(self, data):
        entry = self.portfolio[self._symbol].average_price
        if self.securities[self._symbol].price < entry * (1 - 0.05):
            self.liquidate()
        elif self._rsi.current.value < 30:
            self.set_holdings(self._symbol, 0.5)
"""


def order(day: str, quantity: float, symbol: str = "IBM", **changed: Any) -> dict[str, Any]:
    fill = {"time": f"{day}T20:00:00Z", "quantity": quantity, "price": 100.0}
    told = {"symbol": symbol, "type": "market", "time": f"{day}T14:30:00Z", "fills": [fill]}
    return {**told, **changed}


def result(*orders: dict[str, Any], **changed: Any) -> BacktestResult:
    given = {
        "status": BacktestStatus.COMPLETED,
        "engine": "x",
        "engine_version": "1",
        "data_fingerprint": None,
        "code_sha256": "0",
        "phase": "done",
        "orders": orders,
        "statistics": {"Start Equity": "100000"},
        "equity": (("2010-01-01", 100_000.0), ("2010-02-01", 100_000.0), ("2010-12-31", 101_000.0)),
    }
    return BacktestResult(**{**given, **changed})


def said(
    kind: str, value: Any = True, *, of: BacktestResult | None = None, code: str = CODE
) -> Any:
    (found,) = judge([Constraint(kind, value)], code, of)
    return found.outcome, found.evidence


HELD = result(order("2010-02-01", 500), order("2010-03-01", -500))


@pytest.mark.parametrize(
    ("kind", "value", "outcome", "evidence"),
    [
        ("trades", True, Outcome.PASS, "2 fills"),
        ("symbols", ["IBM"], Outcome.PASS, "traded IBM"),
        ("symbols", ["IBM", "AAPL"], Outcome.FAIL, "not in the code: AAPL"),
        ("symbols_among", ["AAPL", "MSFT"], Outcome.FAIL, "traded without being asked for: IBM"),
        ("indicator", "relative strength index", Outcome.PASS, "line 8: self._rsi = self.rsi("),
        ("indicator", "MACD", Outcome.FAIL, "nothing in the code looks like MACD"),
        ("number", 14, Outcome.PASS, "line 8"),
        ("number", 15, Outcome.FAIL, "15 is not in the code"),
        ("number", 5, Outcome.PASS, "line 12"),
        ("most_numbers", [14, 99], Outcome.PASS, "1 of 2 numbers found; not in the code: 99"),
        ("most_numbers", [14, 98, 99], Outcome.FAIL, "1 of 3 numbers found"),
        ("long_only", True, Outcome.PASS, "no position below zero"),
        ("max_positions", 1, Outcome.PASS, "at most 1 at once, on 2010-02-01"),
        ("max_weight", 0.5, Outcome.PASS, "IBM was 50.0% on 2010-02-01"),
        ("max_weight", 0.43, Outcome.FAIL, "IBM was 50.0%"),
        ("period", ["2010-01-01", "2010-12-31"], Outcome.PASS, "from 2010-01-01 to 2010-12-31"),
        ("period", ["2008-01-01", "2010-12-31"], Outcome.FAIL, "ran from 2010-01-01"),
        ("cash", 100_000, Outcome.PASS, "began with 100000"),
        ("cash", 50_000, Outcome.FAIL, "began with 100000"),
        ("stop", True, Outcome.PASS, "line"),
        ("stop", 0.05, Outcome.PASS, "line 12"),
        ("stop", 0.07, Outcome.FAIL, "0.07 is not in the code"),
        ("rebalance", "month", Outcome.PASS, "at most 1 days with orders a month"),
    ],
)
def test_each_kind_is_judged_by_what_happened(
    kind: str, value: Any, outcome: Outcome, evidence: str
) -> None:
    found = said(kind, value, of=HELD)
    assert found[0] is outcome, found
    assert evidence in found[1]


def test_a_short_position_more_symbols_and_daily_orders_are_seen() -> None:
    busy = result(
        order("2010-02-01", -100),
        *(order(f"2010-02-{day:02}", 1, "AAPL") for day in range(1, 9)),
        order("2010-03-01", 1),
    )
    assert said("long_only", of=busy) == (Outcome.FAIL, "IBM was at -100 shares on 2010-02-01")
    assert said("max_positions", 1, of=busy)[0] is Outcome.FAIL
    assert said("rebalance", "month", of=busy)[0] is Outcome.FAIL


def test_one_bought_while_another_is_sold_at_the_same_moment_are_not_two_positions() -> None:
    swap = result(order("2010-02-01", 5), order("2010-03-01", 5, "AAPL"), order("2010-03-01", -5))
    assert said("max_positions", 1, of=swap)[0] is Outcome.PASS


def test_what_cannot_be_known_is_unknown_and_never_a_pass() -> None:
    open_ = result(status=BacktestStatus.UNKNOWN, reason="no bars for SPY")
    assert said("trades", of=None) == (Outcome.UNKNOWN, "there is no backtest")
    assert said("trades", of=open_) == (Outcome.UNKNOWN, "the backtest is unknown: no bars for SPY")
    assert said("cash", 1, of=result(statistics={}))[0] is Outcome.UNKNOWN
    assert said("period", ["2010-01-01", "2010-12-31"], of=result(equity=()))[0] is Outcome.UNKNOWN
    assert said("max_weight", 1, of=result())[0] is Outcome.UNKNOWN
    assert said("rebalance", "month", of=result(order("2010-02-01", 5)))[0] is Outcome.UNKNOWN


def test_a_run_that_failed_did_not_do_what_was_asked() -> None:
    broken = result(status=BacktestStatus.FAILED, reason="AttributeError: x")
    assert said("trades", of=broken) == (
        Outcome.FAIL,
        "the backtest failed: AttributeError: x",
    )
    assert said("trades", of=HELD, code="def")[1].startswith("does not parse")


def test_one_answer_is_made_of_many() -> None:
    def told(*outcomes: Outcome) -> Outcome:
        ones = judge([Constraint("trades")] * len(outcomes), CODE, HELD)
        return verdict([replace(o, outcome=w) for o, w in zip(ones, outcomes, strict=True)])

    assert told() is Outcome.UNKNOWN
    assert told(Outcome.PASS, Outcome.PASS) is Outcome.PASS
    assert told(Outcome.PASS, Outcome.UNKNOWN) is Outcome.UNKNOWN
    assert told(Outcome.UNKNOWN, Outcome.FAIL) is Outcome.FAIL


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(InputError, match=r"unknown constraint 'colour'. Known: cash, "):
        constraints_from([{"kind": "colour"}])


def test_constraints_are_read_from_prose_and_from_a_specification() -> None:
    prose = (
        "Buy Apple and IBM when the 14-day RSI is under 30, long only, with at most 2 positions, "
        "a stop loss of 5%, with $50,000, backtest from 2008-01-01 to 2010-12-31."
    )
    found = {one.kind: one.value for one in constraints_of(prose)}
    assert found == {
        "trades": True,
        "symbols_among": ["IBM", "AAPL"],
        "indicator": "rsi",
        "most_numbers": [14, 30, 5],
        "period": ["2008-01-01", "2010-12-31"],
        "cash": 50000,
        "long_only": True,
        "max_positions": 2,
        "stop": True,
    }
    yaml = (
        'metadata:\n  name: "X"\n  version: "1.2.3"\ncapital:\n  allocation_usd: 25000\n'
        "data:\n  instruments: [MSFT]\n  start_date: 2009-01-01\n  end_date: 2011-12-31\n"
        "signals:\n  entry: MACD(12, 26, 9) above its signal\nrisk_management:\n"
        "  max_positions: 1\nacceptance_criteria:\n  min_sharpe_ratio: 1.5\n"
    )
    found = {one.kind: one.value for one in constraints_of(yaml)}
    assert found["most_numbers"] == [12, 26, 9]
    assert (found["cash"], found["max_positions"]) == (25000, 1)
    assert found["period"] == ["2009-01-01", "2011-12-31"]


def test_code_inside_a_request_is_not_what_is_asked() -> None:
    text = "Mend this.\n```python\nself.rsi('TSLA', 77)\n# long only\n```\nKeep IBM."
    kinds = [one.kind for one in constraints_of(text)]
    assert kinds == ["trades", "symbols_among"]


def test_what_shall_be_no_longer_is_not_asked() -> None:
    asked = constraints_of("Change it: high 60 instead of 25.5; IBM rather than MSFT. Keep 14.")
    found = {one.kind: one.value for one in asked}
    assert (found["symbols_among"], found["most_numbers"]) == (["IBM"], [60, 14])


@pytest.mark.parametrize(
    ("said", "numbers"),
    [
        ("fast: 10 -> 20", [20]),
        ("change the fast average from 10 to 20 days", [20]),
        ("fast should be 20, not 10", [20]),
        ("set fast to 20, it is 10 now", [20]),
        ("20 in place of 10; keep 30", [20, 30]),
        ("make the stop 3% rather than 5%", [3]),
        ("20 (now 10)", [20]),
        ("buy after a drop of 7%", [7]),
        ("trade from 5 shares on to 9", [5, 9]),
        ("Sharpe is 0.4, drawdown 12 %. Use 20 days", [20]),
    ],
)
def test_of_what_is_changed_the_new_value_is_asked_and_not_the_old_one(
    said: str, numbers: list[float]
) -> None:
    found = {one.kind: one.value for one in constraints_of(said)}
    assert found["most_numbers"] == numbers


@pytest.mark.parametrize(
    "said",
    [
        "Remove the trailing stop.",
        "Please drop the stop loss, it only costs.",
        "No stop loss any more.",
        "Take the trailing stop out again.",
        "It has to do without the stop loss",
        "Leave by the signal; the trailing stop has to go",
    ],
)
def test_a_stop_that_shall_go_is_not_asked_for(said: str) -> None:
    assert "stop" not in [one.kind for one in constraints_of(said)]
    assert "stop" in [one.kind for one in constraints_of("Add a trailing stop of 5%.")]


@pytest.mark.parametrize("said", ["replace MSFT with IBM", "swap MSFT for IBM", "IBM, not MSFT"])
def test_the_ticker_that_goes_is_not_asked_for(said: str) -> None:
    assert {one.kind: one.value for one in constraints_of(said)}["symbols_among"] == ["IBM"]


@pytest.mark.parametrize(
    ("said", "among"),
    [
        ("also trade MSFT", {"MSFT", "IBM", "AAPL"}),
        ("replace AAPL with MSFT", {"MSFT", "IBM"}),
        ("MSFT instead of IBM", {"MSFT", "AAPL"}),
    ],
)
def test_the_tickers_of_the_code_to_be_changed_stay_but_for_the_one_that_goes(
    said: str, among: set[str]
) -> None:
    code = '\n```python\ntickers = ["IBM", "AAPL"]\n```\n'
    for text in (said + "." + code, code + said):
        found = {one.kind: one.value for one in constraints_of(text)}
        assert set(found["symbols_among"]) == among


SHOWN = """from AlgorithmImports import *


class Cross(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2012, 12, 20)
        self.set_cash(50)
        self._fast = self.sma("IBM", 10)
"""


def test_the_code_of_the_request_given_back_is_no_change_whatever_its_layout() -> None:
    asked = constraints_of(f"Use a period of 20.\n\n```python\n{SHOWN}```\n")
    for given in (SHOWN, SHOWN.replace("    self._fast", "    # fast\n        self._fast"),
                  SHOWN.replace("class Cross", "class Other")):  # fmt: skip
        (found,) = (one for one in judge(asked, given, None) if one.constraint.kind == "changed")
        assert found.outcome is Outcome.FAIL
        assert found.evidence == "the code of the request, as it was"
    (found,) = (
        one
        for one in judge(asked, SHOWN.replace(", 10)", ", 20)"), None)
        if one.constraint.kind == "changed"
    )
    assert found.outcome is Outcome.PASS


@pytest.mark.parametrize(
    "text",
    [
        "Use 20.",
        f"Add comments and docstrings.\n```python\n{SHOWN}```",
        "Mend it:\n```python\nclass A(QCAlgorithm) oh no\n```",
        "Like so:\n```python\nx = 1\n```",
    ],
)
def test_nothing_has_to_change_where_no_strategy_is_shown_or_only_its_words_may(text: str) -> None:
    assert "changed" not in [one.kind for one in constraints_of(text)]


def test_a_number_of_a_date_or_of_the_cash_is_no_number_of_the_rules() -> None:
    for value in (12, 20, 50):
        (found,) = judge([Constraint("number", value)], SHOWN, None)
        assert found.outcome is Outcome.FAIL, value
    assert judge([Constraint("number", 10)], SHOWN, None)[0].outcome is Outcome.PASS
    assert judge([Constraint("number", 2012)], SHOWN, None)[0].outcome is Outcome.PASS


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_our_own_answers_lack_nothing_that_is_read_from_any_phrasing(family: Family) -> None:
    source = random.Random(family.name)
    for phrasing in range(family.styles):
        frame = draw_frame(source, (2005, 2012), (25_000, 50_000), 100_000)
        if phrasing == family.styles - 1:
            # A specification says dates and cash whatever else is silent.
            frame = replace(frame, wording=2)
        parameters = family.draw_parameters(source, ["AAPL", "GOOG", "IBM", "MSFT"])
        asked = constraints_of(family.instruction(phrasing, parameters, frame))
        code = family.code(parameters, frame)
        assert any(one.kind == "symbols_among" for one in asked)
        assert (frame.wording in (1, 2, 4)) == any(one.kind == "period" for one in asked)
        assert (frame.wording in (2, 3, 4)) == any(one.kind == "cash" for one in asked)
        static = [one for one in asked if not KINDS[one.kind][1]]
        for found in judge(static, code, None):
            assert found.outcome is Outcome.PASS, found
