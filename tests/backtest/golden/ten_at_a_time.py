# ruff: noqa: F403, F405
from AlgorithmImports import *


class TenAtATime(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2019, 1, 1)
        self.set_end_date(2019, 3, 1)
        self.spy = self.add_equity("SPY", Resolution.HOUR)
        self.spy.set_fill_model(Slowly())

    def on_data(self, data):
        if self.transactions.get_open_orders(self.spy.symbol):
            return
        held = self.spy.holdings.quantity
        if self.time.day > 10 and held <= 0:
            self.market_order(self.spy.symbol, 105, True)
        elif self.time.day > 20 and held >= 0:
            self.market_order(self.spy.symbol, -100, True)


class Slowly(FillModel):
    def __init__(self):
        self.left = {}

    def market_fill(self, asset, order):
        event = super().market_fill(asset, order)
        left = self.left.pop(order.id, order.absolute_quantity)
        size = min(left, 10)
        event.fill_quantity = size if order.quantity > 0 else -size
        event.status = OrderStatus.FILLED
        if left > size:
            event.status = OrderStatus.PARTIALLY_FILLED
            self.left[order.id] = left - size
        return event
