# ruff: noqa: F403, F405
"""The hourly relative strength index of four tickers, executed as the named model wants it."""

from AlgorithmImports import *


class Patiently(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.set_cash(1_000_000)
        self.universe_settings.resolution = Resolution.MINUTE
        symbols = [
            Symbol.create(ticker, SecurityType.EQUITY, Market.USA)
            for ticker in ("AIG", "BAC", "IBM", "SPY")
        ]
        self.set_universe_selection(ManualUniverseSelectionModel(symbols))
        self.set_alpha(RsiAlphaModel(14, Resolution.HOUR))
        self.set_portfolio_construction(EqualWeightingPortfolioConstructionModel())
        self.set_execution(StandardDeviationExecutionModel())
