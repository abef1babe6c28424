# ruff: noqa: F403, F405
from AlgorithmImports import *


class RoundLotsWithoutEnd(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 1)
        self.set_end_date(2013, 10, 31)
        security = self.add_equity("SPY", Resolution.HOUR)
        self.spy = security.symbol
        security.set_buying_power_model(RoundLots())

    def on_data(self, data):
        if self.portfolio.invested:
            return
        quantity = self.calculate_order_quantity(self.spy, 1.0)
        assert quantity % 100 == 0
        self.market_order(self.spy, quantity * 10)


class RoundLots(BuyingPowerModel):
    def get_maximum_order_quantity_for_target_buying_power(self, parameters):
        found = super().get_maximum_order_quantity_for_target_buying_power(parameters).quantity
        return GetMaximumOrderQuantityResult(found // 100 * 100)

    def has_sufficient_buying_power_for_order(self, parameters):
        return parameters.sufficient()

    def get_maintenance_margin(self, parameters):
        return MaintenanceMargin(0)
