"""Settlement, margin interest, market impact and data filters: LEAN's figures, and their bounds.

Each strategy in `golden/` is our own, of the same behaviour as the LEAN algorithm that
`own_money.json` names with its commit. Probabilistic Sharpe Ratio is left out: LEAN changed it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qc_builder_lora.backtest.protocol import MOVED_MONEY
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.records import BacktestStatus

from .conftest import Run

GOLDEN = Path(__file__).parent / "golden"
PUBLISHED = json.loads((GOLDEN / "own_money.json").read_text())
SETTLES = """
class Settles:
    def apply_funds(self, parameters):
        {apply}

    def scan(self, parameters):
        {scan}
"""


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_figure_comes_out(name: str, lean: Simulator) -> None:
    result = lean.run((GOLDEN / f"{name}.py").read_text())

    assert result.status is BacktestStatus.COMPLETED, result.reason
    wanted = dict(PUBLISHED[name]["statistics"])
    if name == "market_impact":
        published = float(wanted.pop("End Equity"))
        assert float(result.statistics["End Equity"]) == pytest.approx(published, rel=1e-4)
        assert any("not to the digit" in line for line in result.logs)
    assert {key: result.statistics.get(key) for key in wanted} == wanted


def test_a_model_that_keeps_the_money_of_a_fill_leaves_the_cash_less_the_fee(run: Run) -> None:
    result = run(
        "self.securities[self.aapl].set_settlement_model(Settles())",
        "if not self.portfolio.invested:\n    self.market_order(self.aapl, 100)",
        "def on_order_event(self, event):\n"
        "    if event.status == OrderStatus.FILLED:\n"
        "        self.log(f'{self.portfolio.cash:g} {event.order_fee.value.amount:g}')",
        head=SETTLES.format(apply="pass", scan="pass"),
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert any(line.endswith(" 99999 1") for line in result.logs), result.logs


def test_the_log_says_that_a_strategys_model_moved_money(run: Run) -> None:
    pays = "parameters.portfolio.cash_book['USD'].add_amount(parameters.cash_amount.amount)"
    result = run(
        "self.securities[self.aapl].set_settlement_model(Settles())",
        "if not self.portfolio.invested:\n    self.market_order(self.aapl, 100)",
        head=SETTLES.format(apply=pays, scan="pass"),
    )
    plain = run("", "if not self.portfolio.invested:\n    self.market_order(self.aapl, 100)")
    assert result.statistics == plain.statistics
    note = "Note: models of the strategy's own have moved money"
    assert sum(note in line for line in result.logs) == 1
    assert not any(note in line for line in plain.logs)


def test_a_class_of_leans_may_be_settled_by_and_asked_for_the_rest(run: Run) -> None:
    result = run(
        "self.securities[self.aapl].set_settlement_model(Counts())",
        "if not self.portfolio.invested:\n    self.market_order(self.aapl, 100)",
        "def on_end_of_algorithm(self):\n    self.log(f'settled {Counts.fills}')",
        head="""
        class Counts(ImmediateSettlementModel):
            fills = 0

            def apply_funds(self, parameters):
                Counts.fills += 1
                super().apply_funds(parameters)
        """,
    )
    plain = run("", "if not self.portfolio.invested:\n    self.market_order(self.aapl, 100)")
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert result.logs[-1].endswith("settled 1")
    assert result.statistics == plain.statistics


def test_what_settles_later_cannot_be_asked_by_a_strategys_own(run: Run) -> None:
    result = run(
        "self.securities[self.aapl].set_settlement_model(Late(1, timedelta(hours=8)))",
        "if not self.portfolio.invested:\n    self.market_order(self.aapl, 100)",
        head="""
        class Late(DelayedSettlementModel):
            def apply_funds(self, parameters):
                super().apply_funds(parameters)
        """,
    )
    assert result.status is BacktestStatus.UNKNOWN
    assert result.reason == "not modelled: Late.scan (of a strategy's own)"


def test_a_scan_that_raises_fails_the_strategy(run: Run) -> None:
    result = run(
        "self.securities[self.aapl].set_settlement_model(Settles())",
        head=SETTLES.format(apply="pass", scan="raise ValueError('no bank today')"),
    )
    assert result.status is BacktestStatus.FAILED
    assert result.reason is not None
    assert "no bank today" in result.reason


def test_a_settlement_model_without_scan_is_unknown(run: Run) -> None:
    result = run(
        "self.securities[self.aapl].set_settlement_model(Half())",
        head="class Half:\n    def apply_funds(self, parameters):\n        pass\n",
    )
    assert result.status is BacktestStatus.UNKNOWN
    assert result.reason == "not modelled: Security.set_settlement_model (Half without scan)"


def test_a_filter_sees_every_bar_and_what_it_keeps_back_is_no_price(run: Run) -> None:
    result = run(
        "self.aapl_security = self.securities[self.aapl]\n"
        "self.aapl_security.set_data_filter(Mondays())\nself.days = set()",
        "self.days.add(self.time.weekday())\n"
        "assert self.aapl_security.price == data.bars[self.aapl].close",
        "def on_end_of_algorithm(self):\n    self.log(f'{sorted(self.days)}')",
        head="""
        class Mondays(SecurityDataFilter):
            def filter(self, vehicle, data):
                return data.time.weekday() == 0
        """,
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert result.logs[-1].endswith("[0]")


def test_a_filter_that_raises_fails_the_strategy(run: Run) -> None:
    result = run(
        "self.securities[self.aapl].set_data_filter(Broken())",
        head="""
        class Broken(SecurityDataFilter):
            def filter(self, vehicle, data):
                return 1 / 0
        """,
    )
    assert result.status is BacktestStatus.FAILED
    assert result.reason is not None
    assert "ZeroDivisionError" in result.reason


def test_market_impact_that_may_be_negative_is_unknown_once_it_is(run: Run) -> None:
    result = run(
        "model = MarketImpactSlippageModel(self, non_negative=False)\n"
        "self.securities[self.aapl].set_slippage_model(model)",
        "self.market_order(self.aapl, 10)",
    )
    assert result.status is BacktestStatus.UNKNOWN
    assert result.reason is not None
    assert "slippage model that gives -" in result.reason


def test_no_flood_of_log_lines_hides_that_a_model_moved_money(run: Run) -> None:
    pays = "self.securities[self.aapl].set_settlement_model(Settles())"
    result = run(
        pays + "\nfor number in range(30_000):\n    self.log('x' * 90)",
        "if not self.portfolio.invested:\n    self.market_order(self.aapl, 100)",
        head=SETTLES.format(
            apply="parameters.portfolio.cash_book['USD'].add_amount(1000)", scan="pass"
        ),
    )
    assert result.truncated
    assert result.logs[0] == MOVED_MONEY
