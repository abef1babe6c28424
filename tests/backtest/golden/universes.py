# ruff: noqa: F403, F405
from AlgorithmImports import *


class ThreeUniverses(QCAlgorithm):
    def initialize(self):
        self.settings.daily_precise_end_time = True
        self.set_start_date(2013, 10, 8)
        self.set_end_date(2013, 10, 11)
        self.universe_settings.resolution = Resolution.DAILY
        often = timedelta(minutes=20)
        self.set_alpha(ConstantAlphaModel(InsightType.PRICE, InsightDirection.UP, often, 0.025))
        self.set_portfolio_construction(EqualWeightingPortfolioConstructionModel())
        self.set_execution(ImmediateExecutionModel())
        spy, aapl, fb = (
            Symbol.create(ticker, SecurityType.EQUITY, Market.USA)
            for ticker in ("SPY", "AAPL", "FB")
        )
        self.set_universe_selection(ManualUniverseSelectionModel([spy]))
        self.add_universe_selection(ManualUniverseSelectionModel([aapl]))
        self.add_universe_selection(ManualUniverseSelectionModel(spy, fb))
