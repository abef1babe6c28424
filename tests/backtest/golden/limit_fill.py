# ruff: noqa: F403, F405
from AlgorithmImports import *


class LimitsByTheHour(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.set_cash(100000)
        self.add_equity("SPY", Resolution.SECOND)

    def on_data(self, data):
        if data.contains_key("SPY") and self.time.second == 0 and self.time.minute == 0:
            sign = 1 if self.time < self.start_date + timedelta(days=2) else -1
            self.limit_order("SPY", 10 * sign, data["SPY"].price)
