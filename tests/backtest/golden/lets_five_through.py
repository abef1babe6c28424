# ruff: noqa: F403, F405
"""A fifth in SPY at every bar; a filter keeps what begins after 9:35 from the strategy."""

from AlgorithmImports import *


class OnlyEarly(SecurityDataFilter):
    def filter(self, vehicle, data):
        return data.time < datetime(2013, 10, 7, 9, 35)


class Filtered(QCAlgorithm):
    def initialize(self):
        self.set_cash(2_500_000)
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 7)
        self.add_security(SecurityType.EQUITY, "SPY").set_data_filter(OnlyEarly())
        self.seen = 0

    def on_data(self, data):
        self.seen += 1
        assert self.seen <= 5, self.time
        self.set_holdings("SPY", 0.2)
