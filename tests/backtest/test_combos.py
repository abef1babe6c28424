"""Orders of several legs: filled together, cancelled together, refused together."""

from __future__ import annotations

from pathlib import Path

from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.records import BacktestStatus

from .conftest import Run

GOLDEN = Path(__file__).parent / "golden"
LEAN = {
    "Total Orders": "6", "Average Win": "0%", "Average Loss": "0%",
    "Compounding Annual Return": "162.471%", "Drawdown": "1.800%", "Expectancy": "0",
    "Start Equity": "100000", "End Equity": "104781.43", "Net Profit": "4.781%",
    "Sharpe Ratio": "8.272", "Sortino Ratio": "6.986", "Loss Rate": "0%", "Win Rate": "0%",
    "Profit-Loss Ratio": "0", "Alpha": "-0.049", "Beta": "0.646",
    "Annual Standard Deviation": "0.119", "Annual Variance": "0.014",
    "Information Ratio": "-8.927", "Tracking Error": "0.069", "Treynor Ratio": "1.519",
    "Total Fees": "$6.00", "Estimated Strategy Capacity": "$250000.00",
    "Lowest Capacity Asset": "IBM R735QTJ8XC9X", "Portfolio Turnover": "9.81%",
    "OrderListHash": "397d4e81b8c7fa9258e18c4bcf4154e1",
}  # fmt: skip
"""QuantConnect/Lean 11123e1926b0e58ae5b6b87bf91ea8c11cd0e595,
Algorithm.CSharp/ComboOrdersFillModelAlgorithm.cs; without Probabilistic Sharpe Ratio, which LEAN
works out otherwise since."""
PAIR = "self.ibm = self.add_equity('IBM', Resolution.DAILY).symbol\nself.tickets = []"
LEGS = "legs = [Leg.create(self.aapl, 1), Leg.create(self.ibm, -2)]"


def test_legs_that_a_strategys_model_fills_in_parts_give_leans_figures(lean: Simulator) -> None:
    result = lean.run((GOLDEN / "legs_together.py").read_text())
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert {key: result.statistics.get(key) for key in LEAN} == LEAN


def test_a_market_order_of_two_legs_gives_two_tickets_of_one_group(run: Run) -> None:
    result = run(
        PAIR,
        f"if not self.tickets and self.time.hour == 16:\n    {LEGS}\n"
        "    self.tickets = self.combo_market_order(legs, 10, tag='both')",
        "def on_end_of_algorithm(self):\n"
        "    orders = [self.transactions.get_order_by_id(t.order_id) for t in self.tickets]\n"
        "    group = orders[0].group_order_manager\n"
        "    self.log(f'{sorted(group.order_ids)} {group.count} {group.quantity:g} '\n"
        "             f'{[type(o).__name__ for o in orders]} {[t.tag for t in self.tickets]} '\n"
        "             f'{[t.quantity for t in self.tickets]}')",
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert result.logs[-1].endswith(
        "[1, 2] 2 10 ['ComboMarketOrder', 'ComboMarketOrder'] ['both', 'both'] [10.0, -20.0]"
    )
    filled = {order["symbol"]: order["quantity"] for order in result.orders
              if order["status"] == "filled"}  # fmt: skip
    assert filled == {"AAPL": 10.0, "IBM": -20.0}


def test_one_limit_for_both_waits_until_the_legs_together_come_to_it(run: Run) -> None:
    result = run(
        PAIR,
        f"if not self.tickets:\n    {LEGS}\n"
        "    self.tickets = self.combo_limit_order(legs, 1, -10_000)",
    )
    assert [order["status"] for order in result.orders] == ["submitted", "submitted"]


def test_a_leg_beyond_its_limit_keeps_the_other_from_filling(run: Run) -> None:
    result = run(
        PAIR,
        "if not self.tickets:\n"
        "    legs = [Leg.create(self.aapl, 1, 100_000), Leg.create(self.ibm, -1, 100_000)]\n"
        "    self.tickets = self.combo_leg_limit_order(legs, 1)",
    )
    assert [order["status"] for order in result.orders] == ["submitted", "submitted"]


def test_to_cancel_one_leg_cancels_all(run: Run) -> None:
    result = run(
        PAIR,
        f"if not self.tickets:\n    {LEGS}\n"
        "    self.tickets = self.combo_limit_order(legs, 1, -10_000)\n"
        "elif self.tickets[0].is_open:\n    self.tickets[1].cancel('enough')",
    )
    assert [order["status"] for order in result.orders] == ["canceled", "canceled"]


def test_a_leg_that_is_refused_keeps_the_others_from_being_placed(run: Run) -> None:
    result = run(
        PAIR,
        "if not self.tickets:\n"
        "    legs = [Leg.create(self.aapl, 1), Leg.create(self.ibm, 0)]\n"
        "    self.tickets = self.combo_market_order(legs, 5)\n"
        "    self.log(f'{len(self.tickets)} {self.tickets[0].status}')",
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert result.total_orders == 0
    assert any(line.endswith("1 Invalid") for line in result.logs)
    assert any("that have zero quantity" in line for line in result.logs)


def test_legs_that_could_be_smaller_are_refused_in_leans_words(run: Run) -> None:
    result = run(
        PAIR,
        "legs = [Leg.create(self.aapl, 2), Leg.create(self.ibm, -4)]\n"
        "self.combo_market_order(legs, 3)",
    )
    assert result.status is BacktestStatus.FAILED
    assert result.reason is not None
    assert "should be reduced from 3x(2, -4) to 6x(1, -2)" in result.reason


def test_legs_beyond_the_margin_are_unknown(run: Run) -> None:
    result = run(PAIR, f"{LEGS}\nself.combo_market_order(legs, 5000)")
    assert result.status is BacktestStatus.UNKNOWN
    assert result.reason is not None
    assert result.reason.startswith("not modelled: an order of several legs that takes")


def test_an_update_of_a_leg_is_unknown(run: Run) -> None:
    result = run(
        PAIR,
        f"{LEGS}\nself.combo_limit_order(legs, 1, -10_000)[0].update_tag('other')",
    )
    assert result.status is BacktestStatus.UNKNOWN
    assert result.reason == "not modelled: OrderTicket.update (of an order of several legs)"


def test_a_price_that_was_never_quoted_is_the_last_one(run: Run) -> None:
    result = run(
        "",
        "security = self.securities[self.aapl]\n"
        "assert security.bid_price == security.ask_price == security.price > 0\n"
        "assert security.bid_size == security.ask_size == 0",
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason


def test_a_fill_model_may_have_every_method_of_its_own(run: Run) -> None:
    single = ("market", "limit", "stop_market", "stop_limit", "trailing_stop", "limit_if_touched",
              "market_on_open", "market_on_close")  # fmt: skip
    own = "".join(
        f"    def {name}_fill(self, asset, order):\n"
        f"        return super().{name}_fill(asset, order)\n"
        for name in (*single, "combo_market", "combo_limit", "combo_leg_limit")
    )
    result = run(
        f"class Mine(FillModel):\n{own}self.securities[self.aapl].set_fill_model(Mine())",
        "if not self.portfolio.invested:\n    self.market_order(self.aapl, 10)",
    )
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert [order["status"] for order in result.orders] == ["filled"]
