# ruff: noqa: F403, F405
"""All of the cash in SPY; on what is left one percent of interest at every hour's scan."""

from AlgorithmImports import *


class OnePercent:
    def __init__(self):
        self.times = 0

    def apply_margin_interest_rate(self, parameters):
        holding = parameters.security.holdings
        worth = holding.get_quantity_value(holding.quantity)
        if worth.amount <= 0:
            return
        worth.cash.add_amount(worth.cash.amount * 0.01)
        self.times += 1


class Charged(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 1)
        self.set_end_date(2013, 10, 31)
        spy = self.add_equity("SPY", Resolution.HOUR)
        self.model = OnePercent()
        spy.set_margin_interest_rate_model(self.model)

    def on_data(self, data):
        if not self.portfolio.invested:
            self.set_holdings("SPY", 1)

    def on_order_event(self, event):
        if event.status == OrderStatus.FILLED:
            self.left = self.portfolio.cash

    def on_end_of_algorithm(self):
        grown = self.left * 1.01**self.model.times
        assert self.model.times > 0
        assert abs(self.portfolio.cash - grown) < 1e-9, self.model.times
