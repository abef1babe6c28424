# ruff: noqa: F403, F405
from AlgorithmImports import *


class TrendByMacd(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2004, 1, 1)
        self.set_end_date(2015, 1, 1)
        self.set_cash(100000)
        self.add_equity("SPY", Resolution.DAILY)
        self.trend = self.macd("SPY", 12, 26, 9, MovingAverageType.EXPONENTIAL, Resolution.DAILY)
        self.last_day = None

    def on_data(self, data):
        if not self.trend.is_ready or self.last_day == self.time.date():
            return
        self.last_day = self.time.date()
        quantity = self.portfolio["SPY"].quantity
        gap = (
            self.trend.current.value - self.trend.signal.current.value
        ) / self.trend.fast.current.value
        if quantity <= 0 and gap > 0.0025:
            self.set_holdings("SPY", 1.0)
        elif quantity >= 0 and gap < -0.0025:
            self.liquidate("SPY")
