# ruff: noqa: F403, F405
"""Equal weights of seven tickers, restored on Mondays where they have drifted apart."""

from AlgorithmImports import *


class Drift(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2015, 1, 1)
        self.set_end_date(2018, 1, 1)
        self.universe_settings.resolution = Resolution.DAILY
        self.settings.rebalance_portfolio_on_insight_changes = False
        self.settings.rebalance_portfolio_on_security_changes = False
        tickers = ["AAPL", "IBM", "FB", "SPY", "AIG", "BAC", "BNO"]
        self.set_universe_selection(CustomUniverseSelectionModel("seven", lambda now: tickers))
        self.set_alpha(
            ConstantAlphaModel(InsightType.PRICE, InsightDirection.UP, timedelta(minutes=20))
        )
        self.set_portfolio_construction(EqualWeightingPortfolioConstructionModel(self.due))
        self.set_execution(ImmediateExecutionModel())
        self.begun = False

    def due(self, now):
        if now.weekday() != 0:
            return None
        if not self.begun:
            self.begun = True
            return now
        held = [item for item in self.securities.values() if item.invested]
        return now if held and self.drift(held) >= 0.015 else None

    def drift(self, held):
        fair = self.portfolio.total_portfolio_value / len(held)
        return sum((fair - self.worth(item)) / fair for item in held)

    def worth(self, security):
        model = security.buying_power_model
        asked = ReservedBuyingPowerForPositionParameters(security)
        tied = model.get_reserved_buying_power_for_position(asked).absolute_used_buying_power
        return tied * model.get_leverage(security)
