# ruff: noqa: F403, F405
"""Half of the cash long SPY, half short AAPL, every day anew, with LEAN's market impact."""

from AlgorithmImports import *


class Impact(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 13)
        self.set_cash(10_000_000)
        for ticker in ("SPY", "AAPL"):
            security = self.add_equity(ticker, Resolution.DAILY)
            security.set_slippage_model(MarketImpactSlippageModel(self))
        self.set_warm_up(1)

    def on_data(self, data):
        self.set_holdings("SPY", 0.5)
        self.set_holdings("AAPL", -0.5)
