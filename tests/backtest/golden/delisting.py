# ruff: noqa: F403, F405
from AlgorithmImports import *


class OutBeforeTheEnd(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2007, 5, 15)
        self.set_end_date(2007, 5, 25)
        self.gone = self.add_equity("AAA.1", Resolution.DAILY).symbol
        self.add_equity("SPY", Resolution.DAILY)

    def on_data(self, data):
        if not self.transactions.orders_count:
            self.set_holdings(self.gone, 1)
        for end in data.delistings.values():
            # The second of the two is refused: nothing of it can be traded any more.
            self.set_holdings(end.symbol, 0 if end.type == DelistingType.WARNING else 1)
