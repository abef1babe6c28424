# ruff: noqa: F403, F405
from AlgorithmImports import *

KEY = "closes of a year"


class KeepsItsPast(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.spy = self.add_equity("SPY", Resolution.MINUTE).symbol
        self.last = self.identity(self.spy, Resolution.DAILY)
        self.fast, self.slow = (IndicatorExtensions.ema(self.last, n) for n in (10, 50))
        assert not self.object_store.contains_key(KEY)
        assert self.object_store.read(KEY) is None
        past = self.history(self.spy, timedelta(365), Resolution.DAILY).close.unstack(0).squeeze()
        lines = [f"{time},{close!r}" for time, close in past.items()]
        assert self.object_store.save(KEY, "\n".join(lines))
        for line in self.object_store.read(KEY).split("\n"):
            time, close = line.split(",")
            self.last.update(datetime.strptime(time, "%Y-%m-%d %H:%M:%S"), float(close))

    def on_data(self, data):
        last, fast, slow = self.last, self.fast, self.slow
        holding = self.portfolio[self.spy]
        if fast > last and fast > slow:
            self.set_holdings(self.spy, 1)
        elif fast < last and fast < slow:
            self.set_holdings(self.spy, -1)
        elif (fast < slow and holding.is_long) or (fast > slow and holding.is_short):
            self.liquidate(self.spy)
