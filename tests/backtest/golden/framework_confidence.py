# ruff: noqa: F403, F405
"""A quarter of the portfolio in SPY, by the confidence of a constant insight."""

from AlgorithmImports import *


class Confident(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.universe_settings.resolution = Resolution.MINUTE
        spy = Symbol.create("SPY", SecurityType.EQUITY, Market.USA)
        self.set_universe_selection(ManualUniverseSelectionModel(spy))
        span = timedelta(minutes=20)
        self.set_alpha(
            ConstantAlphaModel(InsightType.PRICE, InsightDirection.UP, span, 0.025, 0.25)
        )
        self.set_portfolio_construction(ConfidenceWeightedPortfolioConstructionModel())
        self.set_execution(ImmediateExecutionModel())
