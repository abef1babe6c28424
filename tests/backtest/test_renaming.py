"""GOOG became GOOGL on 2014-04-03: unknown for who listens for that, or has orders open."""

from __future__ import annotations

import pytest

from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.records import BacktestStatus

CODE = """
from AlgorithmImports import *

class Renamed(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2014, 3, 25)
        self.set_end_date(2014, 4, 7)
        self._symbol = self.add_equity("GOOGL", Resolution.DAILY).symbol

    def on_data(self, data):
        {on_data}
{more}
"""
LISTENING = """
    def on_symbol_changed_events(self, events):
        self.log(str(events))
"""
LIMIT = "self.limit_order(self._symbol, 1, 1.0) if not self.transactions.orders_count else None"


def test_a_new_name_changes_nothing_for_who_does_not_listen(lean: Simulator) -> None:
    result = lean.run(CODE.format(on_data="self.set_holdings(self._symbol, 1)", more=""))
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert result.equity[-1][0] == "2014-04-07"


@pytest.mark.parametrize(("on_data", "more"), [("pass", LISTENING), (LIMIT, "")])
def test_a_new_name_is_unknown_where_it_would_change_something(
    lean: Simulator, on_data: str, more: str
) -> None:
    result = lean.run(CODE.format(on_data=on_data, more=more))
    assert result.status is BacktestStatus.UNKNOWN
    assert "SymbolChangedEvent (GOOGL gets another name)" in (result.reason or "")
