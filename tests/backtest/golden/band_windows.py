# ruff: noqa: F403, F405
from AlgorithmImports import *


class LooksAtWindowsOnce(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 1, 1)
        self.set_end_date(2014, 12, 31)
        self.set_cash(25000)
        spy = self.add_equity("SPY", Resolution.DAILY).symbol
        self.bands = self.bb(spy, 20, 2.0, resolution=Resolution.DAILY)
        self.bands.window.size = self.bands.middle_band.window.size = 20

    def on_data(self, data):
        if not self.bands.window.is_ready:
            return
        for window in (self.bands, self.bands.middle_band):
            points = list(window)
            assert len(points) == 20, len(points)
            assert points[0].end_time == self.time, points[0]
            assert window[19].end_time == points[-1].end_time < self.time
        self.quit()
