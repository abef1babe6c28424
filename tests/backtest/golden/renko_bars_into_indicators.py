# ruff: noqa: F403, F405
from AlgorithmImports import *


class BricksIntoIndicators(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 9)
        self.add_equity("SPY")
        bricks = RenkoConsolidator(0.1)
        bricks.data_consolidated += self.on_brick
        self.subscription_manager.add_consolidator("SPY", bricks)
        self.fed = [
            MassIndex("mass", 9, 25), WilderAccumulativeSwingIndex(8), WilderSwingIndex(8),
        ]  # fmt: skip

    def on_brick(self, sender, brick):
        for indicator in self.fed:
            indicator.update(brick)

    def on_end_of_algorithm(self):
        for indicator in self.fed:
            assert indicator.is_ready, indicator.name
            assert indicator.current.value, indicator.name
