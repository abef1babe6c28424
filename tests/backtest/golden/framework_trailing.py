# ruff: noqa: F403, F405
"""Sold for good once the security has fallen by a hundredth from its best."""

from AlgorithmImports import *


class Trailing(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2014, 6, 1)
        self.set_end_date(2014, 6, 30)
        self.universe_settings.resolution = Resolution.HOUR
        self.universe_settings.data_normalization_mode = DataNormalizationMode.RAW
        self.set_universe_selection(
            ManualUniverseSelectionModel(Symbol.create("AAPL", SecurityType.EQUITY, Market.USA))
        )
        span = timedelta(days=31)
        self.set_alpha(ConstantAlphaModel(InsightType.PRICE, InsightDirection.UP, span, 0.025))
        self.set_portfolio_construction(EqualWeightingPortfolioConstructionModel())
        self.set_execution(ImmediateExecutionModel())
        self.set_risk_management(TrailingStopRiskManagementModel(0.01))

    def on_end_of_algorithm(self):
        assert not self.insights.get_insights(lambda item: item.is_active(self.utc_time))
