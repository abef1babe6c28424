# ruff: noqa: F403, F405
from AlgorithmImports import *


class TagsWhenDone(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.spy = self.add_equity("SPY").symbol
        self.far = None

    def on_data(self, data):
        if self.portfolio.invested:
            return
        if self.far is None:
            self.far = self.limit_order(self.spy, 100, self.securities[self.spy].price * 0.1)
            self.far.cancel()
        else:
            self.buy(self.spy, 100)

    def on_order_event(self, event):
        how = {OrderStatus.CANCELED: "canceled", OrderStatus.FILLED: "filled"}.get(event.status)
        if how is None:
            return
        ticket = self.transactions.get_order_ticket(event.order_id)
        tag = f"This is the tag set after order was {how}."
        if ticket.update_tag(tag).is_error or ticket.tag != tag:
            raise ValueError(f"no tag after it was {how}")
        if ticket.update_quantity(50).is_success:
            raise ValueError("a closed order changed its quantity")
