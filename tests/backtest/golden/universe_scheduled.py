# ruff: noqa: F403, F405
"""A universe asked at one in the morning; what it selects is bought on its first bar."""

from AlgorithmImports import *


class AtOne(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 8)
        self.asked = []
        when = self.date_rules.every_day(), self.time_rules.at(1, 0)
        self.add_universe(ScheduledUniverse(*when, self.choose))

    def choose(self, moment):
        self.asked.append(self.time)
        return [Symbol.create("SPY", SecurityType.EQUITY, Market.USA)]

    def on_data(self, data):
        if not self.portfolio.invested:
            self.set_holdings("SPY", 1)

    def on_end_of_algorithm(self):
        assert self.asked == [datetime(2013, 10, day, 1) for day in (7, 8)], self.asked
