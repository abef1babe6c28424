# ruff: noqa: F403, F405
from AlgorithmImports import *


class CrossOfTwoAverages(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.set_cash(100000)
        self.add_equity("SPY")
        self.fast = self.ema("SPY", self.get_parameter("ema-fast", 100))
        self.slow = self.ema("SPY", self.get_parameter("ema-slow", 200))

    def on_data(self, data):
        if not self.slow.is_ready:
            return
        fast, slow = self.fast.current.value, self.slow.current.value
        if fast > slow * 1.001:
            self.set_holdings("SPY", 1)
        elif fast < slow * 0.999:
            self.liquidate("SPY")
