# ruff: noqa: F403, F405
from AlgorithmImports import *


class NothingForABenchmark(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2014, 6, 6)
        self.set_end_date(2014, 6, 9)
        self.set_cash(100000)
        self.set_benchmark(lambda time: 0)
        self.apple = self.add_equity("AAPL", Resolution.HOUR).symbol
        self.bars, self.warned, self.split = 0, False, None

    def on_data(self, data):
        self.bars += data.bars.count
        for split in data.splits.values():
            if split.type == SplitType.WARNING:
                self.warned = True
            else:
                self.split = split
        last = self.time.date() == self.end_date.date()
        if data.bars.count and last and not self.portfolio.invested:
            self.buy(self.apple, 1)

    def on_end_of_algorithm(self):
        assert self.warned
        assert self.bars == 14, self.bars
        assert abs(self.split.reference_price - 645.57) < 1e-9, self.split.reference_price
