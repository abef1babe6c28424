"""AAA.1 ended on 2007-05-18: what is held, ordered and listened to then, as LEAN has it."""

from __future__ import annotations

from textwrap import indent

from qc_builder_lora.backtest.protocol import BacktestResult
from qc_builder_lora.backtest.simulator import Simulator
from qc_builder_lora.records import BacktestStatus

CODE = """
from AlgorithmImports import *

class Ended(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2007, 5, 14)
        self.set_end_date(2007, 5, 25)
        self.gone = self.add_equity("AAA.1", Resolution.DAILY).symbol
        self.add_equity("SPY", Resolution.DAILY)

    def on_data(self, data):
{on_data}
{more}
"""
BUY_ONCE = "if not self.transactions.orders_count: self.market_order(self.gone, 100)"


def ended(lean: Simulator, on_data: str, more: str = "") -> BacktestResult:
    result = lean.run(CODE.format(on_data=indent(on_data, " " * 8), more=indent(more, " " * 4)))
    assert result.status is BacktestStatus.COMPLETED, result.reason
    return result


def test_what_is_held_is_sold_at_the_last_price_free_of_charge(lean: Simulator) -> None:
    heard = """
def on_order_event(self, event):
    if event.status == OrderStatus.FILLED:
        security = self.securities[self.gone]
        self.log(f"{event.fill_quantity:g} {event.fill_price:g} {event.ticket.tag}")
        self.log(f"{security.is_delisted} {security.is_tradable}")
"""
    result = ended(lean, BUY_ONCE, heard)
    last = result.orders[1]
    assert (last["quantity"], last["tag"]) == (-100.0, "Liquidate from delisting")
    fill = last["fills"][0]
    # Saturday's midnight, at Friday's close.
    assert (fill["time"], fill["price"], fill["fee"]) == ("2007-05-19T04:00:00Z", 26.0, 0.0)
    assert result.statistics["Total Fees"] == "$1.00"
    assert result.logs[-2:] == (
        "2007-05-19 00:00:00 -100 26 Liquidate from delisting",
        "2007-05-19 00:00:00 True False",
    )


def test_what_is_sold_short_is_bought_back(lean: Simulator) -> None:
    result = ended(lean, BUY_ONCE.replace("100", "-100"))
    assert result.orders[-1]["quantity"] == 100.0
    assert result.closed_trades == 1


def test_open_orders_are_cancelled(lean: Simulator) -> None:
    result = ended(lean, BUY_ONCE.replace("market_order(self.gone, 100)",
                                          "limit_order(self.gone, 100, 1)"))  # fmt: skip
    assert [order["status"] for order in result.orders] == ["canceled"]


def test_an_order_for_it_is_refused_and_never_exists(lean: Simulator) -> None:
    on_data = """
if self.time.day == 22:
    ticket = self.market_order(self.gone, 100)
    self.log(f"{ticket.status} {ticket.submit_request.response.error_code}")
"""
    result = ended(lean, on_data)
    assert result.total_orders == 0
    assert "The security with symbol 'AAA.1' is marked as non-tradable." in result.logs[0]
    assert result.logs[1].endswith("Invalid NonTradableSecurity")


def test_listeners_are_told_twice_and_the_company_leaves_the_universe(lean: Simulator) -> None:
    more = """
def on_delistings(self, delistings):
    for symbol, end in delistings.items():
        self.log(f"{symbol} {end.type} {end.price:g}")

def on_securities_changed(self, changes):
    self.log(f"removed {[str(item.symbol) for item in changes.removed_securities]}")
"""
    result = ended(lean, "pass", more)
    assert list(result.logs) == [
        "2007-05-14 00:00:00 removed []",
        "2007-05-18 00:00:00 AAA.1 Warning 26.35",
        "2007-05-19 00:00:00 AAA.1 Delisted 26",
        "2007-05-21 16:00:00 removed ['AAA.1']",
    ]


def test_its_bars_end_with_it_although_gaps_are_filled_by_the_hour(lean: Simulator) -> None:
    on_data = """
if self.gone in data.bars:
    self.log("bar")
"""
    code = CODE.replace('"SPY", Resolution.DAILY', '"SPY", Resolution.HOUR')
    result = lean.run(code.format(on_data=indent(on_data, " " * 8), more=""))
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert result.logs[-1] == "2007-05-18 16:00:00 bar"
    # Filled forward by the hour until then.
    assert "2007-05-18 11:00:00 bar" in result.logs


def test_who_begins_after_the_end_is_told_at_once_and_has_no_price(lean: Simulator) -> None:
    more = """
def on_delistings(self, delistings):
    self.log(f"{self.time} {[str(end.type) for end in delistings.values()]}")
"""
    code = CODE.replace("2007, 5, 14", "2007, 5, 21")
    result = lean.run(code.format(on_data="        pass", more=indent(more, " " * 4)))
    assert result.status is BacktestStatus.COMPLETED, result.reason
    assert "['Delisted']" in result.logs[0]
