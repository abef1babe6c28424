# ruff: noqa: F403, F405
from AlgorithmImports import *

MOST, COUNT = "Most Traded Security", "Most Traded Security Trade Count"


class LooksAtItsFigures(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.set_cash(100000)
        self.spy = self.add_equity("SPY", Resolution.MINUTE).symbol
        self.ibm = self.add_equity("IBM", Resolution.MINUTE).symbol
        self.fast, self.slow, self.faster = (
            self.ema(self.spy, length, Resolution.MINUTE) for length in (30, 60, 10)
        )
        self.middle = self.ema(self.spy, 30, Resolution.MINUTE)
        self.counts = {}

    def on_data(self, data):
        if self.slow.is_ready:
            self.trade(self.spy, 0.5, self.fast > self.slow)
            self.trade(self.ibm, 0.2, self.faster > self.middle)

    def trade(self, symbol, share, up):
        if up:
            self.set_holdings(symbol, share)
        elif self.securities[symbol].invested:
            self.liquidate(symbol)

    def on_order_event(self, event):
        if event.status != OrderStatus.FILLED:
            return
        found = self.statistics.summary
        self.log(
            f"{found[PerformanceMetrics.TOTAL_ORDERS]} {found[PerformanceMetrics.SHARPE_RATIO]}"
        )
        if self.counts:
            self.check(found)
        else:
            assert MOST not in found
            assert COUNT not in found
        self.counts[event.symbol] = self.counts.get(event.symbol, 0) + 1
        symbol, count = self.most()
        self.set_summary_statistic(MOST, str(symbol))
        self.set_summary_statistic(COUNT, count)
        self.check(self.statistics.summary)

    def most(self):
        return max(self.counts.items(), key=lambda pair: pair[1])

    def check(self, found):
        symbol, count = self.most()
        assert found[MOST] == str(symbol), (found[MOST], str(symbol))
        assert found[COUNT] == str(count), (found[COUNT], count)

    def on_end_of_algorithm(self):
        self.check(self.statistics.summary)
