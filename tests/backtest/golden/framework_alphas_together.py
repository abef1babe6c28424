# ruff: noqa: F403, F405
"""Two alpha models as one, over four securities that the strategy has added itself."""

from AlgorithmImports import *


class Together(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        for ticker in ("SPY", "IBM", "BAC", "AIG"):
            self.add_equity(ticker)
        self.set_universe_selection(ManualUniverseSelectionModel(self.securities.keys()))
        self.set_alpha(CompositeAlphaModel(RsiAlphaModel(), EmaCrossAlphaModel()))
        self.set_portfolio_construction(EqualWeightingPortfolioConstructionModel())
        self.set_execution(ImmediateExecutionModel())
