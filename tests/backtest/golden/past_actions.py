# ruff: noqa: F403, F405
from AlgorithmImports import *


class LooksBackThenBuys(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2021, 1, 1)
        self.set_end_date(2021, 1, 5)
        apple = self.add_equity("AAPL", Resolution.DAILY).symbol
        paid, split = self.history(Dividend, apple, 360), self.history(Split, apple, 360)
        assert len(paid) == 6, paid
        assert all(paid.distribution > 0), paid
        assert len(split) == 2, split

    def on_data(self, data):
        if not self.portfolio.invested:
            self.set_holdings("AAPL", 1)
