# ruff: noqa: F403, F405
"""Indicators and a fee's rate kept on the security, read by the strategy and by its fee model."""

from AlgorithmImports import *


class Kept(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.spy = self.add_equity("SPY", Resolution.MINUTE)
        self.spy.quick = self.ema("SPY", 30, Resolution.MINUTE)
        self.spy.add("steady", self.ema("SPY", 60, Resolution.MINUTE))
        self.spy["rate"] = 0.00002
        self.spy.set_fee_model(ByRate())

    def on_data(self, data):
        spy = self.spy
        if not spy.steady.is_ready:
            return
        if not self.portfolio.invested:
            if spy.quick > spy.steady:
                self.set_holdings("SPY", 1)
        elif spy.get("quick") < spy.get[ExponentialMovingAverage]("steady"):
            self.liquidate("SPY")


class ByRate(FeeModel):
    def get_order_fee(self, parameters):
        security, quantity = parameters.security, parameters.order.absolute_quantity
        amount = security.price * quantity * security["rate"]
        return OrderFee(CashAmount(max(1, amount), "USD"))
