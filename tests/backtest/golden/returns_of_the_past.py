# ruff: noqa: F403, F405
from AlgorithmImports import *


class FollowsYesterday(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2014, 6, 1)
        self.set_end_date(2014, 6, 30)
        self.universe_settings.resolution = Resolution.HOUR
        self.universe_settings.data_normalization_mode = DataNormalizationMode.RAW
        self.everything = [
            Symbol.create(ticker, SecurityType.EQUITY, Market.USA)
            for ticker in ("AAPL", "AIG", "BAC", "SPY")
        ]
        self.set_universe_selection(ManualUniverseSelectionModel(self.everything[:2]))
        self.add_universe_selection(
            ScheduledUniverseSelectionModel(
                self.date_rules.every_day(), self.time_rules.midnight, self.all_but_on_the_last_day
            )
        )
        self.set_alpha(HistoricalReturnsAlphaModel())
        self.set_portfolio_construction(EqualWeightingPortfolioConstructionModel())

    def all_but_on_the_last_day(self, now):
        last = self.end_date.astimezone(now.tzinfo) - timedelta(1)
        return self.everything if now < last else []

    def on_end_of_algorithm(self):
        assert self.insights.total_count == 78, self.insights.total_count
