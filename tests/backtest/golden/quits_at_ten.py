# ruff: noqa: F403, F405
from AlgorithmImports import *


class QuitsAtTen(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2020, 5, 1)
        self.set_end_date(2020, 6, 5)
        self.add_equity("SPY", Resolution.HOUR)

    def on_data(self, data):
        if self.time.month == 6:
            self.quit()
