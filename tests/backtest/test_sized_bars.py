"""Bars by size, by the hour from half past, and longer than a day."""

from __future__ import annotations

import pytest

from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.records import BacktestStatus

CODE = """
from AlgorithmImports import *

class Bars(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 7)
        self.add_equity("SPY", Resolution.MINUTE)
        self.bars = []
        {make}

    def hear(self, bar):
        self.bars.append(bar)

    def on_end_of_algorithm(self):
        for bar in self.bars[:3]:
            self.log(f"{{type(bar).__name__}} {{bar.time:%H:%M}} {{bar.end_time:%H:%M}}")
"""


@pytest.mark.parametrize(
    ("kind", "size", "maker"),
    [
        ("RenkoBar", "0.1", "RenkoConsolidator"),
        ("VolumeRenkoBar", "10000", "VolumeRenkoConsolidator"),
        ("RangeBar", "12", "RangeConsolidator"),
        ("TradeBar", "10", "TradeBarConsolidator"),
        ("QuoteBar", "10", "QuoteBarConsolidator"),
        ("BaseData", "10", "BaseDataConsolidator"),
    ],
)
def test_a_type_and_a_size_make_a_consolidator(
    lean: Simulator, kind: str, size: str, maker: str
) -> None:
    make = f'made = self.consolidate({kind}, "SPY", {size}, None, self.hear); '
    make += f"self.log(str(type(made) is {maker}))"
    result = lean.run(CODE.format(make=make))
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert result.logs[0] == "True"
    assert len(result.logs) == 4


def test_an_hour_may_begin_at_half_past(lean: Simulator) -> None:
    make = """
        made = TradeBarConsolidator(timedelta(hours=1), start_time=timedelta(hours=9, minutes=30))
        made.data_consolidated += lambda _, bar: self.hear(bar)
        self.subscription_manager.add_consolidator("SPY", made)
    """
    result = lean.run(CODE.format(make=make.strip()))
    assert [line.split(" ", 3)[3] for line in result.logs] == [
        "09:30 10:30", "10:30 11:30", "11:30 12:30",
    ]  # fmt: skip
