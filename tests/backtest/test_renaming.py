"""GOOG became GOOGL on 2014-04-03: listeners are told, and what was ordered before is cancelled."""

from __future__ import annotations

from qc_builder_lora.backtest.protocol import BacktestResult
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
        for symbol, event in events.items():
            self.log(f"{symbol} {event.old_symbol} {event.new_symbol} {event.time}")
"""
LIMIT = "self.limit_order(self._symbol, 1, 1.0) if not self.transactions.orders_count else None"


def renamed(lean: Simulator, on_data: str, more: str = "") -> BacktestResult:
    result = lean.run(CODE.format(on_data=on_data, more=more))
    assert result.status is BacktestStatus.COMPLETED, result.reason
    return result


def test_a_new_name_changes_nothing_for_who_does_not_listen(lean: Simulator) -> None:
    result = renamed(lean, "self.set_holdings(self._symbol, 1)")
    assert result.equity[-1][0] == "2014-04-07"


def test_who_listens_is_told_as_the_first_day_of_the_new_name_begins(lean: Simulator) -> None:
    result = renamed(lean, "pass", LISTENING)
    assert list(result.logs) == ["2014-04-03 00:00:00 GOOGL GOOG GOOGL 2014-04-03 00:00:00"]


def test_the_slice_has_it_too(lean: Simulator) -> None:
    on_data = "self.log(str([e.new_symbol for e in data.symbol_changed_events.values()]))"
    result = renamed(lean, on_data)
    assert [line for line in result.logs if "GOOGL" in line] == ["2014-04-03 00:00:00 ['GOOGL']"]


def test_an_order_under_the_old_name_is_cancelled(lean: Simulator) -> None:
    result = renamed(lean, LIMIT)
    (order,) = result.orders
    assert order["status"] == "canceled"
    assert order["tag"] == "Open order cancelled on symbol changed event"
