# ruff: noqa: F403, F405
from AlgorithmImports import *


class Told(ExecutionModel):
    """Orders what targets lack, and is told of every event of every order."""

    def __init__(self, algorithm):
        self.algorithm = algorithm
        self.waiting, self.mine, self.heard = PortfolioTargetCollection(), set(), []

    def execute(self, algorithm, targets):
        self.waiting.add_range(targets)
        if self.waiting.is_empty:
            return
        for target in self.waiting.order_by_margin_impact(algorithm):
            security = algorithm.securities[target.symbol]
            size = OrderSizing.get_unordered_quantity(algorithm, target, security, True)
            least = algorithm.settings.minimum_order_margin_portfolio_percentage
            if size and BuyingPowerModelExtensions.above_minimum_order_margin_portfolio_percentage(
                security.buying_power_model, security, size, algorithm.portfolio, least
            ):
                ticket = algorithm.market_order(
                    security.symbol, size, asynchronous=True, tag=target.tag
                )
                self.mine.add(ticket.order_id)
        self.waiting.clear_fulfilled(algorithm)

    def on_order_event(self, order_event):
        if order_event.order_id in self.mine and order_event.status.is_closed():
            self.mine.discard(order_event.order_id)
        self.heard.append(order_event)


class BothHearTheSame(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.set_cash(100000)
        self.universe_settings.resolution = Resolution.MINUTE
        spy = Symbol.create("SPY", SecurityType.EQUITY, Market.USA)
        self.set_universe_selection(ManualUniverseSelectionModel(spy))
        span = timedelta(minutes=20)
        self.set_alpha(
            ConstantAlphaModel(InsightType.PRICE, InsightDirection.UP, span, 0.025, None)
        )
        self.set_portfolio_construction(EqualWeightingPortfolioConstructionModel(Resolution.DAILY))
        self.model, self.heard = Told(self), []
        self.set_execution(self.model)
        self.set_risk_management(MaximumDrawdownPercentPerSecurity(0.01))

    def on_order_event(self, event):
        self.heard.append(event)

    def on_end_of_algorithm(self):
        both = [[(e.order_id, e.id, e.status) for e in events]
                for events in (self.heard, self.model.heard)]  # fmt: skip
        assert both[0] == both[1], both
