# ruff: noqa: F403, F405
"""Equal weights of four tickers, restored every Wednesday and never in between."""

from AlgorithmImports import *


class Wednesdays(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2015, 1, 1)
        self.set_end_date(2017, 1, 1)
        self.universe_settings.resolution = Resolution.DAILY
        self.settings.minimum_order_margin_portfolio_percentage = 0
        self.settings.rebalance_portfolio_on_insight_changes = False
        self.settings.rebalance_portfolio_on_security_changes = False
        tickers = ["AAPL", "IBM", "FB", "SPY"]
        self.set_universe_selection(CustomUniverseSelectionModel("four", lambda now: tickers))
        self.set_alpha(
            ConstantAlphaModel(InsightType.PRICE, InsightDirection.UP, timedelta(minutes=20))
        )
        rule = self.date_rules.every(DayOfWeek.WEDNESDAY)
        self.set_portfolio_construction(EqualWeightingPortfolioConstructionModel(rule))
        self.set_execution(ImmediateExecutionModel())

    def on_order_event(self, event):
        assert event.status != OrderStatus.SUBMITTED or self.utc_time.weekday() == 2
