# ruff: noqa: F403, F405
from AlgorithmImports import *


class ToldOnce(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 8)
        self.set_end_date(2013, 10, 11)
        self.set_cash(100000)
        self.add_equity("SPY", Resolution.MINUTE)
        self.set_warmup(timedelta(days=1))
        self.told = 0

    def on_warmup_finished(self):
        self.told += 1

    def on_end_of_algorithm(self):
        assert self.told == 1, self.told
