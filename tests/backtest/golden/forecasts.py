# ruff: noqa: F403, F405
from AlgorithmImports import *


class TwoForecasts(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 1, 7)
        self.set_end_date(2013, 12, 11)
        self.settings.automatic_indicator_warm_up = True
        self.spy = self.add_equity("SPY", Resolution.DAILY).symbol
        self.with_errors = self.arima(self.spy, 1, 1, 1, 50)
        self.without = self.arima(self.spy, 1, 1, 0, 50)
        self.before = 0

    def on_data(self, data):
        if not self.with_errors.is_ready:
            return
        now = self.with_errors.current.value
        if abs(now - self.without.current.value) > 1:
            self.market_order(self.spy, 1 if now > self.before else -1)
        self.before = now
