# ruff: noqa: F403, F405
"""One ticker of a universe for one day a week, bought on its first bar, sold once it has left."""

from AlgorithmImports import *


class OneDayAWeek(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 1)
        self.set_end_date(2013, 10, 31)
        self.universe_settings.resolution = Resolution.HOUR
        self.add_universe("sevenths", self.choose)
        self.came, self.left = [], []

    def choose(self, day):
        return [] if day.day % 7 else ["IBM"]

    def on_securities_changed(self, changes):
        self.came, self.left = changes.added_securities, changes.removed_securities

    def on_data(self, data):
        for security in self.left:
            if security.invested:
                self.liquidate(security.symbol)
        for security in self.came:
            if not security.invested:
                self.set_holdings(security.symbol, 1)
        self.came, self.left = [], []
