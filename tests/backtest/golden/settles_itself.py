# ruff: noqa: F403, F405
"""No orders: 101 dollars by way of a settlement model of its own, taken back after the end."""

from AlgorithmImports import *

LATE = datetime(2013, 10, 6)


class AtOnce:
    def apply_funds(self, parameters):
        self.money = parameters.cash_amount
        parameters.portfolio.cash_book[self.money.currency].add_amount(self.money.amount)

    def scan(self, parameters):
        if parameters.utc_time == LATE:
            book = parameters.portfolio.cash_book
            book[self.money.currency].add_amount(-self.money.amount)

    def get_unsettled_cash(self):
        return None


class Settles(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.set_cash(10000)
        self.spy = self.add_equity("SPY", Resolution.DAILY)
        self.spy.set_settlement_model(AtOnce())

    def on_data(self, data):
        if self.portfolio.cash_book[Currencies.USD].amount == 10000:
            self.spy.settlement_model.apply_funds(
                ApplyFundsSettlementModelParameters(
                    self.portfolio, self.spy, self.time, CashAmount(101, Currencies.USD), None
                )
            )

    def on_end_of_algorithm(self):
        assert self.portfolio.cash_book[Currencies.USD].amount == 10101
        asked = ScanSettlementModelParameters(self.portfolio, self.spy, LATE)
        self.spy.settlement_model.scan(asked)
        assert self.portfolio.cash_book[Currencies.USD].amount == 10000
