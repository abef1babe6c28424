# ruff: noqa: F403, F405
from AlgorithmImports import *


class AfterTheReverseSplit(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 11, 7)
        self.set_end_date(2013, 11, 8)
        self.set_cash(100000)
        self.set_benchmark(lambda time: 0)
        self.note = self.add_equity("VXX.1", Resolution.HOUR).symbol

    def on_data(self, data):
        last = self.time.date() == self.end_date.date()
        if data.bars.count and last and not self.portfolio.invested:
            self.buy(self.note, 1)
