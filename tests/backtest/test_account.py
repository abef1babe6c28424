"""Margin calls, cash accounts, brokerages and a strategy's own models, on AAPL's bars of 2010."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.records import BacktestStatus

Run = Callable[..., BacktestResult]
ONCE = "if self.time.date() != date(2010, 1, 5): return\n"


def test_a_fill_better_than_the_market_is_not_believed(run: Run) -> None:
    head = """
    class Mine(FillModel):
        def market_on_open_fill(self, asset, order):
            fill = super().market_on_open_fill(asset, order)
            fill.fill_price = fill.fill_price * 0.5
            return fill
    """
    result = run(
        "self.securities[self.aapl].set_fill_model(Mine())",
        ONCE + "self.market_order(self.aapl, 10)",
        head=head,
    )
    assert result.status is BacktestStatus.UNKNOWN
    assert result.reason is not None
    assert result.reason.startswith("not modelled: a fill model that fills 10 of AAPL at ")
    assert result.statistics == {}


def test_a_fee_below_zero_is_not_believed(run: Run) -> None:
    head = """
    class Mine(FeeModel):
        def get_order_fee(self, parameters):
            return OrderFee(CashAmount(-1000000, "USD"))
    """
    result = run(
        "self.securities[self.aapl].set_fee_model(Mine())",
        ONCE + "self.market_order(self.aapl, 10)",
        head=head,
    )
    assert result.status is BacktestStatus.UNKNOWN
    assert result.reason == "not modelled: a fee model that gives -1e+06 USD for order 1"


def test_a_cash_account_cannot_borrow(run: Run) -> None:
    # LEAN keeps the leverage of a security that was added before the brokerage was chosen.
    result = run(
        "self.set_brokerage_model(BrokerageName.INTERACTIVE_BROKERS_BROKERAGE, AccountType.CASH)\n"
        'self.ibm = self.add_equity("IBM", Resolution.DAILY).symbol',
        ONCE + "self.market_order(self.ibm, 1500)",
    )
    assert result.orders[0]["status"] == "invalid"
    assert "Insufficient buying power" in result.orders[0]["message"]


def test_axos_takes_no_stop_orders(run: Run) -> None:
    result = run(
        "self.set_brokerage_model(BrokerageName.AXOS)",
        ONCE + "self.stop_market_order(self.aapl, -10, 20)",
    )
    assert result.orders[0]["status"] == "invalid"
    assert "does not support StopMarket order type" in result.orders[0]["message"]


def test_a_position_beyond_its_margin_is_reduced_and_the_strategy_hears_of_it(run: Run) -> None:
    result = run(
        "self.securities[self.aapl].set_leverage(20)",
        """
        if self.time.date() == date(2010, 1, 5):
            self.set_holdings(self.aapl, 19)
        """,
        more="""
        def on_margin_call(self, requests):
            self.log(f"called {requests[0].quantity < 0}")
            return requests
        """,
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert any("called True" in line for line in result.logs)
    assert any(order["tag"] == "Margin Call" for order in result.orders)


def test_a_strategys_own_figures_are_added_but_none_of_ours_replaced(run: Run) -> None:
    result = run(
        'self.set_summary_statistic("Mine", 7)\n'
        'self.set_summary_statistic("Sharpe Ratio", 99)\n'
        'self.set_runtime_statistic("Mood", "good")'
    )
    assert result.statistics["Mine"] == "7"
    assert result.statistics["Sharpe Ratio"] != "99"
    assert result.runtime_statistics["Mood"] == "good"
    assert result.runtime_statistics["Equity"] == "$100,000.00"


@pytest.mark.parametrize(("seed", "wanted"), [(1, 534011718), (387510346, None)])
def test_random_gives_the_numbers_of_net(run: Run, seed: int, wanted: int | None) -> None:
    result = run(f'dice = Random({seed})\nself.debug(f"rolled {{dice.next()}}")')
    rolled = [line for line in result.logs if "rolled" in line]
    assert len(rolled) == 1
    assert wanted is None or rolled == [f"rolled {wanted}"]
