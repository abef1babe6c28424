# ruff: noqa: F403, F405
from AlgorithmImports import *


class BuysWhenTheDayEnds(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.set_cash(100000)
        self.ends = {"SPY": 0, "BAC": 0, "IBM": 0}
        self.add_universe("one-more-on-the-eighth", self.choose)

    def choose(self, now):
        return ["SPY", "IBM"] if now.day == 8 else ["SPY"]

    def on_end_of_day(self, symbol):
        first = not self.ends[symbol.value]
        self.ends[symbol.value] += 1
        if first and symbol.value != "IBM":
            self.set_holdings(symbol, 0.5)
        if first and symbol.value == "SPY":
            self.add_equity("BAC")

    def on_end_of_algorithm(self):
        # IBM is gone on the ninth, BAC came after the end of the first day.
        assert self.ends == {"SPY": 5, "BAC": 4, "IBM": 1}, self.ends
