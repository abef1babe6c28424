# ruff: noqa: F403, F405
from AlgorithmImports import *


class BuysBeforeTheBell(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.set_cash(100000)
        self.add_equity("SPY", Resolution.MINUTE, Market.USA, True, 1, True)
        self.day = None

    def regular(self):
        return time(9, 30) < self.time.time() < time(16, 0)

    def on_data(self, data):
        if self.day == self.time.date() or self.regular():
            return
        self.limit_order("SPY", 10, data.bars["SPY"].low)
        self.day = self.time.date()

    def on_order_event(self, event):
        assert not self.regular(), event
