# ruff: noqa: F403, F405
from AlgorithmImports import *


class Ribbon(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2009, 1, 1)
        self.set_end_date(2015, 1, 1)
        self.spy = self.add_equity("SPY", Resolution.DAILY).symbol
        self.lines = []
        for step in range(1, 7):
            average = SimpleMovingAverage(15)
            line = IndicatorExtensions.of(Delay(5 * step), average)
            self.register_indicator(self.spy, line, Resolution.DAILY)
            self.lines.append(line)
        self.last_day = None

    def on_data(self, data):
        if not all(line.is_ready for line in self.lines) or self.last_day == self.time.date():
            return
        self.last_day = self.time.date()
        values = [line.current.value for line in self.lines]
        pairs = [(values[i], values[i + 1]) for i in range(5)]
        quantity = self.portfolio[self.spy].quantity
        if quantity <= 0 and all(newer >= older for newer, older in pairs):
            self.set_holdings(self.spy, 1.0)
        elif quantity > 0 and all(newer <= older for newer, older in pairs):
            self.liquidate(self.spy)
