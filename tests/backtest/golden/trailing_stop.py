# ruff: noqa: F403, F405
from AlgorithmImports import *


class BuyAndSellByTrailingStops(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.set_cash(100000)
        self.spy = self.add_equity("SPY").symbol
        self.entry = self.leave = self.before = None

    def on_data(self, data):
        if not data.contains_key(self.spy):
            return
        if self.entry is None:
            self.entry = self.trailing_stop_order(self.spy, 100, 2.0, False)
        elif self.entry.status != OrderStatus.FILLED:
            low = self.before.quote_bars[self.spy].ask.low
            assert self.entry.get(OrderField.STOP_PRICE) - low <= 2.0 + 1e-9
        if self.leave is None:
            if self.portfolio.invested:
                self.leave = self.trailing_stop_order(self.spy, -100, 0.5, False)
        elif self.leave.status != OrderStatus.FILLED:
            high = self.before.quote_bars[self.spy].bid.high
            assert high - self.leave.get(OrderField.STOP_PRICE) <= 0.5 + 1e-9
        self.before = data

    def on_order_event(self, event):
        if event.status == OrderStatus.FILLED:
            stop = event.ticket.get(OrderField.STOP_PRICE)
            worse = event.fill_price - stop
            assert worse >= 0 if event.direction == OrderDirection.BUY else worse <= 0
