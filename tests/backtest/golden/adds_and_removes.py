# ruff: noqa: F403, F405
"""Half SPY; two more stocks come on Tuesday, are bought on Wednesday and leave on Thursday."""

from AlgorithmImports import *

COMING = ("AIG", "BAC")


class ComeAndGo(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.set_cash(100000)
        self.add_equity("SPY")
        self.acted = None

    def on_data(self, data):
        if self.acted == self.time.date():
            return
        if not self.portfolio.invested:
            self.set_holdings("SPY", 0.5)
            self.acted = self.time.date()
        act = {1: self.add_equity, 2: self.buy_a_quarter, 3: self.remove_security}
        chosen = act.get(self.time.weekday())
        if chosen is not None:
            for ticker in COMING:
                chosen(ticker)
            self.acted = self.time.date()

    def buy_a_quarter(self, ticker):
        self.set_holdings(ticker, 0.25)
