# ruff: noqa: F403, F405
from AlgorithmImports import *


class SwapTwo(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.spy, self.ibm = (
            self.add_equity(ticker, Resolution.MINUTE, Market.USA, False, 1).symbol
            for ticker in ("SPY", "IBM")
        )

    def on_data(self, data):
        shares = [(self.ibm, 0.8), (self.spy, 0.2)]
        if not self.portfolio.invested:
            shares = [(self.spy, 0.8), (self.ibm, 0.2)]
        self.set_holdings([PortfolioTarget(symbol, share) for symbol, share in shares])
