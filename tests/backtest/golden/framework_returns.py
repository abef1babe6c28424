# ruff: noqa: F403, F405
"""Returns of the hours before on raw prices, of a universe that is emptied at the end."""

from AlgorithmImports import *


class Returns(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2014, 6, 1)
        self.set_end_date(2014, 6, 30)
        self.universe_settings.resolution = Resolution.HOUR
        self.universe_settings.data_normalization_mode = DataNormalizationMode.RAW
        self.all = [
            Symbol.create(ticker, SecurityType.EQUITY, Market.USA)
            for ticker in ("AAPL", "AIG", "BAC", "SPY")
        ]
        self.set_universe_selection(ManualUniverseSelectionModel(self.all[:2]))
        when = self.date_rules.every_day(), self.time_rules.midnight
        self.add_universe_selection(ScheduledUniverseSelectionModel(*when, self.choose))
        self.set_alpha(self.model())
        self.set_portfolio_construction(EqualWeightingPortfolioConstructionModel())
        self.set_execution(ImmediateExecutionModel())

    def model(self):
        return HistoricalReturnsAlphaModel()

    def choose(self, moment):
        return self.all if moment.replace(tzinfo=None) < self.end_date - timedelta(1) else []
