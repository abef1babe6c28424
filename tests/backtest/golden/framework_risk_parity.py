# ruff: noqa: F403, F405
from AlgorithmImports import *


class SameRiskFromBoth(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2021, 2, 21)
        self.set_end_date(2021, 3, 30)
        self.set_cash(100_000)
        self.set_security_initializer(self.seed)
        self.add_equity("SPY", Resolution.DAILY)
        self.add_equity("AAPL", Resolution.DAILY)
        self.add_alpha(
            ConstantAlphaModel(InsightType.PRICE, InsightDirection.UP, timedelta(days=1))
        )
        self.set_portfolio_construction(RiskParityPortfolioConstructionModel())

    def seed(self, security):
        security.set_market_price(self.get_last_known_price(security))
