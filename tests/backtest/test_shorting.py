"""A strategy's own provider says what may be sold short; beyond that an order is unknown."""

from __future__ import annotations

import pytest

from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.records import BacktestStatus

CODE = """
from AlgorithmImports import *

class Lender:
    def shortable_quantity(self, symbol, local_time):
        return 100

class Short(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.spy = self.add_equity("SPY", Resolution.HOUR)
        self.spy.set_shortable_provider(Lender())

    def on_data(self, data):
        if self.transactions.orders_count < {count}:
            self.market_order("SPY", -{shares})
"""


def test_what_is_lent_can_be_sold(lean: Simulator) -> None:
    result = lean.run(CODE.format(count=2, shares=50))
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert result.total_orders == 2


@pytest.mark.parametrize(("count", "shares"), [(1, 101), (3, 50)])
def test_a_sale_beyond_it_is_unknown(lean: Simulator, count: int, shares: int) -> None:
    result = lean.run(CODE.format(count=count, shares=shares))
    assert result.status is BacktestStatus.UNKNOWN
    assert result.reason == (
        "not modelled: OrderResponseErrorCode.EXCEEDS_SHORTABLE_QUANTITY (SPY)"
    )
