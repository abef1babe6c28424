# ruff: noqa: F403, F405
from AlgorithmImports import *


class InAndOutEveryOtherMinute(QCAlgorithm):
    """Buys at the market, and sells without waiting, by orders that live for the day."""

    def initialize(self):
        self.set_start_date(2014, 6, 5)
        self.set_end_date(2014, 6, 6)
        self.set_cash(100000)
        self.aapl = self.add_equity("AAPL", Resolution.MINUTE).symbol
        self.today = OrderProperties()
        self.today.time_in_force = TimeInForce.DAY

    def on_data(self, data):
        if not datetime(2014, 6, 6, 10) < self.time < datetime(2014, 6, 6, 16):
            return
        if not self.portfolio[self.aapl].invested:
            self.market_order(self.aapl, 10)
            return
        for ticket in self.liquidate(asynchronous=True, order_properties=self.today):
            lifetime = ticket.submit_request.order_properties.time_in_force
            assert lifetime == TimeInForce.DAY, lifetime
