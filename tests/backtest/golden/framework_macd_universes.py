# ruff: noqa: F403, F405
from AlgorithmImports import *


class TrendsThatComeAndGo(QCAlgorithm):
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
        self.set_alpha(MacdAlphaModel())
        self.set_portfolio_construction(EqualWeightingPortfolioConstructionModel())

    def all_but_on_the_last_day(self, now):
        last = self.end_date.replace(tzinfo=now.tzinfo) - timedelta(days=1)
        return self.everything if now < last else []

    def on_end_of_algorithm(self):
        assert self.insights.total_count == 4
        assert not self.insights.get_insights(lambda item: item.is_active(self.utc_time))
