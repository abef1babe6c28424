# ruff: noqa: F403, F405
from AlgorithmImports import *


class HoldThroughANewName(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2008, 8, 20)
        self.set_end_date(2008, 10, 1)
        self.stock = self.add_equity("SPWR", Resolution.HOUR, fill_forward=False).symbol

    def on_data(self, data):
        if not self.portfolio.invested:
            self.set_holdings(self.stock, 1)
