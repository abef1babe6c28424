# ruff: noqa: F403, F405
from AlgorithmImports import *


class TwoAtOnce(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        for ticker in ("SPY", "IBM"):
            self.add_equity(ticker, Resolution.MINUTE, Market.USA, False, 1)

    def on_data(self, data):
        if not self.portfolio.invested:
            targets = [PortfolioTarget("SPY", 0.8), PortfolioTarget("IBM", 0.2)]
            self.set_holdings(targets, liquidate_existing_holdings=True)
