# ruff: noqa: F403, F405
from AlgorithmImports import *


class BuyAndSellByBricks(QCAlgorithm):
    def initialize(self):
        self.settings.daily_precise_end_time = True
        self.set_start_date(2012, 1, 1)
        self.set_end_date(2013, 1, 1)
        self.spy = self.add_equity("SPY", Resolution.DAILY).symbol
        bricks = [
            (ClassicRenkoConsolidator(2.5), self.enter),
            (ClassicRenkoConsolidator(2.5, self.typical, lambda bar: bar.volume), self.leave),
        ]
        for brick, handler in bricks:
            brick.data_consolidated += handler
            self.subscription_manager.add_consolidator(self.spy, brick)

    @staticmethod
    def typical(bar):
        return (2 * bar.open + bar.high + bar.low + 3 * bar.close) / 7

    def enter(self, sender, brick):
        if not self.portfolio.invested:
            self.set_holdings(self.spy, 1)

    def leave(self, sender, brick):
        if self.portfolio.invested:
            self.liquidate(self.spy)
