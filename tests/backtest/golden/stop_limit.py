# ruff: noqa: F403, F405
from AlgorithmImports import *


class StopLimit(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 1, 1)
        self.set_end_date(2017, 1, 1)
        self.set_cash(100000)
        self.spy = self.add_equity("SPY", Resolution.DAILY).symbol
        self.fast = self.ema(self.spy, 30, Resolution.DAILY)
        self.slow = self.ema(self.spy, 60, Resolution.DAILY)
        self.entry = None
        self.leave = None

    def on_data(self, data):
        if not self.fast.is_ready or not self.slow.is_ready or not data.contains_key(self.spy):
            return
        bar = data.bars.get(self.spy)
        if bar is None:
            return
        line = self.slow.current.value * 1.001
        if self.entry is None and self.fast.current.value > line:
            self.entry = self.stop_limit_order(self.spy, 100, bar.high * 1.10, bar.high * 1.11)
        elif (
            self.entry is not None
            and self.entry.status == OrderStatus.FILLED
            and self.leave is None
            and self.fast.current.value < line
        ):
            self.leave = self.stop_limit_order(self.spy, -100, bar.low * 0.99, bar.low * 0.98)
