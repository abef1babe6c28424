# ruff: noqa: F403, F405
from AlgorithmImports import *


class OutAtOnePercent(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.universe_settings.resolution = Resolution.MINUTE
        spy = Symbol.create("SPY", SecurityType.EQUITY, Market.USA)
        self.set_universe_selection(ManualUniverseSelectionModel([spy]))
        often = timedelta(minutes=20)
        self.set_alpha(ConstantAlphaModel(InsightType.PRICE, InsightDirection.UP, often, 0.025))
        self.set_portfolio_construction(EqualWeightingPortfolioConstructionModel())
        self.set_execution(ImmediateExecutionModel())
        gain, loss = (
            model(0.01)
            for model in (
                MaximumUnrealizedProfitPercentPerSecurity, MaximumDrawdownPercentPerSecurity
            )
        )  # fmt: skip
        self.set_risk_management(CompositeRiskManagementModel(gain, loss))
