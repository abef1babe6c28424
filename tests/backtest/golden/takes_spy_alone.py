# ruff: noqa: F403, F405
from AlgorithmImports import *


class TakesSpyAlone(QCAlgorithm):
    def initialize(self):
        self.set_start_date(2013, 10, 7)
        self.set_end_date(2013, 10, 11)
        self.set_brokerage_model(SpyAlone())
        for ticker in ("SPY", "AIG"):
            self.add_equity(ticker, Resolution.DAILY)
        self.first = None

    def on_data(self, data):
        if self.portfolio.invested:
            return
        self.market_order("SPY", 100)
        refused = self.market_order("AIG", 100).submit_request.response
        if refused.error_message != (
            "BrokerageModel declared unable to submit order: [2] Information - Code:  - not AIG"
        ):
            raise ValueError(refused.error_message)

    def on_order_event(self, event):
        if self.first is None:
            self.first = self.transactions.get_order_ticket(event.order_id)
            self.first.update_quantity(110)

    def on_end_of_algorithm(self):
        said = self.first.update_requests[0].response.error_message
        if said != "OrderID: 1 Information - Code:  - as it is":
            raise ValueError(said)


class SpyAlone(DefaultBrokerageModel):
    def can_submit_order(self, security, order, message):
        if security.symbol.value == "SPY":
            return True, None
        return False, BrokerageMessageEvent(BrokerageMessageType.INFORMATION, "", "not AIG")

    def can_update_order(self, security, order, request, message):
        return False, BrokerageMessageEvent(BrokerageMessageType.INFORMATION, "", "as it is")
