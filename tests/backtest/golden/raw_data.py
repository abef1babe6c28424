# ruff: noqa: F403, F405
from AlgorithmImports import *


class HoldRaw(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2014, 3, 25)
        self.set_end_date(2014, 4, 7)
        self.set_cash(100000)
        self.add_equity(
            "GOOGL", Resolution.DAILY, data_normalization_mode=DataNormalizationMode.RAW
        )

    def on_data(self, data):
        if not self.portfolio.invested:
            self.set_holdings("GOOGL", 1)
