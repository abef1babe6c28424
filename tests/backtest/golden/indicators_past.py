# ruff: noqa: F403, F405
from AlgorithmImports import *


class AsksOnce(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 1, 1)
        self.set_end_date(2014, 12, 31)
        self.spy = self.add_equity("SPY", Resolution.DAILY).symbol

    def on_data(self, data):
        bands = BollingerBands("BB", 20, 2.0, MovingAverageType.SIMPLE)
        assert not bands.window.is_ready
        past = self.indicator_history(bands, self.spy, 50)
        assert bands.window.is_ready
        assert past.count == len(past.current) == len(past["upper_band"]) == 50
        assert all(point.value for point in past["upper_band"])
        assert all(point["middle_band"] for point in past)
        self.quit()
