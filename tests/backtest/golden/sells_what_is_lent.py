# ruff: noqa: F403, F405
from AlgorithmImports import *


class SellsWhatIsLent(QCAlgorithm):
    def initialize(self):
        self.set_cash(10_000_000)
        self.set_start_date(2013, 10, 4)
        self.set_end_date(2013, 10, 6)
        self.spy = self.add_equity("SPY", Resolution.DAILY)
        self.spy.set_shortable_provider(Lender())

    def on_data(self, data):
        lent = self.spy.shortable_provider.shortable_quantity(self.spy.symbol, self.time)
        if lent > 1000:
            ticket = self.sell("SPY", int(lent))
            if self.transactions.get_order_by_id(ticket).quantity != -1001:
                raise ValueError("a ticket does not stand for its order")


class Lender(NullShortableProvider):
    def shortable_quantity(self, symbol, local_time):
        return 10 if local_time < datetime(2013, 10, 4, 16) else 1001
