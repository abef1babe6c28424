# ruff: noqa: F403, F405
from AlgorithmImports import *


class ThreeLifetimes(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.set_cash(100000)
        self.spy = self.add_equity("SPY", Resolution.MINUTE).symbol
        self.wanted = {}

    def on_data(self, data):
        if self.wanted:
            return
        lifetimes = (
            (TimeInForce.GOOD_TIL_CANCELED, 100, OrderStatus.SUBMITTED, 160),
            (TimeInForce.DAY, 140, OrderStatus.CANCELED, 180),
            (TimeInForce.good_til_date(datetime(2013, 10, 10)), 100, OrderStatus.CANCELED, 160),
        )
        for lifetime, low, status, high in lifetimes:
            self.default_order_properties.time_in_force = lifetime
            self.wanted[self.limit_order(self.spy, 10, low).order_id] = status
            self.wanted[self.limit_order(self.spy, 10, high).order_id] = OrderStatus.FILLED

    def on_end_of_algorithm(self):
        for number, status in self.wanted.items():
            assert self.transactions.get_order_by_id(number).status == status
