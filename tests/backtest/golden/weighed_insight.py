# ruff: noqa: F403, F405
from AlgorithmImports import *


class AQuarter(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.set_cash(100000)
        self.universe_settings.resolution = Resolution.MINUTE
        spy = Symbol.create("SPY", SecurityType.EQUITY, Market.USA)
        self.set_universe_selection(ManualUniverseSelectionModel([spy]))
        span = timedelta(minutes=20)
        self.set_alpha(
            ConstantAlphaModel(InsightType.PRICE, InsightDirection.UP, span, 0.025, None, 0.25)
        )
        self.set_portfolio_construction(InsightWeightingPortfolioConstructionModel())
        self.set_execution(ImmediateExecutionModel())

    def on_end_of_algorithm(self):
        share = self.portfolio.total_holdings_value / self.portfolio.total_portfolio_value
        assert 0.23 < share < 0.28, share
