# ruff: noqa: F403, F405
from AlgorithmImports import *


class EverySeventhDay(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 1)
        self.set_end_date(2013, 10, 31)
        self.set_cash(100000)
        self.universe_settings.resolution = Resolution.HOUR
        self.added = []
        weekly = CustomUniverseSelectionModel(
            "weekly", lambda now: ["IBM"] if now.day % 7 == 0 else []
        )
        later = {"SPY": self.start_date + timedelta(5)}
        self.add_universe_selection(weekly)
        self.add_universe_selection(InceptionDateUniverseSelectionModel("later", later))

    def on_data(self, data):
        for symbol in self.added:
            self.set_holdings(symbol, 0.5)
        self.added = []

    def on_securities_changed(self, changes):
        for security in changes.removed_securities:
            self.liquidate(security.symbol, "Removed from Universe")
        # On the seventh both come at once, in one call.
        self.added = [security.symbol for security in changes.added_securities]
