# ruff: noqa: F403, F405
from AlgorithmImports import *


class Once(AlphaModel):
    def __init__(self, symbol):
        self.symbol, self.said = symbol, False

    def update(self, algorithm, data):
        if self.said:
            return []
        self.said = True
        down, tag = InsightDirection.DOWN, f"{self.symbol} falls"
        return [Insight.price(self.symbol, Resolution.DAILY, 1, down, tag=tag)]


class ThreeTags(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.set_cash(100000)
        self.universe_settings.resolution = Resolution.DAILY
        symbols = [
            Symbol.create(ticker, SecurityType.EQUITY, Market.USA)
            for ticker in ("SPY", "FB", "IBM")
        ]
        self.set_universe_selection(ManualUniverseSelectionModel(symbols))
        self.set_portfolio_construction(EqualWeightingPortfolioConstructionModel())
        self.set_execution(ImmediateExecutionModel())
        for symbol in symbols:
            self.add_alpha(Once(symbol))
        self.tags = []
        self.insights_generated += self.heard

    def heard(self, algorithm, collection):
        self.tags += [insight.tag for insight in collection.insights]

    def on_end_of_algorithm(self):
        assert sorted(self.tags) == ["FB falls", "IBM falls", "SPY falls"], self.tags
