# ruff: noqa: F403, F405
"""Pairs by their correlation, of a universe that is given everything at midnight, then nothing."""

from AlgorithmImports import *


class Pairs(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.all = [
            Symbol.create(ticker, SecurityType.EQUITY, Market.USA)
            for ticker in ("SPY", "AIG", "BAC", "IBM")
        ]
        self.set_universe_selection(ManualUniverseSelectionModel(self.all[:2]))
        when = self.date_rules.every_day(), self.time_rules.midnight
        self.add_universe_selection(ScheduledUniverseSelectionModel(*when, self.choose))
        self.set_alpha(PearsonCorrelationPairsTradingAlphaModel(252, Resolution.DAILY))
        self.set_portfolio_construction(EqualWeightingPortfolioConstructionModel())
        self.set_execution(ImmediateExecutionModel())

    def choose(self, moment):
        return self.all if moment.day < 11 else []

    def on_end_of_algorithm(self):
        fed = [item.consolidators.count for item in self.subscription_manager.subscriptions]
        assert not any(fed)
