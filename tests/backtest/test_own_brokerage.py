"""A brokerage model of a strategy's own: its models, its benchmark, what it refuses."""

from __future__ import annotations

from textwrap import indent

from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.records import BacktestStatus

from .conftest import Run

CODE = """
from AlgorithmImports import *

class Mine(DefaultBrokerageModel):
{methods}

class Fee(FeeModel):
    def get_order_fee(self, parameters):
        return OrderFee(CashAmount(7, "USD"))

class Days:
    def evaluate(self, time):
        return 100 + time.day

class Own(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.set_brokerage_model(Mine())
        self.add_equity("SPY", Resolution.HOUR)

    def on_data(self, data):
        if not self.transactions.orders_count:
            ticket = self.market_order("SPY", 10)
            self.log(f"{{ticket.status}} {{ticket.submit_request.response.error_message}}")
"""


def own(lean: Simulator, methods: str) -> BacktestResult:
    return lean.run(CODE.format(methods=indent(methods, " " * 4)))


def test_its_fee_model_is_every_security_s(lean: Simulator) -> None:
    result = own(lean, "def get_fee_model(self, security):\n    return Fee()")
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert result.statistics["Total Fees"] == "$7.00"


def test_its_benchmark_is_measured_against(lean: Simulator) -> None:
    plain = own(lean, "pass")
    result = own(lean, "def get_benchmark(self, securities):\n    return Days()")
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert result.statistics["Beta"] != plain.statistics["Beta"]
    assert result.statistics["End Equity"] == plain.statistics["End Equity"]


def test_a_refusal_without_a_message_has_leans(lean: Simulator) -> None:
    result = own(lean, "def CanSubmitOrder(self, security, order, message):\n    return False")
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert result.logs[-1].endswith(
        "Invalid BrokerageModel declared unable to submit order: [1] Warning - Code: InvalidOrder"
        " - "
    )


def test_what_it_raises_is_the_strategy_s_failure(lean: Simulator) -> None:
    result = own(lean, "def can_submit_order(self, *asked):\n    raise ValueError('mine')")
    assert result.status is BacktestStatus.FAILED
    assert "ValueError: mine" in (result.reason or "")


def test_it_cannot_take_what_leans_does_not(lean: Simulator) -> None:
    code = CODE.format(methods="    def can_submit_order(self, *asked):\n        return True")
    code = code.replace("DefaultBrokerageModel", "AxosClearingBrokerageModel")
    code = code.replace('self.market_order("SPY", 10)', 'self.stop_limit_order("SPY", 10, 1, 2)')
    result = lean.run(code)
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert "does not support StopLimit order type" in "".join(result.logs)


def test_a_brokerage_whose_init_does_not_call_leans_is_leans_default(run: Run) -> None:
    result = run(
        "self.set_brokerage_model(Careful(self, 90_000))",
        "if not self.portfolio.invested:\n    self.set_holdings(self.aapl, self.share)\n"
        "    self.share *= 0.5",
        head="""
        class Careful(DefaultBrokerageModel):
            def __init__(self, algorithm, least):
                self.algorithm, self.least = algorithm, least
                algorithm.share = 0.5

            def can_submit_order(self, security, order, message):
                return self.algorithm.portfolio.cash - order.get_value(security) >= self.least
        """,
    )
    assert result.status.value == "completed", result.reason
    assert [order["status"] for order in result.orders][:3] == ["invalid", "invalid", "invalid"]
    assert result.orders[3]["status"] == "filled"
